"""Honest programs with their checks, in the manner of data sets, and for each a variant with a bug that they notice.

`test_assertions.py` holds the judge's verdicts beside those of a plain interpreter.
"""

CASES: list[tuple[str, str, str, str]] = []


def case(name: str, program: str, checks: str, good: str, bad: str) -> None:
    """Adds a case; its wrong variant is the program with `good` (found once) replaced by `bad`."""
    program, checks = program.lstrip("\n"), checks.lstrip("\n")
    if program.count(good) != 1:
        raise ValueError(f"{name}: {good!r} occurs {program.count(good)} times")
    CASES.append((name, program, program.replace(good, bad), checks))


# --- exceptions ---

case(
    "exception_with_attributes",
    r"""
class InsufficientFunds(Exception):
    def __init__(self, balance, needed):
        super().__init__(f"need {needed}, have {balance}")
        self.balance = balance
        self.needed = needed
        self.shortfall = needed - balance


class Account:
    def __init__(self, balance=0):
        self.balance = balance

    def withdraw(self, amount):
        if amount > self.balance:
            raise InsufficientFunds(self.balance, amount)
        self.balance -= amount
        return self.balance
""",
    r"""
account = Account(100)
assert account.withdraw(30) == 70
try:
    account.withdraw(100)
except InsufficientFunds as error:
    assert error.shortfall == 30
    assert error.balance == 70 and error.needed == 100
    assert str(error) == "need 100, have 70"
    assert error.args == ("need 100, have 70",)
else:
    assert False, "no exception"
assert account.balance == 70
""",
    "needed - balance",
    "balance - needed",
)

case(
    "exception_hierarchy",
    r"""
class AppError(Exception):
    code = 1


class NotFound(AppError, KeyError):
    code = 404


class Forbidden(AppError, PermissionError):
    code = 403


def access(resource, user):
    table = {"home": {"ann", "bob"}, "admin": {"ann"}}
    if resource not in table:
        raise NotFound(resource)
    if user not in table[resource]:
        raise Forbidden(user)
    return f"{user}@{resource}"
""",
    r"""
assert access("home", "bob") == "bob@home"
for resource, user, kinds, code in [
    ("nowhere", "ann", (AppError, KeyError, LookupError), 404),
    ("admin", "bob", (AppError, PermissionError, OSError), 403),
]:
    for kind in kinds:
        try:
            access(resource, user)
            raised = None
        except kind as e:
            raised = e
        assert raised is not None, f"{kind.__name__} expected for {resource}"
        assert raised.code == code
        assert issubclass(type(raised), AppError)
assert [c.__name__ for c in NotFound.__mro__[:3]] == ["NotFound", "AppError", "KeyError"]
""",
    "if user not in table[resource]:",
    "if resource not in table and user not in table[resource]:",
)

case(
    "exception_chaining",
    r"""
class ConfigError(ValueError):
    pass


def parse_port(text):
    try:
        port = int(text)
    except ValueError as error:
        raise ConfigError(f"bad port: {text!r}") from error
    if not 0 < port < 65536:
        raise ConfigError(f"port out of range: {port}")
    return port
""",
    r"""
import pytest


def test_good():
    assert parse_port("8080") == 8080
    assert parse_port("65535") == 65535


def test_cause_is_kept():
    with pytest.raises(ConfigError, match="bad port: 'x1'") as info:
        parse_port("x1")
    assert isinstance(info.value.__cause__, ValueError)
    assert not isinstance(info.value.__cause__, ConfigError)


def test_range_has_no_cause():
    with pytest.raises(ConfigError) as excinfo:
        parse_port("0")
    assert excinfo.value.__cause__ is None
    assert "out of range" in str(excinfo.value)
    assert excinfo.type is ConfigError
""",
    "0 < port < 65536",
    "0 <= port < 65536",
)

case(
    "checks_expect_no_exception",
    r"""
def safe_div(a, b, default=None):
    try:
        return a / b
    except ZeroDivisionError:
        return default
""",
    r"""
def check(candidate):
    assert candidate(6, 3) == 2
    assert candidate(1, 0) is None
    assert candidate(1, 0, default=-1) == -1
    assert candidate(0, 5) == 0.0
    try:
        candidate("a", 2)
    except TypeError:
        pass
    else:
        raise AssertionError("TypeError expected")


check(safe_div)
""",
    "except ZeroDivisionError",
    "except (ZeroDivisionError, TypeError)",
)

case(
    "exception_group_collected",
    r"""
def run_all(tasks):
    errors, results = [], []
    for task in tasks:
        try:
            results.append(task())
        except Exception as error:
            errors.append(error)
    if errors:
        raise ExceptionGroup("tasks failed", errors)
    return results
""",
    r"""
def fail_value():
    raise ValueError("v")


def fail_key():
    raise KeyError("k")


assert run_all([lambda: 1, lambda: 2]) == [1, 2]
seen = []
try:
    run_all([fail_value, lambda: 3, fail_key])
except* ValueError as group:
    seen.append(("value", len(group.exceptions)))
except* KeyError as group:
    seen.append(("key", group.exceptions[0].args[0]))
assert seen == [("value", 1), ("key", "k")], seen
""",
    "errors.append(error)",
    "errors = [error]",
)

case(
    "retry_with_raised_from_checks",
    r"""
def retry(times, kinds=(Exception,)):
    def decorate(function):
        def wrapper(*args, **kwargs):
            for attempt in range(times):
                try:
                    return function(*args, **kwargs)
                except kinds:
                    if attempt == times - 1:
                        raise
        return wrapper
    return decorate
""",
    r"""
class Flaky(Exception):
    pass


calls = []


@retry(3, kinds=(Flaky,))
def sometimes(n):
    calls.append(n)
    if len(calls) < 3:
        raise Flaky(len(calls))
    return n * 2


assert sometimes(21) == 42
assert calls == [21, 21, 21]


@retry(2, (Flaky,))
def never():
    calls.append("never")
    raise Flaky("no")


try:
    never()
except Flaky as e:
    assert str(e) == "no"
else:
    assert False
assert calls.count("never") == 2


@retry(5, (Flaky,))
def other():
    calls.append("other")
    raise OSError(2, "missing")


try:
    other()
except OSError as e:
    assert e.errno == 2
assert calls.count("other") == 1
""",
    "if attempt == times - 1:",
    "if attempt == times:",
)

# --- classes derived from built-in types ---

case(
    "list_subclass_negative_fill",
    r'''
class Padded(list):
    """A list that answers a fill value outside its range."""

    def __init__(self, items=(), fill=0):
        super().__init__(items)
        self.fill = fill

    def __getitem__(self, index):
        if isinstance(index, slice):
            return Padded(super().__getitem__(index), self.fill)
        try:
            return super().__getitem__(index)
        except IndexError:
            return self.fill
''',
    r"""
p = Padded([1, 2, 3], fill=-1)
assert p == [1, 2, 3]
assert isinstance(p, list) and len(p) == 3
assert p[10] == -1
assert p[-4] == -1
assert type(p[1:]) is Padded and p[1:] == [2, 3] and p[1:][9] == -1
p.append(4)
assert p[3] == 4
assert sum(p) == 10 and sorted(p, reverse=True)[0] == 4
assert 4 in p and 5 not in p
""",
    "slice):\n            return Padded(super().__getitem__(index), self.fill)",
    "slice):\n            return Padded(super().__getitem__(index))",
)

case(
    "dict_subclass_missing",
    r"""
class Memo(dict):
    def __init__(self, function):
        super().__init__()
        self.function = function
        self.misses = 0

    def __missing__(self, key):
        self.misses += 1
        value = self[key] = self.function(key)
        return value
""",
    r"""
squares = Memo(lambda n: n * n)
assert squares[4] == 16
assert squares[4] == 16
assert squares.misses == 1
assert dict(squares) == {4: 16}
assert squares.get(5) is None
assert squares == {4: 16}
fib = Memo(lambda n: n if n < 2 else fib[n - 1] + fib[n - 2])
assert fib[50] == 12586269025
assert len(fib) == 51 == fib.misses
""",
    "value = self[key] = self.function(key)",
    "value = self.function(key)",
)

case(
    "str_subclass_case_insensitive",
    r"""
class CaseInsensitive(str):
    def __eq__(self, other):
        return isinstance(other, str) and self.casefold() == other.casefold()

    def __ne__(self, other):
        return not self == other

    def __hash__(self):
        return hash(self.casefold())
""",
    r"""
a = CaseInsensitive("Straße")
assert a == "STRASSE"
assert "strasse" == a
assert not a != "strasse"
assert a != "other"
assert len({CaseInsensitive("Ab"), CaseInsensitive("aB"), CaseInsensitive("c")}) == 2
assert {CaseInsensitive("Key"): 1}[CaseInsensitive("KEY")] == 1
assert a.upper() == "STRASSE" and isinstance(a, str)
""",
    "return hash(self.casefold())",
    "return str.__hash__(self)",
)

case(
    "int_subclass_modular",
    r"""
class Mod7(int):
    def __new__(cls, value):
        return super().__new__(cls, value % 7)

    def __add__(self, other):
        return Mod7(int(self) + int(other))

    __radd__ = __add__

    def __mul__(self, other):
        return Mod7(int(self) * int(other))

    __rmul__ = __mul__

    def __repr__(self):
        return f"Mod7({int(self)})"
""",
    r"""
import unittest


class TestMod7(unittest.TestCase):
    def test_arithmetic(self):
        self.assertEqual(Mod7(5) + Mod7(4), 2)
        self.assertEqual(3 + Mod7(6), Mod7(2))
        self.assertEqual(10 * Mod7(2), 6)
        self.assertEqual(sum([Mod7(3)] * 5), 1)

    def test_types(self):
        self.assertIsInstance(1 + Mod7(1), Mod7)
        self.assertIsInstance(Mod7(1), int)
        self.assertEqual(repr(Mod7(-1)), "Mod7(6)")
        self.assertTrue(Mod7(1))
        self.assertFalse(Mod7(14))
""",
    "    __radd__ = __add__\n",
    "",
)

case(
    "ordered_dict_lru",
    r"""
from collections import OrderedDict


class LRU(OrderedDict):
    def __init__(self, size):
        super().__init__()
        self.size = size

    def __getitem__(self, key):
        value = super().__getitem__(key)
        self.move_to_end(key)
        return value

    def __setitem__(self, key, value):
        super().__setitem__(key, value)
        self.move_to_end(key)
        if len(self) > self.size:
            del self[next(iter(self))]
""",
    r"""
cache = LRU(2)
cache["a"] = 1
cache["b"] = 2
assert cache["a"] == 1
cache["c"] = 3
assert "b" not in cache
assert list(cache) == ["a", "c"]
cache["a"] = 10
cache["d"] = 4
assert list(cache.keys()) == ["a", "d"]
assert "c" not in cache and len(cache) == 2
try:
    cache["zzz"]
except KeyError as e:
    assert e.args[0] == "zzz"
else:
    raise AssertionError
""",
    "        value = super().__getitem__(key)\n        self.move_to_end(key)\n",
    "        value = super().__getitem__(key)\n",
)

case(
    "namedtuple_with_methods",
    r"""
from collections import namedtuple


class Point(namedtuple("Point", "x y")):
    __slots__ = ()

    def __add__(self, other):
        return Point(self.x + other.x, self.y + other.y)

    def norm(self):
        return (self.x ** 2 + self.y ** 2) ** 0.5


def centroid(points):
    n = len(points)
    return Point(sum(p.x for p in points) / n, sum(p.y for p in points) / n)
""",
    r"""
p = Point(3, 4)
assert p == (3, 4)
assert p + Point(1, 1) == Point(4, 5)
assert p.norm() == 5.0
assert p._replace(x=0) == (0, 4)
x, y = p
assert (x, y) == (3, 4) and p[0] == p.x
assert Point._fields == ("x", "y")
assert p._asdict() == {"x": 3, "y": 4}
assert centroid([Point(0, 0), Point(2, 4)]) == Point(1, 2)
assert hash(p) == hash((3, 4))
assert repr(p) == "Point(x=3, y=4)"
""",
    "Point(self.x + other.x, self.y + other.y)",
    "Point(self.x + other.x, self.y + other.x + other.y)",
)

case(
    "enum_states",
    r"""
from enum import Enum, auto


class Light(Enum):
    RED = auto()
    GREEN = auto()
    AMBER = auto()

    def next(self):
        order = list(Light)
        return order[(order.index(self) + 1) % len(order)]

    @property
    def stop(self):
        return self is not Light.GREEN
""",
    r"""
assert Light.RED.next() is Light.GREEN
assert Light.AMBER.next() is Light.RED
assert Light["GREEN"] is Light(2)
assert [light.name for light in Light] == ["RED", "GREEN", "AMBER"]
assert Light.RED.stop and not Light.GREEN.stop
assert Light.RED in Light and len(Light) == 3
current = Light.RED
for _ in range(300):
    current = current.next()
assert current is Light.RED
assert {Light.RED: "r"}[Light(1)] == "r"
""",
    "self is not Light.GREEN",
    "self is Light.RED or self is Light.GREEN",
)

case(
    "flag_permissions",
    r"""
from enum import Flag, IntEnum, auto


class Perm(Flag):
    READ = auto()
    WRITE = auto()
    EXEC = auto()
    ALL = READ | WRITE | EXEC


class Level(IntEnum):
    LOW = 10
    HIGH = 20


def parse_mode(text):
    perm = Perm(0)
    for letter in text:
        perm |= {"r": Perm.READ, "w": Perm.WRITE, "x": Perm.EXEC}[letter]
    return perm


def level_for(perm):
    return Level.HIGH if Perm.WRITE in perm else Level.LOW
""",
    r"""
assert parse_mode("") == Perm(0)
assert not parse_mode("")
assert parse_mode("rw") == Perm.READ | Perm.WRITE
assert parse_mode("xwr") is Perm.ALL
assert parse_mode("r") & Perm.WRITE == Perm(0)
assert Perm.READ in parse_mode("rx")
assert level_for(Perm.READ) < level_for(Perm.ALL)
assert level_for(Perm.WRITE) == 20 and level_for(Perm.READ) + 5 == 15
assert isinstance(level_for(Perm.READ), int)
assert ~Perm.READ == Perm.WRITE | Perm.EXEC
""",
    "Perm.WRITE in perm",
    "perm == Perm.WRITE",
)

case(
    "dataclass_order_and_default",
    r"""
from dataclasses import dataclass, field


@dataclass(order=True)
class Task:
    priority: int
    name: str = field(compare=False)
    tags: list = field(default_factory=list, compare=False)

    def __post_init__(self):
        if self.priority < 0:
            raise ValueError("negative priority")


def by_priority(tasks):
    return [t.name for t in sorted(tasks)]
""",
    r"""
from dataclasses import asdict, fields, replace

a, b, c = Task(2, "b"), Task(1, "a"), Task(3, "c", ["x"])
assert by_priority([a, b, c]) == ["a", "b", "c"]
assert a > b and b <= a and max(a, b, c) is c
assert Task(1, "x") == Task(1, "y")
a.tags.append("t")
assert b.tags == []
assert asdict(c) == {"priority": 3, "name": "c", "tags": ["x"]}
assert replace(a, priority=9).priority == 9
assert [f.name for f in fields(Task)] == ["priority", "name", "tags"]
assert repr(b) == "Task(priority=1, name='a', tags=[])"
try:
    Task(-1, "bad")
    assert False
except ValueError:
    pass
""",
    "if self.priority < 0:",
    "if self.priority < -1:",
)

case(
    "frozen_dataclass_key",
    r"""
from dataclasses import dataclass


@dataclass(frozen=True)
class Money:
    amount: int
    currency: str = "EUR"

    def __add__(self, other):
        if self.currency != other.currency:
            raise ValueError("currency mismatch")
        return Money(self.amount + other.amount, self.currency)


def totals(items):
    result = {}
    for item in items:
        result[item.currency] = result.get(item.currency, Money(0, item.currency)) + item
    return result
""",
    r"""
import dataclasses

import pytest


def test_totals():
    items = [Money(5), Money(7, "USD"), Money(3)]
    assert totals(items) == {"EUR": Money(8), "USD": Money(7, "USD")}


def test_frozen():
    m = Money(1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        m.amount = 2
    assert m.amount == 1


def test_mismatch():
    with pytest.raises(ValueError, match="mismatch"):
        Money(1) + Money(1, "USD")


def test_hash():
    assert len({Money(1), Money(1), Money(2)}) == 2
""",
    "frozen=True",
    "eq=True",
)

case(
    "user_dict_and_user_list",
    r"""
from collections import UserDict, UserList


class LowerDict(UserDict):
    def __setitem__(self, key, value):
        self.data[key.lower()] = value

    def __getitem__(self, key):
        return self.data[key.lower()]

    def __contains__(self, key):
        return key.lower() in self.data


class Sorted(UserList):
    def append(self, item):
        import bisect
        bisect.insort(self.data, item)
""",
    r"""
d = LowerDict({"Content-Type": "text"}, ACCEPT="all")
assert d["content-TYPE"] == "text"
assert "Accept" in d
assert sorted(d) == ["accept", "content-type"]
d.update(X=1)
assert d.get("x") == 1 and d.get("nope", 0) == 0
s = Sorted([1, 5])
for v in (3, 9, 0):
    s.append(v)
assert s == [0, 1, 3, 5, 9]
assert s[1:3] == [1, 3]
assert isinstance(s[1:3], Sorted)
assert list(reversed(s)) == [9, 5, 3, 1, 0]
""",
    "return key.lower() in self.data",
    "return key in self.data",
)

