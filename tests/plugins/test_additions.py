"""Metrics and checks of plugins take part where edgectl's own do."""

from __future__ import annotations

import dataclasses
import sys
import types

import pytest
import torch

from edgectl.data.inspect import checks
from edgectl.data.inspect.findings import Finding
from edgectl.labels import Detections, Targets
from edgectl.metrics.evaluator import evaluate
from edgectl.plugins.info import CheckInfo, MetricInfo
from edgectl.plugins.manager import LoadedPlugin
from edgectl.plugins.registry import Offer, Table, installed
from edgectl.spec import OutputSpec
from edgectl.tasks import lookup

PLUGIN = LoadedPlugin("more", "edgectl-more", "1")


@pytest.fixture
def module(monkeypatch):
    """A module plugins' entries may name."""
    made = types.ModuleType("fake_more")
    monkeypatch.setitem(sys.modules, "fake_more", made)
    return made


class Counting:
    def __init__(self, classes, outputs, input_size):
        self.seen, self.classes = 0, classes

    def update(self, detections, targets):
        self.seen += len(detections)

    def compute(self):
        return {"seen": self.seen, "classes": len(self.classes), "top1": -1.0}


class Batch:
    images = None
    targets = Targets([], [], image_labels=torch.tensor([0, 1]))


class Ranking:
    threshold = 0.0

    def __call__(self, outputs, specs):
        scores = torch.tensor([0.9, 0.1])
        return [Detections(torch.zeros(0, 4), scores, torch.tensor([0, 1])) for _ in range(2)]


def test_a_metric_stands_in_the_report_under_its_own_name(module, monkeypatch):
    module.Counting = Counting
    info = MetricInfo("seen", "classification", "images", "fake_more:Counting")
    registry = dataclasses.replace(installed(), metrics=Table("metric", [Offer(info, PLUGIN)]))
    monkeypatch.setattr(lookup, "installed", lambda: registry)
    specs = (OutputSpec("classes", "class_logits", 0, 2, "softmax"),)
    metrics = lookup.task_metrics("classification", ("a", "b"), specs, (32, 32))
    figures = evaluate(lambda images: [], [Batch(), Batch()], Ranking(), specs, metrics)
    # the task's own figures stay what they are
    assert figures["top1"] == 0.5
    assert (figures["seen"], figures["seen.classes"], figures["seen.top1"]) == (4, 2, -1.0)
    other = lookup.task_metrics("detection", ("a",), specs, (32, 32))
    assert not other.added


def test_a_check_is_called_after_edgectls_own(module, monkeypatch):
    module.check = lambda evidence: iter([Finding("error", "too_blue", "a.png", evidence)])
    own = installed().checks.offers
    info = CheckInfo("blue", "colors", "fake_more:check")
    registry = dataclasses.replace(installed(), checks=Table("check", [*own, Offer(info, PLUGIN)]))
    monkeypatch.setattr(checks, "installed", lambda: registry)
    assert list(checks.known_checks()) == [*checks.CHECKS, module.check]
