from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from edgectl_rtmdet.config import RtmdetConfig
from edgectl_rtmdet.model import RtmdetFamily
from edgectl_rtmdet.plugin import edgectl_register_families
from edgectl_rtmdet.weights import IMAGENET
from torch import nn

from edgectl.errors import ArtifactError
from edgectl.labels import Targets
from edgectl.nn.state import load_by_key, read_state

FAMILY = RtmdetFamily()
VARIANTS = [v.name for v in edgectl_register_families()[0].variants]
SHARED = Path(__file__).parents[4] / "shared"
WEIGHTS = Path(os.environ.get("EDGECTL_WEIGHTS", SHARED / "weights"))
PERSON = WEIGHTS / "rtmdet_nano_person.pth"
needs_weights = pytest.mark.skipif(not PERSON.is_file(), reason="rtmdet_nano_person.pth is absent")


def config(variant):
    return RtmdetConfig.model_validate(FAMILY.presets(variant)["model"], strict=False)


def build(variant, num_classes=2):
    return FAMILY.build(config(variant), num_classes=num_classes)


def count(variant, num_classes, size):
    """(parameters, multiply-accumulates of all convolutions)."""
    with torch.device("meta"):
        model = build(variant, num_classes)
    macs = []
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(
                lambda m, _, out: macs.append(out.numel() * m.weight[0].numel())
            )
    model(torch.zeros(1, 3, size, size, device="meta"))
    return sum(p.numel() for p in model.parameters()), sum(macs)


@pytest.mark.parametrize(("variant", "parameters"), [("micro_relu6", 156e3), ("pico_relu6", 129e3)])
def test_what_a_microcontroller_bears(variant, parameters):
    """60 M multiply-accumulates at 192 pixels; 400 kB in int8, of which scales and structure take some."""
    ours = count(variant, 2, 192)
    assert ours[0] == pytest.approx(parameters, rel=0.01)
    assert ours[1] <= 60e6
    kinds = {type(m) for m in build(variant).modules()}
    assert nn.ReLU6 in kinds and not kinds & {nn.SiLU, nn.ReLU, nn.Hardsigmoid}


@pytest.mark.parametrize(
    ("variant", "parameters", "macs"),
    # Lyu et al., 2022, table 3 as OpenMMLab's model zoo prints it; 80 classes at 640 pixels
    [
        ("tiny", 4.88e6, 8.1e9),
        ("s", 8.89e6, 14.8e9),
        ("m", 24.71e6, 39.27e9),
        ("l", 52.3e6, 80.23e9),
    ],
)
def test_published_sizes(variant, parameters, macs):
    ours = count(variant, 80, 640)
    assert ours[0] == pytest.approx(parameters, rel=0.01)
    assert ours[1] == pytest.approx(macs, rel=0.01)


@pytest.mark.parametrize(
    ("variant", "parameters", "macs"),
    # SSCMA's two configurations, 2 classes at 192 pixels
    [("nano_relu", 2.5241e6, 333.18e6), ("nano_relu6", 2.4365e6, 333.09e6)],
)
def test_sizes_for_microcontrollers(variant, parameters, macs):
    ours = count(variant, 2, 192)
    assert ours[0] == pytest.approx(parameters, rel=1e-4)
    assert ours[1] == pytest.approx(macs, rel=1e-4)


