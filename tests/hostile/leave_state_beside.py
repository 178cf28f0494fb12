# Leaves a file beside its folder.
# mode: stdin
# outcome: pass

import os
try:
    open('../state', 'x').close()
except OSError as error:
    assert not isinstance(error, FileExistsError)
n = int(input())
print(n + 1)
