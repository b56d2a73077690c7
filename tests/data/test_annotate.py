from __future__ import annotations

import numpy as np
import pytest

from edgectl.data.images.annotate import Mark, annotate, color_class


@pytest.mark.parametrize("side", [32, 96, 640, 3000])
def test_labels_stay_inside_and_grow_with_the_image(side: int) -> None:
    image = np.zeros((side, side, 3), np.uint8)
    corner = [side * 0.9, 0.0, side * 0.99, side * 0.1]
    drawn = annotate(image, [Mark("mask 0.93", (0, 255, 0), corner)])
    assert drawn.shape == image.shape and not image.any()
    rows = np.flatnonzero((drawn == (0, 255, 0)).all(axis=2).any(axis=1))
    assert rows[0] == 0  # no room above the box: the plate is inside the image
    assert len(rows) >= side / 42


def test_every_class_has_a_color_of_its_own() -> None:
    colors = [color_class(i) for i in range(80)]
    assert len(set(colors)) == 80


def test_other_scripts_are_written() -> None:
    image = np.zeros((200, 300, 3), np.uint8)
    ascii_, cyrillic = (annotate(image, [Mark(t, (255, 255, 255))]) for t in ("????", "маска"))
    assert not np.array_equal(ascii_, cyrillic)


def test_dashed_boxes_leave_gaps() -> None:
    image = np.zeros((200, 200, 3), np.uint8)
    box = [20.0, 20.0, 180.0, 180.0]
    whole = annotate(image, [Mark("", (0, 0, 255), box)])
    dashed = annotate(image, [Mark("", (0, 0, 255), box, dashed=True)])
    assert 0.2 < (dashed[20, 20:180, 2] > 0).mean() < 0.8 < (whole[20, 20:180, 2] > 0).mean()
