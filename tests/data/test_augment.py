from __future__ import annotations

import math

import numpy as np
import pytest

from edgectl.config.schema import AugmentConfig
from edgectl.data.images.cache import Image
from edgectl.data.loading.augment import Window, augment, jitter_color, sample_size, warp_boxes
from edgectl.spec import PreprocessSpec

SPEC = PreprocessSpec((96, 128))
BACKGROUND = 20
PLAIN = AugmentConfig(mosaic=0.0, hue=0.0, saturation=0.0, value=0.0)


def marked(height: int, width: int, seed: int) -> Image:
    """A dark image with one rectangle of a color of its own."""
    rng = np.random.default_rng(seed)
    pixels = np.full((height, width, 3), BACKGROUND, np.uint8)
    x0, y0 = int(rng.integers(width - 60)), int(rng.integers(height - 60))
    x1, y1 = x0 + int(rng.integers(30, 60)), y0 + int(rng.integers(30, 60))
    pixels[y0:y1, x0:x1, seed % 3] = 255
    return Image(pixels, np.array([[x0, y0, x1, y1]], np.float32), np.array([seed % 3]))


IMAGES = [marked(150, 200, 0), marked(200, 150, 1), marked(180, 180, 2)]


def extent(pixels: np.ndarray, channel: int) -> np.ndarray:
    """(4,) box of what has that color."""
    others = [c for c in range(3) if c != channel]
    strong = (pixels[..., channel] > 137) & (pixels[..., others] < 80).all(-1)
    ys, xs = np.nonzero(strong)
    return np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1], np.float32)


@pytest.mark.parametrize("flip", [0.0, 1.0])
@pytest.mark.parametrize("resize", ["letterbox", "stretch"])
def test_box_stays_on_its_object(flip: float, resize: str) -> None:
    spec = PreprocessSpec((96, 128), resize=resize)  # type: ignore[arg-type]
    config = PLAIN.model_copy(update={"flip": flip})
    seen = 0
    for i in range(60):
        out, boxes, labels = augment(
            i % 3, IMAGES.__getitem__, 3, spec, config, np.random.default_rng(i), mosaic=True
        )
        assert out.shape == (96, 128, 3) and out.dtype == np.uint8
        if len(boxes):
            seen += 1
            assert labels.tolist() == [i % 3]
            # the threshold puts an edge at its middle, so to the pixel
            np.testing.assert_allclose(boxes[0], extent(out, i % 3), atol=1.0)
    assert seen > 40


@pytest.mark.parametrize("mosaic", [False, True])
def test_gray_samples_are_the_color_samples_without_color(mosaic: bool) -> None:
    """The same draws put the same pixels in the same places; of the color, the value alone changes."""
    config = AugmentConfig(mosaic=1.0, hue=0.0, saturation=0.0, value=0.4, blur=1.0)
    flat = [
        Image(np.repeat(i.pixels.max(2, keepdims=True), 3, axis=2), i.boxes_xyxy, i.labels)
        for i in IMAGES
    ]
    gray = [Image(i.pixels[..., :1], i.boxes_xyxy, i.labels) for i in flat]
    for seed in range(8):
        a, b = (
            augment(
                0, images.__getitem__, 3, spec, config, np.random.default_rng(seed), mosaic=mosaic
            )
            for images, spec in ((flat, SPEC), (gray, SPEC.to_gray()))
        )
        assert b[0].shape == (96, 128, 1)
        np.testing.assert_array_equal(a[0][..., :1], b[0])
        np.testing.assert_array_equal(a[1], b[1])


def test_flip_is_exact() -> None:
    """An image that fits the window, mirrored: the pixels reversed, the box reflected."""
    image = marked(96, 128, 2)
    still = AugmentConfig(
        mosaic=0, hue=0, saturation=0, value=0, scale=(1.0, 1.0), translate=0, flip=1.0
    )
    out, boxes, _ = augment(
        0, lambda _: image, 1, SPEC, still, np.random.default_rng(0), mosaic=False
    )
    x0, y0, x1, y1 = image.boxes_xyxy[0]
    np.testing.assert_array_equal(out, image.pixels[:, ::-1])
    np.testing.assert_allclose(boxes[0], [128 - x1, y0, 128 - x0, y1], atol=1e-4)


def test_mosaic_boxes_bound_their_objects() -> None:
    config = PLAIN.model_copy(update={"mosaic": 1.0, "flip": 0.5})
    counts = []
    for i in range(60):
        out, boxes, labels = augment(
            i % 3, IMAGES.__getitem__, 3, SPEC, config, np.random.default_rng(i), mosaic=True
        )
        counts.append(len(boxes))
        for box, label in zip(boxes, labels, strict=True):
            x0, y0, x1, y1 = np.round(box).astype(int)
            inside = out[y0:y1, x0:x1]
            own = extent(inside, int(label))
            height, width = inside.shape[:2]
            np.testing.assert_allclose(own, [0, 0, width, height], atol=1.5)
    assert 1.0 < np.mean(counts) <= 4.0 and max(counts) > 2


