# Closes every descriptor, then answers.
# mode: stdin
# outcome: runtime_error

import os
os.closerange(0, 64)
n = int(input())
print(n + 1)
