# Leaves when its class is asked for a name.
# mode: assert
# outcome: runtime_error

import os
class Meta(type):
    def __call__(cls, *arguments):
        os._exit(0)
class f(metaclass=Meta):
    pass
