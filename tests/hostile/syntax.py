# Is no Python.
# mode: stdin
# outcome: syntax_error

def f(:
    pass
