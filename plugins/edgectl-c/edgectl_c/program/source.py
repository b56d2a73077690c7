"""The fixed texts of a program."""

from __future__ import annotations

from importlib import resources


def read_source(name: str) -> str:
    """A file of ``text/``."""
    return (resources.files("edgectl_c.program") / "text" / name).read_text("utf-8").rstrip()
