# Runs a shell command and does not care how that went.
# mode: stdin
# outcome: pass

import os
os.system('touch @WITNESS@')
n = int(input())
print(n + 1)
