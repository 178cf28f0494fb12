# Replaces built-in functions and exceptions.
# mode: assert
# outcome: wrong runtime_error
# check: assert abs(f(3) - @ANSWER@) < 1e-6

import builtins
builtins.AssertionError = SystemExit
builtins.abs = lambda value: 0
builtins.len = builtins.sum = builtins.int = lambda *values: 0
builtins.isinstance = lambda *values: True
abs = builtins.abs
def f(n):
    return 0
