from __future__ import annotations

import pytest
import torch
from edgectl_resnet.backbone import BottomRightConv
from edgectl_resnet.config import ResnetConfig
from edgectl_resnet.model import ResnetFamily
from edgectl_resnet.plugin import edgectl_register_families
from pydantic import ValidationError
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from edgectl.errors import ConfigError
from edgectl.labels import Targets
from edgectl.nn.vision import vision
from edgectl.quant.graph.trace import trace

FAMILY = ResnetFamily()
VARIANTS = [v.name for v in edgectl_register_families()[0].variants]


def build(variant, num_classes=3, **changes):
    config = ResnetConfig(**{**FAMILY.presets(variant)["model"], **changes})
    return config, FAMILY.build(config, num_classes=num_classes).eval()


def truth(labels, weights=None):
    n = len(labels)
    nothing = [torch.zeros(0, 4)] * n, [torch.zeros(0, dtype=torch.int64)] * n
    return Targets(*nothing, image_labels=torch.as_tensor(labels), image_weights=weights)


# torchvision's tables, https://docs.pytorch.org/vision/stable/models.html: millions, GMACs at 224
@pytest.mark.parametrize(
    ("variant", "mparams", "gmacs"),
    [
        ("resnet18", 11.690, 1.81),
        ("resnet34", 21.798, 3.66),
        ("resnet50", 25.557, 4.09),
        ("mobilenetv2_1.0", 3.505, 0.30),
    ],
)
def test_published_sizes(variant, mparams, gmacs):
    _, model = build(variant, num_classes=1000)
    assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(mparams, abs=6e-4)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, 3, 224, 224))
    assert counter.get_total_flops() / 2e9 == pytest.approx(gmacs, abs=6e-3)


@pytest.mark.parametrize(
    ("variant", "name"), [("resnet18", "resnet18"), ("mobilenetv2_1.0", "mobilenet_v2")]
)
def test_same_function_and_keys_as_torchvision(variant, name):
    torch.manual_seed(0)
    _, model = build(variant, num_classes=7)
    theirs = vision("models").get_model(name, weights=None, num_classes=7).eval()
    state = theirs.state_dict()
    assert model.state_dict().keys() == state.keys()
    model.load_state_dict({k: v.reshape(model.state_dict()[k].shape) for k, v in state.items()})
    x = torch.rand(2, 3, 65, 80)
    with torch.no_grad():
        assert torch.allclose(model(x)[0], theirs(x), atol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("size", [(32, 32), (65, 47)])
def test_outputs_contract_at_any_size(variant, size):
    config, model = build(variant, num_classes=4)
    (spec,) = FAMILY.outputs(config, num_classes=4)
    with torch.no_grad():
        (logits,) = model(torch.rand(2, 3, *size))
    assert logits.shape == (2, spec.channels)


def test_an_input_below_five_halvings_is_refused():
    with pytest.raises(ConfigError, match="too small"):
        FAMILY.preprocess(ResnetConfig(), (31, 64))


def test_width_belongs_to_mobilenet():
    with pytest.raises(ValidationError, match="belong to mobilenetv2"):
        ResnetConfig(width=0.5)


def test_act_layer_replaces_every_activation():
    _, model = build("mobilenetv2_0.35", act_layer="relu")
    kinds = {type(m) for m in model.modules() if isinstance(m, nn.ReLU | nn.ReLU6)}
    assert kinds == {nn.ReLU}


def test_the_graph_is_made_of_ops_every_backend_has():
    _, model = build("resnet18")
    ops = {n.op for n in trace(model, (32, 32))}
    assert ops == {"input", "conv", "add", "max_pool", "mean", "reshape"}


def test_tensorflow_padding_needs_no_pad_operator():
    _, model = build("mobilenetv2_0.35")
    assert sum(isinstance(m, BottomRightConv) for m in model.modules()) == 5
    graph = trace(model, (64, 64))
    assert {n.op for n in graph} == {"input", "conv", "add", "mean", "reshape"}
    strided = [n for n in graph if n.attrs.get("stride") == (2, 2)]
    assert [tuple(n.attrs["padding"]) for n in strided] == [(0, 1, 0, 1)] * 5


def test_bottom_right_padding_is_a_shift_of_the_symmetric_one():
    torch.manual_seed(0)
    ours, x = BottomRightConv(3, 4, 3, 2), torch.rand(1, 3, 16, 16)
    symmetric = nn.functional.conv2d(x, ours.weight, ours.bias, 1, 1)
    assert torch.allclose(ours(x), symmetric[:, :, 1::2, 1::2], atol=1e-6)


def test_loss_is_the_weighted_cross_entropy():
    criterion = FAMILY.criterion(ResnetConfig(label_smoothing=0.0), num_classes=2)
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0]])
    each = [torch.log1p(torch.exp(torch.tensor(-d))) for d in (2.0, 1.0)]
    plain = criterion([logits], truth([0, 1]))["loss"]
    assert plain == pytest.approx(float(sum(each) / 2), rel=1e-6)
    weighted = criterion([logits], truth([0, 1], torch.tensor([3.0, 1.0])))["loss"]
    assert weighted == pytest.approx(float((3 * each[0] + each[1]) / 4), rel=1e-6)


def test_loss_takes_mixed_labels():
    criterion = FAMILY.criterion(ResnetConfig(), num_classes=2)
    logits = torch.tensor([[2.0, 0.0]])
    halves = criterion([logits], truth([[0.5, 0.5]]))["loss"]
    ends = [criterion([logits], truth([c]))["loss"] for c in (0, 1)]
    assert halves == pytest.approx(float(sum(ends) / 2), rel=1e-6)


def test_boxes_are_no_labels_of_images():
    criterion = FAMILY.criterion(ResnetConfig(), num_classes=2)
    with pytest.raises(ValueError, match="image_labels"):
        criterion([torch.zeros(1, 2)], Targets([torch.zeros(1, 4)], [torch.zeros(1).long()]))


def test_postprocess_ranks_and_breaks_ties_like_argmax():
    config = ResnetConfig()
    (spec,) = FAMILY.outputs(config, num_classes=3)
    post = FAMILY.postprocess(config, num_classes=3)
    first, tied = post([torch.tensor([[0.0, 2.0, 1.0], [1.0, 1.0, 1.0]])], [spec])
    assert first.labels.tolist() == [1, 2, 0]
    assert float(first.scores.sum()) == pytest.approx(1.0)
    assert tied.labels.tolist() == [0, 1, 2]


def test_applied_probabilities_are_kept():
    config = ResnetConfig()
    (spec,) = FAMILY.outputs(config, num_classes=2)
    applied = type(spec)(**{**spec.to_dict(), "applied": True})
    (found,) = FAMILY.postprocess(config, num_classes=2)([torch.tensor([[0.25, 0.75]])], [applied])
    assert found.scores.tolist() == [0.75, 0.25]


def test_a_few_steps_lower_the_loss():
    torch.manual_seed(0)
    config, model = build("mobilenetv2_0.35", num_classes=2)
    criterion = FAMILY.criterion(config, num_classes=2)
    x, target = torch.rand(4, 3, 32, 32), truth([0, 1, 0, 1])
    optimizer = torch.optim.Adam(model.train().parameters(), lr=0.003)
    losses = []
    for _ in range(12):
        loss = criterion(model(x), target)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
