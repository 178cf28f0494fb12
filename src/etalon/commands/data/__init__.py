"""`etalon data`: from the files people have to a curriculum, a step a command (2.1.1)."""

from __future__ import annotations

import typer

from etalon.commands.data import build, distill, expand, exporting, importing, label, make, stratify
from etalon.commands.data import filter as filtering
from etalon.commands.data import funnel as funnels

app = typer.Typer(name="data")


@app.callback()
def data() -> None:
    """From files of problems to what is trained on: import, expand, label, distill, filter, stratify, build.

    Each step reads files and writes one, with a report beside it; any of them may be left out.
    """


app.command("make", short_help="rows of a generator: sums, stories, claims, rules")(make.make)
app.command("import", short_help="files of any format -> records")(importing.bring)
app.command("expand", short_help="new queries by a teacher")(expand.expand)
app.command("label", short_help="answers by a vote of the teacher")(label.label)
app.command("distill", short_help="traces by the teacher")(distill.distill)
app.command("filter", short_help="without benchmarks, broken traces, copies")(filtering.sift)
app.command("stratify", short_help="lengths and error rates")(stratify.stratify)
app.command("build", short_help="files for SFT, RL and measurement")(build.build)
app.command("export", short_help="records as verl or TRL reads them")(exporting.send)
app.command("funnel", short_help="what every step took, gave and lost")(funnels.funnel)
