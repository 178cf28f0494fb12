"""Counters and gauges of the proxy in Prometheus' text format."""

from __future__ import annotations

import bisect
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

BUCKETS = (0.05, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0)  # seconds
Labels = tuple[tuple[str, str], ...]
HELP = {
    "etalon_requests_total": "Requests answered, by route and HTTP status; 499 is a client that left.",
    "etalon_clr_answers_total": "CLR answers, by how they ended.",
    "etalon_clr_calls_total": "Model calls of CLR answers, by stage.",
    "etalon_clr_tokens_total": "Tokens of CLR answers, by stage.",
    "etalon_clr_calls_saved_total": "Model calls that the early decision made unnecessary.",
    "etalon_upstream_total": "What became of requests of CLR to the upstream, retries counted on their own.",
}


class Metrics:
    """What the proxy counted since it started. One event loop, so plain numbers do."""

    def __init__(self) -> None:
        self._counters: dict[str, Counter[Labels]] = defaultdict(Counter)
        self._seconds: dict[str, list[int]] = {}
        self._sums: dict[str, float] = defaultdict(float)

    def count(self, name: str, amount: int = 1, **labels: str) -> None:
        """Add to one of the counters in HELP."""
        assert name in HELP
        self._counters[name][tuple(labels.items())] += amount

    def time(self, route: str, seconds: float) -> None:
        """Add one duration to the histogram of a route."""
        self._seconds.setdefault(route, [0] * (len(BUCKETS) + 1))[bisect.bisect_left(BUCKETS, seconds)] += 1
        self._sums[route] += seconds

    def text(self, gauges: Mapping[str, float], upstream: Mapping[str, int]) -> str:
        """The page. gauges: name -> value now; upstream: counts of the client."""
        counters = self._counters | {
            "etalon_upstream_total": Counter({(("event", event),): count for event, count in upstream.items()})
        }
        lines = [*self._counter_lines(counters), *self._histogram_lines()]
        for name, value in gauges.items():
            lines += [f"# TYPE {name} gauge", f"{name} {value:g}"]
        return "\n".join(lines) + "\n"

    def _counter_lines(self, counters: Mapping[str, Counter[Labels]]) -> Iterator[str]:
        for name, explanation in HELP.items():
            yield f"# HELP {name} {explanation}"
            yield f"# TYPE {name} counter"
            for labels, value in sorted(counters.get(name, Counter()).items()):
                yield f"{name}{_shown(labels)} {value}"

    def _histogram_lines(self) -> Iterator[str]:
        name = "etalon_request_seconds"
        yield f"# HELP {name} From the whole request to the end of its answer."
        yield f"# TYPE {name} histogram"
        for route, counts in sorted(self._seconds.items()):
            total = 0
            for bound, count in zip((*map(str, BUCKETS), "+Inf"), counts, strict=True):
                total += count
                yield f"{name}_bucket{_shown((('route', route), ('le', bound)))} {total}"
            yield f"{name}_sum{_shown((('route', route),))} {self._sums[route]:g}"
            yield f"{name}_count{_shown((('route', route),))} {total}"


def _shown(labels: Labels) -> str:
    escaped = ((k, v.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")) for k, v in labels)
    return "{" + ",".join(f'{k}="{v}"' for k, v in escaped) + "}" if labels else ""
