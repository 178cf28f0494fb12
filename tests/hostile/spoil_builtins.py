# Breaks the interpreter for whoever comes next.
# mode: stdin
# outcome: pass

import builtins, sys
n = int(input())
print(n + 1)
sys.stdout.flush()
builtins.print = builtins.int = builtins.input = None
sys.modules.clear()
