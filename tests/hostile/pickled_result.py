# Returns an object that runs code when it is unpickled.
# mode: assert
# outcome: wrong

import os
class Payload:
    def __reduce__(self):
        return os.system, ('touch @WITNESS@',)
def f(n):
    return Payload()
