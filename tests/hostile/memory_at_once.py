# Takes very much memory at once.
# mode: stdin
# outcome: memory

values = [0] * 10**11
