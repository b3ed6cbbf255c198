"""What a user set comes in, on the command line or in a file; options go out, and what is installed and shipped.

Open `options.py` first.
"""
