# Prints bytes that are no text.
# mode: stdin
# outcome: wrong

import sys
sys.stdout.buffer.write(b'\xff\xfe')
