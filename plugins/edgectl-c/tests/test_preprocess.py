"""Preprocessing in C against the one implementation of PreprocessSpec, which resizes with OpenCV."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from edgectl_c.program.preprocess import write_preprocess

from edgectl.data.images.preprocess import letterbox_geometry, resize_image
from edgectl.spec import PreprocessSpec

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror", "-O2")
LE, BE, RGB, BGR, YUYV, UYVY, GRAY = range(7)
Line = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int32)


class Frame(ctypes.Structure):
    _fields_ = [
        ("format", ctypes.c_int),
        ("width", ctypes.c_int32),
        ("height", ctypes.c_int32),
        ("pixels", ctypes.c_void_p),
        ("row_bytes", ctypes.c_int32),
        ("read_line", Line),
        ("context", ctypes.c_void_p),
    ]


class Compiled:
    def __init__(self, spec: PreprocessSpec, directory: Path, compiler: str) -> None:
        directory.mkdir(exist_ok=True)
        header, code = write_preprocess(spec, len(spec.mean))
        (directory / "preprocess.h").write_text(header)
        (directory / "preprocess.c").write_text(code)
        words = [compiler, *STRICT, "-shared", "-fPIC", "preprocess.c", "-o", "preprocess.so"]
        subprocess.run(words, cwd=directory, check=True)
        self.spec, self.library = spec, ctypes.CDLL(str(directory / "preprocess.so"))

    def __call__(self, pixels: np.ndarray, kind: int, *, lines: bool = False) -> np.ndarray:
        """The network's input as pixels 0 .. 255; pixels: (height, width, bytes a pixel)."""
        height, width = pixels.shape[:2]
        pixels = np.ascontiguousarray(pixels)
        self.asked: list[int] = []

        def read_line(_: object, line: int) -> int:
            self.asked.append(line)
            return pixels[line].ctypes.data

        frame = Frame(
            kind, width, height, None if lines else pixels.ctypes.data, 0, Line(read_line)
        )
        assert self.library.preprocess_begin(ctypes.byref(frame)) == 1
        found = np.zeros((*self.spec.input_size, len(self.spec.mean)), np.int8)
        self.library.preprocess_image(found.ctypes.data_as(ctypes.c_void_p))
        return (found.view(np.uint8) ^ 0x80).astype(np.uint8)


@pytest.fixture
def build(tmp_path: Path, compiler: str) -> Callable[[PreprocessSpec], Compiled]:
    return lambda spec: Compiled(spec, tmp_path / "built", compiler)


