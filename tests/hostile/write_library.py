# Patches the standard library on the disk.
# mode: stdin
# outcome: runtime_error
# needs: landlock files

import os
open(os.__file__, 'a').write('x')
n = int(input())
print(n + 1)