case(
    "counter_subclass",
    r"""
from collections import Counter


class Inventory(Counter):
    def remove(self, item, n=1):
        if self[item] < n:
            raise ValueError(f"only {self[item]} of {item}")
        self[item] -= n
        if not self[item]:
            del self[item]

    @property
    def total_items(self):
        return sum(self.values())
""",
    r"""
inv = Inventory(apple=3, pear=1)
inv.remove("apple", 2)
assert inv["apple"] == 1
inv.remove("pear")
assert "pear" not in inv
assert inv["pear"] == 0
assert inv.total_items == 1
inv.update(["kiwi", "kiwi"])
assert inv.most_common(1) == [("kiwi", 2)]
try:
    inv.remove("kiwi", 3)
except ValueError as e:
    assert str(e) == "only 2 of kiwi"
else:
    assert 0
""",
    "if not self[item]:",
    "if self[item] < 0:",
)

# --- operators ---

case(
    "vector_operators",
    r"""
class Vec:
    def __init__(self, *xs):
        self.xs = xs

    def __add__(self, o):
        return Vec(*(a + b for a, b in zip(self.xs, o.xs)))

    def __sub__(self, o):
        return self + -o

    def __neg__(self):
        return Vec(*(-a for a in self.xs))

    def __mul__(self, k):
        if isinstance(k, Vec):
            return sum(a * b for a, b in zip(self.xs, k.xs))
        return Vec(*(a * k for a in self.xs))

    __rmul__ = __mul__

    def __matmul__(self, o):
        a, b = self.xs, o.xs
        return Vec(a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])

    def __eq__(self, o):
        return isinstance(o, Vec) and self.xs == o.xs

    def __abs__(self):
        return (self * self) ** 0.5

    def __iter__(self):
        return iter(self.xs)
""",
    r"""
a, b = Vec(1, 2, 3), Vec(4, 5, 6)
assert a + b == Vec(5, 7, 9)
assert b - a == Vec(3, 3, 3)
assert 2 * a == a * 2 == Vec(2, 4, 6)
assert a * b == 32
assert a @ b == Vec(-3, 6, -3)
assert abs(Vec(3, 4)) == 5
assert list(-a) == [-1, -2, -3]
assert a != (1, 2, 3)
assert not (a == b)
x, y, z = a
assert x < y < z
""",
    "a[2] * b[0] - a[0] * b[2]",
    "a[0] * b[2] - a[2] * b[0]",
)

case(
    "fraction_reflected",
    r"""
from math import gcd


class Ratio:
    def __init__(self, n, d=1):
        if d == 0:
            raise ZeroDivisionError("zero denominator")
        if d < 0:
            n, d = -n, -d
        g = gcd(n, d)
        self.n, self.d = n // g, d // g

    @staticmethod
    def _coerce(o):
        return o if isinstance(o, Ratio) else Ratio(o) if isinstance(o, int) else None

    def __add__(self, o):
        o = self._coerce(o)
        if o is None:
            return NotImplemented
        return Ratio(self.n * o.d + o.n * self.d, self.d * o.d)

    __radd__ = __add__

    def __rsub__(self, o):
        return Ratio(o * self.d - self.n, self.d)

    def __rtruediv__(self, o):
        return Ratio(o * self.d, self.n)

    def __eq__(self, o):
        o = self._coerce(o)
        return NotImplemented if o is None else (self.n, self.d) == (o.n, o.d)

    def __lt__(self, o):
        o = self._coerce(o)
        return self.n * o.d < o.n * self.d

    def __hash__(self):
        return hash((self.n, self.d))

    def __float__(self):
        return self.n / self.d
""",
    r"""
half = Ratio(1, 2)
assert half + half == 1
assert 1 + half == Ratio(3, 2)
assert 2 - half == Ratio(3, 2)
assert 1 / half == 2
assert Ratio(2, -4) == Ratio(-1, 2)
assert sum([half, Ratio(1, 3), Ratio(1, 6)]) == 1
assert sorted([Ratio(3, 4), half, Ratio(2, 3)]) == [half, Ratio(2, 3), Ratio(3, 4)]
assert float(Ratio(1, 4)) == 0.25
assert half != "1/2"
assert 0 == Ratio(0, 5)
try:
    half + "x"
except TypeError:
    pass
else:
    assert False, "str accepted"
try:
    1 / Ratio(0)
except ZeroDivisionError as e:
    assert "zero" in str(e)
""",
    "Ratio(o * self.d - self.n, self.d)",
    "Ratio(self.n - o * self.d, self.d)",
)

case(
    "inplace_operators",
    r"""
class Bag:
    def __init__(self, items=()):
        self.items = list(items)

    def __iadd__(self, other):
        self.items.extend(other)
        return self

    def __ior__(self, other):
        self.items += [x for x in other if x not in self.items]
        return self

    def __len__(self):
        return len(self.items)

    def __lshift__(self, item):
        self.items.append(item)
        return self
""",
    r"""
bag = same = Bag("ab")
bag += "cd"
assert bag is same
assert same.items == list("abcd")
bag |= ["a", "e"]
assert "".join(bag.items) == "abcde"
bag << 1 << 2
assert bag.items[-2:] == [1, 2]
assert len(same) == 7
""",
    "self.items.extend(other)\n        return self",
    "return Bag([*self.items, *other])",
)

case(
    "total_ordering_version",
    r"""
from functools import total_ordering


@total_ordering
class Version:
    def __init__(self, text):
        self.parts = tuple(int(p) for p in text.split("."))

    def _key(self):
        parts = list(self.parts)
        while parts and parts[-1] == 0:
            parts.pop()
        return parts

    def __eq__(self, other):
        return self._key() == other._key()

    def __lt__(self, other):
        return self._key() < other._key()

    def __str__(self):
        return ".".join(map(str, self.parts))
""",
    r"""
versions = ["1.10", "1.2", "1.2.0", "0.9.9", "2"]
ordered = [str(v) for v in sorted(map(Version, versions))]
assert ordered == ["0.9.9", "1.2", "1.2.0", "1.10", "2"]
assert Version("1.0") == Version("1")
assert Version("1.2") < Version("1.10") <= Version("1.10.0") < Version("2")
assert Version("3") >= Version("2.9") and Version("3") != Version("3.1")
assert max(versions, key=Version) == "2"
""",
    "int(p) for p in",
    "p for p in",
)

case(
    "bool_and_len",
    r"""
class Window:
    def __init__(self, size):
        self.size = size
        self.values = []

    def push(self, value):
        self.values.append(value)
        if len(self.values) > self.size:
            self.values.pop(0)

    def __len__(self):
        return len(self.values)

    def __contains__(self, value):
        return value in self.values

    def __bool__(self):
        return len(self.values) == self.size
""",
    r"""
w = Window(2)
assert not w
assert len(w) == 0
w.push(1)
assert not w and len(w) == 1
w.push(2)
assert w
assert 1 in w
w.push(3)
assert 1 not in w and bool(w) is True
assert (w or None) is w
assert [x for x in (Window(1), w) if x] == [w]
""",
    "len(self.values) == self.size",
    "len(self.values) > 0",
)

case(
    "callable_getattr_object",
    r"""
class Path:
    def __init__(self, parts=()):
        self._parts = tuple(parts)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Path(self._parts + (name,))

    def __getitem__(self, key):
        return Path(self._parts + (str(key),))

    def __call__(self, **query):
        url = "/" + "/".join(self._parts)
        if query:
            url += "?" + "&".join(f"{k}={v}" for k, v in sorted(query.items()))
        return url
""",
    r"""
api = Path()
assert api.users[3].posts() == "/users/3/posts"
assert api.search(q="x", page=2) == "/search?page=2&q=x"
assert api() == "/"
assert callable(api)
assert not hasattr(api, "__wrapped__")
assert getattr(api, "a").b() == "/a/b"
""",
    "sorted(query.items())",
    "sorted(query.items(), reverse=True)",
)

case(
    "hash_eq_by_value",
    r"""
class Edge:
    def __init__(self, a, b):
        self.ends = frozenset((a, b))

    def __eq__(self, other):
        if not isinstance(other, Edge):
            return NotImplemented
        return self.ends == other.ends

    def __hash__(self):
        return hash(self.ends)


def unique_edges(pairs):
    return {Edge(a, b) for a, b in pairs}
""",
    r"""
edges = unique_edges([(1, 2), (2, 1), (3, 1), (1, 3), (2, 2)])
assert len(edges) == 3
assert edges == {Edge(1, 2), Edge(1, 3), Edge(2, 2)}
assert Edge(2, 1) in edges
assert Edge(9, 9) not in edges
assert Edge(1, 2) != (1, 2)
assert hash(Edge("a", "b")) == hash(Edge("b", "a"))
assert list(edges).index(Edge(3, 1)) >= 0
""",
    "self.ends = frozenset((a, b))",
    "self.ends = (a, b)",
)

case(
    "format_and_str_protocol",
    r"""
class Celsius:
    def __init__(self, degrees):
        self.degrees = degrees

    def __format__(self, spec):
        if spec.endswith("F"):
            return format(self.degrees * 9 / 5 + 32, spec[:-1] or ".1f") + "F"
        return format(self.degrees, spec or ".1f") + "C"

    def __str__(self):
        return f"{self}"

    def __repr__(self):
        return f"Celsius({self.degrees!r})"

    def __int__(self):
        return int(self.degrees)

    __index__ = __int__
""",
    r"""
t = Celsius(21.55)
assert f"{t}" == format(21.55, ".1f") + "C"
assert f"{t:.0fF}" == "71F"
assert "{:F}".format(Celsius(100)) == "212.0F"
assert repr(t) == "Celsius(21.55)"
assert f"{t!r:>15}" == "Celsius(21.55)".rjust(15)
assert str(Celsius(3)) == "3.0C"
assert int(t) == 21 and [0, 1, 2, 3][Celsius(3)] == 3
""",
    "* 9 / 5 + 32",
    "* 5 / 9 + 32",
)

# --- context managers, iterators, generators, coroutines ---

case(
    "context_manager_class",
    r"""
class Transaction:
    def __init__(self, store):
        self.store = store

    def __enter__(self):
        self.backup = dict(self.store)
        return self.store

    def __exit__(self, kind, value, trace):
        if kind is not None:
            self.store.clear()
            self.store.update(self.backup)
        return kind is not None and issubclass(kind, ValueError)
""",
    r"""
store = {"a": 1}
with Transaction(store) as s:
    assert s is store
    s["b"] = 2
assert store == {"a": 1, "b": 2}
with Transaction(store) as s:
    s["c"] = 3
    raise ValueError("rolled back and hidden")
assert store == {"a": 1, "b": 2}
try:
    with Transaction(store) as s:
        del s["a"]
        raise KeyError("not hidden")
except KeyError:
    hidden = False
else:
    hidden = True
assert not hidden
assert store["a"] == 1
""",
    "            self.store.clear()\n",
    "",
)

case(
    "contextlib_manager",
    r"""
from contextlib import contextmanager


@contextmanager
def recorded(log, name):
    log.append(f"enter {name}")
    try:
        yield name.upper()
    except LookupError as error:
        log.append(f"error {type(error).__name__}")
        raise
    finally:
        log.append(f"exit {name}")
""",
    r"""
from contextlib import ExitStack

log = []
with recorded(log, "a") as got:
    assert got == "A"
assert log == ["enter a", "exit a"]
log.clear()
try:
    with recorded(log, "b"):
        [][0]
except IndexError:
    log.append("caught")
assert log == ["enter b", "error IndexError", "exit b", "caught"]
log = []
with ExitStack() as stack:
    names = [stack.enter_context(recorded(log, n)) for n in "xy"]
assert names == ["X", "Y"]
assert log == ["enter x", "enter y", "exit y", "exit x"]
""",
    "        raise\n    finally",
    "    finally",
)

case(
    "iterator_class",
    r"""
class Countdown:
    def __init__(self, start):
        self.current = start

    def __iter__(self):
        return self

    def __next__(self):
        if self.current <= 0:
            raise StopIteration
        self.current -= 1
        return self.current + 1
""",
    r"""
it = Countdown(3)
assert iter(it) is it
assert next(it) == 3
assert list(it) == [2, 1]
assert list(it) == []
assert next(it, "done") == "done"
try:
    next(it)
    assert False, "no StopIteration"
except StopIteration:
    pass
assert sum(Countdown(100)) == 5050
assert [a * b for a, b in zip(Countdown(3), [1, 10, 100])] == [3, 20, 100]
""",
    "return self.current + 1",
    "return self.current",
)

case(
    "generator_send_and_close",
    r"""
closed = []


def averager():
    total, count, average = 0.0, 0, None
    try:
        while True:
            value = yield average
            total += value
            count += 1
            average = total / count
    finally:
        closed.append(count)
""",
    r"""
gen = averager()
assert next(gen) is None
assert gen.send(10) == 10
assert gen.send(20) == 15
assert gen.send(30) == 20
gen.close()
assert closed == [3]
try:
    gen.send(1)
except StopIteration:
    pass
else:
    raise AssertionError("generator still runs")
""",
    "count += 1\n            average = total / count",
    "average = total / (count + 2)\n            count += 1",
)

case(
    "generator_throw_and_return",
    r"""
def collector():
    items = []
    while True:
        try:
            item = yield len(items)
        except ValueError:
            items.clear()
            continue
        if item is None:
            return items
        items.append(item)


def outer():
    result = yield from collector()
    yield ("result", result)
""",
    r"""
g = outer()
assert next(g) == 0
assert g.send("a") == 1
assert g.throw(ValueError("reset")) == 0
assert g.send("b") == 1
assert g.send("c") == 2
assert g.send(None) == ("result", ["b", "c"])
c = collector()
next(c)
c.send(1)
try:
    c.send(None)
except StopIteration as stop:
    assert stop.value == [1]
""",
    "            items.clear()\n",
    "",
)

case(
    "lazy_infinite_generator",
    r"""
from itertools import count, islice


def primes():
    found = []
    for n in count(2):
        if all(n % p for p in found):
            found.append(n)
            yield n


def take(n, iterable):
    return list(islice(iterable, n))
""",
    r"""
import types
from itertools import takewhile

assert isinstance(primes(), types.GeneratorType)
assert take(10, primes()) == [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]
assert list(takewhile(lambda p: p < 20, primes())) == [2, 3, 5, 7, 11, 13, 17, 19]
pulled = []


def source():
    for i in range(100):
        pulled.append(i)
        yield i


assert take(3, source()) == [0, 1, 2]
assert pulled == [0, 1, 2]
""",
    "count(2)",
    "count(3)",
)

case(
    "coroutine_gather",
    r"""
import asyncio


async def fetch(name, delay, log):
    log.append(f"start {name}")
    await asyncio.sleep(delay)
    log.append(f"end {name}")
    return name.upper()


async def fetch_all(names, log):
    return await asyncio.gather(*(fetch(n, 0.01 * i, log) for i, n in enumerate(reversed(names))))
""",
    r"""
import asyncio

log = []
result = asyncio.run(fetch_all(["a", "b", "c"], log))
assert result == ["C", "B", "A"]
assert log[:3] == ["start c", "start b", "start a"]
assert log[3:] == ["end c", "end b", "end a"]
assert asyncio.iscoroutinefunction(fetch)
""",
    "return name.upper()",
    "return name",
)

case(
    "async_iteration",
    r"""
class Ticker:
    def __init__(self, n):
        self.n = n

    def __aiter__(self):
        self.i = 0
        return self

    async def __anext__(self):
        if self.i >= self.n:
            raise StopAsyncIteration
        self.i += 1
        return self.i * self.i


async def evens(source):
    async for value in source:
        if value % 2 == 0:
            yield value


class Session:
    def __init__(self):
        self.open = False

    async def __aenter__(self):
        self.open = True
        return self

    async def __aexit__(self, *exc):
        self.open = False
""",
    r"""
import asyncio
import unittest


class TestAsync(unittest.IsolatedAsyncioTestCase):
    async def test_ticker(self):
        self.assertEqual([v async for v in Ticker(4)], [1, 4, 9, 16])

    async def test_generator(self):
        self.assertEqual([v async for v in evens(Ticker(6))], [4, 16, 36])

    async def test_session(self):
        async with Session() as session:
            self.assertTrue(session.open)
        self.assertFalse(session.open)

    def test_plain_run(self):
        async def main():
            return [v async for v in Ticker(2)]

        self.assertEqual(asyncio.run(main()), [1, 4])
""",
    "        self.open = False\n\n    async def __aenter__(self):\n        self.open = True",
    "        self.open = False\n\n    async def __aenter__(self):\n        self.opened = True",
)

case(
    "async_queue_workers",
    r"""
import asyncio


async def process(items, worker, workers=2):
    queue = asyncio.Queue()
    for pair in enumerate(items):
        queue.put_nowait(pair)
    results = {}

    async def run():
        while not queue.empty():
            index, item = queue.get_nowait()
            results[index] = await worker(item)

    await asyncio.gather(*(run() for _ in range(workers)))
    return [results[i] for i in sorted(results)]
""",
    r"""
import asyncio


def test_order_is_kept():
    async def slow_double(x):
        await asyncio.sleep(0.01 if x % 2 else 0)
        return 2 * x

    assert asyncio.run(process([3, 2, 1, 4], slow_double)) == [6, 4, 2, 8]


def test_number_of_workers():
    running = peak = 0

    async def watch(x):
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await asyncio.sleep(0.005)
        running -= 1
        return x

    loop = asyncio.new_event_loop()
    try:
        assert loop.run_until_complete(process(range(7), watch, workers=3)) == list(range(7))
    finally:
        loop.close()
    assert peak == 3
""",
    "[results[i] for i in sorted(results)]",
    "list(results.values())",
)

