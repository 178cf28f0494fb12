# Reads address 0.
# mode: stdin
# outcome: runtime_error

import ctypes
ctypes.string_at(0)
