from __future__ import annotations

import pytest
import torch
from edgectl_fcos.config import FcosConfig
from edgectl_fcos.efficientnet import EfficientNetB0
from edgectl_fcos.model import FcosFamily
from edgectl_fcos.plugin import edgectl_register_families
from edgectl_fcos.weights import IMAGENET, SEEN
from torch import nn

from edgectl.backends.cost import profile_network
from edgectl.config.layers import validate
from edgectl.config.schema import RunConfig
from edgectl.errors import ArtifactError, ConfigError, UnsupportedOpError
from edgectl.labels import Targets
from edgectl.nn.vision import vision
from edgectl.quant.graph.trace import trace

FAMILY = FcosFamily()
VARIANTS = [v.name for v in edgectl_register_families()[0].variants]
STRIDES = (8, 16, 32, 64, 128)


def config(variant, **changes):
    table = {**FAMILY.presets(variant)["model"], **changes}
    return FcosConfig.model_validate(table, strict=False)


def build(variant, num_classes=2, **changes):
    return FAMILY.build(config(variant, **changes), num_classes=num_classes)


def profile(variant, num_classes, size):
    with torch.device("meta"):
        return profile_network(build(variant, num_classes), size)


@pytest.mark.parametrize("variant", VARIANTS)
def test_presets_are_a_valid_configuration(variant):
    preset = FAMILY.presets(variant)
    validate(FcosConfig, preset["model"], prefix="model.")
    validate(RunConfig, preset, prefix="")


def test_published_size():
    """32.27 M parameters, 128.21 GFLOPs (torchvision's table of detectors).

    The parameters leave out the 53120 of ResNet-50's frozen norms (26560 channels, weight and bias). The
    operations are multiply-accumulates at 800 x 800: what torchvision's transform makes of the square
    image it counts with. A photograph of 4:3 at 800 x 1088 takes 1088 / 800 of that, and an odd
    grid's last row more.
    """
    counted = profile("r50", 91, (800, 800))
    assert counted.params - 53120 == 32_269_600
    assert counted.macs == pytest.approx(128.207e9, rel=1e-5)
    wide = profile("r50", 91, (800, 1088))
    assert wide.macs == pytest.approx(128.207e9 * 1088 / 800, rel=1e-3)