# --- decorators, callbacks, closures ---

case(
    "decorator_keeps_metadata",
    r"""
import functools


def traced(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        wrapper.calls += 1
        return function(*args, **kwargs)

    wrapper.calls = 0
    return wrapper
""",
    r'''
@traced
def greet(name, *, punct="!"):
    """Says hello."""
    return f"hello {name}{punct}"


assert greet("bob") == "hello bob!"
assert greet(name="al", punct="?") == "hello al?"
assert greet.calls == 2
assert greet.__name__ == "greet"
assert greet.__doc__ == "Says hello."
assert greet.__wrapped__("x") == "hello x!" and greet.calls == 2
''',
    "    @functools.wraps(function)\n",
    "",
)

case(
    "memoize_with_call_count",
    r"""
def memoize(function):
    cache = {}

    def wrapper(*args, **kwargs):
        key = (args, tuple(sorted(kwargs.items())))
        if key not in cache:
            cache[key] = function(*args, **kwargs)
        return cache[key]

    wrapper.cache = cache
    return wrapper
""",
    r"""
count = 0


@memoize
def slow(a, b=0):
    global count
    count += 1
    return [a, b]


first = slow(1, b=2)
assert slow(1, b=2) is first
assert count == 1
assert slow(1, b=3) == [1, 3]
assert count == 2
assert len(slow.cache) == 2
""",
    "key = (args, tuple(sorted(kwargs.items())))",
    "key = args",
)

case(
    "callback_back_and_forth",
    r"""
def walk(tree, visit):
    def go(node, depth):
        keep = visit(node, depth, go)
        if keep:
            for child in tree.get(node, ()):
                go(child, depth + 1)

    go("root", 0)
""",
    r"""
tree = {"root": ["a", "b"], "a": ["c"], "b": ["d"], "d": ["e"]}
seen = []


def visit(node, depth, go):
    seen.append((node, depth))
    if node == "b":
        go("extra", depth + 10)
        return False
    return True


walk(tree, visit)
assert seen == [("root", 0), ("a", 1), ("c", 2), ("b", 1), ("extra", 11)]


class Stop(Exception):
    pass


def stopper(node, depth, go):
    if node == "c":
        raise Stop(depth)
    return True


try:
    walk(tree, stopper)
except Stop as stop:
    assert stop.args == (2,)
else:
    assert False
""",
    "        if keep:\n",
    "        if keep is not None:\n",
)

case(
    "event_emitter",
    r"""
class Emitter:
    def __init__(self):
        self._handlers = {}

    def on(self, event, handler=None):
        if handler is None:
            return lambda h: self.on(event, h)
        self._handlers.setdefault(event, []).append(handler)
        return handler

    def off(self, event, handler):
        self._handlers[event].remove(handler)

    def emit(self, event, *args):
        return [handler(*args) for handler in list(self._handlers.get(event, []))]
""",
    r"""
e = Emitter()
got = []


@e.on("data")
def first(x):
    got.append(x)
    return "first"


def once(x):
    e.off("data", once)
    return "once"


assert e.on("data", once) is once
assert e.emit("data", 5) == ["first", "once"]
assert e.emit("data", 6) == ["first"]
assert got == [5, 6]
assert e.emit("nothing") == []
""",
    "self._handlers.setdefault(event, []).append(handler)\n        return handler",
    "self._handlers.setdefault(event, []).append(handler)",
)

case(
    "closure_counters",
    r"""
def make_counter(start=0, step=1):
    value = start

    def increment():
        nonlocal value
        value += step
        return value

    def reset():
        nonlocal value
        value = start

    increment.reset = reset
    return increment


def make_adders(n):
    return [lambda x, i=i: x + i for i in range(n)]
""",
    r"""
a, b = make_counter(), make_counter(10, 5)
assert [a() for _ in range(3)] == [1, 2, 3]
assert b() == 15
b.reset()
assert b() == 15
assert a() == 4
assert [f(100) for f in make_adders(3)] == [100, 101, 102]
""",
    "lambda x, i=i: x + i",
    "lambda x: x + i",
)

case(
    "pipeline_compose",
    r"""
from functools import reduce


def compose(*functions):
    return lambda x: reduce(lambda value, f: f(value), reversed(functions), x)


def curry(function):
    n = function.__code__.co_argcount

    def curried(*args):
        if len(args) >= n:
            return function(*args)
        return lambda *more: curried(*args, *more)

    return curried
""",
    r"""
inc = lambda x: x + 1
double = lambda x: x * 2
assert compose(inc, double)(5) == 11
assert compose(double, inc)(5) == 12
assert compose()("same") == "same"
assert compose(str, inc, int)("41") == "42"


def volume(a, b, c):
    return a * b * c


cv = curry(volume)
assert cv(2)(3)(4) == cv(2, 3)(4) == cv(2)(3, 4) == cv(2, 3, 4) == 24
""",
    "reversed(functions)",
    "functions",
)

# --- identity and mutation ---

case(
    "sort_in_place_returns_none",
    r"""
def insertion_sort(items, key=None):
    key = key or (lambda x: x)
    for i in range(1, len(items)):
        item, j = items[i], i
        while j > 0 and key(items[j - 1]) > key(item):
            items[j] = items[j - 1]
            j -= 1
        items[j] = item
""",
    r"""
data = [5, 2, 9, 1]
alias = data
result = insertion_sort(data)
assert result is None
assert data == [1, 2, 5, 9]
assert alias is data
words = ["ccc", "a", "bb", "d"]
insertion_sort(words, key=len)
assert words == ["a", "d", "bb", "ccc"]
empty = []
assert insertion_sort(empty) is None and empty == []
""",
    "while j > 0 and key(items[j - 1]) > key(item):",
    "while j > 0 and key(items[j - 1]) >= key(item):",
)

case(
    "rotate_matrix_in_place",
    r'''
def rotate(matrix):
    """Rotates a square matrix clockwise, in place."""
    matrix.reverse()
    for i in range(len(matrix)):
        for j in range(i):
            matrix[i][j], matrix[j][i] = matrix[j][i], matrix[i][j]
''',
    r"""
m = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
rows = m
rotate(m)
assert m == [[7, 4, 1], [8, 5, 2], [9, 6, 3]]
assert rows is m
for _ in range(3):
    rotate(m)
assert m == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
one = [[42]]
rotate(one)
assert one == [[42]]
""",
    "    matrix.reverse()\n    for i in range(len(matrix)):\n        for j in range(i):\n",
    "    for i in range(len(matrix)):\n        for j in range(i):\n",
)

case(
    "argument_not_mutated",
    r"""
def with_defaults(options, defaults):
    merged = dict(defaults)
    for key, value in options.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = with_defaults(value, merged[key])
        else:
            merged[key] = value
    return merged
""",
    r"""
import copy

defaults = {"a": 1, "deep": {"x": 1, "y": [2]}}
options = {"deep": {"x": 5}, "b": 2}
before = copy.deepcopy(defaults), copy.deepcopy(options)
result = with_defaults(options, defaults)
assert result == {"a": 1, "b": 2, "deep": {"x": 5, "y": [2]}}
assert (defaults, options) == before
assert result is not defaults and result is not options
assert result["deep"]["y"] is defaults["deep"]["y"]
""",
    "merged = dict(defaults)",
    "merged = defaults",
)

case(
    "singleton_identity",
    r"""
class Registry:
    _instance = None

    def __new__(cls):
        if cls._instance is None:
            cls._instance = super().__new__(cls)
            cls._instance.items = {}
        return cls._instance

    def get(self, key, factory):
        if key not in self.items:
            self.items[key] = factory()
        return self.items[key]


MISSING = object()


def lookup(mapping, key):
    return mapping[key] if key in mapping else MISSING
""",
    r"""
assert Registry() is Registry()
obj = Registry().get("x", list)
assert Registry().get("x", dict) is obj
assert obj == [] and type(obj) is list
marker = object()
assert Registry().get("m", lambda: marker) is marker
assert lookup({"a": None}, "a") is None
assert lookup({}, "a") is MISSING
assert id(Registry()) == id(Registry())
""",
    "mapping[key] if key in mapping else MISSING",
    "mapping.get(key) or MISSING",
)

case(
    "partition_nodes_linked_list",
    r"""
class Node:
    def __init__(self, value, next=None):
        self.value = value
        self.next = next


def reverse(head):
    previous = None
    while head:
        head.next, previous, head = previous, head, head.next
    return previous


def has_cycle(head):
    slow = fast = head
    while fast and fast.next:
        slow, fast = slow.next, fast.next.next
        if slow is fast:
            return True
    return False
""",
    r"""
def build(values):
    head = None
    for v in reversed(values):
        head = Node(v, head)
    return head


def to_list(head):
    out = []
    while head is not None:
        out.append(head.value)
        head = head.next
    return out


h = build([1, 2, 3, 4])
last = h.next.next.next
r = reverse(h)
assert r is last
assert to_list(r) == [4, 3, 2, 1]
assert h.next is None
assert reverse(None) is None
assert not has_cycle(r)
h.next = r
assert has_cycle(r) is True
assert has_cycle(None) is False
""",
    "if slow is fast:\n            return True",
    "if slow.value == fast:\n            return True\n        if slow is head:\n            return False",
)

case(
    "graph_object_cycles",
    r"""
class Person:
    def __init__(self, name):
        self.name = name
        self.friends = []

    def befriend(self, other):
        self.friends.append(other)
        other.friends.append(self)

    def within(self, distance):
        seen, frontier = {self}, {self}
        for _ in range(distance):
            frontier = {f for p in frontier for f in p.friends} - seen
            seen |= frontier
        return seen - {self}
""",
    r"""
ann, bob, cid, dan = people = [Person(n) for n in ("ann", "bob", "cid", "dan")]
ann.befriend(bob)
bob.befriend(cid)
cid.befriend(dan)
assert ann.within(1) == {bob}
assert ann.within(2) == {bob, cid}
assert {p.name for p in ann.within(9)} == {"bob", "cid", "dan"}
assert ann.friends[0].friends[0] is ann
assert ann.within(0) == set()
assert all(p in bob.within(2) for p in people if p is not bob)
""",
    "        other.friends.append(self)\n",
    "",
)

# --- collections as results ---

case(
    "default_dict_result",
    r"""
from collections import defaultdict


def group_by(items, key):
    groups = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return groups
""",
    r"""
from collections import defaultdict

g = group_by(["apple", "avocado", "bean", "cherry", "beet"], lambda w: w[0])
assert g == {"a": ["apple", "avocado"], "b": ["bean", "beet"], "c": ["cherry"]}
assert isinstance(g, defaultdict)
assert g["zzz"] == []
assert len(g) == 4
assert g.default_factory is list
assert list(group_by(range(6), lambda n: n % 3).items()) == [(0, [0, 3]), (1, [1, 4]), (2, [2, 5])]
""",
    "return groups",
    "return dict(groups)",
)

case(
    "counter_result",
    r"""
import re
from collections import Counter


def word_count(text):
    return Counter(re.findall(r"[a-z']+", text.lower()))


def top(text, n):
    return sorted(word_count(text).items(), key=lambda kv: (-kv[1], kv[0]))[:n]
""",
    r"""
from collections import Counter

text = "The cat and the dog. The bird's song, and..."
c = word_count(text)
assert c == Counter({"the": 3, "and": 2, "cat": 1, "dog": 1, "bird's": 1, "song": 1})
assert c["missing"] == 0
assert c.most_common(2) == [("the", 3), ("and", 2)]
assert (c - Counter(the=2))["the"] == 1
assert sum(c.values()) == 9
assert top(text, 3) == [("the", 3), ("and", 2), ("bird's", 1)]
assert isinstance(c, dict)
""",
    "[a-z']+",
    "[a-z]+",
)

case(
    "deque_result",
    r"""
from collections import deque


def last_lines(lines, n):
    return deque(lines, maxlen=n)


def josephus(n, k):
    circle = deque(range(1, n + 1))
    order = []
    while circle:
        circle.rotate(1 - k)
        order.append(circle.popleft())
    return order
""",
    r"""
from collections import deque

d = last_lines(iter("abcdef"), 3)
assert d == deque("def")
assert d.maxlen == 3
d.append("g")
assert list(d) == ["e", "f", "g"]
assert josephus(7, 3) == [3, 6, 2, 7, 5, 1, 4]
assert josephus(1, 5) == [1]
assert josephus(0, 5) == []
""",
    "deque(lines, maxlen=n)",
    "deque(list(lines)[-n:])",
)

case(
    "sets_of_frozensets",
    r"""
from itertools import combinations


def power_set(items):
    items = list(items)
    return {frozenset(c) for r in range(len(items) + 1) for c in combinations(items, r)}


def maximal(sets):
    return {s for s in sets if not any(s < t for t in sets)}
""",
    r"""
ps = power_set({1, 2, 3})
assert len(ps) == 8
assert frozenset() in ps and frozenset({1, 3}) in ps
assert ps == {frozenset(s) for s in ([], [1], [2], [3], [1, 2], [1, 3], [2, 3], [1, 2, 3])}
assert maximal({frozenset("a"), frozenset("ab"), frozenset("c")}) == {frozenset("ba"), frozenset("c")}
assert maximal(ps) == {frozenset({1, 2, 3})}
assert all(isinstance(s, frozenset) for s in ps)
""",
    "range(len(items) + 1)",
    "range(1, len(items) + 1)",
)

case(
    "chain_map_and_view",
    r"""
from collections import ChainMap
from types import MappingProxyType


class Scope:
    def __init__(self):
        self.vars = ChainMap({})

    def push(self):
        self.vars = self.vars.new_child()

    def pop(self):
        self.vars = self.vars.parents

    def set(self, name, value):
        for scope in self.vars.maps:
            if name in scope:
                scope[name] = value
                return
        self.vars[name] = value

    def view(self):
        return MappingProxyType(dict(self.vars))
""",
    r"""
s = Scope()
s.set("x", 1)
s.push()
s.set("y", 2)
s.set("x", 5)
assert dict(s.view()) == {"x": 5, "y": 2}
view = s.view()
try:
    view["z"] = 1
except TypeError:
    pass
else:
    assert False, "the view is writable"
s.pop()
assert s.view() == {"x": 5}
assert "y" not in s.vars
""",
    "        for scope in self.vars.maps:\n            if name in scope:\n"
    "                scope[name] = value\n                return\n",
    "",
)

# --- descriptors, properties, metaclasses, slots ---

case(
    "property_with_setter",
    r"""
class Rectangle:
    def __init__(self, width, height):
        self.width = width
        self.height = height

    @property
    def width(self):
        return self._width

    @width.setter
    def width(self, value):
        if value <= 0:
            raise ValueError("width must be positive")
        self._width = value

    @property
    def area(self):
        return self._width * self.height
""",
    r"""
import unittest


class TestRectangle(unittest.TestCase):
    def setUp(self):
        self.r = Rectangle(2, 3)

    def test_area_follows_width(self):
        self.assertEqual(self.r.area, 6)
        self.r.width = 10
        self.assertEqual(self.r.area, 30)

    def test_bad_width(self):
        for bad in (0, -1, -0.5):
            with self.subTest(bad=bad):
                with self.assertRaises(ValueError) as context:
                    self.r.width = bad
                self.assertIn("positive", str(context.exception))
        self.assertEqual(self.r.width, 2)

    def test_area_is_read_only(self):
        with self.assertRaises(AttributeError):
            self.r.area = 1
        with self.assertRaisesRegex(ValueError, r"^width"):
            Rectangle(0, 1)


if __name__ == "__main__":
    unittest.main()
""",
    "if value <= 0:",
    "if value < 0:",
)

case(
    "descriptor_validation",
    r"""
class Typed:
    def __init__(self, kind):
        self.kind = kind

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, instance, owner=None):
        if instance is None:
            return self
        return instance.__dict__.get(self.name)

    def __set__(self, instance, value):
        if not isinstance(value, self.kind):
            raise TypeError(f"{self.name} must be {self.kind.__name__}")
        instance.__dict__[self.name] = value


class Person:
    name = Typed(str)
    age = Typed(int)

    def __init__(self, name, age):
        self.name, self.age = name, age
""",
    r"""
p = Person("ann", 3)
assert (p.name, p.age) == ("ann", 3)
assert isinstance(Person.name, Typed) and Person.name.name == "name"
assert vars(p) == {"name": "ann", "age": 3}
for args, message in [(("a", "3"), "age must be int"), ((1, 3), "name must be str")]:
    try:
        Person(*args)
    except TypeError as e:
        assert str(e) == message, f"{e} for {args}"
    else:
        assert False, f"{args} accepted"


class Own:
    items = Typed(list)


own = Own()
assert own.items is None
own.items = [1]
assert own.items == [1]
other = Own()
assert other.items is None
""",
    "instance.__dict__[self.name] = value",
    "instance.__dict__[self.name] = value\n        self.__dict__['last'] = value\n"
    "        instance.__dict__.setdefault('seen', []).append(self.name)",
)

