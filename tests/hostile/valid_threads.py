# Computes in threads: valid.
# mode: stdin
# outcome: pass

import threading
from concurrent.futures import ThreadPoolExecutor
n = int(input())
with ThreadPoolExecutor(8) as threads:
    results = list(threads.map(lambda k: k + 1, [n] * 50))
print(results[0])
