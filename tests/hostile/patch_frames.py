# Walks up the frames and replaces what it finds there.
# mode: assert
# outcome: wrong runtime_error

import sys
def spoil():
    frame = sys._getframe()
    while frame:
        for name in ('guard', '_guard', 'run', '_report', 'write_all', 'serve'):
            if name in frame.f_globals:
                frame.f_globals[name] = lambda *values, **named: ('ok', '')
        frame = frame.f_back
def f(n):
    spoil()
    return 0
spoil()