case(
    "metaclass_registry",
    r"""
class PluginMeta(type):
    plugins = {}

    def __new__(mcs, name, bases, namespace, key=None):
        cls = super().__new__(mcs, name, bases, namespace)
        if bases:
            mcs.plugins[key or name.lower()] = cls
        return cls

    def __len__(cls):
        return len(cls.plugins)


class Plugin(metaclass=PluginMeta):
    def run(self):
        raise NotImplementedError


def create(key):
    return PluginMeta.plugins[key]()
""",
    r"""
class Upper(Plugin):
    def run(self):
        return "UP"


class Reverse(Plugin, key="rev"):
    def run(self):
        return "VER"


assert set(PluginMeta.plugins) == {"upper", "rev"}
assert isinstance(create("rev"), Reverse)
assert create("upper").run() == "UP"
assert len(Plugin) == 2
assert type(Upper) is PluginMeta
try:
    Plugin().run()
    assert False
except NotImplementedError:
    pass
""",
    "key or name.lower()",
    "name.lower()",
)

case(
    "init_subclass_hook",
    r"""
class Shape:
    kinds = []

    def __init_subclass__(cls, sides=0, **kwargs):
        super().__init_subclass__(**kwargs)
        cls.sides = sides
        Shape.kinds.append(cls)

    @classmethod
    def find(cls, sides):
        return next((k for k in cls.kinds if k.sides == sides), None)
""",
    r"""
class Triangle(Shape, sides=3):
    pass


class Square(Shape, sides=4):
    pass


class Circle(Shape):
    pass


assert Shape.find(4) is Square
assert Shape.find(0) is Circle
assert Shape.find(7) is None
assert Shape.kinds == [Triangle, Square, Circle]
assert Triangle().sides == 3
""",
    "cls.sides = sides",
    "cls.sides = sides or 4",
)

case(
    "slots_no_dict",
    r"""
class Cell:
    __slots__ = ("row", "col", "_value")

    def __init__(self, row, col, value=None):
        self.row, self.col, self._value = row, col, value

    def __eq__(self, other):
        return (self.row, self.col) == (other.row, other.col)

    def __hash__(self):
        return hash((self.row, self.col))
""",
    r"""
import pytest


@pytest.fixture
def cell():
    return Cell(1, 2, "v")


def test_no_dict(cell):
    assert not hasattr(cell, "__dict__")
    with pytest.raises(AttributeError):
        cell.other = 1


def test_equality(cell):
    assert cell == Cell(1, 2)
    assert cell != Cell(2, 1)
    assert {cell, Cell(1, 2), Cell(0, 0)} == {Cell(0, 0), Cell(1, 2)}


def test_slots():
    assert Cell.__slots__ == ("row", "col", "_value")
""",
    '    __slots__ = ("row", "col", "_value")\n',
    '    fields = __slots__ = ("row", "col", "_value", "__dict__")\n',
)

case(
    "cached_property_once",
    r"""
from functools import cached_property


class Report:
    computed = 0

    def __init__(self, numbers):
        self.numbers = numbers

    @cached_property
    def stats(self):
        Report.computed += 1
        return {"n": len(self.numbers), "mean": sum(self.numbers) / len(self.numbers)}
""",
    r"""
r = Report([1, 2, 3, 6])
assert r.stats == {"n": 4, "mean": 3.0}
assert r.stats is r.stats
assert Report.computed == 1
del r.stats
r.numbers.append(8)
assert r.stats["mean"] == 4
assert Report.computed == 2
assert Report([5]).stats["n"] == 1 and Report.computed == 3
""",
    "@cached_property",
    "@property",
)

case(
    "class_and_static_methods",
    r"""
class Date:
    def __init__(self, y, m, d):
        self.y, self.m, self.d = y, m, d

    @classmethod
    def parse(cls, text):
        return cls(*map(int, text.split("-")))

    @staticmethod
    def leap(y):
        return y % 4 == 0 and (y % 100 != 0 or y % 400 == 0)

    def __repr__(self):
        return f"{type(self).__name__}({self.y}, {self.m}, {self.d})"
""",
    r"""
class Special(Date):
    def tag(self):
        return f"{self.y:04d}{self.m:02d}"


s = Special.parse("2024-03-09")
assert type(s) is Special
assert s.tag() == "202403"
assert repr(s) == "Special(2024, 3, 9)"
assert repr(Date.parse("1-2-3")) == "Date(1, 2, 3)"
leaps = [y for y in (1900, 1996, 2000, 2023, 2024, 2100) if Date.leap(y)]
assert leaps == [1996, 2000, 2024]
assert s.leap(2000) is Date.leap(2000) is True
""",
    "return cls(*map(int",
    "return Date(*map(int",
)

case(
    "mixin_and_super_order",
    r"""
class Base:
    def steps(self):
        return ["base"]


class Log(Base):
    def steps(self):
        return ["log"] + super().steps()


class Auth(Base):
    def steps(self):
        return ["auth"] + super().steps()


class Service(Log, Auth):
    def steps(self):
        return ["service"] + super().steps()
""",
    r"""
assert Service().steps() == ["service", "log", "auth", "base"]


class Swapped(Auth, Log):
    pass


assert Swapped().steps() == ["auth", "log", "base"]
assert Service.__mro__ == (Service, Log, Auth, Base, object)
assert issubclass(Service, Base) and not issubclass(Log, Auth)
assert isinstance(Service(), (int, Auth))
""",
    'return ["log"] + super().steps()',
    'return ["log"] + Base.steps(self)',
)

case(
    "abc_subclassed_by_checks",
    r"""
from abc import ABC, abstractmethod


class Storage(ABC):
    @abstractmethod
    def read(self, key):
        ...

    @abstractmethod
    def write(self, key, value):
        ...

    def update(self, key, function, default=None):
        try:
            value = self.read(key)
        except KeyError:
            value = default
        value = function(value)
        self.write(key, value)
        return value
""",
    r"""
class Memory(Storage):
    def __init__(self):
        self.data = {}
        self.writes = 0

    def read(self, key):
        return self.data[key]

    def write(self, key, value):
        self.writes += 1
        self.data[key] = value


m = Memory()
assert m.update("n", lambda v: v + 1, default=0) == 1
assert m.update("n", lambda v: v + 1, default=0) == 2
assert m.data == {"n": 2} and m.writes == 2
try:
    Storage()
except TypeError as e:
    assert "abstract" in str(e)
else:
    assert False


class Half(Storage):
    def read(self, key):
        return 1


try:
    Half()
    made = True
except TypeError:
    made = False
assert not made
assert Storage.__abstractmethods__ == {"read", "write"}
""",
    "value = function(value)\n        self.write(key, value)",
    "self.write(key, value)\n        value = function(value)",
)

case(
    "protocol_runtime_checkable",
    r"""
from typing import Protocol, runtime_checkable


@runtime_checkable
class Drawable(Protocol):
    def draw(self) -> str:
        ...


def render(items):
    return "\n".join(item.draw() if isinstance(item, Drawable) else f"<{item}>" for item in items)
""",
    r"""
class Dot:
    def draw(self):
        return "."


class Line(Dot):
    def draw(self):
        return super().draw() * 3


assert isinstance(Dot(), Drawable)
assert not isinstance("text", Drawable)
assert render([Dot(), 5, Line()]) == ".\n<5>\n..."
assert render([]) == ""
""",
    'f"<{item}>"',
    'f"<{item!r:>2}>"',
)

# --- copy, pickle, json ---

case(
    "deepcopy_and_copy",
    r"""
import copy


class Board:
    def __init__(self, cells):
        self.cells = cells
        self.history = []

    def __copy__(self):
        new = Board(self.cells)
        new.history = list(self.history)
        return new

    def play(self, r, c, mark):
        child = copy.deepcopy(self)
        child.cells[r][c] = mark
        child.history.append((r, c))
        return child
""",
    r"""
import copy

b = Board([["", ""], ["", ""]])
n = b.play(0, 1, "x")
assert n.cells == [["", "x"], ["", ""]] and b.cells == [["", ""], ["", ""]]
assert n.history == [(0, 1)] and b.history == []
shallow = copy.copy(n)
assert shallow.cells is n.cells
assert shallow.history == n.history and shallow.history is not n.history
deep = copy.deepcopy(n)
assert deep.cells == n.cells and deep.cells[0] is not n.cells[0]
assert type(deep) is Board
""",
    "child = copy.deepcopy(self)",
    "child = copy.copy(self)",
)

case(
    "pickle_round_trip",
    r"""
class Session:
    def __init__(self, user):
        self.user = user
        self.lock = lambda: None

    def __getstate__(self):
        state = self.__dict__.copy()
        del state["lock"]
        return state

    def __setstate__(self, state):
        self.__dict__.update(state)
        self.lock = lambda: "restored"

    def __eq__(self, other):
        return type(self) is type(other) and self.user == other.user
""",
    r"""
import pickle

s = Session({"name": "ann", "ids": [1, 2]})
for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
    again = pickle.loads(pickle.dumps(s, protocol=protocol))
    assert again == s
    assert again is not s and again.user is not s.user
    assert again.lock() == "restored"
assert isinstance(again, Session)
""",
    'self.lock = lambda: "restored"',
    "self.lock = None",
)

case(
    "json_encoder",
    r"""
import json
from datetime import date
from decimal import Decimal


class Encoder(json.JSONEncoder):
    def default(self, o):
        if isinstance(o, date):
            return o.isoformat()
        if isinstance(o, Decimal):
            return str(o)
        if isinstance(o, (set, frozenset)):
            return sorted(o)
        if hasattr(o, "to_json"):
            return o.to_json()
        return super().default(o)


def dumps(value):
    return json.dumps(value, cls=Encoder, sort_keys=True)
""",
    r"""
import json
from datetime import date
from decimal import Decimal


class Item:
    def __init__(self, n):
        self.n = n

    def to_json(self):
        return {"item": self.n}


assert dumps({"b": {3, 1, 2}, "a": date(2024, 1, 2)}) == '{"a": "2024-01-02", "b": [1, 2, 3]}'
assert json.loads(dumps([Item(1), Decimal("1.10")])) == [{"item": 1}, "1.10"]
assert dumps(None) == "null"
try:
    dumps(object())
except TypeError as e:
    assert "not JSON serializable" in str(e)
else:
    assert False
""",
    "return sorted(o)",
    "return sorted(o, reverse=True)",
)

case(
    "tree_serialization",
    r"""
class TreeNode:
    def __init__(self, val=0, left=None, right=None):
        self.val, self.left, self.right = val, left, right


def serialize(root):
    if root is None:
        return "#"
    return f"{root.val},{serialize(root.left)},{serialize(root.right)}"


def deserialize(text):
    tokens = iter(text.split(","))

    def build():
        token = next(tokens)
        if token == "#":
            return None
        node = TreeNode(int(token))
        node.left = build()
        node.right = build()
        return node

    return build()
""",
    r"""
def same(a, b):
    if a is None or b is None:
        return a is b
    return a.val == b.val and same(a.left, b.left) and same(a.right, b.right)


def random_tree(rng, depth):
    if depth == 0 or rng.random() < 0.2:
        return None
    return TreeNode(rng.randint(-99, 99), random_tree(rng, depth - 1), random_tree(rng, depth - 1))


import random

rng = random.Random(5)
t = TreeNode(1, TreeNode(2), TreeNode(-3, TreeNode(4), None))
assert serialize(t) == "1,2,#,#,-3,4,#,#,#"
assert deserialize("#") is None
for _ in range(50):
    tree = random_tree(rng, 6)
    assert same(deserialize(serialize(tree)), tree)
""",
    "node.left = build()\n        node.right = build()",
    "node.right = build()\n        node.left = build()",
)

# --- functools, heapq, bisect, sorting ---

case(
    "lru_cache_info",
    r"""
from functools import lru_cache


@lru_cache(maxsize=None)
def ways(n, coins):
    if n == 0:
        return 1
    if n < 0 or not coins:
        return 0
    return ways(n - coins[0], coins) + ways(n, coins[1:])
""",
    r"""
assert ways(5, (1, 2, 5)) == 4
assert ways(0, ()) == 1
assert ways(3, (2,)) == 0
ways.cache_clear()
assert ways.cache_info().currsize == 0
assert ways(100, (1, 5, 10, 25, 50)) == 292
info = ways.cache_info()
assert info.hits > 0 and info.misses == info.currsize
hits = info.hits
ways(100, (1, 5, 10, 25, 50))
assert ways.cache_info().hits == hits + 1
""",
    "if n < 0 or not coins:",
    "if n <= 1 or not coins:",
)

case(
    "partial_and_partialmethod",
    r"""
from functools import partial, partialmethod


def scale(value, *, factor, offset=0):
    return value * factor + offset


to_percent = partial(scale, factor=100)


class Switch:
    def __init__(self):
        self.state = None

    def set(self, state):
        self.state = state
        return self

    on = partialmethod(set, True)
    off = partialmethod(set, False)
""",
    r"""
assert to_percent(0.5) == 50
assert to_percent(2, offset=1) == 201
assert to_percent.func is scale
assert to_percent.keywords == {"factor": 100}
s = Switch()
assert s.state is None
assert s.on() is s and s.state is True
assert s.off().state is False
assert list(map(to_percent, (1, 2))) == [100, 200]
""",
    "off = partialmethod(set, False)",
    "off = partialmethod(set, None)",
)

case(
    "singledispatch_extended_by_checks",
    r"""
from functools import singledispatch


@singledispatch
def describe(value):
    return f"object {value!r}"


@describe.register
def _(value: int):
    return f"int {value}"


@describe.register(list)
@describe.register(tuple)
def _(value):
    return "[" + ", ".join(describe(v) for v in value) + "]"
""",
    r"""
assert describe(3) == "int 3"
assert describe((1, "a")) == "[int 1, object 'a']"
assert describe(True) == "int True"
assert describe([1, [2]]) == "[int 1, [int 2]]"


class Celsius(float):
    pass


@describe.register
def _(value: Celsius):
    return f"{float(value):.1f}C"


assert describe([Celsius(3), 1.5]) == "[3.0C, object 1.5]"
assert describe.dispatch(tuple) is describe.dispatch(list)
""",
    "@describe.register(tuple)\n",
    "",
)

case(
    "heap_of_objects",
    r"""
import heapq
from itertools import count


class PriorityQueue:
    def __init__(self):
        self._heap = []
        self._count = count()

    def push(self, item, priority=0):
        heapq.heappush(self._heap, (-priority, next(self._count), item))

    def pop(self):
        if not self._heap:
            raise IndexError("pop from an empty queue")
        return heapq.heappop(self._heap)[-1]

    def __len__(self):
        return len(self._heap)
""",
    r"""
class Job:
    def __init__(self, name):
        self.name = name


q = PriorityQueue()
jobs = [Job(n) for n in "abcd"]
for job, priority in zip(jobs, (1, 5, 5, 0)):
    q.push(job, priority)
assert len(q) == 4
assert q.pop() is jobs[1]
assert q.pop() is jobs[2]
assert [q.pop().name for _ in range(2)] == ["a", "d"]
assert not q
try:
    q.pop()
except IndexError as e:
    assert "empty" in str(e)
else:
    assert False
""",
    "next(self._count), item",
    "-next(self._count), item",
)

case(
    "objects_with_lt_in_checks",
    r"""
import bisect
import heapq


def k_smallest(items, k):
    return heapq.nsmallest(k, items)


def insert_sorted(items, item):
    index = bisect.bisect_right(items, item)
    items.insert(index, item)
    return index


def merge(*streams):
    return list(heapq.merge(*streams))
""",
    r"""
class Card:
    order = "23456789TJQKA"

    def __init__(self, rank, suit="s"):
        self.rank, self.suit = rank, suit

    def __lt__(self, other):
        return self.order.index(self.rank) < self.order.index(other.rank)

    def __repr__(self):
        return self.rank + self.suit


hand = [Card(r) for r in "KA2T"]
assert str(k_smallest(hand, 2)) == "[2s, Ts]"
ordered = sorted(hand)
king = Card("K", "h")
assert insert_sorted(ordered, king) == 3
assert ordered[3] is king
assert repr(ordered) == "[2s, Ts, Ks, Kh, As]"
assert merge([1, 4], [2, 3], [0]) == [0, 1, 2, 3, 4]
""",
    "bisect.bisect_right",
    "bisect.bisect_left",
)

case(
    "sorting_with_keys",
    r"""
from functools import cmp_to_key


def sort_people(people):
    return sorted(people, key=lambda p: (-p["age"], p["name"].lower()))


def largest_number(numbers):
    texts = sorted(map(str, numbers), key=cmp_to_key(lambda a, b: (a + b < b + a) - (a + b > b + a)))
    return str(int("".join(texts)))
""",
    r"""
people = [{"name": "Bob", "age": 3}, {"name": "al", "age": 3}, {"name": "cy", "age": 9}]
assert [p["name"] for p in sort_people(people)] == ["cy", "al", "Bob"]
assert people[0]["name"] == "Bob"
assert sort_people(people)[0] is people[2]
for numbers, expected in (([10, 2], "210"), ([3, 30, 34, 5, 9], "9534330"), ([0, 0], "0")):
    assert largest_number(numbers) == expected
""",
    '(-p["age"], p["name"].lower())',
    '(-p["age"], p["name"])',
)

case(
    "stable_multi_pass_sort",
    r"""
from operator import attrgetter, itemgetter


def multi_sort(rows, spec):
    rows = list(rows)
    for key, reverse in reversed(spec):
        getter = itemgetter(key) if isinstance(key, int) else attrgetter(key)
        rows.sort(key=getter, reverse=reverse)
    return rows
""",
    r"""
from collections import namedtuple
from random import Random

Row = namedtuple("Row", "a b c")
rng = Random(11)
for _ in range(20):
    rows = [Row(rng.randrange(3), rng.randrange(3), rng.randrange(3)) for _ in range(30)]
    assert multi_sort(rows, [("a", True), ("b", False)]) == sorted(rows, key=lambda r: (-r.a, r.b))
    assert multi_sort(rows, [(2, False), (0, False), ("b", True)]) == sorted(rows, key=lambda r: (r.c, r.a, -r.b))
assert multi_sort([], [("a", True)]) == []
""",
    "in reversed(spec)",
    "in spec",
)

