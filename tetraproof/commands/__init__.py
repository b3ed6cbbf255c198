"""What a user types goes in, what a command prints comes out: a module for each command.

Each has `ABOUT`, a line of what it does, `add`, which declares its options, and `run`, which returns the exit
code. Open `tetraproof/cli.py` first: it lists them, and imports only the one that is asked for.
"""
