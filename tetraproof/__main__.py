"""`python -m tetraproof`."""

from tetraproof.cli import main

raise SystemExit(main())
