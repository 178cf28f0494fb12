"""Learning potentials of self-distillation: a chart per domain, a row per length, what was kept shaded (2.3)."""

from __future__ import annotations

from collections.abc import Sequence

from etalon.report.charts.rows import Ridge, ridges
from etalon.report.files import Bucket
from etalon.report.html import Html, count, figure


def potential_charts(buckets: Sequence[Bucket], *, band: str = "kept range") -> list[Html]:
    """One figure per domain; a bucket without candidates has no row, a domain without any no figure. band: in words."""
    found: dict[str, list[Bucket]] = {}
    for bucket in buckets:
        if bucket.scores:
            found.setdefault(bucket.domain, []).append(bucket)
    return [_domain(domain, own, band) for domain, own in found.items()]


def _domain(domain: str, buckets: Sequence[Bucket], band: str) -> Html:
    rows = [
        Ridge(
            label=f"{count(bucket.length_low)}–{count(bucket.length_high)} tokens",
            values=bucket.scores,
            band=(bucket.low, bucket.high) if bucket.low is not None and bucket.high is not None else None,
            note=f"{count(bucket.kept)} of {len(bucket.scores)} kept",
        )
        for bucket in buckets
    ]
    title = f"{domain}: learning potential by length"
    chart = ridges(title, rows, "nats per token", "traces")
    return figure(title, chart, legend=[("bar", "traces"), ("band", band)])
