"""A manifest for tests: complete, and about a network that does not exist."""

from __future__ import annotations

from typing import Any

from edgectl.artifacts.manifest import Manifest, Origin, Parity, Tensors, TrainingData
from edgectl.spec import OutputSpec, PreprocessSpec


def make_manifest(**facts: Any) -> Manifest:
    """``facts``: fields of :class:`edgectl.artifacts.manifest.Manifest` that matter to the test."""
    stated: dict[str, Any] = {
        "backend": "toy",
        "precision": "int8",
        "stage": "ptq",
        "family": "sapling",
        "variant": "s",
        "network_config": {},
        "task": "centroid",
        "classes": ("mask",),
        "preprocess": PreprocessSpec((64, 96)),
        "outputs": (OutputSpec("cells", "cell_logits", 8, 2),),
        "checkpoint": Origin(path="../../checkpoints/best.pt", sha256="0" * 64, epoch=1),
        "data": TrainingData(name="demo_mask"),
        "tools": {"python": "3.11"},
        "status": "built",
        "model": "model.bin",
        "parity": Parity(),
        "tensors": Tensors(),
    }
    return Manifest(**(stated | facts))
