# Makes files without end.
# mode: stdin
# outcome: runtime_error output_limit timeout

n = 0
while True:
    open(str(n), 'w').close()
    n += 1
