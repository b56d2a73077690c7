"""Which images are held back, calibrated on, and counted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from edgectl.data.formats import read_dataset
from edgectl.data.images.preprocess import decode, resize_image
from edgectl.data.index import DatasetIndex
from edgectl.data.inspect.stats import describe
from edgectl.data.select.calibration import calibration_from_directory, calibration_list
from edgectl.data.select.holdout import split_holdout
from edgectl.errors import DataError
from edgectl.labels import Sample
from edgectl.spec import PreprocessSpec


def sample(name: str, labels: Sequence[int], side: float = 10.0) -> Sample:
    boxes = np.tile(np.array([0, 0, side, side], np.float32), (len(labels), 1))
    return Sample(
        Path(name), 640, 480, boxes, np.array(labels, np.int64), np.zeros(len(labels), bool)
    )


COMMON = [sample(f"{i}.jpg", [0, 0]) for i in range(38)]
RARE = [sample("rare-a.jpg", [0, 1]), sample("rare-b.jpg", [1])]


@pytest.mark.parametrize("seed", range(5))
def test_holdout_covers_the_classes_on_both_sides(seed: int) -> None:
    samples = [*COMMON, *RARE]
    kept, held = split_holdout(samples, 0.1, seed)
    assert len(held) == 4 and len(kept) == 36
    assert {*(s.path for s in kept), *(s.path for s in held)} == {s.path for s in samples}
    for side in (kept, held):
        assert {int(c) for s in side for c in s.labels} == {0, 1}
        order = [samples.index(s) for s in side]
        assert order == sorted(order)


@pytest.mark.parametrize("seed", range(60))
def test_every_class_of_two_images_is_on_both_sides(seed: int) -> None:
    """Also where bringing one class over takes another's only image away."""
    rng = np.random.default_rng(seed)
    samples = [
        sample(f"{i}.jpg", rng.integers(8, size=rng.integers(1, 4)).tolist()) for i in range(30)
    ]
    kept, held = split_holdout(samples, 0.15, seed)
    assert len(kept) + len(held) == 30 and held
    for label in range(8):
        having = sum(label in s.labels for s in samples)
        sides = [any(label in s.labels for s in side) for side in (kept, held)]
        assert having < 2 or sides[0], "never only held back"
        assert having < 6 or all(sides)


def test_holdout_is_a_matter_of_the_seed() -> None:
    splits = [tuple(s.path for s in split_holdout(COMMON, 0.2, seed)[1]) for seed in (0, 0, 1)]
    assert splits[0] == splits[1] != splits[2]


@pytest.mark.parametrize(("count", "fraction"), [(38, 0.0), (10, 0.1), (0, 0.1)])
def test_too_few_to_hold_back(count: int, fraction: float) -> None:
    kept, held = split_holdout(COMMON[:count], fraction, 0)
    assert kept == tuple(COMMON[:count]) and held == ()


def test_a_class_on_one_image_only_may_go_to_either_side() -> None:
    kept, held = split_holdout([*COMMON, RARE[0]], 0.1, 0)
    assert len(kept) + len(held) == 39


def test_calibration_list_is_deterministic_and_hashed(demo_root: Path) -> None:
    samples = read_dataset(demo_root).splits["train"]
    chosen, again, other = (calibration_list(samples, 6, seed) for seed in (0, 0, 1))
    assert len(set(chosen.names)) == 6
    assert chosen == again
    assert (chosen.names, chosen.sha256) != (other.names, other.sha256)
    assert calibration_list(samples, 5, 0).sha256 != chosen.sha256
    assert len(calibration_list(samples, 100, 0).names) == 12
    document = chosen.to_dict()
    assert document["count"] == 6 and document["source"] == "train" and document["seed"] == 0


def test_calibration_hash_follows_the_bytes(demo_root: Path, tmp_path: Path) -> None:
    for name in ("0000.jpg", "0001.jpg"):
        (tmp_path / name).write_bytes((demo_root / "train" / name).read_bytes())
    before = calibration_from_directory(tmp_path, 2, 0)
    with (tmp_path / "0001.jpg").open("ab") as f:
        f.write(b"\0")
    assert calibration_from_directory(tmp_path, 2, 0).sha256 != before.sha256


def test_calibration_covers_rare_classes(tmp_path: Path) -> None:
    samples = [sample(str(tmp_path / s.path.name), s.labels.tolist()) for s in (*COMMON, *RARE)]
    for s in samples:
        s.path.write_bytes(b"never decoded here")
    for seed in range(5):
        assert any("rare" in n for n in calibration_list(samples, 3, seed).names)


def test_calibration_images_are_those_of_evaluation(demo_root: Path) -> None:
    spec = PreprocessSpec((48, 64))
    chosen = calibration_from_directory(demo_root / "valid", 3, 0)
    batches = list(chosen.images(spec, 2))
    assert [b.shape for b in batches] == [(2, 48, 64, 3), (1, 48, 64, 3)]
    expected, _ = resize_image(decode(chosen.files[2]), spec)
    np.testing.assert_array_equal(batches[1][0], expected)


def test_nothing_to_calibrate_on(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no images"):
        calibration_from_directory(tmp_path, 3, 0)
    with pytest.raises(DataError, match="no images"):
        calibration_list([], 3, 0)


def test_describe_counts(tmp_path: Path) -> None:
    # COCO: small below 32 x 32, large from 96 x 96 on
    samples = (
        sample("a", [0], 31.9),
        sample("b", [0, 1], 32.0),
        sample("c", [1], 95.9),
        sample("d", [1], 96.0),
        sample("e", []),
    )
    index = DatasetIndex("x", tmp_path, "coco-file", ("mask", "no-mask"), {"train": samples})
    split = describe(index)["splits"]["train"]
    assert split["images"] == 5 and split["empty_images"] == 1 and split["boxes"] == 5
    assert split["classes"] == [{"name": "mask", "count": 2}, {"name": "no-mask", "count": 3}]
    assert split["sizes"] == {"small": 1, "medium": 3, "large": 1}