def photo(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth and sharp parts, bgr."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    image = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    noise = rng.integers(0, 256, image.shape, dtype=np.uint8)
    return np.where((np.arange(width) % 3 == 0)[None, :, None], noise, image)


SPECS = {
    "letterbox": PreprocessSpec((48, 64)),
    "centered": PreprocessSpec((48, 64), pad_side="center", pad_value=0, channel_order="bgr"),
    "stretch": PreprocessSpec((48, 64), resize="stretch"),
    "square": PreprocessSpec((96, 96)),
}
SHAPES = [
    (120, 160),
    (240, 320),
    (96, 128),
    (144, 192),
    (200, 133),
    (48, 64),
    (61, 97),
    (31, 20),
    (7, 300),
    (480, 641),
]


@pytest.mark.parametrize("name", SPECS)
def test_it_is_the_preprocessing_of_training(
    name: str, build: Callable[[PreprocessSpec], Compiled]
) -> None:
    """Interpolation is OpenCV's to the bit; averages are exact where OpenCV sums floats: one step at most,
    and that seldom."""
    compiled = build(SPECS[name])
    for shape in SHAPES:
        image = photo(*shape)
        wanted = resize_image(image, SPECS[name])[0].astype(int)
        found = compiled(image, BGR).astype(int)
        apart = np.abs(found - wanted)
        rows, columns = letterbox_geometry(*shape, SPECS[name])[0]
        averages = rows <= shape[0] and columns <= shape[1] and rows * columns < shape[0] * shape[1]
        assert apart.max() <= int(averages), shape
        assert np.count_nonzero(apart) <= 0.01 * apart.size, shape


def test_the_place_of_the_image_for_every_frame(
    build: Callable[[PreprocessSpec], Compiled],
) -> None:
    spec = PreprocessSpec((96, 160), pad_side="center")
    compiled = build(spec)
    rng = np.random.default_rng(0)
    pixels = np.zeros(1, np.uint8)
    for height, width in rng.integers(1, 2000, (3000, 2)).tolist():
        frame = Frame(GRAY, width, height, pixels.ctypes.data, 0)
        assert compiled.library.preprocess_begin(ctypes.byref(frame)) == 1
        geometry = letterbox_geometry(height, width, spec)[1]
        point = np.array([[20.0, 30.0, 100.0, 70.0]])
        x, y = ctypes.c_float(20.0), ctypes.c_float(30.0)
        compiled.library.preprocess_to_frame(ctypes.byref(x), ctypes.byref(y))
        wanted = np.clip(geometry.to_original(point)[0][:2], 0, [width, height])
        np.testing.assert_allclose([x.value, y.value], wanted, rtol=1e-5, atol=1e-3)


def rgb565(image_bgr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(words, what they stand for in bgr)."""
    b, g, r = (image_bgr[..., i].astype(np.uint16) for i in range(3))
    words = (r >> 3 << 11) | (g >> 2 << 5) | (b >> 3)
    parts = [(words & 31, 5), (words >> 5 & 63, 6), (words >> 11, 5)]
    back = [(v << (8 - n)) | (v >> (2 * n - 8)) for v, n in parts]
    return words, np.stack(back, axis=2).astype(np.uint8)


@pytest.mark.parametrize("kind", [LE, BE, RGB, YUYV, UYVY, GRAY])
def test_every_format_of_a_camera(kind: int, build: Callable[[PreprocessSpec], Compiled]) -> None:
    spec = SPECS["letterbox"]
    compiled = build(spec)
    image = photo(80, 64)
    if kind in (LE, BE):
        words, image = rgb565(image)
        pixels = words.astype("<u2" if kind == LE else ">u2").view(np.uint8).reshape(80, 64, 2)
    elif kind == RGB:
        pixels = image[..., ::-1]
    elif kind == GRAY:
        pixels = image[..., :1]
        image = pixels.repeat(3, axis=2)
    else:
        pixels = np.random.default_rng(0).integers(0, 256, (80, 64, 2), dtype=np.uint8)
        code = cv2.COLOR_YUV2BGR_YUY2 if kind == YUYV else cv2.COLOR_YUV2BGR_UYVY
        image = cv2.cvtColor(pixels, code)
    found = compiled(pixels, kind).astype(int)
    assert np.abs(found - resize_image(image, spec)[0]).max() <= 1
    # the same from lines, each asked for once and in order
    np.testing.assert_array_equal(compiled(pixels, kind, lines=True), found)
    assert compiled.asked == list(range(80))


def test_lines_where_the_image_grows(build: Callable[[PreprocessSpec], Compiled]) -> None:
    compiled = build(SPECS["square"])
    pixels = photo(30, 41)
    whole = compiled(pixels, BGR)
    np.testing.assert_array_equal(compiled(pixels, BGR, lines=True), whole)
    assert compiled.asked == list(range(30))


def test_bytes_between_lines_are_passed_over(build: Callable[[PreprocessSpec], Compiled]) -> None:
    compiled = build(SPECS["square"])
    wide = photo(60, 90)
    frame = Frame(BGR, 70, 60, wide.ctypes.data, wide.strides[0])
    assert compiled.library.preprocess_begin(ctypes.byref(frame)) == 1
    found = np.zeros((96, 96, 3), np.int8)
    compiled.library.preprocess_image(found.ctypes.data_as(ctypes.c_void_p))
    np.testing.assert_array_equal(found.view(np.uint8) ^ 0x80, compiled(wide[:, :70], BGR))


@pytest.mark.parametrize("kind", [BGR, GRAY])
def test_networks_that_see_gray(kind: int, build: Callable[[PreprocessSpec], Compiled]) -> None:
    if "channels" not in dir(PreprocessSpec):
        pytest.skip("specs of one channel are not there yet")
    spec = replace(SPECS["letterbox"], channel_order="gray", mean=(0.0,), std=(255.0,))
    compiled = build(spec)
    image = photo(100, 120)
    if kind == GRAY:
        image = image[..., :1].repeat(3, axis=2)
    found = compiled(image if kind == BGR else image[..., :1], kind).astype(int)
    assert np.abs(found - resize_image(image, spec)[0]).max() <= 1


def test_frames_that_cannot_be_taken(build: Callable[[PreprocessSpec], Compiled]) -> None:
    compiled = build(SPECS["square"])
    pixels = np.zeros(64, np.uint8).ctypes.data
    for frame in (
        Frame(RGB, 4, 4, None),
        Frame(RGB, 0, 4, pixels),
        Frame(RGB, 4, -1, pixels),
        Frame(7, 4, 4, pixels),
        Frame(YUYV, 5, 4, pixels),
        Frame(GRAY, 5000, 5000, pixels),
    ):
        assert compiled.library.preprocess_begin(ctypes.byref(frame)) == 0
