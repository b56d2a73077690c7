"""The best and the worst images of a split, with what was found, missed and made up drawn in."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from edgectl.data.images.annotate import Bgr, Mark, annotate
from edgectl.data.images.orientation import read_labelled
from edgectl.data.images.preprocess import resize_image
from edgectl.labels import Sample
from edgectl.report.evidence import SeenImage
from edgectl.spec import PreprocessSpec
from edgectl.tasks.lookup import load_task

FOUND: Bgr = (90, 200, 80)
MISSED: Bgr = (0, 190, 255)
WRONG: Bgr = (235, 90, 235)
_UNCOUNTED: Bgr = (190, 190, 190)
_SIDE = 480
_NAMED = 6
"""Missed objects up to which each has its name beside it; more hide what they are about."""
_QUALITY = 82


@dataclass(frozen=True)
class Example:
    """A picture for the page. ``uri`` holds the JPEG itself; ``words`` say what is in it."""

    uri: str
    name: str
    words: str


def choose_examples(
    images: Sequence[SeenImage], most: int
) -> tuple[list[SeenImage], list[SeenImage]]:
    """The images with most mistakes, and of those without the ones with most hits. Without matches, none are
    the worst and the first stand for all."""
    if any(i.matches is None for i in images):
        return [], list(images[:most])
    worst = sorted((i for i in images if i.mistakes), key=lambda i: (-i.mistakes, i.hits))
    best = sorted((i for i in images if not i.mistakes and i.hits), key=lambda i: -i.hits)
    return worst[:most], best[:most]


def draw_example(
    seen: SeenImage, spec: PreprocessSpec, task: str, classes: Sequence[str]
) -> Example:
    """Raises what reading the image raises."""
    pixels, upright = read_labelled(seen.sample)
    height, width = pixels.shape[:2]
    rows = load_task(task).describe_results(
        seen.found, resize_image(pixels, spec)[1], (height, width), classes
    )
    scale = _SIDE / max(height, width)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    canvas = cv2.resize(pixels, (round(width * scale), round(height * scale)), interpolation=way)
    if seen.matches is None:
        drawn = load_task(task).draw_results(canvas, _scaled(rows, scale), classes)
    else:
        drawn = annotate(canvas, _marks(seen, upright, _scaled(rows, scale), classes, scale))
    done, data = cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    assert done
    uri = "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()
    return Example(uri, seen.sample.path.name, _describe(seen, classes))


def _marks(
    seen: SeenImage,
    upright: Sample,
    rows: Sequence[dict[str, Any]],
    classes: Sequence[str],
    scale: float,
) -> list[Mark]:
    matches = seen.matches
    assert matches is not None
    missed = np.flatnonzero(matches.missed(0.0))
    boxes = upright.boxes_xyxy[~upright.crowd] * scale
    marks = []
    crowded = len(missed) > _NAMED
    for k in missed:
        name = "" if crowded else classes[int(matches.truth[k])]
        if upright.image_label is not None:
            marks.append(Mark(f"is {name}", MISSED))
        else:
            marks.append(Mark(name, MISSED, boxes[k].tolist(), dashed=True))
    shown = rows[: len(matches.match)]
    for row, found, counts in zip(shown, matches.match, matches.counts, strict=True):
        color = FOUND if found >= 0 else WRONG if counts else _UNCOUNTED
        marks.append(Mark(f"{row['label']} {row['score']:.2f}", color, row.get("box")))
    return marks


def _scaled(rows: Sequence[dict[str, Any]], scale: float) -> list[dict[str, Any]]:
    """Boxes and points in the pixels of the picture on the page."""
    scaled = []
    for row in rows:
        places = [k for k in ("box", "point") if row.get(k) is not None]
        moved: dict[str, Any] = {k: [float(v) * scale for v in row[k]] for k in places}
        scaled.append({**row, **moved})
    return scaled


def _describe(seen: SeenImage, classes: Sequence[str]) -> str:
    matches = seen.matches
    if matches is None:
        return ""
    missed, wrong = int(matches.missed(0.0).sum()), int(matches.false_alarms(0.0).sum())
    if seen.sample.image_label is not None:
        said = classes[int(matches.labels[0])]
        true = classes[int(matches.truth[0])]
        return (
            f"{true}, said {said} {matches.scores[0]:.2f}"
            if missed
            else f"{true} {matches.scores[0]:.2f}"
        )
    return f"{seen.hits} of {len(matches.truth)} found, {wrong} false"
