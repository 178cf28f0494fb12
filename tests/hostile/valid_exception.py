# Raises the exception that the checks expect: valid.
# mode: assert
# outcome: pass
# check: try:
#       f(3)
#   except ValueError as error:
#       assert 'small' in str(error)
#   else:
#       assert False

def f(n):
    raise ValueError('too small')
