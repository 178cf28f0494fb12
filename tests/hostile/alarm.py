# Has itself killed by a timer.
# mode: stdin
# outcome: runtime_error

import signal, time
signal.setitimer(signal.ITIMER_REAL, 0.01)
time.sleep(1)
n = int(input())
print(n + 1)
