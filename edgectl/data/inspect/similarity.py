"""Near-duplicate images by a perceptual hash.

The hash is the sign of the low frequencies of a small grey copy (after Zauner, "Implementation and
Benchmarking of Perceptual Image Hash Functions", 2010): it survives re-encoding, scaling and small changes
of brightness. Pairs that come close are then compared pixel by pixel on a larger copy, so that two
different images of one plain scene are not taken for one.
"""

from __future__ import annotations

import cv2
import numpy as np

_SIDE, _LOW = 32, 8
_THUMB = 48
HASH_BITS = _LOW * _LOW - 1

MAX_BITS = 10
"""Of 63 bits; re-encoded and scaled copies differ in at most about six."""
MIN_CORRELATION = 0.95
"""Of two thumbnails' grey values; copies reach .99, neighboring frames of a video about .9."""


def fingerprint(image_bgr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """((63,) bool hash, (48 * 48,) float32 thumbnail of mean 0 and length 1)."""
    grey = cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = cv2.dct(small)[:_LOW, :_LOW].reshape(-1)[1:]
    thumb = cv2.resize(grey, (_THUMB, _THUMB), interpolation=cv2.INTER_AREA).astype(np.float32)
    centered = (thumb - thumb.mean()).reshape(-1)
    return low > np.median(low), centered / max(float(np.linalg.norm(centered)), 1e-6)


def near_duplicates(hashes: np.ndarray, thumbs: np.ndarray) -> list[tuple[int, int]]:
    """Pairs (i < j) that show the same image.

    hashes: (N, 63) bool; thumbs: (N, 2304) float32. Memory grows with N in blocks, not N squared.
    """
    bits = np.packbits(hashes, axis=1)
    popcount = np.array([bin(i).count("1") for i in range(256)], np.uint8)
    pairs: list[tuple[int, int]] = []
    for i in range(len(bits) - 1):
        distance = popcount[bits[i + 1 :] ^ bits[i]].sum(axis=1)
        for j in i + 1 + np.flatnonzero(distance <= MAX_BITS):
            if float(thumbs[i] @ thumbs[j]) >= MIN_CORRELATION:
                pairs.append((i, int(j)))
    return pairs
