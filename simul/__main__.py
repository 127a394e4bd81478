"""`python -m simul`: the same as the executable `simul`."""

import sys

from simul.cli.main import main

sys.exit(main())
