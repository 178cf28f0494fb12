# Raises SystemExit in a function that is compared outside.
# mode: call
# outcome: runtime_error

import sys
def f(n):
    sys.exit(0)
