"""`python -m tetraproof`."""

from tetraproof.start import main

raise SystemExit(main())