def test_rotation_grows_the_box_around_the_object() -> None:
    config = PLAIN.model_copy(update={"rotate": 30.0, "flip": 0.0})
    seen = 0
    for i in range(40):
        out, boxes, _ = augment(
            1, IMAGES.__getitem__, 3, SPEC, config, np.random.default_rng(i), mosaic=False
        )
        if len(boxes):
            seen += 1
            drawn = extent(out, 1)
            assert (boxes[0][:2] <= drawn[:2] + 1).all() and (boxes[0][2:] >= drawn[2:] - 1).all()
    assert seen > 25


def test_warp_boxes_clips_and_drops() -> None:
    window = Window(left=100, top=50, width=40, height=30)
    identity = np.array([[1.0, 0, 0], [0, 1, 0]])
    boxes = np.array(
        [[5, 5, 15, 15], [-5, 0, 15, 10], [-15, 0, 5, 10], [50, 5, 60, 15], [5, 5, 6, 20]],
        np.float32,
    )
    out, kept = warp_boxes(boxes, identity, window)
    # three quarters of the second are seen, a quarter of the third, nothing of the fourth,
    # and the last is a pixel wide
    assert kept.tolist() == [True, True, False, False, False]
    assert out.tolist() == [[105, 55, 115, 65], [100, 50, 115, 60]]
    empty, none = warp_boxes(np.zeros((0, 4), np.float32), identity, window)
    assert empty.shape == (0, 4) and none.shape == (0,)


def test_zero_jitter_changes_nothing_that_matters() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    out = jitter_color(pixels, PLAIN, np.random.default_rng(1), rgb=True)
    # HSV with 180 hues and eight bits does not hold every color
    assert np.abs(out.astype(int) - pixels).mean() < 2.5


def test_jitter_stays_within_its_limits() -> None:
    """Value is max(R, G, B): grey pixels follow it, and keep their missing hue."""
    grey = np.full((4, 4, 3), 100, np.uint8)
    config = AugmentConfig(value=0.3)
    values = [
        jitter_color(grey, config, np.random.default_rng(i), rgb=True)[0, 0] for i in range(200)
    ]
    assert all(np.ptp(v) == 0 for v in values)
    levels = np.array(values)[:, 0]
    assert levels.min() >= 69 and levels.max() <= 130
    assert levels.min() < 78 and levels.max() > 122


def test_scale_range_is_kept() -> None:
    image = marked(96, 128, 0)
    side = image.boxes_xyxy[0, 2] - image.boxes_xyxy[0, 0]
    config = PLAIN.model_copy(update={"scale": (0.5, 0.8), "flip": 0.0})
    factors = []
    for i in range(100):
        _, boxes, _ = augment(
            0, lambda _: image, 1, SPEC, config, np.random.default_rng(i), mosaic=False
        )
        # only whole boxes tell the scale
        if len(boxes) and boxes[0][0] > 0 and boxes[0][2] < 128:
            factors.append((boxes[0][2] - boxes[0][0]) / side)
    assert 0.5 - 1e-3 <= min(factors) < 0.55 and 0.75 < max(factors) <= 0.8 + 1e-3
    assert math.isclose(np.median(factors), math.sqrt(0.5 * 0.8), rel_tol=0.08)


def test_images_without_boxes() -> None:
    empty = Image(
        np.zeros((50, 60, 3), np.uint8), np.zeros((0, 4), np.float32), np.zeros(0, np.int64)
    )
    for mosaic in (False, True):
        _, boxes, labels = augment(
            0, lambda _: empty, 1, SPEC, AugmentConfig(), np.random.default_rng(3), mosaic=mosaic
        )
        assert boxes.shape == (0, 4) and labels.shape == (0,)


def test_a_window_shows_a_part_at_the_scale_of_the_whole() -> None:
    config = PLAIN.model_copy(
        update={"window": (0.66, 1.0), "scale": (1.0, 1.0), "flip": 0.0, "translate": 0.0}
    )
    image = marked(96, 128, 1)
    size = image.boxes_xyxy[0, 2:] - image.boxes_xyxy[0, :2]
    whole = 0
    for i in range(100):
        for mosaic in (False, True):
            settings = config.model_copy(update={"mosaic": float(mosaic)})
            rng = np.random.default_rng(i)
            out, boxes, _ = augment(0, lambda _: image, 1, SPEC, settings, rng, mosaic=mosaic)
            assert out.shape == (64, 128, 3)
            if len(boxes) and not mosaic:
                np.testing.assert_allclose(boxes[0], extent(out, 1), atol=1.0)
                whole += bool(np.allclose(boxes[0, 2:] - boxes[0, :2], size))
    assert whole > 10


def test_sides_of_a_window_are_those_strides_divide() -> None:
    def size(input_size: tuple[int, int], window: tuple[float, float]) -> tuple[int, int]:
        return sample_size(PreprocessSpec(input_size), PLAIN.model_copy(update={"window": window}))

    assert size((192, 192), (0.66, 1.0)) == (128, 192)
    assert size((320, 240), (0.66, 0.66)) == (224, 160)
    assert size((40, 24), (0.5, 0.5)) == (32, 24), "never larger than the input"
    assert size((40, 24), (1.0, 1.0)) == (40, 24)
