"""The doctor's table: one line per check, then the fixes as they are typed."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from etalon.serve.doctor.findings import Report

MARKS = {"ok": Text("ok", "green"), "note": Text("note", "yellow"), "problem": Text("problem", "bold red")}


def print_findings(report: Report, console: Console | None = None) -> None:
    """Print the table on stdout; a pipe gets 100 columns."""
    console = console or Console()
    if not console.is_terminal:
        console.width = 100
    identity = report.identity
    version = f" {identity.version}" if identity.version else ""
    console.print(Text(f"{report.url}: {identity.server}{version}, model {report.model}"), soft_wrap=True)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    table.add_column("Check", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("Found")
    for finding in report.findings:
        table.add_row(Text(finding.check), MARKS[finding.level], Text(finding.found))
    console.print(table)
    for finding in report.findings:
        if finding.fix and finding.level != "ok":
            console.print(Text(f"{finding.check}: {finding.fix}"), soft_wrap=True)
    problems = report.num_problems
    console.print(Text(f"{problems} problem{'' if problems == 1 else 's'}"))
