"""Registers the family. Light: every edgectl command imports it."""

from __future__ import annotations

from edgectl.plugins.hookspecs import hookimpl
from edgectl.plugins.info import FamilyInfo, VariantInfo


@hookimpl
def edgectl_register_families() -> list[FamilyInfo]:
    """One family, one size."""
    return [
        FamilyInfo(
            name="dots",
            task="centroid",
            summary="object centers, the smallest example of a family",
            entry="edgectl_dots:DotsFamily",
            variants=(VariantInfo("tiny", "7 k parameters", 8, (96, 96)),),
            default_variant="tiny",
        )
    ]
