# Never leaves one C function.
# mode: stdin
# outcome: timeout

import re
re.match('(a*)*b', 'a' * 60)
