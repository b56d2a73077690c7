from __future__ import annotations

from edgectl.testing.family import FamilyContract


class TestDots(FamilyContract):
    family = "dots"
