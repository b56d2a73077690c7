"""What the columns of a table are, by their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

COLUMNS = ("filename", "width", "height", "class", "xmin", "ymin", "xmax", "ymax")

_IMAGE = [
    *(
        "filename",
        "file",
        "image",
        "imagefile",
        "imagefilename",
        "imagename",
        "imagepath",
        "imageid",
    ),
    *("imgid", "img", "imgname", "path", "filepath", "fname", "id"),
]
_CLASS = [
    *("class", "label", "classname", "labelname", "category", "categoryname", "objectclass"),
    *("species", "name"),
]
_SPLIT = ["split", "subset", "set", "partition"]
_WIDTH = ["width", "imagewidth", "imgwidth", "imgw", "imagew"]
_HEIGHT = ["height", "imageheight", "imgheight", "imgh", "imageh"]
_BOX = ["bbox", "box", "boundingbox", "bboxes"]
_SCHEMES: tuple[tuple[str, tuple[list[str], ...]], ...] = (
    (
        "corners",
        (
            ["xmin", "x1", "left", "x0", "bboxxmin", "xstart"],
            ["ymin", "y1", "top", "y0", "bboxymin", "ystart"],
            ["xmax", "x2", "right", "x1", "bboxxmax", "xend"],
            ["ymax", "y2", "bottom", "y1", "bboxymax", "yend"],
        ),
    ),
    (
        "center",
        (
            ["xcenter", "cx", "centerx", "xc"],
            ["ycenter", "cy", "centery", "yc"],
            ["w", "boxwidth", "bboxwidth", "bboxw", "boxw", "width"],
            ["h", "boxheight", "bboxheight", "bboxh", "boxh", "height"],
        ),
    ),
    (
        "size",
        (
            ["x", "xmin", "left", "bboxx", "x0", "boxx"],
            ["y", "ymin", "top", "bboxy", "y0", "boxy"],
            ["w", "boxwidth", "bboxwidth", "bboxw", "boxw", "width"],
            ["h", "boxheight", "bboxheight", "bboxh", "boxh", "height"],
        ),
    ),
)


@dataclass(frozen=True)
class Columns:
    """Names of columns, empty where the table has no such.

    Attributes:
        scheme: of ``box``: ``corners``, ``center`` (and size), ``size`` (corner and size), or ``list``:
            one column with four numbers.
    """

    image: str
    name: str
    split: str
    width: str
    height: str
    scheme: str
    box: tuple[str, ...]

    def shown(self) -> str:
        """In words, for a note."""
        scheme = {"list": "four numbers"}.get(self.scheme, self.scheme)
        return (
            f"image {self.image}, class {self.name or '(none: one class, object)'}, "
            f"box {' '.join(self.box)} ({scheme})"
        )


def guess_columns(header: Sequence[str]) -> Columns | None:
    """None where no image or no box can be seen in the names."""
    known: dict[str, str] = {}
    for column in header:
        plain = "".join(c for c in column.lower() if c.isalnum())
        known.setdefault(plain, column)

    def one(names: Sequence[str], taken: Sequence[str] = ()) -> str:
        return next((known[n] for n in names if n in known and known[n] not in taken), "")

    image = one(_IMAGE)
    scheme = "list"
    box: tuple[str, ...] = (one(_BOX),)
    for name, sides in _SCHEMES:
        found: list[str] = []
        for side in sides:
            found.append(one(side, found))
        if all(found):
            scheme, box = name, tuple(found)
            break
    if not image or not all(box):
        return None
    taken = [image, *box]
    return Columns(
        image,
        one(_CLASS, taken),
        one(_SPLIT, taken),
        one(_WIDTH, taken),
        one(_HEIGHT, taken),
        scheme,
        box,
    )


def missing_columns(header: Sequence[str]) -> list[str]:
    """List the columns of edgectl's own table that are missing."""
    return [c for c in COLUMNS if c not in header]
