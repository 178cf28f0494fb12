"""What runs in the other process: a zygote, and the children that it forks. Standard library only.

A zygote is started by path, with this folder as its only one, so its modules import each other as siblings; of ours
they know nothing else. `order` is what both sides share: the pool imports it as part of the package.

forkserver.py    the zygote: forks one child per program; warm.py is loaded before it, and keeps its pages whole
child.py         the program on its standard inputs, and what all children share
functions.py     the program's functions called, or checks run behind it
clock.py         limits and deadlines; folder.py is where a program may write
walls.py         what a program cannot reach: seccomp, landlock, namespaces, privileges, by way of syscalls
order.py         what travels between the pool and a zygote
"""
