# Returns a tuple where a list is expected, and prints on the way: valid.
# mode: call
# outcome: pass

def f(n):
    print('thinking', n)
    return n + 1
