from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from edgectl_fomo.config import FomoConfig
from edgectl_fomo.model import FomoFamily
from torch import nn

from edgectl.errors import ArtifactError
from edgectl.nn.mobilenetv2 import MobileNetV2, load_mobilenetv2, torchvision_key
from edgectl.nn.state import Normalization

SOURCE = Normalization((120.0, 110.0, 100.0), (60.0, 50.0, 40.0))
WEIGHTS = Path(os.environ.get("EDGECTL_WEIGHTS", Path(__file__).parents[4] / "shared/weights"))


def as_torchvision(backbone):
    return {torchvision_key(backbone, k): v for k, v in backbone.state_dict().items()}


def test_keys_are_torchvisions():
    keys = set(as_torchvision(MobileNetV2(1.0, 2, nn.ReLU6)))
    assert {
        "features.0.0.weight",
        "features.1.conv.0.0.weight",
        "features.1.conv.1.weight",
        "features.1.conv.2.running_mean",
        "features.2.conv.0.0.weight",
        "features.2.conv.2.weight",
        "features.2.conv.3.bias",
    } <= keys


def test_normalization_is_folded(tmp_path):
    torch.manual_seed(0)
    theirs = MobileNetV2(0.35, 2, nn.ReLU6).eval()
    theirs[0][1].running_mean.uniform_(-1, 1)
    path = tmp_path / "w.pth"
    torch.save(as_torchvision(theirs), path)
    ours = MobileNetV2(0.35, 2, nn.ReLU6).eval()
    assert load_mobilenetv2(ours, path, SOURCE)["missing"] == []
    pixels = torch.randint(0, 256, (1, 3, 32, 32)).float()
    mean, std = (torch.tensor(v)[None, :, None, None] for v in (SOURCE.mean, SOURCE.std))
    with torch.no_grad():
        expected, got = theirs[0]((pixels - mean) / std), ours[0](pixels / 255)
    # the stem pads bottom and right with zeros, which mean different pixels: not compared
    torch.testing.assert_close(got[..., :-1, :-1], expected[..., :-1, :-1], atol=1e-4, rtol=1e-4)


def test_a_partial_file_says_what_is_missing(tmp_path):
    state = as_torchvision(MobileNetV2(0.35, 2, nn.ReLU6))
    del state["features.0.1.bias"]
    torch.save({"state_dict": state}, tmp_path / "w.pth")
    report = load_mobilenetv2(MobileNetV2(0.35, 2, nn.ReLU6), tmp_path / "w.pth", None)
    assert report["missing"] == ["0.1.bias"]
    assert report["matched"] == report["of"] - 1


class Evil:
    def __reduce__(self):
        return (print, ("code ran",))


@pytest.mark.parametrize("kind", ["nothing matches", "code", "garbage", "list", "absent"])
def test_bad_files(tmp_path, kind, capsys):
    path = tmp_path / "w.pth"
    if kind == "nothing matches":
        torch.save({"encoder.weight": torch.zeros(3)}, path)
    elif kind == "code":
        torch.save({"x": Evil()}, path)
    elif kind == "garbage":
        path.write_bytes(b"not a checkpoint at all")
    elif kind == "list":
        torch.save([torch.zeros(3)], path)
    with pytest.raises(ArtifactError) as e:
        load_mobilenetv2(MobileNetV2(0.35, 2, nn.ReLU6), path, None)
    assert e.value.fix
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("file", "variant"),
    [
        ("mobilenetv2_w035_in1k_224.pth", "mobilenetv2_0.35_x8"),
        ("mobilenetv2_w100_in1k_deq_fp16.pth", "mobilenetv2_1.0_x16"),
    ],
)
def test_real_weights_match_completely(file, variant):
    path = WEIGHTS / file
    if not path.is_file():
        pytest.skip(f"{file} is not in EDGECTL_WEIGHTS")
    family = FomoFamily()
    config = FomoConfig(**family.presets(variant)["model"])
    report = family.load_weights(family.build(config, num_classes=2), config, path)
    assert report["matched"] == report["of"]