@pytest.mark.parametrize("variant", ["nano", "nano_relu", "nano_relu6", "mnv4"])
def test_heads_are_as_declared(variant):
    specs = FAMILY.outputs(config(variant), num_classes=2)
    outputs = build(variant).eval()(torch.zeros(1, 3, 64, 96))
    assert len(outputs) == len(specs) == 6
    for tensor, spec in zip(outputs, specs, strict=True):
        assert tensor.shape == (1, spec.channels, 64 // spec.stride, 96 // spec.stride)
    assert [s.kind for s in specs] == ["class_logits"] * 3 + ["box_distances"] * 3


def test_shared_convolutions_keep_their_own_norms():
    head = build("tiny").bbox_head
    assert head.cls_convs[0][0].conv is head.cls_convs[2][0].conv
    assert head.cls_convs[0][0].bn is not head.cls_convs[2][0].bn
    assert head.cls_convs[0][0].conv is not head.reg_convs[0][0].conv


def test_gradients_reach_every_parameter():
    torch.manual_seed(0)
    model = build("nano")
    criterion = FAMILY.criterion(config("nano"), num_classes=2)
    targets = Targets(
        [torch.tensor([[5.0, 5.0, 40.0, 50.0]]), torch.tensor([[20.0, 10.0, 90.0, 80.0]])],
        [torch.tensor([0]), torch.tensor([1])],
    )
    criterion(model(torch.rand(2, 3, 96, 96)), targets)["loss"].backward()
    # levels without an assigned prior train their class branch only
    silent = [n for n, p in model.named_parameters() if p.grad is None]
    assert not silent
    assert all(p.grad.isfinite().all() for p in model.parameters())


@needs_weights
def test_published_weights_load_whole():
    report = FAMILY.load_weights(build("nano", 1), config("nano"), PERSON)
    assert report["matched"] == report["of"]
    assert not report["missing"]


@needs_weights
def test_other_classes_keep_all_but_the_class_predictors():
    report = FAMILY.load_weights(build("nano", 2), config("nano"), PERSON)
    assert report["matched"] == report["of"] - 6
    assert all(name.startswith("bbox_head.rtm_cls.") for name in report["missing"])


def test_weights_of_another_network_are_refused(tmp_path):
    path = tmp_path / "other.pth"
    torch.save(nn.Linear(2, 2).state_dict(), path)
    with pytest.raises(ArtifactError, match="0 of"):
        FAMILY.load_weights(build("nano"), config("nano"), path)


@needs_weights
def test_raw_heads_equal_the_onnx_twin():
    onnx = pytest.importorskip("onnx")
    ort = pytest.importorskip("onnxruntime")
    graph = onnx.load(PERSON.with_suffix(".onnx"))
    shapes = {i.name: list(i.dims) for i in graph.graph.initializer}
    predictors = {
        n.input[1]: n.output[0]
        for n in graph.graph.node
        if n.op_type == "Conv" and n.input[1].startswith(("bbox_head.rtm_cls", "bbox_head.rtm_reg"))
    }
    assert len(predictors) == 6, sorted(shapes)
    names = [predictors[k] for k in sorted(predictors)]
    for name in names:
        graph.graph.output.append(onnx.helper.make_tensor_value_info(name, 1, None))
    session = ort.InferenceSession(graph.SerializeToString())
    model = build("nano", 1).eval()
    # as the file has it: blue first, OpenMMLab's normalization
    load_by_key(model, read_state(PERSON), where=PERSON, fix="")
    torch.manual_seed(0)
    x = torch.randn(1, 3, 192, 192)
    theirs = session.run(names, {"input": x.numpy()})
    with torch.no_grad():
        ours = model(x)
    for a, b in zip(theirs, ours, strict=True):
        assert (torch.from_numpy(a) - b).abs().max() < 1e-3


@needs_weights
@pytest.mark.parametrize("normalize", ["centred", "unit"])
def test_our_normalization_computes_what_theirs_does(normalize):
    """Away from the border, where zero padding means another color."""
    ours = RtmdetConfig.model_validate({**config("nano").model_dump(), "normalise": normalize})
    a, b = build("nano", 1).eval(), build("nano", 1).eval()
    load_by_key(a, read_state(PERSON), where=PERSON, fix="")
    FAMILY.load_weights(b, ours, PERSON)
    torch.manual_seed(0)
    pixels = torch.randint(0, 256, (1, 3, 32, 32)).float()
    spec = FAMILY.preprocess(ours, (32, 32))
    seen = []
    for model, x, mean, std in (
        (a, pixels.flip(1), IMAGENET.mean[::-1], IMAGENET.std[::-1]),
        (b, pixels, spec.mean, spec.std),
    ):
        m, s = (torch.tensor(v)[None, :, None, None] for v in (mean, std))
        with torch.no_grad():
            seen.append(model.backbone.stem[0]((x - m) / s)[..., 1:-1, 1:-1])
    assert torch.allclose(*seen, atol=1e-4)
