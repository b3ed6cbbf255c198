"""tetraproof proves that Tetragon policies do what they say."""

__version__ = "0.1.0"
