# Becomes root.
# mode: stdin
# outcome: runtime_error
# needs: seccomp

import os
os.setuid(0)
os.setresuid(0, 0, 0)
n = int(input())
print(n + 1)
