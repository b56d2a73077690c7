from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from edgectl.config.schema import AugmentConfig
from edgectl.data.formats import read_dataset
from edgectl.data.images.cache import ImageCache
from edgectl.data.images.preprocess import decode, resize_image
from edgectl.data.loading.loader import Batch, EvalLoader, TrainLoader
from edgectl.errors import DataError
from edgectl.labels import Sample
from edgectl.spec import PreprocessSpec

SPEC = PreprocessSpec((64, 96))


@pytest.fixture(scope="module")
def samples(demo_root: Path) -> tuple[Sample, ...]:
    return read_dataset(demo_root).splits["train"]


def loader(samples: tuple[Sample, ...], *, batch: int = 4, seed: int = 0) -> TrainLoader:
    return TrainLoader(ImageCache(samples, SPEC), SPEC, AugmentConfig(), batch=batch, seed=seed)


def same(a: Batch, b: Batch) -> bool:
    return (
        torch.equal(a.images, b.images)
        and a.indices == b.indices
        and all(map(torch.equal, a.targets.boxes_xyxy, b.targets.boxes_xyxy))
        and all(map(torch.equal, a.targets.labels, b.targets.labels))
    )


def test_an_epoch_can_be_replayed(samples: tuple[Sample, ...]) -> None:
    """Whatever was iterated before, and in a new process: that is what resuming stands on."""
    first = loader(samples)
    for e in range(2):
        list(first.epoch(e, total_epochs=5))
    third = list(first.epoch(2, total_epochs=5))
    again = list(loader(samples).epoch(2, total_epochs=5))
    assert len(third) == 3 and all(map(same, third, again))


def test_epochs_and_seeds_differ(samples: tuple[Sample, ...]) -> None:
    one = loader(samples)
    a, b = (next(iter(one.epoch(e, total_epochs=5))) for e in (0, 1))
    c = next(iter(loader(samples, seed=1).epoch(0, total_epochs=5)))
    assert not same(a, b) and not same(a, c)


def test_batches_are_full_and_cover_the_set(samples: tuple[Sample, ...]) -> None:
    batches = list(loader(samples, batch=4).epoch(0, total_epochs=1))
    assert sorted(i for b in batches for i in b.indices) == list(range(len(samples)))
    for b in batches:
        assert b.images.shape == (4, 3, 64, 96) and b.images.dtype == torch.uint8
        assert b.images.is_contiguous(memory_format=torch.channels_last)
        for boxes, labels in zip(b.targets.boxes_xyxy, b.targets.labels, strict=True):
            assert boxes.shape == (len(labels), 4)
            assert boxes.dtype == torch.float32 and labels.dtype == torch.int64
            assert (boxes[:, 2:] > boxes[:, :2]).all() and (boxes >= 0).all()
            assert (boxes[:, 2] <= 96).all() and (boxes[:, 3] <= 64).all()


def test_incomplete_batch_is_dropped_and_a_small_set_wraps(samples: tuple[Sample, ...]) -> None:
    five = loader(samples, batch=5)
    assert five.steps_per_epoch == 2 == len(list(five.epoch(0, total_epochs=1)))
    three = loader(samples[:3], batch=8)
    (only,) = three.epoch(0, total_epochs=1)
    assert len(only.images) == 8 and set(only.indices) == {0, 1, 2}


def test_repeats_show_every_image_again_and_differently(samples: tuple[Sample, ...]) -> None:
    config = AugmentConfig(repeats=2, window=(0.5, 1.0))
    twice = TrainLoader(ImageCache(samples, SPEC), SPEC, config, batch=4, seed=0)
    batches = list(twice.epoch(0, total_epochs=1))
    assert twice.steps_per_epoch == len(batches) == 2 * loader(samples).steps_per_epoch
    assert sorted(i for b in batches for i in b.indices) == sorted([*range(len(samples))] * 2)
    seen: dict[int, list[torch.Tensor]] = {}
    for b in batches:
        assert b.images.shape == (4, 3, 32, 96)
        for i, image in zip(b.indices, b.images, strict=True):
            seen.setdefault(i, []).append(image)
    assert not any(torch.equal(*images) for images in seen.values())


def test_mosaic_stops_for_the_last_epochs(samples: tuple[Sample, ...]) -> None:
    config = AugmentConfig(
        mosaic=1.0, mosaic_off_fraction=0.5, flip=0, hue=0, saturation=0, value=0
    ).model_copy(update={"scale": (1.0, 1.0), "translate": 0.0})
    train = TrainLoader(ImageCache(samples, SPEC), SPEC, config, batch=12, seed=0)
    most = max(len(s.labels) for s in samples)
    (early,) = train.epoch(1, total_epochs=4)
    (late,) = train.epoch(2, total_epochs=4)
    assert max(map(len, early.targets.labels)) > most
    for i, labels in zip(late.indices, late.targets.labels, strict=True):
        assert sorted(labels.tolist()) == sorted(samples[i].labels.tolist())


