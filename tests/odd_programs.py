"""Odd but valid programs, by what is odd about them: each must pass."""

# number of values, then the values -> their sum
STDIN = {
    "for line": """\
import sys
s=0
for i,line in enumerate(sys.stdin):
    if i: s+=sum(map(int,line.split()))
print(s)
""",
    "readline bytes": """\
import sys
r=sys.stdin.buffer.readline
n=int(r())
print(sum(map(int,r().split())))
""",
    "open0": """\
n,*a=map(int,open(0).read().split())
print(sum(a))
""",
    "open dev stdin": """\
n,*a=map(int,open('/dev/stdin').read().split())
print(sum(a))
""",
    "open0 rb": """\
n,*a=map(int,open(0,'rb').read().split())
print(sum(a))
""",
    "osread": """\
import os
n,*a=map(int,os.read(0,10**6).split())
print(sum(a))
""",
    "os fstat": """\
import os,io
d=os.read(0,os.fstat(0).st_size)
n,*a=map(int,d.split())
print(sum(a))
""",
    "streams of its own": """\
import io, os, sys
class Reader(io.IOBase):
    def __init__(self, stream):
        self.descriptor, self.can_write = stream.fileno(), "w" in stream.mode
        self.text = os.read(self.descriptor, max(8192, os.fstat(self.descriptor).st_size))
        self.lines = iter(self.text.splitlines())
    def readline(self):
        return next(self.lines).decode()
class Writer(io.IOBase):
    def __init__(self, stream):
        self.descriptor, self.buffer = stream.fileno(), io.BytesIO()
        assert stream.mode == "w"
    def write(self, text):
        return self.buffer.write(text.encode())
    def flush(self):
        os.write(self.descriptor, self.buffer.getvalue())
        self.buffer.seek(0), self.buffer.truncate()
sys.stdin, sys.stdout = Reader(sys.stdin), Writer(sys.stdout)
input = sys.stdin.readline
input()
print(sum(map(int, input().split())))
""",
    "bufwrite": """\
import sys
n=input()
sys.stdout.buffer.write(str(sum(map(int,input().split()))).encode())
""",
    "global module": """\
global total
total=0
input()
for x in input().split(): total+=int(x)
print(total)
""",
    "second read": """\
import sys
a=sys.stdin.read()
assert sys.stdin.read()==''
print(sum(map(int,a.split()[1:])))
""",
    "input EOF": """\
s=0
input()
while True:
    try: s+=sum(map(int,input().split()))
    except EOFError: break
print(s)
""",
    "no newline": """\
input()
print(sum(map(int,input().split())),end='')
""",
    "threads rec": """\
import sys,threading
sys.setrecursionlimit(10**6)
threading.stack_size(1<<26)
def main():
    n=int(input());a=list(map(int,input().split()))
    def f(i): return 0 if i==0 else 1+f(i-1)
    assert f(20000)==20000
    print(sum(a))
t=threading.Thread(target=main)
t.start()
t.join()
""",
    "threads 256M": """\
import sys,threading
sys.setrecursionlimit(10**9)
threading.stack_size(1<<28)
def main():
    n=int(input());a=list(map(int,input().split()))
    print(sum(a))
threading.Thread(target=main).start()
""",
    "threads 512M": """\
import sys,threading
sys.setrecursionlimit(1<<25)
threading.stack_size(512*1024*1024)
def main():
    n=int(input());a=list(map(int,input().split()))
    print(sum(a))
threading.Thread(target=main).start()
""",
    "exit": """\
input()
print(sum(map(int,input().split())))
exit()
""",
    "exit0": """\
input()
print(sum(map(int,input().split())))
exit(0)
""",
    "quit": """\
input()
print(sum(map(int,input().split())))
quit()
""",
    "sysexit": """\
import sys
input()
print(sum(map(int,input().split())))
sys.exit()
""",
    "os._exit": """\
import os
input()
print(sum(map(int,input().split())),flush=True)
os._exit(0)
""",
    "raise SystemExit": """\
input()
print(sum(map(int,input().split())))
raise SystemExit
""",
    "main guard": """\
def main():
    input()
    print(sum(map(int,input().split())))
if __name__ == '__main__':
    main()
""",
    "main sysexit": """\
import sys
def main():
    input()
    print(sum(map(int,input().split())))
    return 0
if __name__ == '__main__':
    sys.exit(main())
""",
    "deep recursion": """\
import sys
sys.setrecursionlimit(10**6)
def f(i): return 0 if i==0 else 1+f(i-1)
assert f(50000)==50000
input()
print(sum(map(int,input().split())))
""",
    "deep recursion1e5": """\
import sys
sys.setrecursionlimit(300000)
def f(i): return 0 if i==0 else 1+f(i-1)
assert f(100000)==100000
input()
print(sum(map(int,input().split())))
""",
    "lru deep": """\
import sys
from functools import lru_cache
sys.setrecursionlimit(10**6)
@lru_cache(None)
def f(i): return 0 if i==0 else 1+f(i-1)
assert f(10000)==10000
input()
print(sum(map(int,input().split())))
""",
    "decimal": """\
from decimal import Decimal,getcontext
getcontext().prec=50
input()
print(sum(map(Decimal,input().split())))
""",
    "fractions": """\
from fractions import Fraction
input()
print(sum(map(Fraction,input().split())))
""",
    "stdout reassign": """\
import sys,io
out=io.StringIO()
old=sys.stdout
sys.stdout=out
input()
print(sum(map(int,input().split())))
sys.stdout=old
print(out.getvalue(),end='')
""",
    "redirect": """\
import io,contextlib
input()
b=io.StringIO()
with contextlib.redirect_stdout(b):
    print(sum(map(int,input().split())))
print(b.getvalue().strip())
""",
    "stderr": """\
import sys
input()
print('debug',file=sys.stderr)
print(sum(map(int,input().split())))
""",
    "close stdout": """\
import sys
input()
print(sum(map(int,input().split())))
sys.stdout.close()
""",
    "close stdin": """\
import sys
input()
s=input()
sys.stdin.close()
print(sum(map(int,s.split())))
""",
    "shadow input": """\
import sys
input=sys.stdin.readline
input()
print(sum(map(int,input().split())))
""",
    "shadow print": """\
import sys
def print(*a): sys.stdout.write(' '.join(map(str,a))+'\\n')
input()
print(sum(map(int,input().split())))
""",
    "next iter": """\
import sys
it=iter(sys.stdin.read().split())
n=int(next(it))
print(sum(int(next(it)) for _ in range(n)))
""",
    "stdin iter mix": """\
import sys
next(sys.stdin)
print(sum(map(int,sys.stdin.readline().split())))
""",
    "readlines": """\
import sys
l=sys.stdin.readlines()
print(sum(map(int,l[1].split())))
""",
    "map stdin": """\
import sys
n,a=[list(map(int,l.split())) for l in sys.stdin]
print(sum(a))
""",
    "fileinput": """\
import fileinput
l=[x for x in fileinput.input()]
print(sum(map(int,l[1].split())))
""",
    "argv": """\
import sys
assert len(sys.argv)==1
input()
print(sum(map(int,input().split())))
""",
    "dataclass": """\
from dataclasses import dataclass
@dataclass
class P:
    x:int
input()
print(sum(P(int(v)).x for v in input().split()))
""",
    "future": """\
from __future__ import annotations
def f(x: list[Foo]) -> Bar: return sum(x)
input()
print(f(list(map(int,input().split()))))
""",
    "typing": """\
from typing import List, NamedTuple
class P(NamedTuple):
    x:int
input()
print(sum(P(int(v)).x for v in input().split()))
""",
    "enum": """\
from enum import Enum,auto
class C(Enum):
    A=auto()
input()
print(sum(map(int,input().split())))
""",
    "main import": """\
import __main__
x=5
assert __main__.x==5
input()
print(sum(map(int,input().split())))
""",
    "pickle self": """\
import pickle
class A: pass
assert isinstance(pickle.loads(pickle.dumps(A())),A)
input()
print(sum(map(int,input().split())))
""",
    "name file": """\
assert __file__
input()
print(sum(map(int,input().split())))
""",
    "bom crlf": """\
input()
print(sum(map(int,input().split())))
""",
    "big ints": """\
import sys
if hasattr(sys,'set_int_max_str_digits'): sys.set_int_max_str_digits(0)
x=str(10**5000)
input()
print(sum(map(int,input().split())))
""",
    "asyncio": """\
import asyncio
async def main():
    input()
    print(sum(map(int,input().split())))
asyncio.run(main())
""",
    "multiproc pool": """\
from concurrent.futures import ThreadPoolExecutor
input()
with ThreadPoolExecutor(4) as t:
    print(sum(t.map(int,input().split())))
""",
    "numpy absent": """\
try:
    import numpy as np
except ImportError:
    np=None
input()
print(sum(map(int,input().split())))
""",
    "signal": """\
import signal
signal.signal(signal.SIGINT,signal.SIG_DFL)
input()
print(sum(map(int,input().split())))
""",
    "resource": """\
import resource,sys
resource.setrlimit(resource.RLIMIT_STACK,(resource.RLIM_INFINITY,resource.RLIM_INFINITY))
input()
print(sum(map(int,input().split())))
""",
    "resource2": """\
import resource,sys
resource.setrlimit(resource.RLIMIT_STACK,(1<<26,resource.getrlimit(resource.RLIMIT_STACK)[1]))
input()
print(sum(map(int,input().split())))
""",
    "gc": """\
import gc
gc.disable()
input()
print(sum(map(int,input().split())))
""",
    "time": """\
import time
t=time.time()
time.sleep(0.01)
input()
print(sum(map(int,input().split())))
""",
    "exec": "exec('input()\\nprint(sum(map(int,input().split())))')",
    "match": """\
input()
match input().split():
    case [*xs]: print(sum(map(int,xs)))
""",
    "class main": """\
class Solution:
    def run(self):
        input()
        return sum(map(int,input().split()))
print(Solution().run())
""",
    "atexit": """\
import atexit
s=[]
atexit.register(lambda: print(s[0]))
input()
s.append(sum(map(int,input().split())))
""",
    "random seeded": """\
import random
random.seed(1)
input()
a=list(map(int,input().split()));random.shuffle(a)
print(sum(a))
""",
    "utf8": """\
input()
x='é中'
print(sum(map(int,input().split())))
""",
    "stdin text wrapper": """\
import sys,io
sys.stdin=io.TextIOWrapper(sys.stdin.buffer,encoding='utf-8')
input()
print(sum(map(int,input().split())))
""",
    "stdout wrapper": """\
import sys,io
sys.stdout=io.TextIOWrapper(sys.stdout.buffer,encoding='utf-8',line_buffering=False)
input()
print(sum(map(int,input().split())))
""",
    "stdin reconfigure": """\
import sys
sys.stdin.reconfigure(encoding='ascii')
sys.stdout.reconfigure(line_buffering=True)
input()
print(sum(map(int,input().split())))
""",
    "del": """\
class A:
    def __del__(self): pass
a=A()
input()
print(sum(map(int,input().split())))
""",
    "del print": """\
class A:
    def __del__(self): print(self.s)
a=A()
input()
a.s=sum(map(int,input().split()))
""",
    "locale": """\
import locale
locale.setlocale(locale.LC_ALL,'')
input()
print(sum(map(int,input().split())))
""",
    "mmap": """\
import mmap
m=mmap.mmap(0,0,prot=mmap.PROT_READ)
n,*a=map(int,m[:].split())
print(sum(a))
""",
    "select": """\
import sys,select
select.select([sys.stdin],[],[],1)
input()
print(sum(map(int,input().split())))
""",
    "isatty": """\
import sys
assert not sys.stdin.isatty()
input()
print(sum(map(int,input().split())))
""",
    "bisect heapq": """\
import heapq,bisect,collections,itertools,functools,math,operator,string,re,copy,statistics
input()
print(sum(map(int,input().split())))
""",
    "traceback handled": """\
import traceback
try: 1/0
except Exception: traceback.print_exc()
input()
print(sum(map(int,input().split())))
""",
    "daemon thread": """\
import threading,time
threading.Thread(target=time.sleep,args=(100,),daemon=True).start()
input()
print(sum(map(int,input().split())))
""",
    "writelines": """\
import sys
input()
sys.stdout.writelines([str(sum(map(int,input().split()))),'\\n'])
""",
    "os write": """\
import os
input()
os.write(1,str(sum(map(int,input().split()))).encode())
""",
    "open1": """\
input()
with open(1,'w') as f: f.write(str(sum(map(int,input().split()))))
""",
    "logging": """\
import logging
logging.basicConfig(level=logging.DEBUG)
logging.info('x')
input()
print(sum(map(int,input().split())))
""",
    "warnings": """\
import warnings
warnings.warn('x')
input()
print(sum(map(int,input().split())))
""",
    "tempfile": """\
import tempfile
with tempfile.TemporaryFile('w+') as f:
    f.write('x')
input()
print(sum(map(int,input().split())))
""",
    "write file": """\
open('a.txt','w').write('x')
assert open('a.txt').read()=='x'
input()
print(sum(map(int,input().split())))
""",
    "assert False print": """\
input()
print(sum(map(int,input().split())), '  ')
""",
    "unittest import": """\
import unittest
input()
print(sum(map(int,input().split())))
""",
    "sys.stdin.read(1)": """\
import sys
w=''
while True:
    c=sys.stdin.read(1)
    if not c: break
    w+=c
print(sum(map(int,w.split()[1:])))
""",
    "setdefault hash": """\
import sys
sys.set_int_max_str_digits(0)
input()
print(sum(map(int,input().split())))
""",
    "interned": """\
import sys
x=sys.intern('a')
print(*[sum(map(int,sys.stdin.read().split()[1:]))],sep='\\n')
""",
    "os environ": """\
import os
os.environ['X']='1'
if os.environ.get('LOCAL'): sys.stdin=open('in.txt')
input()
print(sum(map(int,input().split())))
""",
    "try local file": """\
import sys
try: sys.stdin=open('input.txt')
except FileNotFoundError: pass
input()
print(sum(map(int,input().split())))
""",
    "os.path.exists": """\
import os,sys
if os.path.exists('input.txt'): sys.stdin=open('input.txt')
input()
print(sum(map(int,input().split())))
""",
    "platform": """\
import platform
platform.system()
input()
print(sum(map(int,input().split())))
""",
    "array": """\
from array import array
import ctypes
input()
print(sum(array('i',map(int,input().split()))))
""",
    "queue": """\
from queue import Queue,PriorityQueue
from datetime import datetime
import json,struct,hashlib,zlib,bz2,base64,uuid,textwrap,difflib,pprint,cmath,numbers,secrets,inspect
input()
print(sum(map(int,input().split())))
""",
    "recursion error caught": """\
import sys
def f(): f()
try: f()
except RecursionError: pass
input()
print(sum(map(int,input().split())))
""",
}

