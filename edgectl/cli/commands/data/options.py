"""Options that every command on DATA takes: where its images are, and configuration keys."""

from __future__ import annotations

from typing import Annotated

import typer

IMAGES_HELP = "Directory of the images, where it is not beside the labels."
Images = Annotated[str, typer.Option("--images", help=IMAGES_HELP)]
Assignments = Annotated[
    list[str], typer.Option("--set", help="Any configuration key: data.yolo_columns=box.")
]
