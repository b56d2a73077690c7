"""What the numbers of YOLO lines are, decided over the whole set.

Five numbers are a box. More can be key points, a polygon, a confidence or the number of a track, and a
wrong guess gives boxes that nobody drew. So one meaning must fit every line of that length, and no other
may; else the user is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgectl.data.formats.reading.options import read_options
from edgectl.data.formats.yolo.lines import Lines, lies_in_image
from edgectl.data.index import Repair
from edgectl.errors import DataError

CHOICES = {
    "box": "the first five numbers are the box",
    "polygon": "points around the object",
    "pixels": "class cx cy width height, in pixels",
    "corners": "class x0 y0 x1 y1, relative",
}
_BOX_NUMBERS = 5
_MOST_PIXELS = 0.05
_FEWEST = 4
_FAR_OUT = 0.05


def decide_columns(
    files: Sequence[Lines], key_points: int | None, repairs: list[Repair]
) -> dict[int, str]:
    """Numbers in a line -> one of :data:`CHOICES`.

    Args:
        key_points: numbers of a line's key points, where the description states them.
        repairs: receives a note for every length that is not plainly a box.

    Raises:
        DataError: a length that fits nothing, or more than one meaning.
    """
    counts = sorted({c for f in files for c in f.examples})
    chosen = read_options().yolo_columns
    if chosen != "auto":
        return {c: _chosen(c, chosen, files) for c in counts}
    _require_shares(files)
    # key points are as many on every line, points of polygons are not
    varied = sum(c > _BOX_NUMBERS and c % 2 == 1 for c in counts) > 1
    meanings = {}
    for count in counts:
        if count == _BOX_NUMBERS:
            meanings[count] = "box"
            continue
        meaning, note = _meaning(count, files, key_points, varied)
        if not meaning:
            raise _ask(count, files, note)
        meanings[count] = meaning
        where, line = _example(count, files)
        repairs.append(Repair("columns", where, f"{count} numbers a line ({line}): {note}"))
    return meanings


def _chosen(count: int, chosen: str, files: Sequence[Lines]) -> str:
    if chosen == "polygon" and count != _BOX_NUMBERS and count % 2 == 0:
        raise _ask(count, files, "no polygon: the numbers after the class are not pairs")
    return "box" if chosen == "polygon" and count == _BOX_NUMBERS else chosen


def _meaning(
    count: int, files: Sequence[Lines], key_points: int | None, varied: bool
) -> tuple[str, str]:
    """(meaning, note), or ("", why there is none). varied: lines have several odd lengths."""
    if key_points is not None and count == _BOX_NUMBERS + key_points:
        return "box", "box and key points, as kpt_shape says"
    rows = _Rows.of(count, files)
    is_box = bool(lies_in_image(rows.head[:, 1:]).all())
    if count == _BOX_NUMBERS + 1:
        return _with_a_sixth(rows, is_box)
    points = count % 2 == 1 and bool(rows.points.all())
    track = count == _BOX_NUMBERS + 2 and is_box and rows.are_tracks() and _is_share(rows.sixth)
    pose = bool(rows.pose.all()) and not varied
    if track and not points:
        return "box", "box, confidence and number of a track"
    if points and not track and not pose:
        return "polygon", "a polygon: the box around it is taken"
    if points:
        return "", "a polygon, or a box with key points or a confidence and a track?"
    if pose:
        return "", "a box with key points? data.yaml has no kpt_shape that says so"
    return "", "neither a box nor a polygon on every such line"


def _with_a_sixth(rows: _Rows, is_box: bool) -> tuple[str, str]:
    if not is_box:
        return "", "the first five are no box on every such line"
    if rows.shifted.all():
        return "", "a confidence, as the second number or as the last?"
    if _is_share(rows.last):
        return "box", "a box and a confidence, or a track's number, which is left aside"
    if rows.are_tracks():
        return "box", "a box and the number of a track, which is left aside"
    return "", "the last is neither a confidence nor the number of a track"


def _is_share(values: np.ndarray) -> bool:
    return bool(((values >= 0) & (values <= 1)).all())


@dataclass
class _Rows:
    """The lines of one length, of all files; columns as in :class:`Lines`."""

    head: np.ndarray
    sixth: np.ndarray
    last: np.ndarray
    points: np.ndarray
    pose: np.ndarray
    shifted: np.ndarray
    owner: np.ndarray

    @classmethod
    def of(cls, count: int, files: Sequence[Lines]) -> _Rows:
        chosen = [(i, f, f.count == count) for i, f in enumerate(files) if count in f.examples]
        columns = {
            name: np.concatenate([getattr(f, name)[r] for _, f, r in chosen])
            for name in ("head", "sixth", "last", "points", "pose", "shifted")
        }
        owner = np.concatenate([np.full(int(r.sum()), i) for i, _, r in chosen])
        return cls(owner=owner, **columns)

    def are_tracks(self) -> bool:
        """Whole numbers, each once in an image."""
        if (self.last < 0).any() or (self.last % 1).any():
            return False
        pairs = np.stack([self.owner, self.last], axis=1)
        return len(np.unique(pairs, axis=0)) == len(pairs)


def _require_shares(files: Sequence[Lines]) -> None:
    """Raises DataError where boxes of five numbers are not what YOLO means by them."""
    total = over = out = ends = 0
    first = ("", "")
    for f in files:
        own = f.head[f.count == _BOX_NUMBERS, 1:]
        total += len(own)
        large = (np.abs(own) > 2).any(axis=1)
        over += int(large.sum())
        low, high = own[:, :2] - own[:, 2:] / 2, own[:, :2] + own[:, 2:] / 2
        far = (low < -_FAR_OUT).any(axis=1) | (high > 1 + _FAR_OUT).any(axis=1)
        out += int((far & ~large).sum())
        ends += int((own[:, 2:] > own[:, :2]).all(axis=1).sum())
        if not first[0] and (large | far).any():
            at = int(f.number[f.count == _BOX_NUMBERS][np.flatnonzero(large | far)[0]])
            first = (
                f"{f.file}:{at}",
                " ".join(f"{v:g}" for v in own[np.flatnonzero(large | far)[0]]),
            )
    if over > _MOST_PIXELS * total:
        raise DataError(
            f"{over} of {total} boxes have numbers far over 1 ({first[1]}): pixels, not shares of the image",
            where=first[0],
            fix="divide by the image's width and height; or, if they are cx cy width height in "
            "pixels, --set data.yolo_columns=pixels",
        )
    corners = ends == total and out > _MOST_PIXELS * total
    if (out > total / 2 or corners) and total >= _FEWEST:
        raise DataError(
            f"{out} of {total} boxes reach far out of their images ({first[1]}): not cx cy width height",
            where=first[0],
            fix="export the labels again; --set data.yolo_columns=corners for x0 y0 x1 y1, =box to "
            "take them as they are",
        )


def _example(count: int, files: Sequence[Lines]) -> tuple[str, str]:
    f = next(f for f in files if count in f.examples)
    number, text = f.examples[count]
    return f"{f.file}:{number}", text if len(text) <= 80 else f"{text[:80]}..."


def _ask(count: int, files: Sequence[Lines], why: str) -> DataError:
    where, line = _example(count, files)
    return DataError(
        f"{count} numbers a line: '{line}': {why}",
        where=where,
        fix="say what they are: "
        + "; ".join(f"--set data.yolo_columns={k} ({v})" for k, v in list(CHOICES.items())[:2]),
    )
