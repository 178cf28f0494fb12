# Hands the work to other processes.
# mode: stdin
# outcome: runtime_error
# needs: seccomp

import multiprocessing
with multiprocessing.Pool(2) as pool:
    print(pool.map(str, [1]))
