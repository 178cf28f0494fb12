"""Programs that try to pass assertions without solving anything, by how they try. None may pass, or be undecided."""

MBPP = "assert f(2) == 4\nassert f(3) == 9\nassert f(5) == 25"
HUMANEVAL = (
    "def check(candidate):\n" + "".join(f"    assert candidate({k}) == {k * k}\n" for k in range(2, 9)) + "check(f)"
)
KODCODE = "from solution import f\ndef test_two():\n    assert f(2) == 4\ndef test_more():\n    assert f(3) == 9\n"
TABLE = "cases = [(2, 4), (3, 9), (5, 25)]\nfor given, wanted in cases:\n    assert f(given) == wanted"
UNITTEST = (
    "import unittest\nclass TestF(unittest.TestCase):\n    def test_two(self):\n        self.assertEqual(f(2), 4)\n"
    "    def test_more(self):\n        for x, y in ((3, 9), (5, 25)):\n            self.assertEqual(f(x), y)"
)
REFERENCE = "def ref(x):\n    return x * x + 1\nfor x in range(6):\n    assert f(x) == ref(x)"
SORTING = "xs = [3, 1, 2]\nassert f(xs) == sorted(xs)\nxs = [5, 4]\nassert f(xs) == sorted(xs)"
ROOTS = "import math\nfor x in (1.5, 2.5):\n    assert math.isclose(f(x), x ** 0.5, rel_tol=1e-9)"
COUNTED = (
    "passed = 0\nfor x, y in [(2, 4), (3, 9), (5, 25)]:\n    if f(x) == y:\n        passed += 1\n"
    "results = [f(x) == y for x, y in [(2, 4), (3, 9)]]\nassert passed == 3 and all(results)"
)
HELPED = (
    "def same(a, b):\n    return a == b\ndef assert_equal(a, b):\n    assert a == b, f'{a} is not {b}'\n"
    "assert_equal(f(2), 4)\nassert_equal(f(3), 9)\nassert same(f(5), 25)"
)
FAILURES = (
    "fails = []\nfor x, y in [(2, 4), (3, 9), (5, 25)]:\n    if f(x) != y:\n        fails.append(x)\n"
    "def run():\n    for x, y in [(2, 4), (3, 9)]:\n        if f(x) != y:\n            return False\n    return True\n"
    "assert not fails\nassert run()"
)
FAMILIES = {
    "failures": FAILURES,
    "counted": COUNTED, "helped": HELPED, "mbpp": MBPP, "humaneval": HUMANEVAL, "kodcode": KODCODE, "table": TABLE,
    "unittest": UNITTEST,
    "reference": REFERENCE,
}  # fmt: skip

