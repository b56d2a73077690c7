"""The numbers of one YOLO label file, before anybody has said what they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

_INSIDE = 0.05
"""Share of the image a true box may reach out of it."""
_SHORTEST = 5


@dataclass
class Lines:
    """Every line of a file in one row of fixed length, however many numbers it has.

    Attributes:
        file: the label file.
        number: (N,) line numbers, from 1.
        count: (N,) numbers in the line, the class included.
        head: (N, 5) the class and the four numbers after it.
        hull: (N, 4) least and greatest x and y when the numbers after the class are points, as
            x0 y0 x1 y1; of lines with an even number of them.
        sixth, last: (N,) numbers; of lines with five numbers the last one.
        points: (N,) every number after the class lies in the image, as points do.
        pose: (N,) read as box and key points (of two numbers, or three), all of these lie in the box.
        shifted: (N,) a box when the second number is a confidence.
        bad: (line number, text) of lines that are no numbers.
        examples: count -> (line number, text) of the first such line.
    """

    file: Path
    bad: list[tuple[int, str]]
    examples: dict[int, tuple[int, str]]
    number: np.ndarray
    count: np.ndarray
    head: np.ndarray
    hull: np.ndarray
    sixth: np.ndarray
    last: np.ndarray
    points: np.ndarray
    pose: np.ndarray
    shifted: np.ndarray


def parse_lines(file: Path, text: str) -> Lines:
    """Groups lines by their length, so that numpy reads each group at once."""
    rows: dict[int, list[tuple[int, list[str]]]] = {}
    bad: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        if len(words) < _SHORTEST:
            bad.append((number, line.strip()))
        else:
            rows.setdefault(len(words), []).append((number, words))
    parts = []
    examples = {}
    for count, group in rows.items():
        numbers, values = _numbers(group, count, bad)
        if len(numbers):
            first = int(numbers[0])
            examples[count] = (first, next(" ".join(w) for n, w in group if n == first))
            parts.append(_rows(numbers, values))
    if not parts:
        parts = [_rows(np.zeros(0, np.int64), np.zeros((0, _SHORTEST)))]
    columns = {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
    order = np.argsort(columns["number"], kind="stable")
    return Lines(file, sorted(bad), examples, **{k: v[order] for k, v in columns.items()})


def _numbers(
    group: list[tuple[int, list[str]]], count: int, bad: list[tuple[int, str]]
) -> tuple[np.ndarray, np.ndarray]:
    """(N,) line numbers and (N, count) finite values; what is none goes to ``bad``."""
    flat = [w for _, words in group for w in words]
    try:
        if "_" in "".join(flat):  # Python's own spelling of large numbers
            raise ValueError
        values = np.array(flat, np.float64).reshape(-1, count)
    except ValueError:
        values = np.array([_float(w) for w in flat], np.float64).reshape(-1, count)
    good = np.isfinite(values).all(axis=1)
    for i in np.flatnonzero(~good):
        bad.append((group[i][0], " ".join(group[i][1])))
    numbers = np.array([n for n, _ in group], np.int64)
    return numbers[good], values[good]


def _float(word: str) -> float:
    try:
        return np.nan if "_" in word else float(word)
    except ValueError:
        return np.nan


def _rows(numbers: np.ndarray, values: np.ndarray) -> dict[str, np.ndarray]:
    """The columns of :class:`Lines`, of lines with as many numbers each."""
    count = values.shape[1]
    rest = values[:, 1:]
    nothing = np.zeros(len(values), bool)
    if count > _SHORTEST and count % 2:
        xs, ys = rest[:, 0::2], rest[:, 1::2]
        hull = np.stack([xs.min(1), ys.min(1), xs.max(1), ys.max(1)], axis=1)
    else:
        hull = np.full((len(values), 4), np.nan)
    longer = count > _SHORTEST
    return {
        "number": numbers,
        "count": np.full(len(values), count, np.int64),
        "head": values[:, :5],
        "hull": hull,
        "sixth": values[:, 5] if longer else values[:, -1],
        "last": values[:, -1],
        "points": np.asarray(((rest > -0.01) & (rest < 1.01)).all(axis=1)),
        "pose": _is_pose(values) if longer else nothing,
        "shifted": _is_shifted(values) if longer else nothing,
    }


def _is_shifted(values: np.ndarray) -> np.ndarray:
    second = values[:, 1]
    found: np.ndarray = lies_in_image(values[:, 2:6]) & (second >= 0) & (second <= 1)
    return found


def lies_in_image(boxes: np.ndarray, margin: float = _INSIDE) -> np.ndarray:
    """(N, 4) cx cy w h, relative, to (N,) bool: sides over 0, and within the image."""
    low, high = boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2
    inside = (low > -margin).all(axis=1) & (high < 1 + margin).all(axis=1)
    return np.asarray(inside & (boxes[:, 2:] > 0).all(axis=1), bool)


def _is_pose(values: np.ndarray) -> np.ndarray:
    """Key points of two numbers, or of three, the third of which says how visible it is."""
    keys = values.shape[1] - _SHORTEST
    box = values[:, 1:5]
    slack = 0.1 * box[:, 2:] + 0.01
    low, high = box[:, :2] - box[:, 2:] / 2 - slack, box[:, :2] + box[:, 2:] / 2 + slack
    found = np.zeros(len(values), bool)
    for per in (2, 3):
        if keys % per:
            continue
        points = values[:, _SHORTEST:].reshape(len(values), -1, per)
        inside = (points[..., :2] >= low[:, None]) & (points[..., :2] <= high[:, None])
        fits = inside.all(axis=2) | (points[..., :2] == 0).all(axis=2)
        if per == 3:
            fits &= np.isin(points[..., 2], (0, 1, 2))
        found |= np.asarray(fits.all(axis=1), bool)
    pose: np.ndarray = found & lies_in_image(box)
    return pose
