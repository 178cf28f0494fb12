# Deletes the standard library.
# mode: stdin
# outcome: runtime_error
# needs: landlock files

import os
os.remove(os.__file__)
n = int(input())
print(n + 1)
