# Raises SystemExit while it is loaded.
# mode: assert
# outcome: runtime_error

import sys
sys.exit(0)
