from __future__ import annotations

import numpy as np

from edgectl.config.schema import AugmentConfig
from edgectl.data.images.cache import Image
from edgectl.data.loading.augment import augment
from edgectl.spec import PreprocessSpec

SPEC = PreprocessSpec((32, 32))
STILL = {"mosaic": 0.0, "flip": 0.0, "scale": (1.0, 1.0), "translate": 0.0}
NOISE = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)


def make(seed=0, **settings):
    color = {"hue": 0.0, "saturation": 0.0, "value": 0.0}
    config = AugmentConfig(**{**STILL, **color, **settings})
    image = Image(NOISE, np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    rng = np.random.default_rng(seed)
    return augment(0, lambda _: image, 1, SPEC, config, rng, mosaic=False)[0]


def test_grey_takes_the_color_out():
    # color is changed for four samples in five
    greys = [np.ptp(make(seed, grey=1.0), axis=2).max() == 0 for seed in range(20)]
    assert 10 < sum(greys) < 20


def test_blur_softens():
    sharp, soft = (np.diff(make(blur=b).astype(int), axis=1).std() for b in (0.0, 1.0))
    assert soft < 0.7 * sharp
