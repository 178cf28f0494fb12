"""`python -m etalon` is the command `etalon`."""

import sys

from etalon.cli import main

sys.exit(main())
