"""What the commands that write data sets show people: a line."""

from __future__ import annotations

from edgectl.cli.session import Session
from edgectl.workflows.data.calibration import WrittenCalibration
from edgectl.workflows.data.split import SplitData


def say_split(session: Session, done: SplitData) -> None:
    """Images of every split, and how many were kept together."""
    sizes = ", ".join(f"{k} {part['images']}" for k, part in done.facts["splits"].items())
    session.say(f"{done.directory}: {sizes}; {done.near_duplicates} near-duplicates kept together")


def say_calibration(session: Session, done: WrittenCalibration) -> None:
    """How many images, and their hash."""
    chosen = done.chosen
    session.say(
        f"{done.directory}: {len(chosen.files)} images of train, sha256 {chosen.sha256[:12]}"
    )
