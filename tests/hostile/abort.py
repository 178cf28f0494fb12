# Aborts.
# mode: stdin
# outcome: runtime_error

import os
os.abort()
