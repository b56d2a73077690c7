"""``events.jsonl``: one line an event, one event an epoch; the curves are drawn from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgectl.files import write_text


class EventLog:
    """Appends events; each line is flushed, so a killed run keeps what it had reported."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, event: str, **values: Any) -> None:
        """Writes one line. ``values`` are plain JSON."""
        with self.path.open("a", encoding="utf-8") as f:
            f.write(json.dumps({"event": event, **values}) + "\n")

    def rewind(self, epoch: int) -> None:
        """Forgets the epochs after ``epoch`` and a line torn by a crash; they are run again."""
        kept = [e for e in read_events(self.path) if e.get("epoch", 0) <= epoch]
        write_text(self.path, "".join(json.dumps(e) + "\n" for e in kept))


def read_events(path: Path) -> list[dict[str, Any]]:
    """Events in order; an unfinished last line is left out. Empty when there is no file."""
    if not path.is_file():
        return []
    events = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            break
        events.append(event)
    return events
