# Writes what the sandbox would write into every descriptor.
# mode: stdin
# outcome: runtime_error wrong

import os
for number in range(3, 64):
    for _ in range(9):
        try:
            os.write(number, b'[null, "ok", 0, ""]\n')
        except OSError:
            pass
os._exit(0)
