"""Whether two images show the same: after re-encoding, scaling, a crop, a mirror, other brightness.

Three steps, each sharper and dearer than the one before. The low frequencies of a small gray copy say
what an image may be a copy of. A linear fit (one Gauss-Newton step of Lucas and Kanade, 1981) on a
blurred copy tells shifts and scales from other scenes. What is left is aligned (Evangelidis and
Psarakis, "Parametric Image Alignment Using Enhanced Correlation Coefficient Maximization", 2008) and
compared in its details: two plain scenes are alike in their large forms, never in these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

SIDE = 64
"""Of the copy that is compared in detail."""
_GRAY, _LOW = 32, 8
_FIT, _RIM = 24, 2

MIN_COARSE = 0.75
"""Cosine of low frequencies; a crop of 5 % at every edge leaves .78 and more."""
_MIN_FIT = 0.93
_MIN_CORRELATION, _MIN_DETAIL = 0.85, 0.85
"""Aligned gray values and aligned details; copies reach .95 and .89, other images .89 and .13. (Handwritten
digits reach .97 and .91, but only sheared or stretched beyond the next limits.)"""
_MAX_SCALE, _MAX_SHIFT, _MAX_SHEAR, _SLACK = 0.14, 0.12, 0.02, 0.015
"""What crops of 5 % at every edge can do; an uneven crop stretches both axes alike, up to the slack."""
SAME_DETAILS = 0.965
"""Of two images as they lie: no alignment is needed."""
_MOVING = 0.05
"""Share of the pixels with details."""
_PLAIN = 1.0
"""Standard deviation of details, gray values: below it there are none to compare."""


@dataclass(frozen=True)
class Fingerprint:
    """Attributes:
    coarse: (63,) float32, low frequencies, of length 1.
    thumb: (64, 64) uint8, gray, sides stretched.
    """

    coarse: np.ndarray
    thumb: np.ndarray


def fingerprint(image_bgr: np.ndarray) -> Fingerprint:
    """Of an (H, W, 3) uint8 image."""
    gray = cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(gray, (_GRAY, _GRAY), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = cv2.dct(small)[:_LOW, :_LOW].reshape(-1)[1:]
    coarse = np.asarray(low / max(float(np.linalg.norm(low)), 1e-6), np.float32)
    thumb = cv2.resize(gray, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return Fingerprint(coarse, np.asarray(thumb, np.uint8))


def mirrored_coarse(coarse: np.ndarray) -> np.ndarray:
    """(..., 63): the low frequencies of the mirrored images. Odd horizontal waves change sign."""
    signs = np.ones((_LOW, _LOW), np.float32)
    signs[:, 1::2] = -1.0
    return np.asarray(coarse * signs.reshape(-1)[1:], np.float32)


def likely_copies(thumb: np.ndarray, others: Sequence[np.ndarray]) -> np.ndarray:
    """(N,) bool: which of ``others`` a small shift and scale of ``thumb`` may explain.

    Brightness and contrast are fitted along.
    """
    image = _blurred(thumb)
    along = np.arange(_FIT, dtype=np.float32) - (_FIT - 1) / 2
    dx = cv2.Sobel(image, cv2.CV_32F, 1, 0, ksize=3) / 8
    dy = cv2.Sobel(image, cv2.CV_32F, 0, 1, ksize=3) / 8
    parts = (dx, dy, dx * along[None], dy * along[:, None], image, np.ones_like(image))
    jacobian = np.stack([_inner(p) for p in parts], axis=1).astype(np.float64)
    wanted = np.stack([_inner(_blurred(o)) for o in others], axis=1).astype(np.float64)
    found, *_ = np.linalg.lstsq(jacobian, wanted, rcond=None)
    left = ((wanted - jacobian @ found) ** 2).sum(axis=0)
    total = ((wanted - wanted.mean(axis=0)) ** 2).sum(axis=0)
    explained: np.ndarray = left <= (1.0 - _MIN_FIT) * total
    return explained


def show_same(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two thumbnails show the same image. Mirror one first to ask whether it is mirrored."""
    aligned = _aligned(a, b)
    if aligned is None:
        return False
    warped, inside = aligned
    inner = cv2.erode(inside.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    return _correlation(
        a[inside].astype(np.float32), warped[inside].astype(np.float32)
    ) >= _MIN_CORRELATION and (
        _correlation(_details(a)[inner], _details(warped)[inner]) >= _MIN_DETAIL
    )


def details_agree(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation of details as they lie; 0 where there are none.

    Without the pixels that differ most: what moves before a fixed camera is a small part of its view.
    """
    x, y = _details(a).reshape(-1), _details(b).reshape(-1)
    apart = np.abs(x - y)
    moving = int(_MOVING * np.count_nonzero(np.maximum(np.abs(x), np.abs(y)) > _PLAIN))
    kept = apart <= np.partition(apart, -1 - moving)[-1 - moving]
    return _correlation(x[kept], y[kept])


def _blurred(thumb: np.ndarray) -> np.ndarray:
    small = cv2.resize(thumb, (_FIT, _FIT), interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(small, (0, 0), 1.2))


def _inner(image: np.ndarray) -> np.ndarray:
    """Without the rim, where derivatives are made up."""
    return image[_RIM:-_RIM, _RIM:-_RIM].reshape(-1)


def _aligned(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """``b`` laid over ``a``, and the (64, 64) bool pixels it covers; None where only more than a crop
    would do it. Coarse first: it is quick and catches what moved by many pixels."""
    warp = np.eye(2, 3, dtype=np.float32)
    for side, steps in ((SIDE // 2, 25), (SIDE, 20)):
        pair = [cv2.resize(x, (side, side), interpolation=cv2.INTER_AREA) for x in (a, b)]
        scaled = warp.copy()
        scaled[:, 2] *= side / SIDE
        stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, steps, 1e-4)
        nothing = np.full((side, side), 255, np.uint8)
        try:
            _, found = cv2.findTransformECC(
                pair[0], pair[1], scaled, cv2.MOTION_AFFINE, stop, nothing, 3
            )
        except cv2.error:  # it does not converge: the two have nothing in common
            return None
        warp = np.asarray(found, np.float32)
        warp[:, 2] *= SIDE / side
        if not _may_be_crop(warp, slack=2.0 if side < SIDE else 1.0):
            return None
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(b, warp, (SIDE, SIDE), flags=how)
    inside = cv2.warpAffine(np.full_like(b, 255), warp, (SIDE, SIDE), flags=how) > 254
    return np.asarray(warped), inside


def _may_be_crop(warp: np.ndarray, slack: float) -> bool:
    across, down = float(warp[0, 0]) - 1.0, float(warp[1, 1]) - 1.0
    sheared = max(abs(float(warp[0, 1])), abs(float(warp[1, 0])))
    shifted = float(np.abs(warp[:, 2]).max()) / SIDE
    against = min(abs(across), abs(down)) if across * down < 0 else 0.0
    return (
        max(abs(across), abs(down)) <= slack * _MAX_SCALE
        and sheared <= slack * _MAX_SHEAR
        and shifted <= slack * _MAX_SHIFT
        and against <= slack * _SLACK
    )


def _details(thumb: np.ndarray) -> np.ndarray:
    """What a blur takes away."""
    image = thumb.astype(np.float32)
    return np.asarray(image - cv2.GaussianBlur(image, (0, 0), 2.0))


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """0 for too few pixels, and where they are all alike."""
    if len(a) < SIDE * SIDE // 2:
        return 0.0
    x, y = a - a.mean(), b - b.mean()
    length = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / length if length >= _PLAIN * len(x) else 0.0
