# Never ends, and catches everything.
# mode: stdin
# outcome: timeout

while True:
    try:
        while True:
            pass
    except BaseException:
        pass
