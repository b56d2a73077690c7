from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from edgectl_resnet.config import ResnetConfig
from edgectl_resnet.model import ResnetFamily
from edgectl_resnet.plugin import edgectl_register_families

from edgectl.errors import ArtifactError
from edgectl.nn.vision import vision

FAMILY = ResnetFamily()
SOURCES = {v.name: v.weights for v in edgectl_register_families()[0].variants}
MEAN, STD = (
    torch.tensor(v)[None, :, None, None]
    for v in (SOURCES["resnet18"].mean, SOURCES["resnet18"].std)
)


def build(variant, num_classes):
    config = ResnetConfig(**FAMILY.presets(variant)["model"])
    return config, FAMILY.build(config, num_classes=num_classes).eval()


@pytest.fixture
def real_weights():
    beside = Path(__file__).parents[3].parent / "shared" / "weights"
    root = Path(os.environ.get("EDGECTL_WEIGHTS") or beside)
    if not root.is_dir():
        pytest.skip("no weights: set EDGECTL_WEIGHTS")
    return root


@pytest.mark.parametrize("name", ["ResNet18", "ResNet34", "ResNet50", "MobileNet_V2"])
def test_addresses_are_torchvisions(name):
    published = {w.url for w in getattr(vision("models"), f"{name}_Weights")}
    assert published & {s.url for s in SOURCES.values()}


def test_torchvision_weights_compute_the_same_of_raw_pixels(tmp_path):
    """Away from the border, where zero now means black: an image of the mean color all round."""
    torch.manual_seed(0)
    theirs = vision("models").resnet18(weights=None, num_classes=5).eval()
    theirs.bn1.running_mean.normal_()
    torch.save(theirs.state_dict(), tmp_path / "w.pth")
    config, model = build("resnet18", 5)
    report = FAMILY.load_weights(model, config, tmp_path / "w.pth")
    assert report["missing"] == []
    pixels = torch.randint(0, 256, (1, 3, 40, 40)).float()
    with torch.no_grad():
        ours = model.bn1(model.conv1(pixels / 255))[..., 3:-3, 3:-3]
        expected = theirs.bn1(theirs.conv1((pixels - MEAN) / STD))[..., 3:-3, 3:-3]
    assert torch.allclose(ours, expected, atol=1e-4)


def test_another_number_of_classes_leaves_the_classifier(tmp_path):
    theirs = vision("models").resnet18(weights=None)
    torch.save(theirs.state_dict(), tmp_path / "w.pth")
    config, model = build("resnet18", 3)
    report = FAMILY.load_weights(model, config, tmp_path / "w.pth")
    assert report["missing"] == ["fc.weight", "fc.bias"]
    assert torch.equal(model.layer3[0].conv1.weight, theirs.layer3[0].conv1.weight)


def test_weights_of_another_network_are_refused(tmp_path):
    torch.save({"nothing.weight": torch.zeros(3)}, tmp_path / "w.pth")
    config, model = build("mobilenetv2_0.35", 2)
    with pytest.raises(ArtifactError):
        FAMILY.load_weights(model, config, tmp_path / "w.pth")


def test_small_width_weights_fit(real_weights):
    config, model = build("mobilenetv2_0.35", 2)
    report = FAMILY.load_weights(model, config, real_weights / "mobilenetv2_w035_in1k_128.pth")
    assert report["missing"] == ["classifier.1.weight", "classifier.1.bias"]


def test_full_width_weights_know_a_cat(real_weights):
    """The whole chain - keys, eps, padding, folded normalization - on an image with a known answer."""
    image = real_weights.parent / "golden" / "images"
    cats = sorted(image.glob("*cat*")) if image.is_dir() else []
    if not cats:
        pytest.skip("no image of a cat")
    from edgectl.data.images.preprocess import decode, resize_image

    config, model = build("mobilenetv2_1.0", 1000)
    FAMILY.load_weights(model, config, real_weights / "mobilenetv2_w100_in1k_deq_fp16.pth")
    pixels, _ = resize_image(decode(cats[0]), FAMILY.preprocess(config, (224, 224)))
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        (logits,) = model(x)
    assert int(logits.argmax()) in range(281, 286)  # tabby, tiger, Persian, Siamese, Egyptian cat