# (program, name of the function, input and output of each test)
CALLS = {
    "plain": ("def f(a,b): return a+b", {"inputs": ["1\n2", "5\n6"], "outputs": ["3", "11"], "fn_name": "f"}),
    "solution": (
        """\
class Solution:
    def f(self,a,b): return self.g(a)+b
    def g(self,a): return a
""",
        {"inputs": ["1\n2"], "outputs": ["3"], "fn_name": "f"},
    ),
    "solution list": (
        """\
class Solution:
    def f(self, nums: List[int]) -> List[int]: return sorted(nums)
""",
        {"inputs": ["[3,1]"], "outputs": ["[1,3]"], "fn_name": "f"},
    ),
    "helper class": (
        """\
class UF:
    def __init__(self,n): self.p=list(range(n))
class Solution:
    def f(self,n): return UF(n).p
""",
        {"inputs": ["3"], "outputs": ["[0,1,2]"], "fn_name": "f"},
    ),
    "default args": ("def f(a,b=5): return a+b", {"inputs": ["1", "1\n2"], "outputs": ["6", "3"], "fn_name": "f"}),
    "mutable default": (
        """\
def f(a,m={}):
    m[a]=1
    return len(m)
""",
        {"inputs": ["1"], "outputs": ["1"], "fn_name": "f"},
    ),
    "mutation": (
        """\
def f(a):
    a.sort()
    return a
""",
        {"inputs": ["[3,1]"], "outputs": ["[1,3]"], "fn_name": "f"},
    ),
    "tuple": ("def f(a): return (a,[a,(a,)])", {"inputs": ["1"], "outputs": ["[1,[1,[1]]]"], "fn_name": "f"}),
    "float ok": ("def f(a): return a/4", {"inputs": ["1", "4"], "outputs": ["0.25", "1.0"], "fn_name": "f"}),
    "int for float": ("def f(a): return a//4", {"inputs": ["4"], "outputs": ["1.0"], "fn_name": "f"}),
    "none": ("def f(a): pass", {"inputs": ["4"], "outputs": ["null"], "fn_name": "f"}),
    "str": ("def f(a): return a*2", {"inputs": ['"ab"'], "outputs": ['"abab"'], "fn_name": "f"}),
    "dict": ("def f(a): return {1:a}", {"inputs": ['"ab"'], "outputs": ['{"1":"ab"}'], "fn_name": "f"}),
    "defaultdict": (
        """\
from collections import defaultdict
def f(a):
    d=defaultdict(list)
    d[a].append(1)
    return d
""",
        {"inputs": ['"ab"'], "outputs": ['{"ab":[1]}'], "fn_name": "f"},
    ),
    "counter": (
        """\
from collections import Counter
def f(a): return Counter(a)
""",
        {"inputs": ['"aab"'], "outputs": ['{"a":2,"b":1}'], "fn_name": "f"},
    ),
    "deque": (
        """\
from collections import deque
def f(a): return deque(a)
""",
        {"inputs": ["[1,2]"], "outputs": ["[1,2]"], "fn_name": "f"},
    ),
    "generator": (
        """\
def f(a):
    for x in a: yield x
""",
        {"inputs": ["[1,2]"], "outputs": ["[1,2]"], "fn_name": "f"},
    ),
    "map": ("def f(a): return map(str,a)", {"inputs": ["[1,2]"], "outputs": ['["1","2"]'], "fn_name": "f"}),
    "range": ("def f(a): return range(a)", {"inputs": ["2"], "outputs": ["[0,1]"], "fn_name": "f"}),
    "dict keys": (
        "def f(a): return {x:1 for x in a}.keys()",
        {"inputs": ["[1,2]"], "outputs": ["[1,2]"], "fn_name": "f"},
    ),
    "prints": (
        """\
def f(a):
    print('debug',a)
    return a
""",
        {"inputs": ["1"], "outputs": ["1"], "fn_name": "f"},
    ),
    "reads stdin at import": (
        """\
import sys
x=sys.stdin.read()
def f(a): return a
""",
        {"inputs": ["1"], "outputs": ["1"], "fn_name": "f"},
    ),
    "main guard": (
        """\
def f(a): return a
if __name__=='__main__':
    print(f(int(input())))
""",
        {"inputs": ["1"], "outputs": ["1"], "fn_name": "f"},
    ),
    "lru class": (
        """\
class Solution:
    @lru_cache(None)
    def f(self,n): return n if n<2 else self.f(n-1)+self.f(n-2)
""",
        {"inputs": ["30"], "outputs": ["832040"], "fn_name": "f"},
    ),
    "static": (
        """\
class Solution:
    @staticmethod
    def f(n): return n
""",
        {"inputs": ["3"], "outputs": ["3"], "fn_name": "f"},
    ),
    "classmethod": (
        """\
class Solution:
    @classmethod
    def f(cls,n): return n
""",
        {"inputs": ["3"], "outputs": ["3"], "fn_name": "f"},
    ),
    "lambda": ("f = lambda n: n+1", {"inputs": ["3"], "outputs": ["4"], "fn_name": "f"}),
    "partial": (
        """\
from functools import partial
f = partial(max, 3)
""",
        {"inputs": ["4"], "outputs": ["4"], "fn_name": "f"},
    ),
    "decorated": (
        """\
def d(g):
    return lambda *a: g(*a)
@d
def f(a): return a
""",
        {"inputs": ["4"], "outputs": ["4"], "fn_name": "f"},
    ),
    "deep recursion": (
        """\
def f(n): return 0 if n==0 else 1+f(n-1)
import sys
sys.setrecursionlimit(10**6)
""",
        {"inputs": ["20000"], "outputs": ["20000"], "fn_name": "f"},
    ),
    "infinity": (
        """\
class Solution:
    def f(self,a):
        best = inf
        for x in a: best=min(best,x)
        return best
""",
        {"inputs": ["[4,3]"], "outputs": ["3"], "fn_name": "f"},
    ),
    "bool": ("def f(a): return a>1", {"inputs": ["4"], "outputs": ["true"], "fn_name": "f"}),
    "intenum": (
        """\
import enum
class C(enum.IntEnum):
    A=1
def f(a): return C.A
""",
        {"inputs": ["4"], "outputs": ["1"], "fn_name": "f"},
    ),
    "namedtuple": (
        """\
from collections import namedtuple
P=namedtuple('P','x y')
def f(a): return P(a,a)
""",
        {"inputs": ["4"], "outputs": ["[4,4]"], "fn_name": "f"},
    ),
    "unhashable args": (
        """\
def f(a):
    s=set(map(tuple,a))
    return len(s)
""",
        {"inputs": ["[[1],[1]]"], "outputs": ["1"], "fn_name": "f"},
    ),
    "ListNode": (
        """\
class Solution:
    def f(self, head: Optional[ListNode]) -> Optional[ListNode]:
        prev=None
        while head:
            head.next,prev,head=prev,head,head.next
        return prev
""",
        {"inputs": ["[1,2,3]", "[]"], "outputs": ["[3,2,1]", "[]"], "fn_name": "f"},
    ),
    "TreeNode": (
        """\
class Solution:
    def f(self, root: Optional[TreeNode]) -> int:
        return 0 if not root else 1+max(self.f(root.left),self.f(root.right))
""",
        {"inputs": ["[3,9,20,null,null,15,7]", "[]"], "outputs": ["3", "0"], "fn_name": "f"},
    ),
    "TreeNode own": (
        """\
class TreeNode:
    def __init__(self, x):
        self.val = x
        self.left = None
        self.right = None
class Solution:
    def f(self, root: TreeNode) -> TreeNode:
        if root: root.left,root.right=self.f(root.right),self.f(root.left)
        return root
""",
        {"inputs": ["[1,2,3]"], "outputs": ["[1,3,2]"], "fn_name": "f"},
    ),
    "List[ListNode]": (
        """\
class Solution:
    def f(self, lists: List[Optional[ListNode]]) -> Optional[ListNode]:
        v=[]
        for n in lists:
            while n: v.append(n.val); n=n.next
        d=c=ListNode()
        for x in sorted(v): c.next=ListNode(x); c=c.next
        return d.next
""",
        {"inputs": ["[[1,4],[2]]"], "outputs": ["[1,2,4]"], "fn_name": "f"},
    ),
    "future annotations node": (
        """\
from __future__ import annotations
class Solution:
    def f(self, head: Optional[ListNode]) -> int:
        return head.val
""",
        {"inputs": ["[1,2,3]"], "outputs": ["1"], "fn_name": "f"},
    ),
    "pep604": (
        """\
class Solution:
    def f(self, head: ListNode | None) -> int:
        return head.val
""",
        {"inputs": ["[1,2,3]"], "outputs": ["1"], "fn_name": "f"},
    ),
    "nested func": (
        """\
def outer():
    def g(a): return a
    return g
f=outer()
""",
        {"inputs": ["4"], "outputs": ["4"], "fn_name": "f"},
    ),
    "global counter": (
        """\
c=0
def f(a):
    global c
    c+=1
    return a
""",
        {"inputs": ["4", "5"], "outputs": ["4", "5"], "fn_name": "f"},
    ),
    "memo state": (
        """\
memo={}
def f(a):
    memo.setdefault(a,a*2)
    return memo[a]
""",
        {"inputs": ["4", "5"], "outputs": ["8", "10"], "fn_name": "f"},
    ),
    "numpy absent": (
        """\
try:
    import numpy as np
except ImportError: np=None
def f(a): return a
""",
        {"inputs": ["4"], "outputs": ["4"], "fn_name": "f"},
    ),
    "apps args": ("def f(a,b): return a+b", {"inputs": [[1, 2], [3, 4]], "outputs": [3, 7], "fn_name": "f"}),
    "apps wrapped": ("def f(a,b): return a+b", {"inputs": [[1, 2], [3, 4]], "outputs": [[3], [7]], "fn_name": "f"}),
    "apps wrapped list": (
        "def f(a): return [x+1 for x in a]",
        {"inputs": [[[1, 2]], [[3, 4]]], "outputs": [[[2, 3]], [[4, 5]]], "fn_name": "f"},
    ),
    "apps list result": ("def f(a): return [a]", {"inputs": [[1], [3]], "outputs": [[1], [3]], "fn_name": "f"}),
    "init state solution": (
        """\
class Solution:
    def __init__(self): self.n=0
    def f(self,a):
        self.n+=a
        return self.n
""",
        {"inputs": ["4", "5"], "outputs": ["4", "5"], "fn_name": "f"},
    ),
    "class var state": (
        """\
class Solution:
    seen=[]
    def f(self,a):
        self.seen.append(a)
        return len(self.seen)
""",
        {"inputs": ["4", "5"], "outputs": ["1", "1"], "fn_name": "f"},
    ),
    "large int": (
        "def f(a): return 10**a",
        {"inputs": ["30"], "outputs": ["1000000000000000000000000000000"], "fn_name": "f"},
    ),
    "setrecursion thread": (
        """\
import threading,sys
class Solution:
    def f(self,a):
        sys.setrecursionlimit(10**6)
        threading.stack_size(1<<27)
        r=[]
        t=threading.Thread(target=lambda: r.append(a))
        t.start(); t.join()
        return r[0]
""",
        {"inputs": ["4"], "outputs": ["4"], "fn_name": "f"},
    ),
}

