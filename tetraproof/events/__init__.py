"""Lines come in, wrapped or cut or whole; typed events go out, with what could not be read and what was lost.

`api.py` is generated from Tetragon's protobuf. Open `event.py` first, then `stream.py`.
"""
