"""ncnn's weight file: the numbers of every layer, one after the other, without an index.

A tagged run starts with a 32-bit type and is padded to four bytes; the others are plain float32.
``0x000D4438`` (int16) exists in the awnn dialect only.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from edgectl.errors import ArtifactError
from edgectl_ncnn.reader.layers import Slot

FLOAT32, FLOAT16, INT8, INT16 = 0, 0x01306B47, 0x000D4B38, 0x000D4438
_TYPES: dict[int, np.dtype[np.generic]] = {
    FLOAT32: np.dtype("<f4"),
    FLOAT16: np.dtype("<f2"),
    INT8: np.dtype("i1"),
    INT16: np.dtype("<i2"),
}
_TAGS = {dtype: tag for tag, dtype in _TYPES.items()}


@dataclass(frozen=True)
class Block:
    """The numbers of a slot: flat float32, float16, int8 or int16."""

    slot: Slot
    values: np.ndarray


class BinReader:
    """Takes slots off the front of a file's bytes.

    Raises:
        ArtifactError: from :meth:`take` at the end of the file or on a type nobody wrote; from
            :meth:`finish` when bytes are left.
    """

    def __init__(self, data: bytes, where: str) -> None:
        self._data = data
        self._at = 0
        self._where = where

    def take(self, slot: Slot, owner: str) -> Block:
        """The next run. ``owner`` names the layer in messages."""
        dtype = _TYPES[FLOAT32]
        if slot.tagged:
            (tag,) = struct.unpack("<I", self._bytes(4, owner))
            if tag not in _TYPES:
                raise self._error(f"{owner}: unknown storage type 0x{tag:08X} of its {slot.name}")
            dtype = _TYPES[tag]
        raw = self._bytes(slot.count * dtype.itemsize, owner)
        if slot.tagged:
            self._bytes(-len(raw) % 4, owner)
        values = np.frombuffer(raw, dtype)
        if dtype.kind == "f" and not np.isfinite(values).all():
            raise self._error(f"{owner}: its {slot.name} holds numbers that are not finite")
        return Block(slot, values)

    def finish(self) -> None:
        """Every byte must have been taken."""
        left = len(self._data) - self._at
        if left:
            raise self._error(f"{left} bytes are left over: it belongs to another .param file")

    def _bytes(self, count: int, owner: str) -> bytes:
        end = self._at + count
        if end > len(self._data):
            raise self._error(f"cut short: it ends inside the weights of {owner}")
        raw = self._data[self._at : end]
        self._at = end
        return raw

    def _error(self, problem: str) -> ArtifactError:
        return ArtifactError(
            problem, where=self._where, fix="export the model again, or copy both files afresh"
        )


def pack(blocks: Iterable[Block]) -> bytes:
    """The bytes of a file."""
    parts = []
    for block in blocks:
        values = np.ascontiguousarray(block.values)
        if len(values) != block.slot.count:
            raise ValueError(f"{block.slot.name}: {len(values)} values for {block.slot.count}")
        raw = values.tobytes()
        if block.slot.tagged:
            tag = _TAGS[values.dtype.newbyteorder("<")]
            raw = struct.pack("<I", tag) + raw + bytes(-len(raw) % 4)
        elif values.dtype != np.float32:
            raise ValueError(f"{block.slot.name}: untagged numbers are float32")
        parts.append(raw)
    return b"".join(parts)