# --- floats ---

case(
    "float_abs_difference",
    r"""
def newton_sqrt(x, tolerance=1e-12):
    guess = x or 1.0
    for _ in range(200):
        better = (guess + x / guess) / 2
        if abs(better - guess) < tolerance:
            break
        guess = better
    return better
""",
    r"""
for value in [1, 2, 3, 10, 0.25, 1e6]:
    assert abs(newton_sqrt(value) - value ** 0.5) < 1e-9
assert abs(newton_sqrt(2) ** 2 - 2) <= 1e-9, "square of the root"
assert -1e-6 < newton_sqrt(9) - 3 < 1e-6
""",
    "(guess + x / guess) / 2",
    "(guess + x / guess) / 2.001",
)

case(
    "float_isclose",
    r"""
import math


def haversine(lat1, lon1, lat2, lon2, radius=6371.0):
    p1, p2 = math.radians(lat1), math.radians(lat2)
    dp, dl = p2 - p1, math.radians(lon2 - lon1)
    a = math.sin(dp / 2) ** 2 + math.cos(p1) * math.cos(p2) * math.sin(dl / 2) ** 2
    return 2 * radius * math.asin(math.sqrt(a))
""",
    r"""
import math

assert math.isclose(haversine(0, 0, 0, 180), math.pi * 6371, rel_tol=1e-12)
assert math.isclose(haversine(0, 0, 90, 0), math.pi * 6371 / 2)
assert haversine(10, 20, 10, 20) == 0
assert math.isclose(haversine(52.52, 13.405, 48.8566, 2.3522), 877.46, abs_tol=0.5)
assert math.isclose(haversine(1, 2, 3, 4), haversine(3, 4, 1, 2), rel_tol=1e-9)
""",
    "math.sin(dl / 2) ** 2",
    "math.sin(dl / 2)",
)

case(
    "float_round",
    r"""
def compound(principal, rate, years, per_year=1):
    return principal * (1 + rate / per_year) ** (per_year * years)


def mean_std(values):
    mean = sum(values) / len(values)
    return mean, (sum((v - mean) ** 2 for v in values) / (len(values) - 1)) ** 0.5
""",
    r"""
assert round(compound(1000, 0.05, 10), 2) == 1628.89
assert round(compound(1000, 0.05, 10, 12), 2) == 1647.01
mean, std = mean_std([2, 4, 4, 4, 5, 5, 7, 9])
assert mean == 5
assert round(std, 4) == 2.1381
assert "%.3f" % std == "2.138" and f"{std:.1f}" == "2.1"
""",
    "/ (len(values) - 1)",
    "/ len(values)",
)

case(
    "float_pytest_approx",
    r"""
def normalize(weights):
    total = sum(weights.values())
    return {k: v / total for k, v in weights.items()}


def linear_fit(xs, ys):
    n = len(xs)
    mx, my = sum(xs) / n, sum(ys) / n
    slope = sum((x - mx) * (y - my) for x, y in zip(xs, ys)) / sum((x - mx) ** 2 for x in xs)
    return slope, my - slope * mx
""",
    r"""
import pytest


def test_normalize():
    assert normalize({"a": 1, "b": 2}) == pytest.approx({"a": 1 / 3, "b": 2 / 3})
    assert sum(normalize({i: i + 0.1 for i in range(7)}).values()) == pytest.approx(1.0)


def test_fit():
    slope, intercept = linear_fit([0, 1, 2, 3], [1.0, 3.1, 4.9, 7.0])
    assert slope == pytest.approx(2, abs=0.05)
    assert pytest.approx(1.03, rel=1e-3) == intercept
    assert linear_fit([0, 1], [0, 1]) == pytest.approx((1, 0))
    assert slope != pytest.approx(3)
""",
    "my - slope * mx",
    "my - slope * mx / 2",
)

case(
    "float_assert_almost_equal",
    r"""
def integrate(f, a, b, n=1000):
    h = (b - a) / n
    total = (f(a) + f(b)) / 2
    for i in range(1, n):
        total += f(a + i * h)
    return total * h
""",
    r"""
import math
import unittest


class TestIntegrate(unittest.TestCase):
    def test_polynomial(self):
        self.assertAlmostEqual(integrate(lambda x: x * x, 0, 3), 9, places=4)

    def test_sine(self):
        self.assertAlmostEqual(integrate(math.sin, 0, math.pi), 2, delta=1e-4)

    def test_empty_and_reversed(self):
        self.assertEqual(integrate(math.exp, 1, 1), 0)
        self.assertAlmostEqual(integrate(math.exp, 1, 0), -integrate(math.exp, 0, 1))
        self.assertNotAlmostEqual(integrate(math.exp, 0, 1), 2.0)
        self.assertLess(integrate(lambda x: -1, 0, 1), 0)
""",
    "(f(a) + f(b)) / 2",
    "f(a) + f(b)",
)

case(
    "numpy_allclose",
    r"""
import numpy as np


def softmax(x, axis=-1):
    x = np.asarray(x, dtype=float)
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def standardize(m):
    return (m - m.mean(axis=0)) / m.std(axis=0)
""",
    r"""
import numpy as np

s = softmax([1.0, 2.0, 3.0])
assert np.allclose(s, [0.09003057, 0.24472847, 0.66524096])
assert s.shape == (3,) and s.dtype == np.float64
assert np.isclose(softmax([[1000, 1000], [0, 0]]).sum(), 2)
m = np.random.default_rng(0).normal(5, 3, size=(50, 4))
z = standardize(m)
np.testing.assert_allclose(z.mean(axis=0), np.zeros(4), atol=1e-12)
np.testing.assert_almost_equal(z.std(axis=0), np.ones(4))
assert np.argmax(s) == 2
assert (s > 0).all()
""",
    "m.mean(axis=0)",
    "m.mean(axis=1).mean()",
)

case(
    "numpy_arrays_equal",
    r"""
import numpy as np


def one_hot(labels, n=None):
    labels = np.asarray(labels)
    n = n or labels.max() + 1
    out = np.zeros((labels.size, n), dtype=int)
    out[np.arange(labels.size), labels] = 1
    return out


def clip_in_place(array, low, high):
    np.clip(array, low, high, out=array)
    return array
""",
    r"""
import numpy as np


def test_one_hot():
    got = one_hot([0, 2, 1])
    assert isinstance(got, np.ndarray)
    np.testing.assert_array_equal(got, np.eye(3, dtype=int)[[0, 2, 1]])
    assert one_hot([1], n=4).tolist() == [[0, 1, 0, 0]]
    assert np.array_equal(got.sum(axis=1), [1, 1, 1])


def test_clip():
    a = np.array([-5, 0, 5, 10])
    b = clip_in_place(a, 0, 6)
    assert b is a
    assert list(a) == [0, 0, 5, 6]
    assert a.max() == 6 and a[0] == 0


def test_views():
    m = np.arange(12).reshape(3, 4)
    clip_in_place(m[1], 5, 6)
    assert m[1].tolist() == [5, 5, 6, 6]
    assert m.T.shape == (4, 3)
""",
    "np.clip(array, low, high, out=array)\n    return array",
    "return np.clip(array, low, high)",
)

case(
    "nan_and_infinity",
    r"""
import math


def safe_max(values):
    best = -math.inf
    for v in values:
        if not math.isnan(v) and v > best:
            best = v
    return best


def mean_or_nan(values):
    return sum(values) / len(values) if values else float("nan")
""",
    r"""
import math

assert safe_max([1.0, float("nan"), 3.0]) == 3.0
assert safe_max([]) == -math.inf == float("-inf")
assert math.isinf(safe_max([1, math.inf]))
assert math.isnan(mean_or_nan([]))
m = mean_or_nan([])
assert m != m
assert mean_or_nan([1, 2]) == 1.5
assert not math.isnan(mean_or_nan([0]))
""",
    'if values else float("nan")',
    "if values else 0.0",
)

# --- output, input, patching ---

case(
    "redirect_stdout",
    r"""
def print_triangle(n, char="*"):
    for i in range(1, n + 1):
        print((char * (2 * i - 1)).center(2 * n - 1).rstrip())


def report(rows):
    print("name", "value", sep="\t")
    for name, value in rows:
        print(name, f"{value:.2f}", sep="\t", end=";\n")
""",
    r"""
import io
from contextlib import redirect_stdout

buffer = io.StringIO()
with redirect_stdout(buffer):
    print_triangle(3)
assert buffer.getvalue() == "  *\n ***\n*****\n"
with redirect_stdout(io.StringIO()) as out:
    report([("a", 1), ("b", 2.345)])
lines = out.getvalue().splitlines()
assert lines[0].split("\t") == ["name", "value"]
assert lines[1:] == ["a\t1.00;", "b\t2.35;"] or lines[1:] == ["a\t1.00;", "b\t2.34;"]
""",
    ".center(2 * n - 1)",
    ".center(2 * n + 1)",
)

case(
    "capsys_output",
    r"""
import sys


def fizzbuzz(n):
    for i in range(1, n + 1):
        print("Fizz" * (i % 3 == 0) + "Buzz" * (i % 5 == 0) or i)


def warn(message):
    print(f"warning: {message}", file=sys.stderr)
""",
    r"""
def test_fizzbuzz(capsys):
    fizzbuzz(5)
    captured = capsys.readouterr()
    assert captured.out == "1\n2\nFizz\n4\nBuzz\n"
    assert captured.err == ""


def test_fifteen(capsys):
    fizzbuzz(15)
    out, _ = capsys.readouterr()
    assert out.strip().split("\n")[-1] == "FizzBuzz"
    fizzbuzz(0)
    assert capsys.readouterr().out == ""


def test_warn(capsys):
    warn("low")
    out, err = capsys.readouterr()
    assert not out and err == "warning: low\n"
""",
    "file=sys.stderr",
    "file=sys.stdout",
)

case(
    "stdin_string_io",
    r"""
import sys


def read_numbers():
    n = int(sys.stdin.readline())
    return [int(x) for _ in range(n) for x in sys.stdin.readline().split()]


def ask(prompt, attempts=3):
    for _ in range(attempts):
        answer = input(prompt).strip().lower()
        if answer in ("y", "n"):
            return answer == "y"
    raise RuntimeError("no answer")
""",
    r"""
import io
import sys
from unittest.mock import patch

old = sys.stdin
sys.stdin = io.StringIO("2\n1 2 3\n4 5\nignored\n")
try:
    assert read_numbers() == [1, 2, 3, 4, 5]
finally:
    sys.stdin = old

with patch("sys.stdin", io.StringIO("maybe\nY\n")), patch("sys.stdout", new_callable=io.StringIO) as out:
    assert ask("sure? ") is True
assert out.getvalue() == "sure? sure? "

with patch("builtins.input", side_effect=["a", "b", "c"]) as fake:
    try:
        ask("? ")
        raise AssertionError("answered")
    except RuntimeError as e:
        assert str(e) == "no answer"
assert fake.call_count == 3
""",
    "range(attempts)",
    "range(attempts - 1)",
)

case(
    "mock_callback_and_patch_object",
    r"""
import time


class Client:
    def get(self, url):
        raise OSError("network is off")

    def get_json(self, url, on_error=None):
        start = time.time()
        try:
            return {"data": self.get(url), "took": time.time() - start}
        except OSError as error:
            if on_error:
                on_error(url, error)
            return None
""",
    r"""
import unittest
from unittest.mock import ANY, MagicMock, Mock, call, patch


class TestClient(unittest.TestCase):
    def test_patched_method(self):
        with patch.object(Client, "get", return_value="body") as get:
            with patch("time.time", side_effect=[10.0, 12.5]):
                self.assertEqual(Client().get_json("/a"), {"data": "body", "took": 2.5})
        get.assert_called_once_with("/a")

    def test_error_callback(self):
        callback = Mock()
        self.assertIsNone(Client().get_json("/b", on_error=callback))
        callback.assert_called_once_with("/b", ANY)
        self.assertIsInstance(callback.call_args[0][1], OSError)

    def test_calls(self):
        client = Client()
        client.get = MagicMock(side_effect=lambda url: url * 2)
        for u in "xy":
            client.get_json(u)
        self.assertEqual(client.get.call_args_list, [call("x"), call("y")])
        client.get.assert_has_calls([call("x"), call("y")])
""",
    "on_error(url, error)",
    "on_error(url, str(error))",
)

case(
    "monkeypatch_environment",
    r"""
import os
import random


def config(name, default=None):
    value = os.environ.get(f"APP_{name.upper()}", default)
    if value in ("0", "false", "no"):
        return False
    return value


def roll():
    return random.randint(1, 6)
""",
    r"""
import os
import random


def test_environment(monkeypatch):
    monkeypatch.setenv("APP_DEBUG", "false")
    assert config("debug") is False
    monkeypatch.delenv("APP_DEBUG")
    assert config("debug", "fallback") == "fallback"


def test_random(monkeypatch):
    monkeypatch.setattr(random, "randint", lambda a, b: b)
    assert roll() == 6


def test_global(monkeypatch):
    monkeypatch.setitem(os.environ, "APP_X", "1")
    assert config("x") == "1"
    assert config("y") is None
""",
    "name.upper()",
    "name",
)

case(
    "tmp_path_files",
    r"""
import csv
from pathlib import Path


def save(path, rows):
    with open(path, "w", newline="") as f:
        writer = csv.DictWriter(f, fieldnames=sorted(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def load(path):
    with open(path, newline="") as f:
        return list(csv.DictReader(f))


def total_size(folder):
    return sum(p.stat().st_size for p in Path(folder).rglob("*") if p.is_file())
""",
    r"""
import pytest


def test_round_trip(tmp_path):
    path = tmp_path / "table.csv"
    save(path, [{"b": "2", "a": "x, y"}, {"b": "3", "a": 'say "hi"'}])
    assert path.exists()
    assert path.read_text().splitlines()[0] == "a,b"
    assert load(path) == [{"a": "x, y", "b": "2"}, {"a": 'say "hi"', "b": "3"}]


def test_sizes(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.txt").write_text("12345")
    (tmp_path / "sub" / "b.bin").write_bytes(b"\x00" * 7)
    assert total_size(tmp_path) == 12


def test_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.csv")
""",
    'rglob("*")',
    'glob("*")',
)

case(
    "tempfile_in_checks",
    r"""
import os


def count_lines(path):
    with open(path, encoding="utf-8") as f:
        return sum(1 for line in f if line.strip())


def rename_all(folder, old, new):
    renamed = []
    for name in sorted(os.listdir(folder)):
        base, ext = os.path.splitext(name)
        if ext == old:
            os.rename(os.path.join(folder, name), os.path.join(folder, base + new))
            renamed.append(base + new)
    return renamed
""",
    r"""
import os
import shutil
import tempfile
import unittest


class TestFiles(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()

    def tearDown(self):
        shutil.rmtree(self.folder)

    def test_count(self):
        path = os.path.join(self.folder, "f.txt")
        with open(path, "w", encoding="utf-8") as f:
            f.write("one\n\n  \ntwö\n")
        self.assertEqual(count_lines(path), 2)

    def test_rename(self):
        for name in ("b.txt", "a.txt", "c.md"):
            open(os.path.join(self.folder, name), "w").close()
        self.assertEqual(rename_all(self.folder, ".txt", ".rst"), ["a.rst", "b.rst"])
        self.assertCountEqual(os.listdir(self.folder), ["c.md", "a.rst", "b.rst"])
""",
    "if line.strip()",
    "if line",
)

# --- introspection, global state ---

case(
    "type_hints_inspection",
    r'''
import inspect
from typing import Optional, get_type_hints


def find(items: list[str], prefix: str, limit: Optional[int] = None) -> list[str]:
    """Finds the items that begin with a prefix."""
    found = [i for i in items if i.startswith(prefix)]
    return found[:limit]


def check_call(function, *args, **kwargs):
    bound = inspect.signature(function).bind(*args, **kwargs)
    hints = get_type_hints(function)
    bad = [n for n, v in bound.arguments.items() if isinstance(hints.get(n), type) and not isinstance(v, hints[n])]
    return bad
''',
    r"""
import inspect
from typing import Optional, get_type_hints

hints = get_type_hints(find)
assert hints["prefix"] is str
assert hints["limit"] == Optional[int]
assert hints["return"] == list[str]
signature = inspect.signature(find)
assert list(signature.parameters) == ["items", "prefix", "limit"]
assert signature.parameters["limit"].default is None
assert find.__doc__.startswith("Finds")
assert find(["ab", "ac", "b"], "a", 1) == ["ab"]


def typed(a: int, b: str = "x"):
    return a


assert check_call(typed, 1, b="y") == []
assert check_call(typed, "1", b=2) == ["a", "b"]
try:
    check_call(typed)
except TypeError as e:
    assert "a" in str(e)
""",
    "limit: Optional[int] = None",
    "limit: int = None",
)

case(
    "global_state_read_by_checks",
    r"""
COUNT = 0
LOG = []
LIMITS = {"max": 3}


def hit(name):
    global COUNT
    if COUNT >= LIMITS["max"]:
        return False
    COUNT += 1
    LOG.append(name)
    return True


def reset():
    global COUNT
    COUNT = 0
    LOG.clear()
""",
    r"""
log = LOG
assert COUNT == 0
assert all(hit(n) for n in "abc")
assert COUNT == 3
assert not hit("d")
assert LOG == ["a", "b", "c"]
LIMITS["max"] = 4
assert hit("d") and COUNT == 4
reset()
assert COUNT == 0 and LOG == [] and log is LOG
COUNT = 4
assert hit("x") is False
COUNT -= 1
assert hit("y") and COUNT == 4
""",
    "    COUNT = 0\n    LOG.clear()",
    "    LOG.clear()",
)

