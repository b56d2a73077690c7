"""A model family by name, and what its variants ask of a size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgectl.errors import UnknownNameError, UsageError
from edgectl.plugins.info import FamilyInfo, VariantInfo
from edgectl.plugins.registry import Registry, load_entry
from edgectl.spec import Size

if TYPE_CHECKING:
    from edgectl.plugins.family import Family


@dataclass(frozen=True)
class OpenFamily:
    """A family by name, its code imported."""

    info: FamilyInfo
    family: Family

    def variant(self, name: str) -> VariantInfo:
        """Raises UnknownNameError."""
        wanted = name or self.info.default_variant
        for variant in self.info.variants:
            if variant.name == wanted:
                return variant
        raise UnknownNameError(
            f"{self.info.name} variant", wanted, [v.name for v in self.info.variants]
        )


def open_family(registry: Registry, name: str) -> OpenFamily:
    """Raises UnknownNameError, PluginError."""
    info = registry.families.get(name)
    return OpenFamily(info, load_entry(info.entry, name))


def check_size(size: Size, variant: VariantInfo) -> None:
    """Raises UsageError naming the nearest sizes that the network's stride divides."""
    stride = variant.output_stride
    if all(n % stride == 0 for n in size):
        return
    down = tuple(max(stride, n // stride * stride) for n in size)
    up = tuple(-(-n // stride) * stride for n in size)
    raise UsageError(
        f"{size[0]}x{size[1]} is not a multiple of the stride {stride} of {variant.name}",
        where="--imgsz",
        fix=" or ".join(dict.fromkeys(f"--imgsz {rows} {columns}" for rows, columns in (down, up))),
    )
