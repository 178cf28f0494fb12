"""What an upstream really does with a request, found by asking it, and the flag that would put it right.

    identify -> fields, sampling, reasoning, length, parallel (five short probes) -> findings -> one table

identify.py   which server it is, its window and slots, from its own pages
patient.py    requests to it, whole and streamed
observe.py    the five probes: what was observed
findings.py   what the observations mean, as a table, and the flag per server
"""

from __future__ import annotations

from etalon.sampling.endpoint import bridge
from etalon.serve.doctor.findings import Finding, Report, print_findings

__all__ = ["Finding", "Report", "examine", "print_findings"]


def examine(url: str, *, model: str = "", seconds: float = 60.0) -> Report:
    """Probe one base URL. InputError when it cannot be reached or serves no such model."""
    from etalon.serve.doctor.observe import probe

    return bridge.run(probe(url, model=model, seconds=seconds))
