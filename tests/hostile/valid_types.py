# Returns values of many types: valid.
# mode: assert
# outcome: pass
# check: from collections import Counter
#   from datetime import date, timedelta
#   from decimal import Decimal
#   from fractions import Fraction
#   assert f(3) == [(1, 2), {1, (2, 3)}, {(1, 2): None}, b'x', 1j, Decimal('0.1'), Fraction(1, 3), Counter('aab'), (1, 2), 10**5000, range(3), float('inf'), True, {'a': 1}, date(2024, 2, 29), timedelta(1)]
#   assert type(f(3)[0]) is tuple and f(3)[12] is True

from collections import Counter, OrderedDict, namedtuple
from decimal import Decimal
from fractions import Fraction
from datetime import date, timedelta
Pair = namedtuple('Pair', 'a b')
def f(n):
    return [(1, 2), {1, (2, 3)}, {(1, 2): None}, b'x', 1j, Decimal('0.1'), Fraction(1, 3), Counter('aab'), Pair(1, 2), 10**5000, range(3), float('inf'), True, OrderedDict(a=1), date(2024, 2, 29), timedelta(1)]