case(
    "instances_counted_on_class",
    r"""
class Tracked:
    count = 0
    instances = []

    def __init__(self, label):
        type(self).count += 1
        self.id = Tracked.count
        self.label = label
        Tracked.instances.append(self)

    @classmethod
    def by_label(cls, label):
        return [i for i in cls.instances if i.label == label and isinstance(i, cls)]
""",
    r"""
class Sub(Tracked):
    count = 100


a, b, c = Tracked("x"), Tracked("y"), Sub("x")
assert Tracked.count == 2
assert Sub.count == 101
assert (a.id, b.id) == (1, 2)
assert Tracked.by_label("x") == [a, c]
assert Sub.by_label("x") == [c]
assert Tracked.instances[-1] is c
""",
    "type(self).count += 1",
    "Tracked.count += 1",
)

case(
    "random_with_seed",
    r"""
import random


def shuffled(items, seed):
    rng = random.Random(seed)
    items = list(items)
    for i in range(len(items) - 1, 0, -1):
        j = rng.randint(0, i)
        items[i], items[j] = items[j], items[i]
    return items


def sample_mean(n):
    return sum(random.random() for _ in range(n)) / n
""",
    r"""
import random

deck = list(range(52))
a = shuffled(deck, 1)
assert a == shuffled(deck, 1)
assert a != shuffled(deck, 2)
assert sorted(a) == deck == list(range(52))
random.seed(7)
x = sample_mean(500)
random.seed(7)
assert sample_mean(500) == x
assert 0.4 < x < 0.6
firsts = {shuffled("abc", s)[0] for s in range(60)}
assert firsts == set("abc")
random.seed(3)
expected = sum(random.random() for _ in range(4)) / 4
random.seed(3)
assert sample_mean(4) == expected
""",
    "random.Random(seed)",
    "random.Random()",
)

case(
    "datetime_business_days",
    r"""
from datetime import date, datetime, timedelta, timezone


def add_business_days(day, n, holidays=()):
    step = timedelta(days=1 if n >= 0 else -1)
    left = abs(n)
    while left:
        day += step
        if day.weekday() < 5 and day not in holidays:
            left -= 1
    return day


def to_utc(text):
    return datetime.fromisoformat(text).astimezone(timezone.utc)
""",
    r"""
from datetime import date, datetime, timedelta, timezone

friday = date(2024, 3, 1)
assert add_business_days(friday, 1) == date(2024, 3, 4)
assert add_business_days(friday, 1, {date(2024, 3, 4)}) == date(2024, 3, 5)
assert add_business_days(date(2024, 3, 4), -1) == friday
assert add_business_days(friday, 0) is friday
assert (add_business_days(friday, 10) - friday).days == 14
utc = to_utc("2024-03-01T01:30:00+05:00")
assert utc == datetime(2024, 2, 29, 20, 30, tzinfo=timezone.utc)
assert utc.utcoffset() == timedelta(0)
assert utc.isoformat() == "2024-02-29T20:30:00+00:00"
assert friday < date.max
""",
    "day.weekday() < 5",
    "day.weekday() < 6",
)

case(
    "regex_results",
    r"""
import re

DATE = re.compile(r"(?P<y>\d{4})-(?P<m>\d\d)-(?P<d>\d\d)")


def find_dates(text):
    return [tuple(map(int, m.groups())) for m in DATE.finditer(text)]


def swap(text):
    return DATE.sub(r"\g<d>.\g<m>.\g<y>", text)


def match_email(text):
    return re.fullmatch(r"[\w.+-]+@([\w-]+\.)+[a-z]{2,}", text)
""",
    r"""
text = "from 2024-01-31 to 2024-02-29, not 24-1-1"
assert find_dates(text) == [(2024, 1, 31), (2024, 2, 29)]
assert swap(text).startswith("from 31.01.2024 to 29.02.2024")
m = match_email("a.b+c@mail.example.org")
assert m and m.group(0) == "a.b+c@mail.example.org"
assert m.group(1) == "example."
for bad in ("@x.org", "a@b", "a@b.c", "a b@c.org", ""):
    assert match_email(bad) is None, bad
assert DATE.search(text).groupdict() == {"y": "2024", "m": "01", "d": "31"}
assert DATE.pattern.count("?P") == 3
""",
    "re.fullmatch(",
    "re.search(",
)

case(
    "threads_and_locks",
    r"""
import threading


class SafeCounter:
    def __init__(self):
        self.value = 0
        self._lock = threading.Lock()

    def add(self, n=1):
        with self._lock:
            current = self.value
            self.value = current + n


def run_threads(functions):
    threads = [threading.Thread(target=f) for f in functions]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return len(threads)
""",
    r"""
import threading

c = SafeCounter()


def work():
    for _ in range(500):
        c.add()


assert run_threads([work] * 8) == 8
assert c.value == 4000
names = set()
barrier = threading.Barrier(3, timeout=5)


def meet():
    barrier.wait()
    names.add(threading.current_thread().name)


run_threads([meet, meet, meet])
assert len(names) == 3
c.add(-4000)
assert c.value == 0
""",
    "self.value = current + n",
    "self.value = current + abs(n)",
)

case(
    "producer_consumer_queue",
    r"""
import queue
import threading
from concurrent.futures import ThreadPoolExecutor


def pump(source, sink, transform):
    while True:
        item = source.get()
        if item is None:
            sink.put(None)
            return
        sink.put(transform(item))


def parallel_map(function, items, workers=4):
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(function, items))
""",
    r"""
import queue
import threading

q1, q2 = queue.Queue(), queue.Queue()
t = threading.Thread(target=pump, args=(q1, q2, str.upper))
t.start()
for word in ("a", "b", None):
    q1.put(word)
t.join(timeout=5)
assert not t.is_alive()
assert list(iter(q2.get_nowait, None)) == ["A", "B"]
assert q2.empty()
assert parallel_map(lambda n: n * n, range(20)) == [n * n for n in range(20)]
try:
    parallel_map(int, ["1", "x"])
except ValueError:
    pass
else:
    assert False
""",
    "            sink.put(None)\n            return",
    "            return",
)

case(
    "contextvars_and_thread_local",
    r"""
import threading
from contextvars import ContextVar, copy_context

request = ContextVar("request", default="none")
local = threading.local()


def handle(name, inner=lambda: None):
    token = request.set(name)
    try:
        inner()
        return request.get()
    finally:
        request.reset(token)


def bump():
    local.n = getattr(local, "n", 0) + 1
    return local.n
""",
    r"""
import threading
from contextvars import copy_context

seen = []
assert handle("a", lambda: seen.append((request.get(), handle("b")))) == "a"
assert seen == [("a", "b")]
assert request.get() == "none"
context = copy_context()
context.run(request.set, "inside")
assert context[request] == "inside" and request.get() == "none"
assert bump() == 1 and bump() == 2
others = []
t = threading.Thread(target=lambda: others.append(bump()))
t.start()
t.join()
assert others == [1] and bump() == 3
""",
    "        request.reset(token)",
    "        request.set('reset')",
)

# --- recursion, numbers, text ---

case(
    "deep_recursion",
    r"""
import sys

sys.setrecursionlimit(5000)


def depth(nested):
    if not isinstance(nested, list):
        return 0
    return 1 + max(map(depth, nested), default=0)


def hanoi(n, a="A", b="B", c="C"):
    if n == 0:
        return []
    return hanoi(n - 1, a, c, b) + [(a, c)] + hanoi(n - 1, b, a, c)
""",
    r"""
nested = []
for _ in range(800):
    nested = [nested, 1]
assert depth(nested) == 801
assert depth([]) == 1 and depth(5) == 0
moves = hanoi(6)
assert len(moves) == 2 ** 6 - 1
pegs = {"A": list(range(6, 0, -1)), "B": [], "C": []}
for src, dst in moves:
    disk = pegs[src].pop()
    assert not pegs[dst] or pegs[dst][-1] > disk
    pegs[dst].append(disk)
assert pegs["C"] == [6, 5, 4, 3, 2, 1] and not pegs["A"] and not pegs["B"]
""",
    "hanoi(n - 1, b, a, c)",
    "hanoi(n - 1, b, c, a)",
)

case(
    "big_integers",
    r"""
def power_mod(base, exponent, modulus):
    result = 1
    base %= modulus
    while exponent:
        if exponent & 1:
            result = result * base % modulus
        base = base * base % modulus
        exponent >>= 1
    return result % modulus


def factorial(n):
    result = 1
    for i in range(2, n + 1):
        result *= i
    return result
""",
    r"""
import math

assert power_mod(3, 10 ** 30, 10 ** 18 + 9) == pow(3, 10 ** 30, 10 ** 18 + 9)
assert power_mod(5, 0, 1) == 0
assert factorial(100) == math.factorial(100)
assert len(str(factorial(200))) == 375
assert factorial(25) == 15511210043330985984000000
assert factorial(50) // factorial(48) == 50 * 49
assert factorial(0) == factorial(1) == 1
assert factorial(30).bit_length() == 108
""",
    "return result % modulus",
    "return result",
)

case(
    "complex_numbers",
    r"""
import cmath


def roots(a, b, c):
    d = cmath.sqrt(b * b - 4 * a * c)
    return (-b + d) / (2 * a), (-b - d) / (2 * a)


def dft(xs):
    n = len(xs)
    return [sum(x * cmath.exp(-2j * cmath.pi * k * i / n) for i, x in enumerate(xs)) for k in range(n)]
""",
    r"""
import cmath

assert roots(1, 0, 1) == (1j, -1j)
assert roots(1, -3, 2) == (2, 1)
r1, r2 = roots(2, 3, 5)
assert abs(r1 + r2 + 1.5) < 1e-12 and cmath.isclose(r1 * r2, 2.5)
assert r1.conjugate() == r2
out = dft([1, 0, 0, 0])
assert all(cmath.isclose(v, 1) for v in out)
assert abs(dft([1, 2, 3, 4])[1] - (-2 + 2j)) < 1e-9
assert isinstance(out[0], complex)
""",
    "cmath.exp(-2j",
    "cmath.exp(2j",
)

case(
    "decimal_and_fraction",
    r"""
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction


def split_bill(total, people):
    total = Decimal(total)
    share = (total / people).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
    return [share] * (people - 1) + [total - share * (people - 1)]


def egyptian(fraction):
    parts = []
    while fraction:
        unit = Fraction(1, -(-fraction.denominator // fraction.numerator))
        parts.append(unit)
        fraction -= unit
    return parts
""",
    r"""
from decimal import Decimal
from fractions import Fraction

assert split_bill("10.00", 3) == [Decimal("3.33"), Decimal("3.33"), Decimal("3.34")]
assert sum(split_bill("99.99", 7)) == Decimal("99.99")
assert str(split_bill("0.05", 2)[0]) == "0.03"
assert egyptian(Fraction(4, 5)) == [Fraction(1, 2), Fraction(1, 4), Fraction(1, 20)]
assert sum(egyptian(Fraction(5, 121))) == Fraction(5, 121)
assert all(f.numerator == 1 for f in egyptian(Fraction(7, 15)))
assert egyptian(Fraction(0)) == []
""",
    "-(-fraction.denominator // fraction.numerator)",
    "fraction.denominator // fraction.numerator + 1",
)

case(
    "unicode_text",
    r"""
import unicodedata


def slugify(text):
    text = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
    text = "".join(c for c in text if not unicodedata.combining(c)).lower()
    return "-".join("".join(c if c.isalnum() else " " for c in text).split())


def is_palindrome(text):
    letters = [c.casefold() for c in text if c.isalpha()]
    return letters == letters[::-1]
""",
    r"""
tests = {
    "Crème Brûlée!": "creme-brulee",
    "  Größe — 42  ": "grosse-42",
    "Ærø": "ærø",
    "日本 語": "日本-語",
    "": "",
    "e\u0301a": "ea",
}
for text, expected in tests.items():
    got = slugify(text)
    assert got == expected, f"{text!r}: {got!r} != {expected!r}"
assert is_palindrome("А роза упала на лапу Азора")
assert not is_palindrome("ab")
assert len("😀") == 1 and slugify("x😀y") == "x-y"
""",
    'unicodedata.normalize("NFKD"',
    'unicodedata.normalize("NFKC"',
)

case(
    "bytes_and_struct",
    r"""
import struct


def pack(records):
    out = bytearray(struct.pack(">H", len(records)))
    for name, value in records:
        data = name.encode()
        out += struct.pack(">B", len(data)) + data + struct.pack(">i", value)
    return bytes(out)


def unpack(blob):
    (n,), view, records = struct.unpack_from(">H", blob), memoryview(blob)[2:], []
    for _ in range(n):
        size = view[0]
        records.append((bytes(view[1:1 + size]).decode(), struct.unpack_from(">i", view, 1 + size)[0]))
        view = view[5 + size:]
    return records
""",
    r"""
records = [("a", 1), ("é", -2), ("", 2 ** 31 - 1)]
blob = pack(records)
assert isinstance(blob, bytes)
assert blob[:2] == b"\x00\x03"
assert blob.hex().startswith("00030161")
assert unpack(blob) == records
assert unpack(pack([])) == []
assert unpack(bytearray(blob))[1][0] == "é"
""",
    "len(data)) + data",
    "len(name)) + data",
)

case(
    "roman_table_loop",
    r"""
TABLE = [(1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"),
         (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")]


def to_roman(n):
    out = ""
    for value, letters in TABLE:
        count, n = divmod(n, value)
        out += letters * count
    return out


def from_roman(text):
    values = [dict(map(reversed, TABLE))[c] for c in text]
    return sum(-a if a < b else a for a, b in zip(values, values[1:] + [0]))
""",
    r"""
cases = {1: "I", 4: "IV", 9: "IX", 14: "XIV", 40: "XL", 90: "XC", 400: "CD", 1994: "MCMXCIV", 3999: "MMMCMXCIX"}
for number, roman in cases.items():
    assert to_roman(number) == roman, f"{number}: {to_roman(number)}"
    assert from_roman(roman) == number
for n in range(1, 4000, 7):
    assert from_roman(to_roman(n)) == n
    assert (r := to_roman(n)) and set(r) <= set("IVXLCDM")
""",
    '(40, "XL"), ',
    "",
)

# --- pytest styles ---

case(
    "parametrize_with_ids_and_params",
    r"""
def classify(a, b, c):
    a, b, c = sorted((a, b, c))
    if a <= 0 or a + b <= c:
        return "invalid"
    if a == c:
        return "equilateral"
    if a == b or b == c:
        return "isosceles"
    return "scalene"
""",
    r"""
import itertools

import pytest


@pytest.mark.parametrize(
    "sides, expected",
    [
        pytest.param((3, 3, 3), "equilateral", id="all-equal"),
        pytest.param((3, 4, 4), "isosceles", id="two-equal"),
        ((3, 4, 5), "scalene"),
        pytest.param((1, 2, 3), "invalid", id="flat"),
        ((0, 0, 0), "invalid"),
    ],
)
def test_classify(sides, expected):
    for permutation in itertools.permutations(sides):
        assert classify(*permutation) == expected


@pytest.mark.parametrize("k", [1, 2, 10], ids=lambda k: f"x{k}")
@pytest.mark.parametrize("sides", [(3, 4, 5), (2, 2, 3)], ids=["right", "iso"])
def test_scaling(sides, k):
    assert classify(*(k * s for s in sides)) == classify(*sides)
""",
    "a + b <= c",
    "a + b < c",
)

case(
    "pytest_fixtures_and_class",
    r"""
class Cart:
    def __init__(self):
        self.lines = {}

    def add(self, sku, price, quantity=1):
        if quantity < 1:
            raise ValueError("quantity")
        old = self.lines.get(sku, (price, 0))
        self.lines[sku] = (price, old[1] + quantity)

    def total(self, discount=0):
        return sum(p * q for p, q in self.lines.values()) * (100 - discount) / 100
""",
    r"""
import pytest

events = []


@pytest.fixture
def cart():
    events.append("setup")
    c = Cart()
    c.add("a", 10)
    yield c
    events.append("teardown")


@pytest.fixture()
def full(cart):
    cart.add("b", 5, 4)
    return cart


class TestCart:
    discount = 10

    def setup_method(self):
        self.extra = ("c", 1)

    def test_total(self, cart):
        assert cart.total() == 10

    def test_discount(self, full):
        assert full.total(self.discount) == 27
        full.add(*self.extra)
        assert full.total() == 31

    @pytest.mark.parametrize("quantity", [0, -1])
    def test_bad(self, cart, quantity):
        with pytest.raises(ValueError):
            cart.add("a", 1, quantity)
        assert cart.lines == {"a": (10, 1)}

    def test_same_sku(self, cart):
        cart.add("a", 12, 2)
        assert cart.lines["a"] == (12, 3)


def test_events():
    assert events.count("setup") == events.count("teardown") == 5
""",
    "old[1] + quantity",
    "quantity",
)

