"""Numbers of YOLO lines: what is plain is taken, what could be two things is asked."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edgectl.data.formats import read_dataset
from edgectl.data.formats.reading.options import ReadOptions
from edgectl.errors import DataError

# class cx cy w h of an image of 100 x 100
BOXES = ["0 0.5 0.5 0.2 0.4", "1 0.2 0.3 0.1 0.1", "0 0.7 0.6 0.2 0.2", "1 0.4 0.8 0.3 0.2"]
CORNERS = [[40, 30, 60, 70], [15, 25, 25, 35], [60, 50, 80, 70], [25, 70, 55, 90]]


def write(root, lines, extra=""):
    for kind in ("images", "labels"):
        (root / kind).mkdir()
    cv2.imwrite(str(root / "images" / "a.png"), np.zeros((100, 100, 3), np.uint8))
    (root / "labels" / "a.txt").write_text("\n".join(lines))
    (root / "data.yaml").write_text(f"names: [a, b]\ntrain: images\n{extra}")
    return root


def corners(root, columns="auto"):
    (sample,) = read_dataset(root, options=ReadOptions(yolo_columns=columns)).splits["train"]
    return np.round(sample.boxes_xyxy, 3).tolist()


@pytest.mark.parametrize(
    ("tails", "extra"),
    [
        (["", "", "", ""], ""),
        ([" 0.91", " 0.5", " 0.88", " 1"], ""),
        ([" 7", " 3", " 4", " 12"], ""),
        ([" 0.9 7", " 0.9 3", " 0.9 4", " 0.9 12"], ""),
        ([" 0.5 0.5 2", " 0.2 0.3 1", " 0 0 0", " 0.4 0.8 2"], "kpt_shape: [1, 3]"),
        # key points need not lie in the box when the description says what they are
        ([" 0.9 0.1", " 0.9 0.1", " 0.9 0.1", " 0.9 0.1"], "kpt_shape: [1, 2]"),
        ([" 0.9", "", " 0.8", ""], ""),
    ],
)
def test_the_first_five_are_the_box(tmp_path, tails, extra):
    lines = [b + t for b, t in zip(BOXES, tails, strict=True)]
    assert corners(write(tmp_path, lines, extra)) == CORNERS


ASKED = {
    "a second number that may be the confidence": [
        "0 0.5 0.5 0.5 0.5 0.5",
        "0 0.4 0.4 0.4 0.4 0.4",
    ],
    "a sixth number that is neither": ["0 0.5 0.5 0.2 0.4 -1.57", "1 0.2 0.3 0.1 0.1 0.3"],
    "an angle twice in an image": ["0 0.5 0.5 0.2 0.4 90", "1 0.2 0.3 0.1 0.1 90"],
    "key points without kpt_shape": [b + " 0.5 0.5" for b in BOXES[:1]],
    "seven that may be a triangle, or a track": [b + " 0.9 1" for b in BOXES[:1]],
    "a polygon and a confidence": ["0 0.1 0.1 0.9 0.1 0.9 0.9 0.7"],
    "a polygon that leaves the image by far": ["0 0.1 0.1 3.9 0.1 0.9 0.9", BOXES[0]],
    "no box on one line": [BOXES[0] + " 0.9", "0 0.9 0.9 0.8 0.8 0.9"],
}


@pytest.mark.parametrize("why", ASKED)
def test_what_could_be_two_things_is_asked(tmp_path, why):
    root = write(tmp_path, ASKED[why])
    with pytest.raises(DataError, match=r"numbers a line: '") as e:
        read_dataset(root)
    assert "--set data.yolo_columns=box" in e.value.fix
    assert "a.txt:" in e.value.where, "the line is shown"
    if not why.startswith("no box"):
        assert len(corners(root, "box")) == len(ASKED[why]), "the remedy works"


def test_polygons_become_the_box_around_them(tmp_path):
    lines = ["0 0.4 0.3 0.6 0.3 0.6 0.7 0.4 0.7", BOXES[1], "1 0.6 0.5 0.8 0.5 0.8 0.7"]
    assert corners(write(tmp_path, lines)) == CORNERS[:3]


def test_pixels_and_corners_are_told_from_shares(tmp_path):
    pixels = ["0 50 50 20 40", "1 20 30 10 10", "0 70 60 20 20", "1 40 80 30 20"]
    (tmp_path / "pixels").mkdir()
    root = write(tmp_path / "pixels", pixels)
    with pytest.raises(DataError, match=r"4 of 4 boxes .* pixels") as e:
        read_dataset(root)
    assert "yolo_columns=pixels" in e.value.fix
    assert corners(root, "pixels") == CORNERS
    (tmp_path / "corners").mkdir()
    # one of four would reach out of the image, and every one is larger than its middle says
    own = [[5, 10, 95, 90], *CORNERS[1:]]
    ends = ["0 " + " ".join(str(v / 100) for v in c) for c in own]
    root = write(tmp_path / "corners", ends)
    with pytest.raises(DataError, match="not cx cy width height") as e:
        read_dataset(root)
    assert "yolo_columns=corners" in e.value.fix
    assert corners(root, "corners") == own


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        ("[no, yes]", ("no", "yes")),
        ("[007, 1.10]", ("007", "1.10")),
        ("{'0': null, '1': ~}", ("null", "~")),
        ("\n  0: 2024-01-01\n  1: 0x10", ("2024-01-01", "0x10")),
    ],
)
def test_names_stay_as_they_are_written(tmp_path, names, classes):
    root = write(tmp_path, BOXES)
    (root / "data.yaml").write_text(f"train: images\nnames: {names}\n")
    assert read_dataset(root).classes == classes


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n"
    for a, b in zip("abcdefghi", "bcdefghij", strict=True)
)


@pytest.mark.parametrize(
    "text",
    [
        BOMB * 2 + "names: *j\ntrain: images",
        "names: " + "[" * 500 + "]" * 500,
        "names: [a, b]\nnames: [b, a]\ntrain: images",
        "names: *nothing\ntrain: images",
        "? [a]\n: b",
        "- a",
    ],
)
def test_yaml_that_is_out_of_bounds_is_one_error(tmp_path, text):
    root = write(tmp_path, BOXES)
    (root / "data.yaml").write_text(text)
    with pytest.raises(DataError) as e:
        read_dataset(root)
    assert e.value.where.endswith("data.yaml") and "\n" not in str(e.value)
