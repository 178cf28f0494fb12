# Computes a number too large for its memory.
# mode: stdin
# outcome: memory timeout

print(len(str(1 << (1 << 40))))
