# Defines the names that checks define and use.
# mode: assert
# outcome: runtime_error
# check: def check(candidate):
#       assert candidate(3) == @ANSWER@
#   check(f)

def check(candidate):
    pass
def assertion(*values):
    return True
assertEqual = assert_equal = assertion
__builtins__ = {}
def f(n):
    return 0
