# Reads the memory of its parent.
# mode: stdin
# outcome: runtime_error

import os
with open(f'/proc/{os.getppid() or 1}/mem', 'rb') as memory:
    print(memory.read(1))
