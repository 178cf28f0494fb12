# Raises the recursion limit and the stack of a thread: valid.
# mode: stdin
# outcome: pass

import sys, threading
sys.setrecursionlimit(10**6)
threading.stack_size(1 << 27)
def depth(n):
    return 0 if n == 0 else 1 + depth(n - 1)
def main():
    assert depth(50_000) == 50_000
    print(int(input()) + 1)
thread = threading.Thread(target=main)
thread.start()
thread.join()
