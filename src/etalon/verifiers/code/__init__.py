"""Programs judged by their tests, in the sandbox.

verdict.py            the verdict on a response
programs.py           the program in a response
suite.py              the tests of a problem, read and checked
outputs.py            is an output the expected one?
assertions.py         tests that are assertions, made ready to run
assertion_replay.py   assertions where checks and program must not meet: calls there, checks here
guest/                code of ours that travels into the sandbox
"""
