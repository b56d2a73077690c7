"""``--device`` of commands that do not train: where the float network runs, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from edgectl.errors import DependencyError, UsageError
from edgectl.runs.trained import TrainedModel
from edgectl.spec import PreprocessSpec
from edgectl.train.device import DEVICES, choose_device


class Watching(nn.Module):
    """Answers with one channel, and remembers where it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 1, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor]:
        return (self.conv(x),)


def trained(device: str) -> TrainedModel:
    unused: Any = None

    class Model(TrainedModel):
        @property
        def preprocess(self) -> PreprocessSpec:
            return PreprocessSpec((8, 8))

    return Model(unused, unused, unused, unused, unused, Watching().eval(), device)


def test_the_network_itself_stays_on_the_cpu() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    here = trained("cpu")
    (wanted,) = here.predictor()(images)
    assert wanted.shape == (2, 1, 8, 8) and wanted.device.type == "cpu"
    # "meta" stands in for an accelerator: a copy goes there, and tracing finds the network here
    away = trained("meta")
    away.predictor()
    assert away.model.conv.weight.device.type == "cpu"


def test_devices_that_are_none() -> None:
    assert set(DEVICES) >= {"auto", "cpu", "cuda", "npu", "mps"}
    assert choose_device("cpu") == "cpu"
    with pytest.raises(UsageError, match="no kind of device") as unknown:
        choose_device("gpu", where="--device")
    assert unknown.value.where == "--device" and "cuda" in str(unknown.value.fix)
    absent = next(d for d in ("mps", "cuda") if d != choose_device("auto"))
    with pytest.raises(DependencyError) as missing:
        choose_device(absent, where="--device")
    assert missing.value.where == "--device"
