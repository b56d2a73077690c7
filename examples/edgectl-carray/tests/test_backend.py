from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from edgectl_carray.backend import CArrayBackend
from edgectl_carray.config import CArrayConfig

from edgectl.backends.contract import WriteRequest
from edgectl.errors import ArtifactError
from edgectl.quant.graph.trace import trace
from edgectl.spec import PreprocessSpec
from edgectl.testing.backend import BackendContract


class TestCArray(BackendContract):
    backend = "carray"


class Zoo(torch.nn.Module):
    """Every op there is C for."""

    def __init__(self) -> None:
        super().__init__()
        self.a = torch.nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.b = torch.nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=8)
        self.c = torch.nn.Conv2d(16, 8, 1)
        self.gate = torch.nn.Conv2d(8, 8, 1)
        self.end = torch.nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        f = torch.nn.functional
        x = f.relu6(self.a(x))
        y = f.silu(self.b(f.max_pool2d(x, 3, 2, 1)))
        y = f.interpolate(y, scale_factor=2.0, mode="nearest")
        y = f.relu(self.c(torch.cat([x, y], dim=1)) + x)
        y = y * torch.sigmoid(self.gate(y.mean((2, 3), keepdim=True)))
        y = f.pad(y, (0, 1, 0, 1))
        y = f.avg_pool2d(y, 3, 2)
        return y, self.end(f.adaptive_avg_pool2d(y, 1).flatten(1))


def written(directory: Path) -> tuple[Path, Zoo]:
    torch.manual_seed(0)
    net = Zoo().eval()
    backend = CArrayBackend()
    graph = trace(net, (32, 32))
    assert backend.check(graph) == []
    files = backend.write(
        WriteRequest(
            graph=graph,
            directory=directory,
            outputs=(),
            preprocess=PreprocessSpec((32, 32)),
            classes=(),
            precision="fp32",
            config=CArrayConfig(),
        )
    )
    return files[0], net


def test_every_op(tmp_path: Path) -> None:
    file, net = written(tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    found = CArrayBackend().open(file, runtime="cc", specs=(), preprocess=None)(images)
    with torch.no_grad():
        expected = net(torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255)
    for got, want in zip(found, expected, strict=True):
        np.testing.assert_allclose(got, want.numpy(), atol=1e-5)


@pytest.mark.parametrize("name", ["model.c", "kernels.h"])
def test_code_that_was_handed_over_is_not_compiled(tmp_path: Path, name: str) -> None:
    file, _ = written(tmp_path)
    text = (tmp_path / name).read_text()
    (tmp_path / name).write_text(text + "/* mine */\n")
    with pytest.raises(ArtifactError, match=r"not the C of model\.npz"):
        CArrayBackend().open(file, runtime="cc", specs=(), preprocess=None)
