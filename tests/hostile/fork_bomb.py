# Forks without end.
# mode: stdin
# outcome: runtime_error
# needs: seccomp

import os
while True:
    os.fork()