@pytest.mark.parametrize(
    ("variant", "changes"),
    [
        ("r50", {}),
        ("r18", {}),
        ("efficientnetb0", {}),
        ("r18", {"norm_on_bbox": False, "centerness_on_reg": False}),
    ],
)
def test_heads_are_as_declared(variant, changes):
    specs = FAMILY.outputs(config(variant, **changes), num_classes=2)
    outputs = build(variant, **changes).eval()(torch.zeros(1, 3, 128, 256))
    assert len(outputs) == len(specs) == 15
    for tensor, spec in zip(outputs, specs, strict=True):
        assert tensor.shape == (1, spec.channels, 128 // spec.stride, 256 // spec.stride)
    distances = "box_log_distances" if changes else "box_distances"
    kinds = ["class_logits"] * 5 + [distances] * 5 + ["centerness_logits"] * 5
    assert [s.kind for s in specs] == kinds
    assert len({s.name for s in specs}) == 15
    assert {s.offset for s in specs[5:10]} == {0.0 if variant == "r50" else 0.5}


def test_distances_without_normalization_are_exponentials_in_pixels():
    """exp(scale * raw) pixels, so that all levels of a new network find boxes of one pixel or so."""
    model = build("r18", norm_on_bbox=False).eval()
    for predictor in model.head.modules():
        if isinstance(predictor, nn.Conv2d) and predictor.out_channels == 4:
            nn.init.zeros_(predictor.weight)
            nn.init.constant_(predictor.bias, 2.0)
    with torch.no_grad():
        model.head.scales[1].fill_(1.5)
        outputs = model(torch.zeros(1, 3, 128, 128))
    pixels = [t.exp() * s for t, s in zip(outputs[5:10], STRIDES, strict=True)]
    for level, t in enumerate(pixels):
        wanted = torch.tensor(2.0 * (1.5 if level == 1 else 1.0)).exp()
        assert torch.allclose(t, wanted.expand_as(t))


def test_shared_heads_keep_their_own_batch_norms():
    levels = build("r18").head.regression_head
    assert levels[0].conv[0] is levels[4].conv[0]
    assert levels[0].bbox_reg is levels[4].bbox_reg
    assert levels[0].conv[1] is not levels[4].conv[1]


def test_separate_heads_share_nothing():
    head = build("efficientnetb0").head
    parameters = [p for level in head.classification_head for p in level.parameters()]
    assert len(parameters) == len(set(parameters)) > 5


@pytest.mark.parametrize("variant", ["r18", "efficientnetb0"])
def test_gradients_reach_every_parameter(variant):
    torch.manual_seed(0)
    model = build(variant)
    criterion = FAMILY.criterion(config(variant), num_classes=2)
    boxes = [[5, 5, 12, 14], [5, 5, 40, 50], [10, 10, 110, 120], [0, 0, 200, 220], [0, 0, 256, 256]]
    targets = Targets([torch.tensor(boxes).float()] * 2, [torch.tensor([0, 1, 0, 1, 0])] * 2)
    criterion(model(torch.rand(2, 3, 256, 256)), targets)["loss"].backward()
    # a level without an object trains its class branch only
    silent = [n for n, p in model.named_parameters() if p.grad is None]
    assert not silent
    assert all(p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("variant", ["r18", "efficientnetb0"])
def test_traces_into_the_op_set(variant):
    """:func:`trace` itself compares the graph with the model."""
    graph = trace(build(variant), (128, 128))
    ops = {n.op for n in graph}
    assert ops == {"input", "conv", "add", "upsample", "max_pool"}
    # distances leave the last convolution clamped: nothing is spent on values below 0
    assert all(graph[name].activation == "relu" for name in graph.outputs[5:10])


def test_group_norm_is_refused_with_the_remedy():
    with pytest.raises(UnsupportedOpError, match="group_norm") as failure:
        trace(build("r50"), (128, 128))
    assert "batch norm" in failure.value.fix
    trace(build("r50", norm="bn"), (128, 128))


@pytest.mark.parametrize(
    "table", [{"norm": "gn"}, {"norm": "gn", "depthwise": False, "out_channels": 48}]
)
def test_group_norm_where_it_cannot_be(table):
    with pytest.raises(ConfigError, match="gn"):
        validate(FcosConfig, table, prefix="model.")


def test_backbone_is_torchvisions_without_squeeze_excitation():
    """Every tensor of ours is in torchvision's EfficientNet-B0, by name and shape; what remains there is
    squeeze-excitation and the classifier."""
    theirs = vision("models").efficientnet_b0(weights=None).state_dict()
    ours = EfficientNetB0().state_dict()
    assert {k: v.shape for k, v in ours.items()}.items() <= {
        k: v.shape for k, v in theirs.items()
    }.items()
    left = {k.split(".")[-2] for k in theirs if k not in ours and not k.startswith("classifier")}
    assert left == {"fc1", "fc2", "0", "1"}  # 0 and 1: features.8, before the classifier


@pytest.mark.parametrize("variant", ["r18", "efficientnetb0"])
@pytest.mark.parametrize("counters", [True, False])
def test_imagenet_weights_give_the_backbone(variant, counters, tmp_path):
    """The stem computes what it did, away from the border, where zero padding means another color."""
    name = {"r18": "resnet18", "efficientnetb0": "efficientnet_b0"}[variant]
    theirs = getattr(vision("models"), name)(weights=None).eval()
    state = {k: v for k, v in theirs.state_dict().items() if counters or "num_batches" not in k}
    torch.save(state, tmp_path / "w.pth")
    model = build(variant).eval()
    report = FAMILY.load_weights(model, config(variant), tmp_path / "w.pth")
    body = sum(k.startswith("backbone.body.") for k in model.state_dict())
    assert report["matched"] == body
    assert not any(k.startswith("backbone.body.") for k in report["missing"])
    assert report["matched"] + len(report["missing"]) == report["of"]

    pixels = torch.randint(0, 256, (1, 3, 32, 32)).float()
    seen = []
    stem = [theirs.conv1, theirs.bn1] if variant == "r18" else list(theirs.features[0])[:2]
    spec = FAMILY.preprocess(config(variant), (32, 32))
    for (conv, norm), mean, std in (
        (stem, IMAGENET.mean, IMAGENET.std),
        (model.backbone.body.stem, spec.mean, spec.std),
    ):
        m, s = (torch.tensor(v)[None, :, None, None] for v in (mean, std))
        with torch.no_grad():
            seen.append(norm(conv((pixels - m) / s))[..., 2:-2, 2:-2])
    assert torch.allclose(*seen, atol=1e-4)


def test_eighty_classes_take_the_category_ids_in_use(tmp_path):
    """torchvision's predictor counts COCO's category ids, 91 with gaps: 1 is a person, 90 a toothbrush."""
    source = build("r50", 91)
    with torch.no_grad():
        source.head.classification_head.cls_logits.bias.copy_(torch.arange(91.0))
    torch.save(source.state_dict(), tmp_path / "w.pth")
    model = build("r50", 80)
    report = FAMILY.load_weights(model, config("r50"), tmp_path / "w.pth")
    assert not report["missing"]
    bias = model.head.classification_head.cls_logits.bias.tolist()
    assert bias[0] == 1
    assert bias[11] == 13  # stop sign
    assert bias[79] == 90
    other = FAMILY.load_weights(build("r50", 3), config("r50"), tmp_path / "w.pth")
    assert {k.rsplit(".", 1)[0] for k in other["missing"]} == {
        "head.classification_head.cls_logits"
    }


def test_weights_of_another_network_are_refused(tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "w.pth")
    with pytest.raises(ArtifactError, match="0 of"):
        FAMILY.load_weights(build("r18"), config("r18"), tmp_path / "w.pth")


@pytest.mark.parametrize("variant", VARIANTS)
def test_preprocessing_is_what_the_weights_are_rewritten_for(variant):
    spec = FAMILY.preprocess(config(variant), (256, 256))
    assert (spec.mean, spec.std) == (
        SEEN[config(variant).normalise].mean,
        SEEN[config(variant).normalise].std,
    )
