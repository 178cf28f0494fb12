# Leaves while it is loaded.
# mode: assert
# outcome: runtime_error

import os
os._exit(0)