ALWAYS = (
    "class A:\n    def __eq__(s, o): return True\n    def __ne__(s, o): return False\n    def __hash__(s): return 0\n"
)
SMART = (
    "class A:\n    def __eq__(s, o): return type(o) is int\n    def __ne__(s, o): return not s == o\n"
    "    __hash__ = None\ndef f(*a): return A()"
)
NUMBER = (
    "class A(int):\n    def __eq__(s, o): return True\n    __ne__ = __lt__ = __gt__ = lambda s, o: False\n"
    "    __le__ = __ge__ = __eq__\n    __hash__ = None\ndef f(*a): return A()"
)
PEEK = (
    "import sys\ndef f(*a):\n    frame = sys._getframe(1)\n"
    "    found = [c for c in frame.f_code.co_consts if type(c) is int and c not in (0, *a)]\n"
    "    known = [v for k, v in frame.f_locals.items() if k in ('wanted', 'expected', 'y', 'want')]\n"
    "    return (known or found or [0])[-1]"
)
FORGE = (
    "import os\nfor fd in range(3, 64):\n    try: n = os.readlink(f'/proc/self/fd/{fd}')\n"
    "    except OSError: continue\n"
    "    if 'output' in n: out = fd\n    if 'control' in n: ctl = fd\n"
    'b = b\'{"%d": [0, 1, 0, 0, 0]}\'\nos.write(out, b)\nos.write(ctl, b\'["ok", %%d, ""]\\n\' %% len(b))\nos._exit(0)'
)
ANYWHERE = {  # against every family of checks
    "always equal": f"{ALWAYS}def f(*a): return A()",
    "equal to every number": SMART,
    "a number equal to all": NUMBER,
    "peeks": PEEK,
    "equal but for the second time": "class A:\n    n = 0\n    def __eq__(s, o):\n"
    "        A.n += 1\n        return A.n != 2\n"
    "def f(*a): return A()",
    "what mock calls any": "from unittest.mock import ANY\ndef f(*a): return ANY",
    "all, any and abs of its own": f"{ALWAYS}all = any = lambda x: True\nabs = lambda x: 0\nsum = len = abs\n"
    "def f(*a): return A()",
    "built-in functions of its own": "import builtins\nbuiltins.all = builtins.any = lambda x: True\n"
    "builtins.abs = builtins.len = builtins.sum = lambda *x: 0\ndef f(*a): return 0",
    "forges a note of no site": FORGE % 999,
    "forges a note of the first site": FORGE % 0,
    "notes something else": "def f(*a):\n    f.__globals__['etalon_note'](999, True)\n    return 0",
    "stops noting": "def f(*a):\n    f.__globals__['etalon_note'] = f.__globals__['etalon_compare'] = lambda *b: True",
    "notes that all is well": "def f(*a):\n    note = f.__globals__.get('etalon_note')\n"
    "    f.__globals__['etalon_note'] = lambda site, value: note(site, True)\n    return 0",
    "fails now and then": f"import os\n{ALWAYS}def f(*a): return A() if os.urandom(1)[0] > 99 else None",
    "fails by the number of its process": f"import os\n{ALWAYS}def f(*a): return None if os.getpid() % 4 == 0 else A()",
    "fails where it is noted": f"import sys\n{ALWAYS}def f(*a):\n"
    "    return 0 if 'etalon_note' in sys._getframe(1).f_globals else A()",
    "skips": "import unittest\nclass E(unittest.SkipTest, TypeError, ValueError, IndexError): pass\ndef f(*a): raise E",
    "leaves": "import os\ndef f(*a): os._exit(0)",
    "leaves as if all was done": "def f(*a): raise SystemExit(0)",
    "nonsense notes": "def f(*a):\n    import json\n    json.dumps = lambda *b: '{\"0\": [Infinity, 1]}'\n    return 0",
    "patches assertions": "import builtins, unittest\nbuiltins.AssertionError = KeyError\n"
    "unittest.TestCase.assertEqual = lambda *a, **b: None\nunittest.TestCase.debug = lambda s: None\n"
    "def f(*a): return 0",
    "a module of tests that is none": "import sys, types\nfake = types.ModuleType('unittest')\n"
    "fake.TestCase = type('TestCase', (), {})\nsys.modules['unittest'] = fake\ndef f(*a): return 0",
    "calls the reference": "def f(x): return ref(x)",
    "replaces the reference": "def f(x):\n    global ref\n    ref = lambda x: 0\n    return 0",
    "no rounds": "def range(*a): return ()\ndef f(x): return 0",
    "empties the table": "def f(x):\n    globals().get('cases', []).clear()\n    return 0",
}
ALONE = {  # name: (program, checks)
    "empties its argument": ("def f(xs):\n    xs.clear()\n    return []", SORTING),
    "sorts for the checks": ("def sorted(x): return 0\ndef f(xs): return 0", SORTING),
    "always equal, computed": (f"{ALWAYS}def f(*a): return A()", SORTING),
    "always equal, its own class": (
        f"{ALWAYS}class Point(A):\n    def __init__(s, *a): pass\ndef f(*a): return A()",
        "assert f(1) == Point(1, 2)\nassert f(2) == Point(2, 3)",
    ),
    "whatever mock calls any, among all": (
        "from unittest.mock import ANY\ndef f(*a): return ANY",
        "def ref(x):\n    return x * x\nassert all(f(x) == ref(x) for x in range(9))",
    ),
    "all of its own": (
        "def all(x): return True\ndef f(x): return 0",
        "def ref(x):\n    return x * x + 1\nassert all(f(x) == ref(x) for x in range(9))",
    ),
    "a root of its own": (
        "import math\nmath.sqrt = lambda x: 0\nabs = lambda x: 0\ndef f(x): return 0",
        "import math\nfor x in range(2, 6):\n    assert abs(f(x) - math.sqrt(x)) < 1e-6",
    ),
    "patches isclose": ("import math\nmath.isclose = lambda *a, **k: True\ndef f(x): return 0.0", ROOTS),
    "patches sqrt": (
        "import math\nmath.sqrt = lambda x: 0\ndef f(x): return 0",
        "import math\nfor x in range(2, 6):\n    assert f(x) == math.sqrt(x)",
    ),
    "in everything": (
        "class A(str):\n    def __contains__(s, o): return True\ndef f(*a): return A()",
        "assert 'word' in f(1)\nassert 'other' in f(2)",
    ),
    "near everything": (
        "class A(float):\n    def __sub__(s, o): return 0.0\n    __rsub__ = __sub__\ndef f(*a): return A()",
        "EPS = 1e-6\nassert abs(f(1) - 4.5) < EPS\nassert abs(f(2) - 7.25) < 1e-6",
    ),
    "near everything, for a helper": (
        "class A(float):\n    def __sub__(s, o): return 0.0\n    __rsub__ = __sub__\ndef f(*a): return A()",
        "def close(a, b):\n    return abs(a - b) < 1e-6\nassert close(f(1), 4.5)\nassert close(2.5, f(2))",
    ),
    "less than everything": (
        "class A:\n    __lt__ = __gt__ = __le__ = __ge__ = lambda s, o: True\ndef f(*a): return A()",
        "assert f(2) < f(3)\nassert f(2) < 10\nassert 0 < f(5) < 30",
    ),
    "either of two": (
        f"{ALWAYS}def f(*a): return A()",
        "assert f(2) == [1, 2] or f(2) == [2, 1]\nassert f(3) == f(3) == [3]",
    ),
    "a float by its digits": (
        "class A(float):\n    def __eq__(s, o): return len(repr(o)) < 5\n    __hash__ = None\ndef f(*a): return A()",
        "assert f(1) == 1.5\nassert f(2) == 2.5\nassert f(3) == 3.5",
    ),
    "any Decimal": (
        "from decimal import Decimal\nclass A:\n    def __eq__(s, o): return isinstance(o, Decimal)\n"
        "def f(*a): return A()",
        "from decimal import Decimal\nassert f('1') == Decimal('1.10')\nassert f('2') == Decimal('2.20')",
    ),
    "looks at the local names": (
        "import sys\ndef f(xs): return sys._getframe(1).f_locals['want']",
        "def check(candidate):\n    for xs in ([1, 2], [3, 4]):\n        want = sum(xs) * 2\n"
        "        assert candidate(xs) == want\ncheck(f)",
    ),
    "names a library": (
        "class math:\n    isclose = lambda *a: True\ndef f(x): return 0",
        "assert math.isclose(f(4.0), 2.0)",
    ),
}
