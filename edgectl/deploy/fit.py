"""Whether a program fits a board: what it needs of RAM and flash, laid into the board's regions.

On a microcontroller the model is not alone: the camera's frame, the decoder's arrays and the stack stand
beside its activations, and each must lie in one region whole. On boards with an operating system only the
model is counted.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from edgectl.backends.contract import ModelMemory
from edgectl.plugins.board import BoardInfo, MemoryRegion
from edgectl.spec import OutputSpec, Size
from edgectl.tasks.decode_rule import MOST_CANDIDATES, MOST_RESULTS
from edgectl.tasks.lookup import head_kind

MODEL = "model"
STACK_BYTES = 8 * 1024
"""For the model's kernels and the decoder, with room for an interrupt."""
PROGRAM_BYTES = 24 * 1024
"""Machine code around the model: preprocessing, decoding, the loop."""
_CELL, _CANDIDATE, _RESULT = 6, 12, 28
"""Bytes the C decoders keep for a cell, a candidate box, a result."""


@dataclass(frozen=True)
class Need:
    """Something that must lie in one region."""

    name: str
    kind: Literal["ram", "flash"]
    nbytes: int


@dataclass(frozen=True)
class Place:
    """Where a need lies; None where no region has room for it."""

    need: Need
    region: MemoryRegion | None


@dataclass(frozen=True)
class Fit:
    """Every need and its place on a board. ``note``: what the board's compiler has to say."""

    board: BoardInfo
    places: tuple[Place, ...]
    ram_unknown: str | None = None
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether everything has a place."""
        return all(p.region is not None for p in self.places)

    @property
    def external(self) -> bool:
        """Whether the model's activations lie outside the processor, where they are slow."""
        return any(
            p.need.name == MODEL and p.need.kind == "ram" and p.region and p.region.external
            for p in self.places
        )

    def needed(self, kind: str) -> int:
        """Bytes of all needs of a kind."""
        return sum(p.need.nbytes for p in self.places if p.need.kind == kind)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        checked = any(p.need.kind == "ram" and p.need.name == MODEL for p in self.places)
        return {
            "flash_needed": self.needed("flash"),
            "flash": self.board.flash_bytes,
            "ram_needed": self.needed("ram") if checked else None,
            "ram": self.board.ram_bytes,
            "ram_unknown": self.ram_unknown,
            "ram_checked": checked,
            "passed": self.passed,
            "note": self.note,
            "places": [
                {
                    "need": p.need.name,
                    "kind": p.need.kind,
                    "bytes": p.need.nbytes,
                    "region": p.region.name if p.region else None,
                }
                for p in self.places
            ],
        }

    def __str__(self) -> str:
        """For people: a phrase a region, then what has no place."""
        words = []
        for region in self.board.memory:
            inside = [p.need for p in self.places if p.region == region]
            if inside:
                names = " + ".join(f"{n.name} {in_kib(n.nbytes)}" for n in inside)
                words.append(f"{region.name}: {names} of {in_kib(region.usable_bytes)} KiB")
        words += [
            f"no room for {p.need.name}, {in_kib(p.need.nbytes)} KiB of {p.need.kind}"
            for p in self.places
            if p.region is None
        ]
        if not any(p.need.kind == "ram" for p in self.places):
            words.append("RAM not checked")
        return "; ".join(words)


def in_kib(nbytes: int) -> str:
    """A number of KiB as people read it, rounded up so that what is said to fit does."""
    return f"{math.ceil(nbytes / 102.4) / 10:,g}"


def fit_memory(
    board: BoardInfo, memory: ModelMemory, outputs: Sequence[OutputSpec], input_size: Size
) -> Fit:
    """Lay a model and the program around it into a board's memory."""
    needs = [Need(MODEL, "flash", memory.flash_bytes)]
    if memory.ram_bytes is not None:
        needs.append(Need(MODEL, "ram", memory.ram_bytes))
    if board.camera is not None:
        needs += [
            Need("program", "flash", PROGRAM_BYTES),
            Need("stack", "ram", STACK_BYTES),
            Need("decoder", "ram", decoder_bytes(outputs, input_size)),
            Need("camera frame", "ram", board.camera.nbytes),
        ]
    places: list[Place] = []
    for kind in ("flash", "ram"):
        places += _place([n for n in needs if n.kind == kind], board.regions(kind))
    return Fit(board, tuple(places), memory.ram_unknown, memory.note)


def _place(needs: list[Need], regions: Sequence[MemoryRegion]) -> list[Place]:
    """The first needs in the fastest regions. Where not all have a place, as many as do in order."""
    for chosen in itertools.product(regions, repeat=len(needs)):
        if all(
            sum(n.nbytes for n, r in zip(needs, chosen, strict=True) if r is region)
            <= region.usable_bytes
            for region in regions
        ):
            return [Place(n, r) for n, r in zip(needs, chosen, strict=True)]
    free = {id(r): r.usable_bytes for r in regions}
    places = []
    for need in needs:
        region = next((r for r in regions if free[id(r)] >= need.nbytes), None)
        if region is not None:
            free[id(region)] -= need.nbytes
        places.append(Place(need, region))
    return places


def decoder_bytes(outputs: Sequence[OutputSpec], input_size: Size) -> int:
    """Static arrays of the C decoder of such heads, at most."""
    cells = scores = 0
    for output in outputs:
        if not output.stride:
            continue
        grid = (input_size[0] // output.stride) * (input_size[1] // output.stride)
        kind = head_kind(output.kind)
        if kind.background:
            cells += grid
        elif kind.part == "scores":
            scores += grid * output.channels
    candidates = min(scores, MOST_CANDIDATES)
    return cells * _CELL + candidates * _CANDIDATE + min(cells + scores, MOST_RESULTS) * _RESULT
