"""Processors a library is proven on, and the machines of QEMU that have them.

Memory maps: Arm's application notes AN386, AN500, AN505 and AN547. An instruction takes a nanosecond with
``-icount shift=0``, so the processor's clock says how many one tick of its timer is.
"""

from __future__ import annotations

from dataclasses import dataclass

_ZBT = 4 << 20


@dataclass(frozen=True)
class Region:
    """A piece of memory, in bytes."""

    start: int
    size: int


@dataclass(frozen=True)
class Machine:
    """``flags``: for the compiler. ``clock``: of the timer, Hz. ``tables``: where constants lie."""

    name: str
    flags: tuple[str, ...]
    qemu: str
    clock: int
    code: Region
    tables: Region
    data: Region

    def instructions(self, ticks: int) -> int:
        """Instructions in a number of clock ticks."""
        return ticks * 1_000_000_000 // self.clock


def _machine(
    name: str, flags: str, qemu: str, clock: int, code: Region, data: Region,
    tables: Region | None = None,
) -> Machine:  # fmt: skip
    """``tables``: where they are not in the memory of the code, of which they then have three quarters."""
    if tables is None:
        quarter = code.size // 4
        tables = Region(code.start + quarter, code.size - quarter)
        code = Region(code.start, quarter)
    return Machine(name, tuple(flags.split()), qemu, clock, code, tables, data)


_SSRAM = Region(0, _ZBT)
MACHINES: dict[str, Machine] = {
    m.name: m
    for m in (
        _machine(
            "m4", "-mcpu=cortex-m4", "mps2-an386", 25_000_000, _SSRAM, Region(0x20000000, _ZBT)
        ),
        _machine(
            "m7", "-mcpu=cortex-m7", "mps2-an500", 25_000_000, _SSRAM, Region(0x20000000, _ZBT)
        ),
        _machine(
            "m33",
            "-mcpu=cortex-m33",
            "mps2-an505",
            20_000_000,
            Region(0x10000000, _ZBT),
            Region(0x38000000, 2 << 20),
        ),
        _machine(
            "m55",
            "-mcpu=cortex-m55 -mfloat-abi=hard",
            "mps3-an547",
            32_000_000,
            Region(0, 512 << 10),
            Region(0x21000000, 2 << 20),
            Region(0x60000000, 64 << 20),
        ),
    )
}
"""By the name ``--cpu`` takes."""
