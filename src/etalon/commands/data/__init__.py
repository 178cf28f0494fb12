"""`etalon data`: from the files people have to a curriculum, a step a command (2.1.1)."""

from __future__ import annotations

import typer

from etalon.commands.data import build, distill, expand, exporting, importing, label, stratify
from etalon.commands.data import filter as filtering
from etalon.commands.data import funnel as funnels

app = typer.Typer(name="data")


@app.callback()
def data() -> None:
    """Work on files of rows before training."""


app.command("expand")(expand.expand)
app.command("label")(label.label)
app.command("distill")(distill.distill)
app.command("build")(build.build)
app.command("stratify")(stratify.stratify)
app.command("filter")(filtering.sift)
app.command("funnel")(funnels.funnel)
app.command("import")(importing.bring)
app.command("export")(exporting.send)
