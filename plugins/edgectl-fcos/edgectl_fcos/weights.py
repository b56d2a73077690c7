"""torchvision's weights, by key: its whole FCOS, or an ImageNet classifier's as the backbone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edgectl.nn.state import Normalization, load_by_key, read_state, renormalize
from edgectl.nn.stem import color_stem

IMAGENET = Normalization((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
"""What torchvision's files were trained on."""

SEEN = {
    "imagenet": IMAGENET,
    # One mean for all channels, and that the grey of the letterbox: zero padding continues the
    # image's border, and a device that is fed plain pixels pads with one number exactly.
    "centred": Normalization((114.0, 114.0, 114.0), IMAGENET.std),
    "signed": Normalization((128.0, 128.0, 128.0), (128.0, 128.0, 128.0)),
}
"""What our network sees, by ``normalize``."""

_BODY = "backbone.body."
_CLASSES = "head.classification_head.cls_logits."
_COUNTER = ".num_batches_tracked"
_COCO_IDS = 91
_NEVER_USED = (0, 12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
"""Number of COCO's category ids, which torchvision's class predictor counts by; 80 are in use."""


def load_torchvision(model: nn.Module, path: Path, seen: Normalization) -> dict[str, Any]:
    """Loads every tensor that fits; the stem is rewritten for a network that sees ``seen``.

    A file for all of COCO's category ids gives its class predictor to a model of 80 classes too: those
    in use, in their order.

    Returns:
        ``{"matched": n, "of": m, "missing": [names]}``.

    Raises:
        ArtifactError: not a file of tensors, or not one tensor fits.
    """
    state = read_state(path)
    if any(name.startswith(_BODY) for name in state):
        _keep_used_classes(model, state)
    else:
        state = {_BODY + name: tensor for name, tensor in state.items()}
    _count_batches(model, state)
    conv, norm = _stem(model)
    with color_stem(conv, seen) as target:
        report = load_by_key(
            model,
            state,
            where=path,
            fix="use torchvision's FCOS or the weights of the variant's backbone, or --weights none",
        )
        stem = next(k for k in model.state_dict() if k.startswith(_BODY))
        if stem not in report["missing"] and target != IMAGENET:
            renormalize(conv, norm, IMAGENET, target)
    return report


def _keep_used_classes(model: nn.Module, state: dict[str, Tensor]) -> None:
    own = model.state_dict()
    used = torch.tensor([i for i in range(_COCO_IDS) if i not in _NEVER_USED])
    for name in (_CLASSES + "weight", _CLASSES + "bias"):
        given = state.get(name)
        if given is not None and name in own and len(given) == _COCO_IDS and len(own[name]) == 80:
            state[name] = given[used]


def _count_batches(model: nn.Module, state: dict[str, Tensor]) -> None:
    """Files of frozen norms, and old ones, leave out the counter, which nothing here reads."""
    for name, own in model.state_dict().items():
        if name.endswith(_COUNTER) and name.replace(_COUNTER, ".running_mean") in state:
            state.setdefault(name, own)


def _stem(model: nn.Module) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    conv, norm = model.get_submodule("backbone.body").stem  # type: ignore[misc]
    return conv, norm
