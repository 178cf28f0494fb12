# Fills the disk with many files.
# mode: stdin
# outcome: runtime_error output_limit timeout

for n in range(100_000):
    with open(str(n), 'wb') as file:
        file.write(bytes(1 << 20))
