"""What every model family must do: the raw-head contract, a loss that can be trained, files."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import edgectl
from edgectl.config.layers import Layer, resolve, validate
from edgectl.config.schema import RunConfig
from edgectl.data.images.preprocess import normalize
from edgectl.errors import ArtifactError, ConfigError, UnsupportedOpError
from edgectl.plugins.family import Family, build_network
from edgectl.plugins.info import FamilyInfo, VariantInfo
from edgectl.plugins.registry import build_registry, load_entry
from edgectl.quant.graph.lower import fold_preprocess
from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.quant.graph.trace import trace
from edgectl.spec import OutputSpec, PreprocessSpec, Size
from edgectl.tasks.lookup import head_kind, load_task, task_info
from edgectl.testing.line import Project

_CLASSES = 3
_IMAGES = 4
_SMALLEST = 64
_TOLERANCE = 1e-3
_STEPS, _RATE, _LOWER = 20, 1e-3, 0.9


@dataclass(frozen=True)
class Subject:
    """One variant, built."""

    info: FamilyInfo
    variant: VariantInfo
    family: Family
    config: RunConfig
    model_config: Any
    size: Size
    gray: bool = False

    def build(self) -> nn.Module:
        """The same network every time."""
        torch.manual_seed(0)
        return build_network(
            self.family,
            self.info.name,
            self.model_config,
            num_classes=_CLASSES,
            in_chans=self.preprocess.channels,
        )

    @property
    def outputs(self) -> tuple[OutputSpec, ...]:
        """Its raw heads."""
        return self.family.outputs(self.model_config, num_classes=_CLASSES)

    @property
    def preprocess(self) -> PreprocessSpec:
        """PreprocessSpec of the size tested."""
        spec = self.family.preprocess(self.model_config, self.size)
        return spec.to_gray() if self.gray else spec

    def images(self) -> Tensor:
        """uint8 (N, C, H, W)."""
        shape = (_IMAGES, self.preprocess.channels, *self.size)
        return torch.from_numpy(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))

    def inputs(self) -> Tensor:
        """Those images as the network takes them."""
        return normalize(self.images(), self.preprocess)

    def loss(self, model: nn.Module, *, empty: bool = False) -> dict[str, Tensor]:
        """Compute the loss of the drawn targets."""
        criterion = self.family.criterion(self.model_config, num_classes=_CLASSES)
        task = load_task(self.info.task)
        targets = task.example_targets(_IMAGES, self.size, _CLASSES, empty=empty)
        return criterion(model(self.inputs()), targets)


class FamilyContract:
    """Attributes:
    family: registered name.
    variants: those tested; the default one when empty.
    input_size: at which; when None, four cells of the coarsest stride, from 64 to 256 pixels.
    quantizable: False for networks outside the op set, which go to compilers of vendors only.
    """

    family: ClassVar[str]
    variants: ClassVar[tuple[str, ...]] = ()
    input_size: ClassVar[Size | None] = None
    quantizable: ClassVar[bool] = True

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """A round for each variant."""
        if "variant" in metafunc.fixturenames:
            names = self.variants or (build_registry().families.get(self.family).default_variant,)
            metafunc.parametrize("variant", names, scope="class")

    @pytest.fixture(scope="class")
    @classmethod
    def subject(cls, variant: str) -> Subject:
        """See :class:`Subject`."""
        info = build_registry().families.get(cls.family)
        found = next(v for v in info.variants if v.name == variant)
        family: Family = load_entry(info.entry, info.name)
        preset = Layer("the preset", family.presets(variant))
        config, _ = resolve([preset, Layer("test", {"family": info.name, "variant": variant})])
        model_config = validate(family.config_type, config.model, prefix="model.")
        stride = found.output_stride
        side = -(-max(_SMALLEST, min(4 * stride, 256)) // stride) * stride
        size = cls.input_size or (side, side)
        return Subject(info, found, family, config, model_config, size)

    def test_every_variant_has_a_preset_the_configuration_accepts(self) -> None:
        info = build_registry().families.get(self.family)
        family: Family = load_entry(info.entry, info.name)
        assert info.default_variant in {v.name for v in info.variants}
        for variant in info.variants:
            config, _ = resolve([Layer("the preset", family.presets(variant.name))])
            validate(family.config_type, config.model, prefix="model.")
            assert all(n % variant.output_stride == 0 for n in variant.default_input_size)

    def test_unknown_keys_are_refused(self) -> None:
        info = build_registry().families.get(self.family)
        family: Family = load_entry(info.entry, info.name)
        assert family.config_type.model_config.get("extra") == "forbid"

    def test_heads_are_what_the_specs_say(self, subject: Subject) -> None:
        specs = subject.outputs
        assert len({s.name for s in specs}) == len(specs)
        assert not any(s.applied for s in specs)
        for spec in specs:
            kind = head_kind(spec.kind)
            assert spec.channels == kind.channels(_CLASSES), spec.name
            assert spec.activation in kind.activations, spec.name
        model = subject.build()
        for training in (True, False):
            model.train(training)
            with torch.no_grad():
                heads = model(subject.inputs())
            assert isinstance(heads, tuple) and len(heads) == len(specs)
            for head, spec in zip(heads, specs, strict=True):
                grid = [n // spec.stride for n in subject.size] if spec.stride else []
                assert list(head.shape) == [_IMAGES, spec.channels, *grid]
                assert head.dtype == torch.float32

    def test_the_preprocessing_is_of_the_size_asked_for(self, subject: Subject) -> None:
        spec = subject.preprocess
        assert spec.input_size == subject.size
        assert PreprocessSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec

    def test_the_loss_is_finite_and_reaches_every_parameter(self, subject: Subject) -> None:
        model = subject.build().train()
        losses = subject.loss(model)
        assert all(v.ndim == 0 and torch.isfinite(v) for v in losses.values())
        torch.autograd.backward(losses["loss"])
        without = [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
        assert not without, "parameters the loss does not depend on"

    def test_training_lowers_the_loss(self, subject: Subject) -> None:
        model = subject.build().train()
        optimizer = torch.optim.Adam(model.parameters(), lr=_RATE)
        losses = []
        for _ in range(_STEPS):
            loss = subject.loss(model)["loss"]
            losses.append(float(loss.detach()))
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
        # a loss that weighs boxes by their quality rises while there is none yet
        peak = losses.index(max(losses))
        assert min(losses[peak:]) < _LOWER * losses[peak], losses

    def test_images_without_objects(self, subject: Subject) -> None:
        if not task_info(subject.info.task).empty_images:
            pytest.skip("every image has something to find")
        model = subject.build().train()
        loss = subject.loss(model, empty=True)["loss"]
        torch.autograd.backward(loss)
        assert torch.isfinite(loss)
        assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)

    def test_detections_have_their_form(self, subject: Subject) -> None:
        post = subject.family.postprocess(subject.model_config, num_classes=_CLASSES)
        post.threshold = 0.0
        heads = _heads(subject)
        found = post(heads, subject.outputs)
        boxes = task_info(subject.info.task).labels == "boxes"
        assert len(found) == _IMAGES
        for d in found:
            count = len(d.scores)
            assert d.boxes_xyxy.shape == (count, 4) or (not boxes and d.boxes_xyxy.shape == (0, 4))
            assert d.labels.shape == d.scores.shape and d.labels.dtype == torch.int64
            assert bool(((d.scores >= 0) & (d.scores <= 1)).all())
            assert bool((d.scores[:-1] >= d.scores[1:]).all()), "best first"
            assert bool(((d.labels >= 0) & (d.labels < _CLASSES)).all())
            assert bool(torch.isfinite(d.boxes_xyxy).all())

    def test_activations_a_file_has_applied_are_not_applied_again(self, subject: Subject) -> None:
        post = subject.family.postprocess(subject.model_config, num_classes=_CLASSES)
        heads, specs = _heads(subject), subject.outputs
        scored = [_applied(h, s) for h, s in zip(heads, specs, strict=True)]
        marked = [replace(s, applied=s.activation != "none") for s in specs]
        for raw, done in zip(post(heads, specs), post(scored, marked), strict=True):
            torch.testing.assert_close(raw.scores, done.scores)
            torch.testing.assert_close(raw.boxes_xyxy, done.boxes_xyxy)

    def test_weights_survive_a_file(self, subject: Subject, tmp_path: Path) -> None:
        model = subject.build().eval()
        torch.save(model.state_dict(), tmp_path / "w.pth")
        torch.manual_seed(1)
        other = subject.family.build(subject.model_config, num_classes=_CLASSES).eval()
        state = torch.load(tmp_path / "w.pth", weights_only=True)
        other.load_state_dict(state)
        with torch.no_grad():
            for a, b in zip(model(subject.inputs()), other(subject.inputs()), strict=True):
                assert torch.equal(a, b)

    def test_foreign_weights_are_refused(self, subject: Subject, tmp_path: Path) -> None:
        torch.save({"no.such.layer": torch.zeros(1)}, tmp_path / "w.pth")
        (tmp_path / "text.pth").write_text("hello")
        for name in ("w.pth", "text.pth"):
            with pytest.raises(ArtifactError):
                subject.family.load_weights(subject.build(), subject.model_config, tmp_path / name)

    def test_the_traced_graph_is_the_network(self, subject: Subject) -> None:
        model = subject.build().eval()
        if not self.quantizable:
            with pytest.raises(UnsupportedOpError) as caught:
                trace(model, subject.size)
            assert caught.value.where and caught.value.fix
            return
        _compare_graph(subject, model)

    def test_the_onnx_file_is_the_network(self, subject: Subject, tmp_path: Path) -> None:
        pytest.importorskip("onnxsim", reason="pip install 'edgectl[onnx]'")
        from edgectl.backends.onnx_file import write_onnx
        from edgectl.backends.onnx_runtime import OnnxRunner

        path = tmp_path / "m.onnx"
        write_onnx(subject.build(), subject.preprocess, subject.outputs, path, opset=13)
        runner = OnnxRunner(path, subject.outputs, subject.preprocess)
        images = subject.images().permute(0, 2, 3, 1).numpy()
        for want, got in zip(_heads(subject), runner(images), strict=True):
            _close(want, torch.from_numpy(got))

    def test_networks_of_gray_images(self, subject: Subject) -> None:
        """One channel: built, trained by a step, traced, and fed images by the lowering and the spec."""
        side = max(_SMALLEST, subject.variant.output_stride)
        gray = replace(subject, gray=True, size=self.input_size or (side, side))
        assert gray.images().shape[1] == 1
        try:
            model = gray.build().train()
        except ConfigError as e:
            assert "in color alone" in e.message and e.fix
            pytest.skip("takes images in color alone")
        optimizer = torch.optim.SGD(model.parameters(), lr=_RATE)
        loss = gray.loss(model)["loss"]
        torch.autograd.backward(loss)
        assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
        optimizer.step()
        if self.quantizable:
            _compare_graph(gray, gray.build().eval())

    def test_it_is_trained_and_scored(self, subject: Subject, edgectl_project: Project) -> None:
        run = edgectl_project.train(
            self.family, subject.info.task, subject.size[0], variant=subject.variant.name
        )
        report = edgectl_project.expect(edgectl.evaluate, run)
        assert report["task"] == subject.info.task
        assert task_info(subject.info.task).main_metric in report["metrics"]
        edgectl_project.refuse(edgectl.train, self.family, variant="no-such-variant", code=2)


def _heads(subject: Subject) -> list[Tensor]:
    with torch.no_grad():
        return list(subject.build().eval()(subject.inputs()))


def _applied(head: Tensor, spec: OutputSpec) -> Tensor:
    if spec.activation == "sigmoid":
        return head.sigmoid()
    return head.softmax(dim=1) if spec.activation == "softmax" else head


def _compare_graph(subject: Subject, model: nn.Module) -> None:
    """The traced graph on normalized images, and with the preprocessing folded in on plain ones."""
    graph = trace(model, subject.size, subject.preprocess.channels)
    _compare(subject, graph, subject.inputs())
    unit = fold_preprocess(graph, subject.preprocess)
    if len(set(subject.preprocess.mean)) == 1:  # else one padding value cannot be exact
        _compare(subject, unit, subject.images().float() / 255.0)


def _compare(subject: Subject, graph: QuantGraph, x: Tensor) -> None:
    with torch.no_grad():
        for want, got in zip(_heads(subject), graph.run(x), strict=True):
            _close(want, got)


def _close(want: Tensor, got: Tensor) -> None:
    span = max(1.0, float(want.abs().max()))
    assert float((want - got).abs().max()) <= _TOLERANCE * span
