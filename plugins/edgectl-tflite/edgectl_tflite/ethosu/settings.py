"""What Vela is told of a chip: clock, memories and their speeds, as the firmware is built for them."""

from __future__ import annotations

from dataclasses import dataclass

SYSTEM, MODE = "Board", "Shared_Sram"


@dataclass(frozen=True)
class Port:
    """A memory: relative clock, words of a burst, cycles until the first word."""

    area: str
    clock_scale: float
    latency: int
    burst: int = 32


@dataclass(frozen=True)
class ChipSettings:
    """``memory``: where activations lie. ``store``: where weights lie; cycles of the core's clock."""

    core_clock: float
    memory: Port
    store: Port

    def to_ini(self) -> str:
        """The text of a configuration file."""
        lines = [f"[System_Config.{SYSTEM}]", f"core_clock={self.core_clock:g}"]
        lines += [f"axi0_port={self.memory.area}", f"axi1_port={self.store.area}"]
        for port in (self.memory, self.store):
            lines += [
                f"{port.area}_clock_scale={port.clock_scale}",
                f"{port.area}_burst_length={port.burst}",
                f"{port.area}_read_latency={port.latency}",
                f"{port.area}_write_latency={port.latency}",
            ]
        lines += ["", f"[Memory_Mode.{MODE}]", "const_mem_area=Axi1"]
        lines += ["arena_mem_area=Axi0", "cache_mem_area=Axi0", ""]
        return "\n".join(lines)


HX6538 = ChipSettings(
    core_clock=400e6,
    memory=Port("Sram", 1.0, 16),
    store=Port("OffChipFlash", 0.015625, 64),
)
"""Of the Himax WiseEye2 as SSCMA's exporter describes it. The store's speed decides: Vela's own example of a
high-end system calls the same network twice as fast."""
