"""Acts and events come in; what was observed of a scenario goes out: timelines, enforcement, gaps, what is installed.

Nothing is judged here. Open `act.py` first, then `timeline.py`.
"""
