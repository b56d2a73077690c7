"""ImageNet weights by torchvision's key names, their normalization folded into the stem."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from edgectl.nn.state import UNIT, Normalization, load_by_key, read_state, renormalize
from edgectl.nn.stem import color_stem
from edgectl.plugins.info import WeightsSource
from edgectl_resnet.backbone import MobileNetV2, ResNet

_CLASSIFIERS = ("fc.weight", "classifier.1.weight")

_NORM_EPS = {"mobilenetv2_w100_in1k_deq_fp16.pth": 1e-3}
"""Files whose batch norms were not trained with the network's own eps."""


def load_imagenet(
    model: ResNet | MobileNetV2, path: Path, source: WeightsSource | None
) -> dict[str, Any]:
    """Loads every tensor that fits; the classifier only where the number of classes agrees.

    Our network sees pixel / 255; weights trained on (pixel - mean) / std are rewritten for that, where
    ``source`` says which.

    Returns:
        ``{"matched": n, "of": m, "missing": [names]}``.

    Raises:
        ArtifactError: not a file of tensors, or not one tensor fits.
    """
    state = read_state(path)
    for name in _CLASSIFIERS:
        if name in state and state[name].ndim == 2:
            state[name] = state[name][:, :, None, None]
    if path.name in _NORM_EPS:
        _restate_eps(model, state, _NORM_EPS[path.name])
    conv, norm = model.stem
    with color_stem(conv, UNIT) as seen:
        report = load_by_key(
            model, state, where=path, fix="use weights of this variant, or --weights none"
        )
        stem = next(iter(model.state_dict()))
        if source is not None and stem not in report["missing"]:
            renormalize(conv, norm, Normalization(source.mean, source.std), seen)
    return report


def _restate_eps(model: nn.Module, state: dict[str, Tensor], eps: float) -> None:
    """var + eps is what counts: the difference to the network's eps goes into the variance."""
    for name, module in model.named_modules():
        key = f"{name}.running_var"
        if isinstance(module, nn.BatchNorm2d) and key in state:
            state[key] = state[key] + (eps - module.eps)
