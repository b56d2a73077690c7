"""XML label files, parsed without entities: a file from outside must not grow or read others."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from edgectl.errors import DataError

FIX = "correct the file, or export the annotations again"


def parse_xml(path: Path) -> ElementTree.Element:
    """Raises DataError for what is no XML, or declares entities."""
    try:
        data = path.read_bytes()
        if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
            raise DataError("annotations do not declare entities", where=str(path), fix=FIX)
        return ElementTree.fromstring(data)  # noqa: S314 - entities are refused above
    except (OSError, ElementTree.ParseError, ValueError, LookupError, RecursionError) as e:
        raise DataError(f"not XML: {e}", where=str(path), fix=FIX) from e


def text_of(element: ElementTree.Element, path: str, default: str = "") -> str:
    """Stripped text of a child, ``default`` where it is absent or empty."""
    return (element.findtext(path) or default).strip()
