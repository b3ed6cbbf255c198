"""The plugin comes with tetraproof; what is this repository's own lies in fixtures/, where the suites import it."""
