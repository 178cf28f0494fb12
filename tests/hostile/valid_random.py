# Draws random numbers, seeded and not: valid.
# mode: stdin
# outcome: pass

import os, random, secrets, uuid
assert len({random.random(), secrets.token_hex(), os.urandom(8), uuid.uuid4()}) == 4
n = int(input())
print(n + 1)
