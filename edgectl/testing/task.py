"""What every task must do: facts that hold, batches that repeat, results people and programs can read."""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from edgectl.config.layers import Layer, resolve, validate
from edgectl.config.schema import RunConfig
from edgectl.data.formats import read_dataset
from edgectl.data.images.preprocess import resize_image
from edgectl.data.index import DatasetIndex
from edgectl.labels import Detections, Geometry
from edgectl.plugins.family import Family
from edgectl.plugins.info import TaskInfo
from edgectl.plugins.registry import build_registry, load_entry
from edgectl.spec import OutputSpec, PreprocessSpec
from edgectl.tasks.contract import Task
from edgectl.tasks.decode_rule import decode_rule
from edgectl.tasks.lookup import head_kind, load_task
from edgectl.testing.line import DATA, Project

_BATCH = 4
_HEIGHT, _WIDTH = 90, 120


@dataclass(frozen=True)
class Found:
    """What a random network finds in a plain image: its heads, the results, and how the image got in."""

    specs: tuple[OutputSpec, ...]
    results: Detections
    geometry: Geometry


class TaskContract:
    """Attributes:
    task: registered name. A family of the task must be installed.
    """

    task: ClassVar[str]

    @pytest.fixture(scope="class")
    @classmethod
    def info(cls) -> TaskInfo:
        """As registered."""
        return build_registry().tasks.get(cls.task)

    @pytest.fixture(scope="class")
    @classmethod
    def subject(cls) -> Task:
        """Its code."""
        return load_task(cls.task)

    @pytest.fixture(scope="class")
    @classmethod
    def index(cls, edgectl_project: Project) -> DatasetIndex:
        """The example set."""
        edgectl_project.draw(cls.task)
        return read_dataset(edgectl_project.path / DATA)

    @pytest.fixture(scope="class")
    @classmethod
    def found(cls, index: DatasetIndex) -> Found:
        """By a network of the task's first family."""
        info = next(f for f in build_registry().families.infos() if f.task == cls.task)
        family: Family = load_entry(info.entry, info.name)
        config, _ = resolve([Layer("the preset", family.presets(info.default_variant))])
        model_config = validate(family.config_type, config.model, prefix="model.")
        size = next(v for v in info.variants if v.name == info.default_variant).default_input_size
        count = len(index.classes)
        torch.manual_seed(0)
        model = family.build(model_config, num_classes=count).eval()
        specs = family.outputs(model_config, num_classes=count)
        post = family.postprocess(model_config, num_classes=count)
        post.threshold = 0.0
        image = np.full((_HEIGHT, _WIDTH, 3), 128, np.uint8)
        _, geometry = resize_image(image, PreprocessSpec(size))
        with torch.no_grad():
            (results,) = post(model(torch.rand(1, 3, *size)), specs)
        return Found(specs, results, geometry)

    def test_its_light_facts_hold(self, info: TaskInfo, subject: Task) -> None:
        assert info.summary and info.decoder and info.heads
        specs = [
            OutputSpec(kind, kind, 8, head_kind(kind).channels(2), _activation(kind))
            for kind in info.heads
        ]
        metrics = subject.metrics(("a", "b"), specs, (64, 64))
        assert (metrics.main, metrics.tuned) == (info.main_metric, info.operating_point)
        for build in (metrics.build, metrics.report or metrics.build):
            assert info.main_metric in build().compute()

    def test_its_example_set_has_the_labels_it_learns_from(
        self, index: DatasetIndex, subject: Task
    ) -> None:
        for samples in index.splits.values():
            subject.require_labels(index, samples, learner="the kit")

    def test_batches_repeat(self, index: DatasetIndex, subject: Task) -> None:
        spec, samples = PreprocessSpec((64, 64)), index.splits["train"]

        def first(epoch: int) -> Any:
            loader = subject.train_batches(
                samples, spec, RunConfig(), num_classes=len(index.classes), batch=_BATCH
            )
            assert loader.steps_per_epoch > 0
            batches = loader.epoch(epoch, total_epochs=10)
            found = next(iter(batches))
            batches.close()  # type: ignore[attr-defined]
            return found

        one, same, other = first(3), first(3), first(4)
        assert one.images.shape == (_BATCH, 3, 64, 64) and one.images.dtype == torch.uint8
        assert torch.equal(one.images, same.images)
        assert not torch.equal(one.images, other.images)
        for a, b in zip(one.targets.boxes_xyxy, same.targets.boxes_xyxy, strict=True):
            assert torch.equal(a, b)

    def test_evaluation_sees_every_image_in_order(self, index: DatasetIndex, subject: Task) -> None:
        samples = index.splits["valid"]
        batches = subject.eval_batches(samples, PreprocessSpec((64, 64)), batch=_BATCH)
        for _ in range(2):
            images = np.concatenate([b.images for b in batches])
            assert images.shape == (len(samples), 64, 64, 3) and images.dtype == np.uint8

    def test_results_can_be_written_said_and_drawn(
        self, index: DatasetIndex, subject: Task, found: Found
    ) -> None:
        image, size = np.full((_HEIGHT, _WIDTH, 3), 128, np.uint8), (_HEIGHT, _WIDTH)
        rows = subject.describe_results(found.results, found.geometry, size, index.classes)
        assert all(r["label"] for r in rows)
        assert json.loads(json.dumps(rows)) == rows
        assert "\n" not in subject.summarize_results(rows)
        assert subject.summarize_results([]) == ""
        before = image.copy()
        drawn = subject.draw_results(image, rows, index.classes)
        assert drawn.shape == image.shape and drawn.dtype == np.uint8
        assert np.array_equal(image, before), "drawn over the original"
        assert not rows or not np.array_equal(drawn, image)

    def test_boards_can_decode_it(self, info: TaskInfo, subject: Task, found: Found) -> None:
        rule = decode_rule(self.task, found.specs)
        assert rule.program == info.decoder
        assert json.loads(json.dumps(rule.to_dict()))["heads"][0]["name"] == found.specs[0].name
        source = subject.board_decoder()
        if source is not None:
            defined = [n.name for n in ast.parse(source).body if isinstance(n, ast.FunctionDef)]
            assert "decode" in defined


def _activation(kind: str) -> Any:
    return head_kind(kind).activations[0]
