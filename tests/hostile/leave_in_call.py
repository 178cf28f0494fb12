# Leaves in the function.
# mode: assert
# outcome: runtime_error

import os
def f(n):
    os._exit(0)
