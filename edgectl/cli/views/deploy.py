"""What ``edgectl deploy`` shows people: the files, and whether they fit."""

from __future__ import annotations

from edgectl.cli.session import Session, plain
from edgectl.deploy.bundle import Bundle


def say_bundle(session: Session, bundle: Bundle) -> None:
    """The directory, its files, the board's memory."""
    session.say(f"[bold]{plain(str(bundle.directory))}[/bold]", markup=True)
    for f in bundle.files:
        if not f["path"].startswith("golden/"):
            session.say(f"  {f['path']}  {f['bytes']:,} bytes")
    golden = sum(f["path"].endswith(".rgb") for f in bundle.files)
    session.say(f"  golden/  {golden} images and their outputs")
    session.say(f"fits: {bundle.fit}")
