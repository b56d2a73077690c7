from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edgectl.data.catalog.cartoon import Pen, draw_head
from edgectl.data.catalog.demo import CLASSES, SPLITS, draw_scene, draw_split
from edgectl.data.formats import read_dataset
from edgectl.data.inspect.stats import describe


def contents(directory: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(directory.iterdir())}


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    for name, key in (("a", (0, 1)), ("b", (0, 1)), ("other", (1, 1)), ("split", (0, 2))):
        draw_split(tmp_path / name, 3, key)
    first = contents(tmp_path / "a")
    assert len(first) == 4
    assert contents(tmp_path / "b") == first
    assert contents(tmp_path / "other")["0000.jpg"] != first["0000.jpg"]
    assert contents(tmp_path / "split")["0000.jpg"] != first["0000.jpg"]


def test_reads_as_a_sound_set(demo_root: Path) -> None:
    index = read_dataset(demo_root)
    assert index.format == "coco-roboflow" and index.classes == CLASSES
    assert not index.repairs
    described = describe(index)["splits"]["train"]
    assert described["images"] == 12
    assert all(c["count"] > 5 for c in described["classes"])
    for sample in index.splits["train"]:
        assert 1 <= len(sample.labels) <= 6
        assert min(sample.width, sample.height) >= 256 and max(sample.width, sample.height) <= 480


def test_heads_do_not_hide_each_other() -> None:
    for seed in range(20):
        image, boxes, labels = draw_scene(np.random.default_rng(seed))
        height, width = image.shape[:2]
        assert len(boxes) == len(labels) >= 1
        assert (boxes[:, :2] >= 0).all() and (boxes[:, 2:] <= [width, height]).all()
        for i, a in enumerate(boxes):
            for b in boxes[i + 1 :]:
                overlap = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
                # the clearance is round; hair and ears may touch
                assert (overlap < 3).any()


@pytest.mark.parametrize("masked", [True, False])
def test_box_bounds_the_head(masked: bool) -> None:
    """All that differs from the empty canvas, a corner of the mask apart."""
    for seed in range(10):
        canvas = np.full((200, 200, 3), 255, np.uint8)
        canvas[..., 1] = 0
        empty = canvas.copy()
        pen = Pen.at(canvas, (100.0, 100.0), (50.0, 60.0), 0.1)
        x0, y0, x1, y1 = draw_head(pen, np.random.default_rng(seed), masked=masked)
        ys, xs = np.nonzero((canvas != empty).any(-1))
        drawn = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
        np.testing.assert_allclose([x0, y0, x1, y1], drawn, atol=4)


def test_mean_color_does_not_tell_the_classes(demo_root: Path) -> None:
    """The best threshold on the mean of any channel leaves a third of the heads wrong."""
    colors, labels = [], []
    for sample in read_dataset(demo_root).splits["train"]:
        image = cv2.imread(str(sample.path))
        for (x0, y0, x1, y1), label in zip(
            sample.boxes_xyxy.astype(int), sample.labels, strict=True
        ):
            colors.append(image[y0:y1, x0:x1].mean((0, 1)))
            labels.append(label)
    values, truth = np.array(colors), np.array(labels)
    for channel in values.T:
        hits = [((channel > t) == truth).mean() for t in channel]
        assert max(*hits, *(1 - h for h in hits)) < 0.75


def test_whole_set_is_a_few_hundred_images() -> None:
    assert sum(SPLITS.values()) == 420 and set(SPLITS) == {"train", "valid", "test"}
