"""``edgectl init``."""

from __future__ import annotations

from pathlib import Path

import typer

from edgectl.cli.session import Session
from edgectl.errors import UsageError
from edgectl.files import staged, write_text

app = typer.Typer(add_completion=False)

TEMPLATE = """\
# edgectl's project file: what every command in this directory starts from.
# Later layers win: this file < EDGECTL__TABLE__KEY=value < --set table.key=value < flags.

[data]
name = "demo_mask"          # a name of 'edgectl data list', a directory, or an annotation file
# holdout = 0.1             # share of train kept back to choose the score threshold

[train]
# epochs = 100
# batch = 4
# seed = 0
# weights = "auto"          # auto, none, or a file

# [train.optimizer]
# lr = 0.01

# [augment]
# mosaic = 0.5              # share of samples made of four images
# scale = [0.6, 1.5]        # zoom range

# [quant]
# calib_images = 128        # images of train the quantizer sees
# max_drop = 0.02           # a larger drop of the main metric is exit code 4

# gates = ["f1_drop<=0.01"] # put this line above the first table: checked by every eval
"""


@app.command(epilog="Examples: edgectl init · edgectl init my_project")
def init(
    ctx: typer.Context,
    directory: Path = typer.Argument(Path(), help="Created when it is not there."),
) -> None:
    """Write a commented edgectl.toml to start from. Never overwrites."""
    session: Session = ctx.obj

    path = directory / "edgectl.toml"
    if path.exists():
        raise UsageError("exists already", where=str(path), fix="edit it, or delete it first")
    if directory.exists():
        write_text(path, TEMPLATE)
    else:
        with staged(directory) as place:
            (place / path.name).write_text(TEMPLATE, encoding="utf-8")
    session.data = {"file": str(path)}
    if not session.json:
        session.say(f"{path} written; next: edgectl train FAMILY ('edgectl models' shows them)")
