# Attaches to its parent as a debugger.
# mode: stdin
# outcome: runtime_error

import ctypes, os
if ctypes.CDLL(None).ptrace(16, os.getppid() or 1, 0, 0) != 0:
    raise OSError('refused')
n = int(input())
print('attached')
