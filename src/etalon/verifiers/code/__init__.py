"""Programs judged by their tests, in the sandbox.

verdict.py            the verdict on a response
programs.py           the program in a response
suite.py              the tests of a problem, read and checked
outputs.py            is an output the expected one?
missing.py            programs that need a library which is not here
assertions/           tests that are assertions: made ready, altered, and judged by what came of it
guest/                code of ours that travels into the sandbox
"""
