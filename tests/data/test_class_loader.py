from __future__ import annotations

import numpy as np
import pytest
import torch

from edgectl.config.schema import ClassifyConfig
from edgectl.data.images.cache import Image
from edgectl.data.loading.class_loader import ClassTrainLoader, augment_whole
from edgectl.data.loading.mixup import mix
from edgectl.data.loading.randaugment import OPERATIONS, randaugment
from edgectl.spec import PreprocessSpec

SPEC = PreprocessSpec((24, 32), resize="stretch")
PLAIN = ClassifyConfig(crop_area=(1.0, 1.0), crop_ratio=(1.0, 1.0), flip=0.0, randaugment=0)
NOTHING = (np.zeros((0, 4), np.float32), np.zeros(0, np.int64))


class Images(list):
    """A cache of random images of different sizes, label i % 3."""

    def __init__(self, count):
        rng = np.random.default_rng(0)
        shapes = rng.integers(20, 60, (count, 2))
        super().__init__(
            Image(rng.integers(0, 256, (*s, 3), np.uint8), *NOTHING, i % 3)
            for i, s in enumerate(shapes)
        )
        self.labels = np.arange(count) % 3


def loader(config, count=12, batch=4, labels=None):
    images = Images(count)
    labels = images.labels if labels is None else np.array(labels)
    return ClassTrainLoader(images, labels, SPEC, config, num_classes=3, batch=batch, seed=5)


def batches(config, epoch=0, **kwargs):
    return list(loader(config, **kwargs).epoch(epoch, total_epochs=4))


@pytest.mark.parametrize("mixing", [{}, {"mixup": 0.2}, {"cutmix": 1.0, "mixup": 1.0}])
def test_a_batch_is_a_function_of_seed_epoch_and_position(mixing):
    config = ClassifyConfig(randaugment=2, **mixing)
    torch.manual_seed(1)
    first = batches(config)
    torch.manual_seed(2)
    second, later = batches(config), batches(config, epoch=1)
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a.images, b.images)
        assert torch.equal(a.targets.image_labels, b.targets.image_labels)
    assert not torch.equal(first[0].images, later[0].images)


def test_shapes_and_labels():
    (batch, *_) = batches(PLAIN)
    assert batch.images.shape == (4, 3, 24, 32)
    assert batch.images.dtype == torch.uint8
    assert batch.targets.image_labels.tolist() == [i % 3 for i in batch.indices]
    assert batch.targets.image_weights is None
    assert [len(b) for b in batch.targets.boxes_xyxy] == [0] * 4


def test_a_set_smaller_than_a_batch_is_gone_through_again():
    (batch,) = batches(PLAIN, count=3, batch=8)
    assert len(batch.indices) == 8
    assert min(batch.indices.count(i) for i in range(3)) >= 2


def test_balanced_weights_make_classes_count_alike():
    labels = [0] * 9 + [1] * 3
    found = batches(ClassifyConfig(class_weights="balanced"), count=12, batch=12, labels=labels)[
        0
    ].targets
    total = [float(found.image_weights[found.image_labels == c].sum()) for c in (0, 1)]
    assert total == pytest.approx([6.0, 6.0])


def test_mixed_labels_are_shares():
    for config in (ClassifyConfig(mixup=1.0), ClassifyConfig(cutmix=1.0)):
        shares = batches(config)[0].targets.image_labels
        assert shares.shape == (4, 3)
        assert shares.sum(dim=1).tolist() == pytest.approx([1.0] * 4)


def rolled(images):
    """Each image with the one before it."""
    shares = torch.eye(len(images))
    return (images, shares), (images.roll(1, 0), shares.roll(1, 0))


def test_cutmix_shares_are_the_areas():
    images = torch.stack([torch.full((3, 20, 30), v, dtype=torch.uint8) for v in (0, 200)])
    config = ClassifyConfig(cutmix=1.0)
    for seed in range(8):
        mixed, shares = mix(*rolled(images), config, np.random.default_rng(seed))
        kept = (mixed[0, 0] == 0).float().mean()
        assert float(shares[0, 0]) == pytest.approx(float(kept))


def test_mixup_is_the_weighted_mean():
    images = torch.stack([torch.full((3, 4, 4), v, dtype=torch.uint8) for v in (0, 200)])
    config = ClassifyConfig(mixup=1.0)
    mixed, shares = mix(*rolled(images), config, np.random.default_rng(3))
    assert float(mixed[0, 0, 0, 0]) == pytest.approx(200 * float(shares[0, 1]), abs=0.5)


def test_without_augmentation_a_sample_is_what_evaluation_sees():
    from edgectl.data.images.preprocess import resize_image

    image = Images(1)[0].pixels
    for resize in ("stretch", "letterbox"):
        spec = PreprocessSpec((24, 32), resize=resize)
        made = augment_whole(image, spec, PLAIN, np.random.default_rng(0))
        seen, _ = resize_image(image[:, :, ::-1], spec)
        assert np.array_equal(made, seen)


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("strength", [-1.0, 0.4, 1.0])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_operation_keeps_shape_and_type(name, strength, channels):
    x = torch.randint(0, 256, (channels, 17, 23), dtype=torch.uint8)
    y = OPERATIONS[name](x, strength, 114.0)
    assert y.shape == x.shape
    assert y.dtype == torch.uint8


def test_randaugment_keeps_the_channel_order():
    """An operation that treats colors differently sees red first in both orders."""
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    for seed in range(12):
        made = {}
        for order in ("rgb", "bgr"):
            spec = PreprocessSpec((16, 16), channel_order=order)
            given = image if order == "rgb" else image[:, :, ::-1]
            made[order] = randaugment(
                given, spec, np.random.default_rng(seed), operations=2, magnitude=0.5
            )
        assert np.array_equal(made["rgb"], made["bgr"][:, :, ::-1])
