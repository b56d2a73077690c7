"""What ``edgectl deploy`` shows people: the files, and whether they fit."""

from __future__ import annotations

from edgectl.cli.session import Session, plain
from edgectl.deploy.bundle import Bundle
from edgectl.workflows.fit import FitReport


def say_bundle(session: Session, bundle: Bundle) -> None:
    """The directory, its files, the board's memory."""
    session.say(f"[bold]{plain(str(bundle.directory))}[/bold]", markup=True)
    for f in bundle.files:
        if not f["path"].startswith("golden/"):
            session.say(f"  {f['path']}  {f['bytes']:,} bytes")
    golden = sum(f["path"].endswith(".rgb") for f in bundle.files)
    session.say(f"  golden/  {golden} images and their outputs")
    session.say(f"fits: {bundle.fit}")
    if bundle.fit.note:
        session.say(bundle.fit.note)
    session.say("next: README.md in it, from this directory to a running board")


def say_fit(session: Session, report: FitReport) -> None:
    """What lies where, and what would fit where it does not."""
    height, width = report.input_size
    network = f"{report.family} {report.variant} at {height}x{width}, {report.backend}"
    answer = "fits" if report.fit.passed else "does not fit"
    session.say(f"{network}: {answer} {report.board.name}")
    for line in str(report.fit).split("; "):
        session.say(f"  {line}")
    if report.fit.note:
        session.say(f"  {report.fit.note}")
    for line in report.advice:
        session.say(f"  {line}")
