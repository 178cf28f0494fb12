"""math-verify, for what rationals and text leave undecided: in processes that die at their deadline.

symbolic.py   the pool and the budget: what comparisons call
process.py    the processes as this side sees them: sockets, deadlines, kill
worker.py     the program on the other side; a script, imports nothing of ours but values.py
values.py     what expressions come to: where math-verify looks at too little
"""
