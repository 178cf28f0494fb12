# Takes memory without end.
# mode: stdin
# outcome: memory

values = []
while True:
    values.append(bytes(1 << 20))
