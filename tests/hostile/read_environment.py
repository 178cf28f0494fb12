# Reads the environment.
# mode: stdin
# outcome: runtime_error

import os
print(os.environ['ETALON_TEST_SECRET'])
