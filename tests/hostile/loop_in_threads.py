# Computes in several threads.
# mode: stdin
# outcome: timeout

import threading
for _ in range(4):
    threading.Thread(target=lambda: [0 for _ in iter(int, 1)]).start()
