"""Every installed plugin through the conformance kit."""

from __future__ import annotations

from edgectl.plugins.registry import build_registry
from edgectl.testing.backend import BackendContract
from edgectl.testing.dataset import DatasetContract
from edgectl.testing.family import FamilyContract
from edgectl.testing.task import TaskContract
from edgectl.testing.vendor import VendorContract

_registry = build_registry()


def _contract(base, kind, name):
    title = "Test" + name.replace("-", "_").title().replace("_", "")
    globals()[f"{title}{kind.title()}"] = type(f"{title}{kind.title()}", (base,), {kind: name})


for _name in _registry.families.names():
    _contract(FamilyContract, "family", _name)
for _info in _registry.backends.infos():
    _base = BackendContract if _info.takes == "graph" else VendorContract
    _contract(_base, "backend", _info.name)
for _name in _registry.tasks.names():
    _contract(TaskContract, "task", _name)
for _name in _registry.datasets.names():
    _contract(DatasetContract, "dataset", _name)
