# Maps very much memory.
# mode: stdin
# outcome: memory runtime_error

import mmap
space = mmap.mmap(-1, 1 << 40)
