"""The meter through the conformance kit, and what is particular to it."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from edgectl_meter.board import decode as board
from edgectl_meter.dials import draw_dial, draw_split
from edgectl_meter.metric import PointMetric, score_distance
from edgectl_meter.plugin import DATASET, HEAD, TASK
from edgectl_meter.points import DIAL, mark_points, read_dial
from edgectl_meter.points_csv import read_points
from edgectl_meter.postprocess import PointPostprocess

import edgectl
from edgectl.errors import DataError
from edgectl.labels import Detections, Targets
from edgectl.plugins.registry import build_registry
from edgectl.spec import OutputSpec
from edgectl.tasks.decode_rule import decode_rule
from edgectl.testing.dataset import DatasetContract
from edgectl.testing.family import FamilyContract
from edgectl.testing.line import Project
from edgectl.testing.task import TaskContract


class TestFamily(FamilyContract):
    family = "meter"
    input_size = (112, 112)


class TestTask(TaskContract):
    task = TASK


class TestDataset(DatasetContract):
    dataset = DATASET


@pytest.mark.parametrize(
    ("pixels", "score"), [(0.0, 1.0), (1.0, 1.0), (5.5, 0.5), (10.0, 0.0), (10.1, 0.0), (50.0, 0.0)]
)
def test_the_score_of_a_point_is_sscmas(pixels: float, score: float) -> None:
    # (10 - d) / (10 - 1) between 1 and 10 pixels
    assert float(score_distance(torch.tensor(pixels))) == pytest.approx(score, abs=1e-6)


def test_the_metric_averages_over_points_and_images() -> None:
    wanted = np.array([[20.0, 30.0], [40.0, 50.0]])
    moved = wanted + np.array([[0.0, 0.5], [3.3, 4.4]])  # 0.5 and 5.5 pixels away
    targets = Targets([torch.from_numpy(mark_points(wanted))], [torch.arange(2)])
    metric = PointMetric(("a", "b"))
    metric.update(
        [Detections(torch.from_numpy(mark_points(moved)), torch.ones(2), torch.arange(2))], targets
    )
    figures = metric.compute()
    assert figures["acc"] == pytest.approx((1.0 + 0.5) / 2, abs=1e-5)
    assert figures["mean_px"] == pytest.approx(3.0, abs=1e-5)
    assert figures["per_class"]["b"]["acc"] == pytest.approx(0.5, abs=1e-5)


@pytest.mark.parametrize(
    ("tip", "reading"),
    [((-1, 0), 0.0), ((0, -1), 0.5), ((1, 0), 1.0), ((1, 1), 1.0), ((-1, 1), 0.0)],
)
def test_a_reading_is_the_pointers_share_of_the_scale(
    tip: tuple[float, float], reading: float
) -> None:
    # half a turn clockwise, from the left over the top to the right
    points = {"center": (0, 0), "tip": tip, "start": (-1, 0), "end": (1, 0)}
    assert read_dial(points) == pytest.approx(reading)


def test_drawn_points_show_the_drawn_reading() -> None:
    for seed in range(20):
        image, points, reading = draw_dial(np.random.default_rng(seed))
        assert ((points > 0) & (points < image.shape[0])).all()
        assert read_dial(dict(zip(DIAL, points.tolist(), strict=True))) == pytest.approx(reading)


def test_the_reading_is_part_of_the_fingerprint(tmp_path: Path) -> None:
    draw_split(tmp_path / "train", 3, (0,))
    index = read_points(tmp_path)
    samples = index.splits["train"]
    other = dataclasses.replace(samples[0], reading=0.123)  # type: ignore[call-arg]
    changed = dataclasses.replace(index, splits={"train": (other, *samples[1:])})
    assert index.fingerprint("train") != changed.fingerprint("train")


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("tip_x", "wide", "not a number"),
        ("tip_y", "9999", "beside the image"),
        ("reading", "1.5", "beyond 0 to 1"),
        ("filename", "none.png", "not there"),
        ("filename", "../../x.png", "leaves the data set"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, column: str, value: str, says: str) -> None:
    draw_split(tmp_path / "train", 2, (0,))
    table = tmp_path / "train" / "points.csv"
    rows = list(csv.DictReader(table.open(encoding="utf-8")))
    rows[1][column] = value
    with table.open("w", encoding="utf-8", newline="") as f:
        writer = csv.DictWriter(f, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    with pytest.raises(DataError, match=says):
        read_points(tmp_path)


def test_the_board_finds_what_evaluation_finds() -> None:
    heads = torch.rand(1, 8) * 1.2 - 0.1
    spec = OutputSpec("points", "point_coordinates", 0, 8)
    (found,) = PointPostprocess((112, 112))([heads], [spec])
    model = {"input_size": [112, 112], "decode": decode_rule(TASK, [spec]).to_dict()}
    rows = board.decode({"points": heads[0].numpy()}, model)
    assert [r[0] for r in rows] == found.labels.tolist()
    np.testing.assert_allclose([r[2] for r in rows], found.boxes_xyxy.numpy(), atol=1e-3)


class TestLine:
    """The whole line, as a user would go it."""

    @pytest.fixture(scope="class")
    @classmethod
    def run(cls, edgectl_project: Project) -> edgectl.Run:
        settings = {"augment.rotate": 5.0}
        return edgectl.train("meter", data=DATASET, epochs=8, weights="none", set=settings)

    @pytest.fixture(scope="class")
    @classmethod
    def artifact(cls, run: edgectl.Run) -> edgectl.Artifact:
        pytest.importorskip("edgectl_tflite")
        return edgectl.export(run, backend="tflite")

    def test_training_learns_where_points_are(self, run: edgectl.Run) -> None:
        figures = edgectl.evaluate(run.best).metrics
        # one epoch reaches .2 and 15 pixels
        assert figures["acc"] > 0.45
        assert figures["mean_px"] < 10
        assert set(figures["per_class"]) == set(DIAL)
        assert 0 <= figures["reading_error"] < 0.3

    def test_the_int8_file_is_exact_and_as_good(self, artifact: edgectl.Artifact) -> None:
        runtimes = artifact.manifest.parity.runtimes
        assert runtimes
        assert all(r.differing == 0 for r in runtimes.values() if r.exact)
        assert any(r.exact for r in runtimes.values())
        found = edgectl.evaluate(artifact)
        assert found.task == TASK and "acc" in found.metrics

    def test_it_predicts_and_draws(self, run: edgectl.Run, edgectl_project: Project) -> None:
        image, _, _ = draw_dial(np.random.default_rng(5))
        cv2.imwrite(str(edgectl_project.path / "dial.png"), image)
        (result,) = edgectl.predict(run, "dial.png", out="seen").results
        assert [r["label"] for r in result.found] == ["reading", *DIAL]
        drawn = cv2.imread(str(result.drawn))
        assert drawn.shape == image.shape and (drawn != image).any()

    def test_a_bundle_for_a_board_holds_its_rule(self, artifact: edgectl.Artifact) -> None:
        boards = build_registry().boards.infos()
        target = next(b.name for b in boards if b.backend == "tflite")
        bundle = edgectl.deploy(artifact, target=target)
        headers = list(bundle.directory.glob("*.h"))
        assert any(HEAD in h.read_text(encoding="utf-8") for h in headers)

    def test_sets_without_key_points_are_refused(self, edgectl_project: Project) -> None:
        error = edgectl_project.refuse(edgectl.train, "meter", data="demo_mask", code=5)
        assert "learns key points" in error.message
