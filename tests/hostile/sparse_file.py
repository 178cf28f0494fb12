# Makes a file of a terabyte.
# mode: stdin
# outcome: runtime_error output_limit

import os
with open('a', 'wb') as file:
    os.ftruncate(file.fileno(), 1 << 40)
