# Imports what is installed beside the interpreter.
# mode: stdin
# outcome: runtime_error

import pytest
print(pytest.__file__)