def loader_threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "edgectl-loader"]


def test_leaving_an_epoch_stops_its_thread(samples: tuple[Sample, ...]) -> None:
    batches = loader(samples, batch=1).epoch(0, total_epochs=1)
    next(batches)
    assert loader_threads()
    time.sleep(0.05)  # the queue is full now, and the thread waits
    batches.close()  # type: ignore[attr-defined]
    assert not loader_threads()


def test_errors_of_the_thread_reach_the_consumer(
    samples: tuple[Sample, ...], tmp_path: Path
) -> None:
    gone = replace(samples[0], path=tmp_path / "gone.jpg")
    cache = ImageCache([gone], SPEC, enabled=False)
    train = TrainLoader(cache, SPEC, AugmentConfig(), batch=1, seed=0)
    with pytest.raises(DataError, match=r"gone.jpg"):
        list(train.epoch(0, total_epochs=1))
    assert not loader_threads()


def test_no_images_is_a_data_error() -> None:
    with pytest.raises(DataError, match="no images"):
        loader(())


def test_cache_shrinks_and_scales_boxes(samples: tuple[Sample, ...]) -> None:
    cache = ImageCache(samples, SPEC)
    assert cache.nbytes == sum(cache[i].pixels.nbytes for i in range(len(cache))) > 0
    for i, sample in enumerate(samples):
        image = cache[i]
        height, width = image.pixels.shape[:2]
        # about twice the 64 x 96 input on the tighter side, never enlarged
        assert height <= 129 or width <= 193
        np.testing.assert_allclose(
            image.boxes_xyxy / np.array([width, height] * 2),
            sample.boxes_xyxy / np.array([sample.width, sample.height] * 2),
            atol=1e-4,
        )


def test_cache_off_gives_the_same_images(samples: tuple[Sample, ...]) -> None:
    off, on = ImageCache(samples[:2], SPEC, enabled=False), ImageCache(samples[:2], SPEC)
    assert off.nbytes == 0
    for i in range(2):
        np.testing.assert_array_equal(off[i].pixels, on[i].pixels)


def test_eval_images_are_exactly_the_spec(samples: tuple[Sample, ...]) -> None:
    evaluation = EvalLoader(samples, SPEC, 5)
    for _ in range(2):  # the second time from memory
        batches = list(evaluation)
        assert [len(b.images) for b in batches] == [5, 5, 2]
        assert [s for b in batches for s in b.samples] == list(samples), "in order"
    image, geometry = resize_image(decode(samples[6].path), SPEC)
    np.testing.assert_array_equal(batches[1].images[1], image)
    np.testing.assert_array_equal(
        batches[1].targets.boxes_xyxy[1], geometry.to_input(samples[6].boxes_xyxy)
    )


def test_broken_off_evaluation_starts_over(samples: tuple[Sample, ...]) -> None:
    evaluation = EvalLoader(samples, SPEC, 5)
    next(iter(evaluation))
    assert sum(len(b.images) for b in evaluation) == len(samples)


def test_crowd_is_neither_trained_on_nor_scored(samples: tuple[Sample, ...]) -> None:
    sample = next(s for s in samples if len(s.labels) > 1)
    crowd = np.zeros(len(sample.labels), bool)
    crowd[0] = True
    marked = replace(sample, crowd=crowd)
    (batch,) = EvalLoader([marked], SPEC, 1)
    assert len(batch.targets.labels[0]) == len(sample.labels) - 1
    assert len(ImageCache([marked], SPEC)[0].labels) == len(sample.labels) - 1


def test_crowd_regions_teach_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, 100, (48, 64, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), drawn[..., ::-1])
    boxes = np.array([[8, 8, 40.5, 40], [30, 20, 50, 44]], np.float32)
    sample = Sample(tmp_path / "a.png", 64, 48, boxes, np.array([0, 1]), np.array([True, False]))
    (image,) = ImageCache([sample], SPEC)
    expected = drawn.copy()
    expected[8:40, 8:41] = SPEC.pad_value
    expected[20:44, 30:50] = drawn[20:44, 30:50]
    np.testing.assert_array_equal(image.pixels, expected)
    np.testing.assert_array_equal(image.boxes_xyxy, boxes[1:])
    # what is scored is the image as it is
    (batch,) = EvalLoader([sample], PreprocessSpec((48, 64)), 1)
    np.testing.assert_array_equal(batch.images[0], drawn)
