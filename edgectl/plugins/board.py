"""A device as data: its memory by region, its camera's frame, what its maker's firmware asks of a model.

Every figure stands beside the address of the page it was taken from. Light: no torch here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from edgectl.spec import Size

PixelFormat = Literal["rgb565", "rgb888", "yuyv", "gray"]
PIXEL_BYTES: dict[str, int] = {"rgb565": 2, "rgb888": 3, "yuyv": 2, "gray": 1}
"""Bytes of a pixel of each format a camera hands over."""


@dataclass(frozen=True)
class MemoryRegion:
    """A stretch of memory a program can place things in.

    Attributes:
        name: as the maker's pages call it.
        kind: what may lie there: ``ram`` a model's activations and the camera's frame, ``flash`` its weights.
        size_bytes: all of it.
        kept_bytes: of these, what boot loader, system and drivers keep.
        external: a chip of its own behind a bus: several times slower than memory inside the processor.
        source: address of the page both figures are from.
        note: what a reader of the figures should know: where they are an estimate, say.
    """

    name: str
    kind: Literal["ram", "flash"]
    size_bytes: int
    kept_bytes: int = 0
    external: bool = False
    source: str = ""
    note: str = ""

    @property
    def usable_bytes(self) -> int:
        """What is left for the model's program."""
        return self.size_bytes - self.kept_bytes


@dataclass(frozen=True)
class CameraFrame:
    """What the camera hands over: (height, width), pixel format. ``source``: as in MemoryRegion."""

    size: Size
    pixel_format: PixelFormat
    sensor: str = ""
    source: str = ""

    @property
    def nbytes(self) -> int:
        """Bytes of one frame."""
        return self.size[0] * self.size[1] * PIXEL_BYTES[self.pixel_format]


@dataclass(frozen=True)
class FirmwareContract:
    """What a maker's ready firmware takes for granted of the models it is handed.

    Such firmware checks little: what breaks its contract is refused on the device, or shows nonsense.
    Head kinds are those of :class:`edgectl.plugins.head.HeadKind`.

    Attributes:
        name: of the firmware. source: where its code is.
        backend: whose files it loads; files of other backends run in a program of the user's own.
        square: it refuses an input whose sides differ.
        multiple_of: what both sides must be a multiple of.
        resize: how it brings the frame to the input's size.
        offset: where in its cell it takes the point that sides are measured from (OutputSpec.offset).
        confused_channels: a detector's head of scores with so many channels is taken for one of sides.
        applied: class scores without a grid must come out of the file as probabilities.
        unseen: (head kind, what the firmware shows in place of it).
    """

    name: str
    source: str
    backend: str
    square: bool = False
    multiple_of: int = 1
    resize: Literal["letterbox", "stretch"] | None = None
    offset: float | None = None
    confused_channels: int | None = None
    applied: bool = False
    unseen: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class BoardInfo:
    """A device artifacts are deployed to (``edgectl_register_boards``).

    Attributes:
        backends: whose files it runs, the one to prefer first.
        memory: its regions, the fastest of each kind first.
        camera: the frame to count with; None where the system has memory to spare for it.
        accelerator: the name its compiler has for it; empty without one.
        page: the maker's page.
        firmware: what the maker's firmware asks of a model; None where there is none that loads models.
    """

    name: str
    summary: str
    backends: tuple[str, ...]
    memory: tuple[MemoryRegion, ...]
    camera: CameraFrame | None = None
    accelerator: str = ""
    page: str = ""
    firmware: FirmwareContract | None = None
    api: tuple[int, int] = (1, 1)

    @property
    def backend(self) -> str:
        """The preferred one."""
        return self.backends[0]

    def regions(self, kind: Literal["ram", "flash"]) -> tuple[MemoryRegion, ...]:
        """Those of a kind, the fastest first."""
        return tuple(r for r in self.memory if r.kind == kind)

    @property
    def flash_bytes(self) -> int:
        """The largest region for weights."""
        return _largest(self.regions("flash"))

    @property
    def ram_bytes(self) -> int:
        """The largest region for activations."""
        return _largest(self.regions("ram"))


def _largest(regions: Iterable[MemoryRegion]) -> int:
    return max((r.usable_bytes for r in regions), default=0)


def plain_memory(*, ram_bytes: int, flash_bytes: int, source: str) -> tuple[MemoryRegion, ...]:
    """Of a board with one RAM and one store for files, as those with an operating system."""
    return (
        MemoryRegion("RAM", "ram", ram_bytes, source=source),
        MemoryRegion("flash", "flash", flash_bytes, source=source),
    )
