# Never ends.
# mode: stdin
# outcome: timeout

while True:
    pass
