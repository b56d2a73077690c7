"""Copies are found however they were made, and a fixed camera is one group."""

from __future__ import annotations

import os
import time
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgectl.data.inspect.copies import find_copies
from edgectl.data.inspect.groups import group_copies
from edgectl.data.inspect.similarity import fingerprint
from edgectl.data.inspect.survey import ImageFacts

DATA = Path(os.environ.get("EDGECTL_DATA", Path(__file__).parents[3] / "shared" / "data"))
needs_data = pytest.mark.skipif(not (DATA / "coco_mask").is_dir(), reason="coco_mask is absent")
KINDS = ("encoded", "resized", "cropped", "mirrored", "brightness", "all")


def scene(seed, size=(160, 120)):
    rng = np.random.default_rng(seed)
    image = np.full((size[1], size[0], 3), rng.integers(60, 200, 3), np.uint8)
    for _ in range(25):
        center = tuple(int(v) for v in rng.integers(0, size))
        axes = tuple(int(v) for v in rng.integers(4, 30, 2))
        color = tuple(int(v) for v in rng.integers(0, 256, 3))
        cv2.ellipse(image, center, axes, int(rng.integers(180)), 0, 360, color, -1)
    return image


def copied(image, kind, rng):
    """The image as somebody else's tool has left it."""
    height, width = image.shape[:2]
    if kind in ("cropped", "all"):
        left, top, right, bottom = rng.uniform(0, 0.05, 4) * (width, height, width, height)
        image = image[int(top) : height - int(bottom), int(left) : width - int(right)]
    if kind in ("resized", "all"):
        image = cv2.resize(image, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)
    if kind == "mirrored" or (kind == "all" and rng.random() < 0.5):
        image = image[:, ::-1]
    if kind in ("brightness", "all"):
        factor = 0.8 if rng.random() < 0.5 else 1.2
        image = np.clip(image * factor, 0, 255).astype(np.uint8)
    quality = int(rng.integers(30, 96)) if kind in ("encoded", "all") else 95
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    _, data = cv2.imencode(".jpg", np.ascontiguousarray(image), options)
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def found_share(originals, count, seed):
    """(share of planted copies in their original's group, groups that join different images)."""
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(originals), count, replace=count > len(originals))
    planted = [copied(originals[i], KINDS[k % len(KINDS)], rng) for k, i in enumerate(chosen)]
    of = [*range(len(originals)), *chosen.tolist()]
    groups = group_copies([fingerprint(p) for p in (*originals, *planted)])
    group_of = {i: n for n, g in enumerate(groups) for i in g}
    hits = [group_of.get(of[j], -1) == group_of.get(j, -2) for j in range(len(originals), len(of))]
    wrong = [g for g in groups if len({of[i] for i in g}) > 1]
    return float(np.mean(hits)), wrong


def test_copies_of_drawn_scenes_are_found():
    share, wrong = found_share([scene(i) for i in range(40)], 60, seed=0)
    assert share >= 0.95
    assert not wrong


@needs_data
@pytest.mark.slow
def test_two_hundred_copies_of_photographs_are_found():
    files = sorted(p for s in ("coco_mask", "coco128") for p in (DATA / s).rglob("*.jpg"))
    photographs = [cv2.imread(str(p)) for p in files]
    for seed in range(3):
        share, wrong = found_share(photographs, 200, seed)
        assert share >= 0.95
        assert not wrong


def test_a_scene_that_drifts_is_one_group():
    wide = scene(3, (400, 120))
    frames = [fingerprint(wide[:, x : x + 160]) for x in range(0, 60, 3)]
    assert group_copies(frames) == [list(range(20))]


def test_frames_of_a_fixed_camera_are_one_group_and_as_many_steps():
    rng = np.random.default_rng(0)
    view = scene(7).astype(np.int16)
    frames = [view + rng.integers(-6, 7, view.shape, np.int16) for _ in range(300)]
    for i, frame in enumerate(frames):
        frame[10:20, i % 150 : i % 150 + 10] = 255  # something passes
    alike = [fingerprint(np.clip(f, 0, 255).astype(np.uint8)) for f in frames]
    started = time.process_time()
    tracemalloc.start()
    groups = group_copies(alike)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    seconds = time.process_time() - started
    assert groups == [list(range(300))]
    assert peak < 16 << 20
    assert seconds < 30  # 45,000 pairs at about 2 ms would be 90

    facts = [
        ImageFacts("valid" if i >= 250 else "train", Path(f"{i}.jpg"), (1, 1), (1, 1), "")
        for i in range(300)
    ]
    found = list(find_copies(facts, groups))
    assert [f.kind for f in found] == ["near_duplicate", "leakage", "near_duplicate"]
    assert "50 images of valid and 250 of train" in found[1].detail
    assert len(found[1].files) == 300


def test_blank_images_are_no_copies():
    blank = [fingerprint(np.full((40, 40, 3), v, np.uint8)) for v in (0, 0, 200)]
    assert group_copies(blank) == []