# (program, checks)
ASSERTS = {
    "simple": ("def f(x): return x+1", "assert f(1) == 2"),
    "gen": (
        """\
def f(n):
    for i in range(n): yield i
""",
        "assert list(f(3)) == [0,1,2]",
    ),
    "mbpp sum": ("def sum(a,b): return a*b", "assert sum(2,3)==6"),
    "raises": (
        """\
def f(x):
    raise ValueError('x')
""",
        """\
try:
    f(1)
    assert False
except ValueError:
    pass
""",
    ),
    "class": (
        """\
class Pair:
    def __init__(self,a,b): self.a,self.b=a,b
def f(p): return p[0].a
""",
        "assert f([Pair(1,2)]) == 1",
    ),
    "math": (
        """\
import math
def f(x): return math.sqrt(x)
""",
        "assert math.isclose(f(4), 2, abs_tol=1e-6)",
    ),
    "leet": (
        """\
class Solution:
    def f(self, nums: List[int]) -> int:
        return len(nums)
""",
        """\
def check(candidate):
    assert candidate(nums = [1,2]) == 2

check(Solution().f)
""",
    ),
    "tuple keys": ("def f(): return {(1,2):3}", "assert f() == {(1,2):3}"),
    "mutation": (
        "def f(a): a.sort()",
        """\
x=[2,1]
f(x)
assert x==[1,2]
""",
    ),
    "roundtrip": (
        """\
def enc(s): return s[::-1]
def dec(s): return s[::-1]
""",
        """\
import random
for _ in range(50):
    s=''.join(random.choice('abc') for _ in range(9))
    assert dec(enc(s))==s
""",
    ),
    "not": (
        "def f(x): return []",
        """\
assert not f(1)
assert f(2) == []
""",
    ),
    "var": (
        """\
X=3
def f(x): return X
""",
        "assert f(1) == X",
    ),
    "set": (
        "def f(x): return set(x)",
        """\
assert f((1,2)) == {1,2}
assert set(f([3]))==set([3])
""",
    ),
    "isinstance": (
        """\
class A: pass
def f(): return A()
""",
        "assert isinstance(f(), A)",
    ),
    "stateful": (
        """\
c=[0]
def f():
    c[0]+=1
    return c[0]
""",
        """\
assert f()==1
assert f()==2
""",
    ),
    "class obj": (
        """\
class Stack:
    def __init__(self): self.a=[]
    def push(self,x): self.a.append(x)
    def pop(self): return self.a.pop()
""",
        """\
s=Stack()
s.push(1)
assert s.pop()==1
""",
    ),
    "curry": ("def f(x): return lambda y: x+y", "assert f(1)(2)==3"),
    "counter": (
        """\
from collections import Counter
def f(x): return Counter(x)
""",
        "assert f('aab')=={'a':2,'b':1}",
    ),
    "complex": ("def f(x): return complex(x,1)", "assert f(2)==2+1j"),
    "float eq": (
        "def f(x): return x/2",
        """\
assert f(2)==1
assert abs(f(3)-1.5)<1e-9
""",
    ),
    "true eq 1": ("def f(x): return True", "assert f(2)==1"),
}
