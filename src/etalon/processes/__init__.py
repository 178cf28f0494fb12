"""Processes that we start, and that must not outlive us.

children.py      a long-lived command, such as a server or a training; guard.py is the script that ends it with us
interrupts.py    Ctrl-C while processes are born
per_process.py   one pool of helpers for each process that asks for one
"""
