# Leaves in a function that is compared outside.
# mode: call
# outcome: runtime_error

import os
def f(n):
    os._exit(0)
