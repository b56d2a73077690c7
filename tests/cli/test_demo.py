from __future__ import annotations

from edgectl.plugins.registry import build_registry
from edgectl.workflows.demo import choose_pair


def test_the_demo_takes_a_backend_that_needs_no_vendor():
    registry = build_registry()
    registry.backends.offers.sort(key=lambda o: o.info.takes == "graph")
    registry.families.offers.reverse()
    family, backend = choose_pair(registry)
    assert registry.families.get(family).task == "centroid"
    info = registry.backends.get(backend)
    assert info.takes == "graph" and info.exact