case(
    "import_from_solution",
    r"""
def two_sum(numbers, target):
    seen = {}
    for i, n in enumerate(numbers):
        if target - n in seen:
            return [seen[target - n], i]
        seen[n] = i
    return []


LIMIT = 10
""",
    r"""
from solution import LIMIT, two_sum


def test_basic():
    assert two_sum([2, 7, 11, 15], 9) == [0, 1]
    assert two_sum([3, 3], 6) == [0, 1]


def test_none():
    assert two_sum([3], 6) == []
    assert not two_sum([], LIMIT)


def test_negative():
    i, j = two_sum([-3, 4, 3, 90], 0)
    assert i == 0 and j == 2
""",
    "        if target - n in seen:\n            return [seen[target - n], i]\n        seen[n] = i",
    "        seen[n] = i\n        if target - n in seen:\n            return [seen[target - n], i]",
)

case(
    "import_solution_module",
    r"""
import math

_cache = {}


def area(shape, *sizes):
    if shape not in SHAPES:
        raise KeyError(f"unknown shape {shape}")
    if (shape, sizes) not in _cache:
        _cache[shape, sizes] = SHAPES[shape](*sizes)
    return _cache[shape, sizes]


SHAPES = {"circle": lambda r: math.pi * r * r, "square": lambda a: a * a, "rect": lambda a, b: a * b}
""",
    r"""
import math
import unittest
from unittest import mock

import solution


class TestArea(unittest.TestCase):
    def setUp(self):
        solution._cache.clear()

    def test_values(self):
        self.assertAlmostEqual(solution.area("circle", 2), 4 * math.pi)
        self.assertEqual(solution.area("rect", 2, 3), 6)

    def test_cache_is_used(self):
        maker = mock.Mock(return_value=7)
        with mock.patch.dict(solution.SHAPES, {"blob": maker}):
            self.assertEqual([solution.area("blob", 1) for _ in range(3)], [7, 7, 7])
        maker.assert_called_once_with(1)

    def test_unknown(self):
        with self.assertRaises(KeyError):
            solution.area("cube", 1)

    @mock.patch("solution.math")
    def test_patched_module(self, fake):
        fake.pi = 3
        self.assertEqual(solution.area("circle", 10), 300)
""",
    "_cache[shape, sizes] = SHAPES[shape](*sizes)\n    return _cache[shape, sizes]",
    "return SHAPES[shape](*sizes)\n    return _cache[shape, sizes]",
)

case(
    "unittest_class_setup_and_subtests",
    r"""
class Trie:
    def __init__(self):
        self.root = {}
        self.size = 0

    def insert(self, word):
        node = self.root
        for c in word:
            node = node.setdefault(c, {})
        if "$" not in node:
            self.size += 1
            node["$"] = True

    def with_prefix(self, prefix):
        node = self.root
        for c in prefix:
            if c not in node:
                return []
            node = node[c]
        found = []

        def go(node, word):
            for c, child in sorted(node.items()):
                if c == "$":
                    found.append(word)
                else:
                    go(child, word + c)

        go(node, prefix)
        return found
""",
    r"""
import unittest


class TestTrie(unittest.TestCase):
    words = ["car", "card", "care", "cat", "dog", "car"]

    @classmethod
    def setUpClass(cls):
        cls.trie = Trie()
        for w in cls.words:
            cls.trie.insert(w)

    def test_size(self):
        self.assertEqual(self.trie.size, 5)

    def test_prefixes(self):
        expected = {"car": ["car", "card", "care"], "d": ["dog"], "x": [], "cat": ["cat"]}
        for prefix, words in expected.items():
            with self.subTest(prefix=prefix):
                self.assertListEqual(self.trie.with_prefix(prefix), words)

    def test_against_brute_force(self):
        for prefix in {w[:n] for w in self.words for n in range(4)}:
            with self.subTest(prefix):
                self.assertEqual(self.trie.with_prefix(prefix), sorted({w for w in self.words if w.startswith(prefix)}))

    @classmethod
    def tearDownClass(cls):
        assert cls.trie.size == 5
""",
    'if "$" not in node:\n            self.size += 1\n            node["$"] = True',
    'self.size += 1\n        node["$"] = True',
)

case(
    "unittest_many_assertions",
    r"""
class Stack:
    def __init__(self, items=()):
        self._items = list(items)

    def push(self, item):
        self._items.append(item)

    def pop(self):
        if not self._items:
            raise IndexError("pop from empty stack")
        return self._items.pop()

    def peek(self):
        return self._items[-1] if self._items else None

    def __len__(self):
        return len(self._items)

    def __iter__(self):
        return reversed(self._items)
""",
    r"""
import unittest


class BaseTest(unittest.TestCase):
    def setUp(self):
        self.stack = Stack([1, 2])
        self.addCleanup(self.stack._items.clear)

    def assertStack(self, *items):
        self.assertSequenceEqual(list(self.stack), items)


class TestStack(BaseTest):
    def test_order(self):
        self.stack.push(3)
        self.assertStack(3, 2, 1)
        self.assertTupleEqual((self.stack.pop(), len(self.stack)), (3, 2))

    def test_empty(self):
        self.stack.pop()
        self.stack.pop()
        self.assertIsNone(self.stack.peek())
        self.assertFalse(self.stack)
        with self.assertRaisesRegex(IndexError, "empty stack"):
            self.stack.pop()
        self.assertRaises(IndexError, self.stack.pop)

    def test_misc(self):
        self.assertIn(2, self.stack)
        self.assertNotIn(9, self.stack)
        self.assertGreaterEqual(len(self.stack), 2)
        self.assertIs(self.stack.peek(), self.stack._items[-1])
        self.assertSetEqual(set(self.stack), {1, 2})
        self.assertDictEqual(vars(self.stack), {"_items": [1, 2]})
        self.assertTrue(all(isinstance(i, int) for i in self.stack), msg="ints")
        self.assertNotIsInstance(self.stack, list)
""",
    "return reversed(self._items)",
    "return iter(self._items)",
)

case(
    "pytest_warnings_and_deprecation",
    r"""
import functools
import warnings


def deprecated(replacement):
    def decorate(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            warnings.warn(f"use {replacement}", DeprecationWarning, stacklevel=2)
            return function(*args, **kwargs)
        return wrapper
    return decorate


@deprecated("new_sum")
def old_sum(a, b):
    return a + b
""",
    r"""
import warnings

import pytest


def test_warns():
    with pytest.warns(DeprecationWarning, match="use new_sum"):
        assert old_sum(1, 2) == 3


def test_recorded():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        old_sum(1, 1)
        old_sum(2, 2)
    assert [w.category for w in caught] == [DeprecationWarning] * 2
    assert str(caught[0].message) == "use new_sum"


def test_error_filter():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DeprecationWarning):
            old_sum(1, 1)
""",
    "DeprecationWarning, stacklevel",
    "UserWarning, stacklevel",
)

case(
    "logging_output",
    r"""
import logging

logger = logging.getLogger("shop")


def order(item, stock):
    if stock.get(item, 0) <= 0:
        logger.warning("%s is sold out", item)
        return False
    stock[item] -= 1
    logger.info("sold %s, %d left", item, stock[item])
    return True
""",
    r"""
import logging
import unittest


class TestLogging(unittest.TestCase):
    def test_levels(self):
        stock = {"pen": 1}
        with self.assertLogs("shop", level="INFO") as logs:
            self.assertTrue(order("pen", stock))
            self.assertFalse(order("pen", stock))
        self.assertEqual(logs.output, ["INFO:shop:sold pen, 0 left", "WARNING:shop:pen is sold out"])
        self.assertEqual(logs.records[1].levelno, logging.WARNING)

    def test_own_handler(self):
        class Keep(logging.Handler):
            def __init__(self):
                super().__init__()
                self.kept = []

            def emit(self, record):
                self.kept.append(record.getMessage())

        handler = Keep()
        logging.getLogger("shop").addHandler(handler)
        try:
            order("cup", {})
        finally:
            logging.getLogger("shop").removeHandler(handler)
        self.assertEqual(handler.kept, ["cup is sold out"])
""",
    "<= 0",
    "< 0",
)

# --- styles of checks ---

case(
    "humaneval_check_candidate",
    r"""
def separate_paren_groups(text):
    groups, depth, current = [], 0, ""
    for c in text.replace(" ", ""):
        current += c
        depth += 1 if c == "(" else -1
        if depth == 0:
            groups.append(current)
            current = ""
    return groups
""",
    r"""
METADATA = {"author": "x", "dataset": "test"}


def check(candidate):
    assert candidate("(()()) ((())) () ((())()())") == ["(()())", "((()))", "()", "((())()())"]
    assert candidate("() (()) ((())) (((())))") == ["()", "(())", "((()))", "(((())))"]
    assert candidate("( ) (( )) (( )( ))") == ["()", "(())", "(()())"]
    assert candidate("") == [], "This prints if this assert fails"
    assert True


check(separate_paren_groups)
""",
    "        if depth == 0:",
    "        if depth <= 1 and c == ')':",
)

case(
    "reference_inside_checks",
    r"""
def longest_increasing(seq):
    from bisect import bisect_left

    tails = []
    for x in seq:
        i = bisect_left(tails, x)
        tails[i:i + 1] = [x]
    return len(tails)
""",
    r"""
import random
from itertools import combinations


def brute(seq):
    for r in range(len(seq), 0, -1):
        for c in combinations(seq, r):
            if all(a < b for a, b in zip(c, c[1:])):
                return r
    return 0


random.seed(0)
for trial in range(60):
    seq = [random.randint(0, 9) for _ in range(random.randint(0, 9))]
    expected, actual = brute(seq), longest_increasing(seq)
    assert actual == expected, f"trial {trial}: {seq} gives {actual}, not {expected}"
""",
    "i = bisect_left(tails, x)",
    "i = bisect_left(tails, x - 1)",
)

case(
    "random_unseeded_brute_force",
    r"""
def max_subarray(values):
    best = current = values[0]
    for v in values[1:]:
        current = max(v, current + v)
        best = max(best, current)
    return best
""",
    r"""
import random


def test_random():
    for _ in range(100):
        n = random.randint(1, 12)
        values = [random.randint(-10, 10) for _ in range(n)]
        expected = max(sum(values[i:j]) for i in range(n) for j in range(i + 1, n + 1))
        assert max_subarray(values) == expected, values


def test_all_negative():
    assert max_subarray([-3, -1, -2]) == -1


def test_permuted_twice():
    values = random.sample(range(-50, 50), 20)
    assert max_subarray(values) == max_subarray(values[::-1])
""",
    "best = current = values[0]",
    "best = current = max(values[0], 0)",
)

case(
    "chained_and_boolean_checks",
    r"""
def binary_search(items, target):
    low, high = 0, len(items)
    while low < high:
        mid = (low + high) // 2
        if items[mid] < target:
            low = mid + 1
        else:
            high = mid
    return low


def clamp(x, low, high):
    return max(low, min(x, high))
""",
    r"""
items = [1, 3, 3, 3, 7, 9]
assert 0 <= binary_search(items, 3) < len(items) and items[binary_search(items, 3)] == 3
assert binary_search(items, 3) == 1 != binary_search(items, 4)
assert binary_search(items, 100) == len(items) or False
assert any(binary_search(items, t) == 4 for t in (4, 5, 6, 7))
assert all(clamp(x, 0, 5) in range(6) for x in range(-9, 9))
assert not (clamp(9, 0, 5) > 5 or clamp(-9, 0, 5) < 0)
assert (pos := binary_search(items, 9)) == 5 and items[pos] == 9
assert clamp(3, 0, 5) is not None and clamp(3, 0, 5) not in (0, 5)
ok = True
for i, t in enumerate(items):
    ok &= binary_search(items, t) <= i
assert ok
assert binary_search([], 1) == 0 if items else False
""",
    "items[mid] < target",
    "items[mid] <= target",
)

case(
    "errors_collected_then_asserted",
    r"""
def balanced(text):
    pairs = {")": "(", "]": "[", "}": "{"}
    stack = []
    for c in text:
        if c in pairs.values():
            stack.append(c)
        elif c in pairs:
            if not stack or stack.pop() != pairs[c]:
                return False
    return not stack
""",
    r"""
def run_table(function, table):
    failures = []
    for text, expected in table:
        try:
            got = function(text)
        except Exception as error:
            failures.append((text, repr(error)))
            continue
        if got is not expected:
            failures.append((text, got))
    return failures


table = [("", True), ("([]{})", True), ("(]", False), ("(", False), (")", False), ("a(b)c", True)]
failures = run_table(balanced, table)
assert not failures, failures
assert len(failures) == 0
if balanced("(()"):
    raise AssertionError("unbalanced accepted")
""",
    "return not stack\n",
    "return True\n",
)

case(
    "any_of_several_answers",
    r"""
def topological(graph):
    indegree = {n: 0 for n in graph}
    for targets in graph.values():
        for t in targets:
            indegree[t] = indegree.get(t, 0) + 1
    ready = [n for n, d in indegree.items() if d == 0]
    order = []
    while ready:
        n = ready.pop()
        order.append(n)
        for t in graph.get(n, ()):
            indegree[t] -= 1
            if indegree[t] == 0:
                ready.append(t)
    if len(order) < len(indegree):
        raise ValueError("cycle")
    return order
""",
    r"""
def valid(order, graph):
    position = {n: i for i, n in enumerate(order)}
    return all(position[a] < position[b] for a in graph for b in graph[a])


diamond = {"a": ["b", "c"], "b": ["d"], "c": ["d"]}
assert topological(diamond) in (["a", "b", "c", "d"], ["a", "c", "b", "d"])
assert valid(topological(diamond), diamond)
import random

for seed in range(20):
    rng = random.Random(seed)
    g = {i: [j for j in range(i + 1, 12) if rng.random() < 0.3] for i in range(12)}
    order = topological(g)
    assert sorted(order) == list(range(12))
    assert valid(order, g), seed
try:
    topological({1: [2], 2: [1]})
except ValueError as e:
    assert "cycle" in e.args[0]
else:
    assert False, "cycle accepted"
""",
    "if indegree[t] == 0:",
    "if indegree[t] <= 1 and t not in ready and t not in order:",
)

case(
    "exception_checked_by_flag",
    r"""
class Matrix:
    def __init__(self, rows):
        if len({len(r) for r in rows}) > 1:
            raise ValueError("ragged rows")
        self.rows = [list(r) for r in rows]

    @property
    def shape(self):
        return len(self.rows), len(self.rows[0]) if self.rows else 0

    def __matmul__(self, other):
        if self.shape[1] != other.shape[0]:
            raise ValueError(f"shapes {self.shape} and {other.shape}")
        columns = list(zip(*other.rows))
        return Matrix([[sum(a * b for a, b in zip(r, c)) for c in columns] for r in self.rows])

    def __getitem__(self, key):
        if isinstance(key, tuple):
            r, c = key
            return self.rows[r][c]
        return self.rows[key]

    def __setitem__(self, key, value):
        self.rows[key[0]][key[1]] = value

    def __eq__(self, other):
        return isinstance(other, Matrix) and self.rows == other.rows
""",
    r"""
a = Matrix([[1, 2], [3, 4]])
identity = Matrix([[1, 0], [0, 1]])
assert a @ identity == a
assert (a @ a)[0, 1] == 10
assert a[1] == [3, 4] and a[-1, -1] == 4
a[0, 0] = 9
assert a.rows[0] == [9, 2]
assert Matrix([]).shape == (0, 0)
raised = False
try:
    a @ Matrix([[1, 2]])
except ValueError as e:
    raised = "(2, 2)" in str(e) and "(1, 2)" in str(e)
assert raised
message = ""
try:
    Matrix([[1], [1, 2]])
except Exception as e:
    message = f"{type(e).__name__}: {e}"
assert message == "ValueError: ragged rows"
""",
    "self.shape[1] != other.shape[0]",
    "self.shape[0] != other.shape[1]",
)

case(
    "state_machine_simulation",
    r"""
class Elevator:
    def __init__(self, floors):
        self.floors = floors
        self.at = 0
        self.queue = []
        self.log = []

    def call(self, floor):
        if not 0 <= floor < self.floors:
            raise ValueError(floor)
        if floor not in self.queue:
            self.queue.append(floor)

    def step(self):
        if not self.queue:
            return False
        target = self.queue[0]
        if target == self.at:
            self.queue.pop(0)
            self.log.append(("open", self.at))
        else:
            self.at += 1 if target > self.at else -1
        return True

    def run(self):
        steps = 0
        while self.step():
            steps += 1
        return steps
""",
    r"""
e = Elevator(10)
for f in (3, 1, 3):
    e.call(f)
assert e.queue == [3, 1]
assert e.run() == 7
assert e.log == [("open", 3), ("open", 1)]
assert e.at == 1 and not e.queue and e.step() is False
for bad in (-1, 10):
    try:
        e.call(bad)
    except ValueError as error:
        assert error.args[0] == bad
    else:
        assert False, bad
e.call(1)
assert e.run() == 1
""",
    "        if floor not in self.queue:\n            self.queue.append(floor)",
    "        self.queue.append(floor)",
)

case(
    "objects_from_checks_returned",
    r"""
def dedupe(items, key=None):
    seen, result = set(), []
    for item in items:
        k = item if key is None else key(item)
        if k not in seen:
            seen.add(k)
            result.append(item)
    return result


def flatten(nested, kinds=(list, tuple)):
    for item in nested:
        if isinstance(item, kinds):
            yield from flatten(item, kinds)
        else:
            yield item
""",
    r"""
class Thing:
    def __init__(self, n):
        self.n = n

    def __eq__(self, other):
        return isinstance(other, Thing) and self.n == other.n

    def __hash__(self):
        return hash(self.n)


class Pair(tuple):
    pass


things = [Thing(1), Thing(2), Thing(1)]
got = dedupe(things)
assert got == [Thing(1), Thing(2)]
assert got[0] is things[0]
assert dedupe(things, key=id) == things
assert dedupe(["A", "a", "b"], key=str.lower) == ["A", "b"]
assert list(flatten([1, [2, (3, [4])], "ab", {5}])) == [1, 2, 3, 4, "ab", {5}]
assert list(flatten([Pair((1, 2))])) == [1, 2]
assert list(flatten([Pair((1, 2))], kinds=list)) == [(1, 2)]
nothing = [None, float, ..., NotImplemented, len]
assert dedupe(nothing) == nothing
""",
    "seen.add(k)",
    "seen.add(item)",
)

