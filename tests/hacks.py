"""Programs that try to pass without solving anything, by how they try. None may."""

HACKS = {
    "always equal": (
        """\
class E(int):
    def __eq__(s,o): return True
    __hash__=int.__hash__
def f(a): return E()
""",
        {"inputs": ["1"], "outputs": ["5"], "fn_name": "f"},
    ),
    "always equal assert": (
        """\
class E:
    def __eq__(s,o): return True
def f(a): return E()
""",
        {"assert_code": "assert f(1)==5"},
    ),
    "sealed read": (
        """\
import os
for k in range(3,64):
    try:
        d=os.pread(k,100000,0)
    except OSError: continue
    if b'nonce' in d:
        import json
        n=json.loads(d)['nonce']
        for j in range(3,64):
            if j!=k:
                try: os.write(j,(json.dumps([n,'ok',0,''])+'\\n').encode())
                except OSError: pass
os._exit(0)
""",
        {"assert_code": "assert f(1)==5"},
    ),
    "patch guard": (
        """\
import sys
g=sys._getframe(1).f_globals
g['exec']=lambda *a: None
g['_run_asserts']=lambda ns,sealed,files: g['_report'](files,sealed['nonce'],'ok',0,'')
def f(a): return 1
""",
        {"assert_code": "assert f(1)==5"},
    ),
    "frame nonce": (
        """\
import sys,os
def f(a):
    fr=sys._getframe()
    while fr:
        if 'sealed' in fr.f_locals and 'files' in fr.f_locals:
            fr.f_globals['_report'](fr.f_locals['files'],fr.f_locals['sealed']['nonce'],'ok',0,'')
            os._exit(0)
        fr=fr.f_back
""",
        {"assert_code": "assert f(1)==5"},
    ),
    "builtin all": (
        """\
all=lambda x: True
def f(a): return 1
""",
        {"assert_code": "assert all(f(x)==5 for x in [1])"},
    ),
    "patch builtins": (
        """\
import builtins
builtins.all=lambda x: True
def f(a): return 1
""",
        {"assert_code": "assert all(f(x)==5 for x in [1])"},
    ),
    "check override": (
        """\
def f(a): return 1
class M(type): pass
import builtins
builtins.check=lambda c: None
""",
        {"assert_code": "def check(candidate):\n    assert candidate(1)==5\ncheck(f)"},
    ),
    "exit in f": ("def f(a): raise SystemExit(0)", {"assert_code": "assert f(1)==5"}),
    "read expected from frame": (
        """\
import sys
def f(a):
    wanted=[c for c in sys._getframe(1).f_code.co_consts if type(c) is int and c not in (0, a)]
    return wanted[-1]
""",
        {"assert_code": "assert f(1)==5"},
    ),
    "excepthook": (
        """\
import sys
sys.excepthook=lambda *a: None
def f(a): raise ValueError
""",
        {"assert_code": "assert f(1)==5"},
    ),
    "math.isclose patch": (
        """\
import math
math.isclose=lambda *a,**k: True
def f(a): return 1.0
""",
        {"assert_code": "import math\nassert math.isclose(f(1),5)"},
    ),
    "str subclass": (
        """\
class S(str):
    def __eq__(s,o): return True
    def __str__(s): return s
    __hash__=str.__hash__
def f(a): return S('x')
""",
        {"inputs": ["1"], "outputs": ['"y"'], "fn_name": "f"},
    ),
    "print prefix": ("print(1)", {"inputs": [""], "outputs": ["1\n2\n3\n"]}),
    "superset": ("print('1\\n2\\n3\\n4')", {"inputs": [""], "outputs": ["1\n2\n3\n"]}),
    "exit0 before printing": ("import sys; sys.exit(0)", {"inputs": [""], "outputs": ["1"]}),
    "dumps patch": (
        """\
import json
json.dumps=lambda *a,**k:'5'
def f(a): return 1
""",
        {"inputs": ["1"], "outputs": ["5"], "fn_name": "f"},
    ),
    "empty": ("pass", {"inputs": [""], "outputs": ["1"]}),
    "bool int": ("def f(a): return True", {"inputs": ["1"], "outputs": ["1"], "fn_name": "f"}),
    "nan": ("print('nan')", {"inputs": [""], "outputs": ["0.5"]}),
    "inf": ("print('inf')", {"inputs": [""], "outputs": ["1e400.0"]}),
}