case(
    "type_checks_on_results",
    r"""
def convert(text):
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    if text in ("true", "false"):
        return text == "true"
    return None if text == "null" else text
""",
    r"""
table = [("1", 1, int), ("1.5", 1.5, float), ("true", True, bool), ("x", "x", str), ("null", None, type(None))]
for text, value, kind in table:
    got = convert(text)
    assert got == value and type(got) is kind, (text, got)
assert convert("false") is False
assert isinstance(convert("1e3"), float) and convert("1e3") == 1000
assert not isinstance(convert("7"), bool)
assert convert(" 8 ") == 8
assert str(convert("-0.0")) == "-0.0"
assert repr(convert("1.0")) == "1.0"
""",
    "(int, float)",
    "(float, int)",
)

case(
    "weakref_and_gc",
    r"""
import weakref


class Observer:
    def __init__(self, name):
        self.name = name
        self.seen = []

    def notify(self, value):
        self.seen.append(value)


class Subject:
    def __init__(self):
        self._observers = weakref.WeakSet()

    def attach(self, observer):
        self._observers.add(observer)

    def send(self, value):
        for observer in list(self._observers):
            observer.notify(value)
        return len(self._observers)
""",
    r"""
import gc
import weakref

s = Subject()
a, b = Observer("a"), Observer("b")
s.attach(a)
s.attach(b)
s.attach(a)
assert s.send(1) == 2
ref = weakref.ref(b)
del b
gc.collect()
assert ref() is None
assert s.send(2) == 1
assert a.seen == [1, 2]
""",
    "weakref.WeakSet()",
    "set()",
)

case(
    "operator_hooks_on_check_classes",
    r"""
def total(items, start=0):
    result = start
    for item in items:
        result = result + item
    return result


def first_true(items, default=None):
    return next((i for i in items if i), default)


def contains(container, item):
    return item in container
""",
    r"""
class Money:
    def __init__(self, cents):
        self.cents = cents

    def __add__(self, other):
        return Money(self.cents + (other.cents if isinstance(other, Money) else other))

    __radd__ = __add__

    def __bool__(self):
        return self.cents != 0

    def __eq__(self, other):
        return self.cents == getattr(other, "cents", other)


class Evens:
    def __contains__(self, n):
        return n % 2 == 0


class Old:
    def __getitem__(self, i):
        if i > 3:
            raise IndexError
        return i * 10


assert total([Money(5), Money(7)]) == 12
assert total([Money(5), 3], Money(1)).cents == 9
assert total(["a", "b"], "") == "ab"
assert total([[1], [2]], []) == [1, 2]
assert first_true([Money(0), Money(3), Money(4)]) == Money(3)
assert first_true([], "d") == "d"
assert contains(Evens(), 4) and not contains(Evens(), 5)
assert contains(Old(), 30) and not contains(Old(), 40)
assert total(Old()) == 60
""",
    "result = result + item",
    "result = item + result",
)

case(
    "matrix_nested_tables",
    r"""
def spiral(matrix):
    out = []
    matrix = [list(r) for r in matrix]
    while matrix:
        out += matrix.pop(0)
        matrix = [list(r) for r in zip(*matrix)][::-1]
    return out


def life(cells):
    counts = {}
    for r, c in cells:
        for dr in (-1, 0, 1):
            for dc in (-1, 0, 1):
                if dr or dc:
                    counts[r + dr, c + dc] = counts.get((r + dr, c + dc), 0) + 1
    return {cell for cell, n in counts.items() if n == 3 or (n == 2 and cell in cells)}
""",
    r"""
suites = {
    "square": {"in": [[1, 2, 3], [4, 5, 6], [7, 8, 9]], "out": [1, 2, 3, 6, 9, 8, 7, 4, 5]},
    "row": {"in": [[1, 2]], "out": [1, 2]},
    "column": {"in": [[1], [2]], "out": [1, 2]},
    "empty": {"in": [], "out": []},
}
for name, suite in suites.items():
    assert spiral(suite["in"]) == suite["out"], name
for n, (rows, cols) in enumerate([(2, 5), (5, 2), (4, 4)], start=1):
    table = [[(r, c) for c in range(cols)] for r in range(rows)]
    path = spiral(table)
    assert len(path) == rows * cols and set(path) == {cell for row in table for cell in row}
    assert all(abs(a - x) + abs(b - y) == 1 for (a, b), (x, y) in zip(path, path[1:])), n
glider = {(0, 1), (1, 2), (2, 0), (2, 1), (2, 2)}
moved = glider
for _ in range(4):
    moved = life(moved)
assert moved == {(r + 1, c + 1) for r, c in glider}
assert life(set()) == set()
""",
    "n == 3 or (n == 2 and cell in cells)",
    "n == 3 or n == 2 and cell not in cells",
)

case(
    "bank_with_global_registry_and_uuid",
    r"""
import itertools
import threading

_ids = itertools.count(1)
_lock = threading.RLock()
ACCOUNTS = {}


class Account:
    def __init__(self, owner):
        self.id = f"A{next(_ids):03}"
        self.owner = owner
        self.balance = 0
        ACCOUNTS[self.id] = self


def transfer(source, target, amount):
    with _lock:
        a, b = ACCOUNTS[source], ACCOUNTS[target]
        if amount <= 0 or a.balance < amount:
            return False
        a.balance -= amount
        b.balance += amount
        return True
""",
    r"""
import pytest


@pytest.fixture(autouse=True)
def clean():
    ACCOUNTS.clear()
    yield
    ACCOUNTS.clear()


@pytest.fixture
def pair():
    a, b = Account("ann"), Account("bob")
    a.balance = 100
    return a, b


def test_transfer(pair):
    a, b = pair
    assert transfer(a.id, b.id, 30)
    assert (a.balance, b.balance) == (70, 30)
    assert a.balance + b.balance == 100


@pytest.mark.parametrize("amount", [0, -5, 101])
def test_refused(pair, amount):
    a, b = pair
    assert transfer(a.id, b.id, amount) is False
    assert a.balance == 100 and b.balance == 0


def test_ids(pair):
    a, b = pair
    assert a.id < b.id and a.id.startswith("A") and len(a.id) == 4
    assert set(ACCOUNTS) == {a.id, b.id}
    assert ACCOUNTS[a.id] is a


def test_unknown():
    with pytest.raises(KeyError):
        transfer("x", "y", 1)
""",
    "amount <= 0 or a.balance < amount",
    "a.balance < amount",
)

case(
    "expression_tree_visitors",
    r"""
import ast
import operator

OPS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
       ast.Pow: operator.pow, ast.USub: operator.neg}


def evaluate(text, **names):
    def go(node):
        match node:
            case ast.Expression(body):
                return go(body)
            case ast.Constant(value=int() | float() as value):
                return value
            case ast.Name(id=name):
                if name not in names:
                    raise NameError(name)
                return names[name]
            case ast.BinOp(left, op, right):
                return OPS[type(op)](go(left), go(right))
            case ast.UnaryOp(op, operand):
                return OPS[type(op)](go(operand))
        raise SyntaxError(f"not allowed: {type(node).__name__}")

    return go(ast.parse(text, mode="eval"))
""",
    r"""
import pytest


@pytest.mark.parametrize("text", ["1 + 2 * 3", "-(4 - 6) ** 2", "2 ** 3 ** 2", "7 / 2 - 1.5", "((1))"])
def test_like_python(text):
    assert evaluate(text) == eval(text)


def test_names():
    assert evaluate("x * y + 1", x=3, y=4) == 13
    with pytest.raises(NameError, match="z"):
        evaluate("z")


@pytest.mark.parametrize("bad", ["f(1)", "'a'", "[1]", "x.y"])
def test_refused(bad):
    with pytest.raises(SyntaxError):
        evaluate(bad, x=1)


def test_zero():
    with pytest.raises(ZeroDivisionError):
        evaluate("1 / 0")
""",
    "value=int() | float() as value",
    "value=int() | float() | str() as value",
)

case(
    "dynamic_classes_and_exec",
    r"""
def make_record(name, *fields):
    def __init__(self, *values):
        if len(values) != len(fields):
            raise TypeError(f"{name} takes {len(fields)} values")
        for f, v in zip(fields, values):
            setattr(self, f, v)

    def __repr__(self):
        return f"{name}(" + ", ".join(f"{f}={getattr(self, f)!r}" for f in fields) + ")"

    def __eq__(self, other):
        return type(other) is type(self) and vars(self) == vars(other)

    return type(name, (), {"__init__": __init__, "__repr__": __repr__, "__eq__": __eq__, "fields": fields})
""",
    r"""
Point = make_record("Point", "x", "y")
p = Point(1, "b")
assert repr(p) == "Point(x=1, y='b')"
assert p == Point(1, "b") and p != Point(1, "c")
assert Point.__name__ == "Point" and isinstance(Point, type)
Other = make_record("Point", "x", "y")
assert Other(1, "b") != p
namespace = {"Point": Point}
exec("q = Point(3, 4)\nz = q.x + q.y", namespace)
assert namespace["z"] == 7
assert eval("Point(1, 'b')", {"Point": Point}) == p
try:
    Point(1)
except TypeError as e:
    assert str(e) == "Point takes 2 values"
else:
    assert False
p.x += 1
assert vars(p) == {"x": 2, "y": "b"}
""",
    "type(other) is type(self) and vars",
    "vars",
)

case(
    "generic_typing_container",
    r"""
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Ring(Sequence, Generic[T]):
    def __init__(self, items: list[T]):
        self._items = list(items)

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, i):
        if isinstance(i, slice):
            start, stop = i.start or 0, i.stop if i.stop is not None else len(self)
            return [self[k] for k in range(start, stop, i.step or 1)]
        if not self._items:
            raise IndexError("empty ring")
        return self._items[i % len(self)]

    def __iter__(self) -> Iterator[T]:
        return iter(self._items)


class Bounded(MutableMapping):
    def __init__(self, limit):
        self.limit, self._d = limit, {}

    def __getitem__(self, k):
        return self._d[k]

    def __setitem__(self, k, v):
        if k not in self._d and len(self._d) >= self.limit:
            self._d.pop(next(iter(self._d)))
        self._d[k] = v

    def __delitem__(self, k):
        del self._d[k]

    def __iter__(self):
        return iter(self._d)

    def __len__(self):
        return len(self._d)
""",
    r"""
from collections.abc import Mapping, Sequence

r = Ring[int]([1, 2, 3])
assert r[4] == 2 and r[-1] == 3
assert r[2:6] == [3, 1, 2, 3]
assert isinstance(r, Sequence) and list(reversed(r)) == [3, 2, 1]
assert r.index(3) == 2 and r.count(9) == 0 and 2 in r
b = Bounded(2)
b.update(a=1, b=2)
b["c"] = 3
assert dict(b) == {"b": 2, "c": 3}
assert b.setdefault("c", 9) == 3 and b.pop("b") == 2
assert isinstance(b, Mapping) and "a" not in b
assert b == {"c": 3} and list(b.items()) == [("c", 3)]
try:
    Ring([])[0]
except IndexError as e:
    assert "empty" in e.args[0]
else:
    assert False
""",
    "if k not in self._d and len(self._d) >= self.limit:",
    "if k not in self._d and len(self._d) > self.limit:",
)

case(
    "timing_and_complexity",
    r"""
import time


class Timer:
    def __enter__(self):
        self.start = time.perf_counter()
        return self

    def __exit__(self, *exc):
        self.elapsed = time.perf_counter() - self.start
        return False


class RateLimiter:
    def __init__(self, limit, period, clock=time.monotonic):
        self.limit, self.period, self.clock = limit, period, clock
        self.calls = []

    def allow(self):
        now = self.clock()
        self.calls = [t for t in self.calls if now - t < self.period]
        if len(self.calls) < self.limit:
            self.calls.append(now)
            return True
        return False
""",
    r"""
import time


class FakeClock:
    now = 0.0

    def __call__(self):
        return self.now


clock = FakeClock()
limiter = RateLimiter(2, 10, clock)
assert [limiter.allow() for _ in range(3)] == [True, True, False]
clock.now = 9.9
assert not limiter.allow()
clock.now = 10
assert limiter.allow() and limiter.calls == [10]
with Timer() as t:
    time.sleep(0.02)
assert 0.01 < t.elapsed < 2
start = time.time()
sum(RateLimiter(5, 60).allow() for _ in range(200))
assert time.time() - start < 2, "too slow"
try:
    with Timer() as t2:
        raise KeyError
except KeyError:
    pass
assert t2.elapsed >= 0
""",
    "now - t < self.period",
    "now - t <= self.period",
)

case(
    "numpy_checks_against_lists",
    r"""
import numpy as np


def moving_average(values, k):
    c = np.cumsum(np.insert(np.asarray(values, dtype=float), 0, 0))
    return (c[k:] - c[:-k]) / k


def pairwise_distances(points):
    p = np.asarray(points)
    return np.sqrt(((p[:, None] - p[None]) ** 2).sum(-1))
""",
    r"""
import unittest

import numpy as np


class TestNumpy(unittest.TestCase):
    def test_moving_average(self):
        np.testing.assert_array_almost_equal(moving_average([1, 2, 3, 4], 2), [1.5, 2.5, 3.5])
        self.assertEqual(moving_average([5], 1).tolist(), [5.0])
        rng = np.random.RandomState(3)
        values = rng.rand(30)
        expected = np.convolve(values, np.ones(4) / 4, mode="valid")
        self.assertTrue(np.allclose(moving_average(values, 4), expected))

    def test_distances(self):
        d = pairwise_distances([[0, 0], [3, 4], [0, 8]])
        self.assertEqual(d.shape, (3, 3))
        self.assertTrue((d == d.T).all())
        self.assertAlmostEqual(d[0, 1], 5.0)
        self.assertFalse(np.diag(d).any())
        self.assertLess(abs(d[1][2] - 5), 1e-9)

    def test_bad_shape(self):
        with self.assertRaises(Exception):
            pairwise_distances(5)
""",
    "/ k\n",
    "/ (k + 1e-3)\n",
)

case(
    "solution_class_leetcode",
    r"""
from typing import List, Optional


class Solution:
    def __init__(self):
        self.calls = 0

    def permute(self, nums: List[int]) -> List[List[int]]:
        self.calls += 1
        result = []

        def go(path, rest):
            if not rest:
                result.append(path[:])
                return
            for i, n in enumerate(rest):
                path.append(n)
                go(path, rest[:i] + rest[i + 1:])
                path.pop()

        go([], nums)
        return result

    def climb(self, n: int, memo: Optional[dict] = None) -> int:
        memo = {} if memo is None else memo
        if n <= 2:
            return n
        if n not in memo:
            memo[n] = self.climb(n - 1, memo) + self.climb(n - 2, memo)
        return memo[n]
""",
    r"""
def check(candidate):
    assert sorted(candidate(nums=[1, 2, 3])) == [[1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1]]
    assert candidate([0]) == [[0]]
    assert len(set(map(tuple, candidate([1, 2, 3, 4])))) == 24


s = Solution()
check(s.permute)
assert s.calls == 3
memo = {}
assert Solution().climb(40, memo) == 165580141
assert memo[3] == 3 and len(memo) == 38
assert Solution().climb(n=5) == 8
""",
    "result.append(path[:])",
    "result.append(path)",
)


# --- helpers of the checks, and how tests end ---

case(
    "helpers_that_assert",
    """
def square(x):
    return x * x
""",
    """
def assert_equal(a, b):
    assert a == b, f"{a} is not {b}"


def assert_list(a, b):
    if len(a) != len(b):
        raise AssertionError("lengths differ")
    for x, y in zip(a, b):
        assert x == y


def expect(a, b):
    if a != b:
        raise ValueError("bad")


assert_equal(square(2), 4)
assert_equal(square(3), 9)
assert_list([square(x) for x in range(3)], [0, 1, 4])
expect(square(5), 25)
""",
    "x * x",
    "x + x",
)

case(
    "status_at_the_end",
    """
def lower(text):
    return text.lower()
""",
    """
import sys

ok = lower("A") == "a" and lower("BC") == "bc"
assert lower("D") == "d"
sys.exit(0 if ok else 1)
""",
    ".lower()",
    ".upper()",
)

case(
    "patched_by_decorators",
    """
import time


def now():
    return time.time()
""",
    """
from unittest.mock import patch


@patch("time.time", return_value=3)
def test_now(clock):
    assert now() == 3
    clock.assert_called_once_with()


@patch("time.time", side_effect=[1, 5])
def test_twice(clock, capsys):
    assert now() - now() == -4
    print("x")
    assert capsys.readouterr().out == "x\\n"
""",
    "return time.time()",
    "return int(time.time()) + 1",
)

case(
    "regular_expressions",
    """
def lower(text):
    return text.lower()
""",
    """
import unittest


class TestLower(unittest.TestCase):
    def test_lower(self):
        self.assertRegex(lower("AB"), "^[ab]+$")
        self.assertCountEqual(lower("AB"), "ba")
        self.assertNotAlmostEqual(len(lower("AB")), 3.0)
""",
    ".lower()",
    ".upper()",
)
