"""Every finding appears with its cause, names its evidence, and stays away without it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from edgectl.metrics.diagnosis import Evidence, count_classes, count_sizes, diagnose
from edgectl.spec import PreprocessSpec

SMALL, MEDIUM, LARGE = [0, 0, 20, 20], [0, 0, 50, 50], [0, 0, 200, 200]
GOOD = {"AP": 0.5, "AP50": 0.7, "AP75": 0.6, "AP_small": 0.2, "AR_100": 0.6}


@pytest.fixture
def healthy(drawn):
    """Every size and class, often enough, at a size the network can see."""
    every = [drawn.sample([SMALL, MEDIUM, LARGE], [0, 1, 1]) for _ in range(25)]
    return Evidence("AP", GOOD, ("cat", "dog"), every, every, PreprocessSpec((480, 640)), 0.001)


def kinds(evidence):
    found = diagnose(evidence)
    json.dumps([f.to_dict() for f in found])  # plain numbers
    return {f.kind: f for f in found}


def test_a_healthy_run_has_no_finding(healthy):
    assert kinds(healthy) == {}


def test_no_small_objects(healthy, drawn):
    scored = [drawn.sample([MEDIUM, LARGE], [0, 1])]
    found = kinds(replace(healthy, scored=scored, figures={**GOOD, "AP_small": -1.0}))
    assert set(found) == {"no_small_objects"}
    assert found["no_small_objects"].evidence == {
        "AP_small": -1.0,
        "scored": {"small": 0, "medium": 1, "large": 1},
    }


def test_loose_boxes(healthy):
    found = kinds(replace(healthy, figures={**GOOD, "AP50": 0.8, "AP75": 0.3}))
    assert found["loose_boxes"].evidence == {"AP50": 0.8, "AP75": 0.3}
    assert "0.800" in found["loose_boxes"].message and "0.300" in found["loose_boxes"].message
    # nothing is found at all: the boxes are not the trouble
    assert not kinds(replace(healthy, figures={**GOOD, "AP50": 0.05, "AP75": 0.0}))


def test_a_size_missing_in_train(healthy, drawn):
    train = [drawn.sample([MEDIUM, LARGE], [0, 1]) for _ in range(30)]
    found = kinds(replace(healthy, train=train))
    assert set(found) == {"few_small_objects_in_train"}
    assert "25 small objects" in found["few_small_objects_in_train"].message
    assert "none trained on" in found["few_small_objects_in_train"].message
    assert found["few_small_objects_in_train"].evidence["train"]["small"] == 0
    assert not kinds(replace(healthy, train=None)), "unknown is not missing"


def test_few_examples(healthy, drawn):
    train = [drawn.sample([SMALL, MEDIUM, LARGE], [0, 0, 0]) for _ in range(25)]
    train.append(drawn.sample([LARGE] * 3, [1] * 3))
    found = kinds(replace(healthy, train=train))
    assert found["few_examples"].evidence == {"train": {"dog": 3}}
    assert "dog (3)" in found["few_examples"].message


def test_a_class_that_is_not_scored(healthy, drawn):
    scored = [drawn.sample([SMALL, MEDIUM, LARGE], [0, 0, 0])]
    assert set(kinds(replace(healthy, scored=scored))) == {"classes_not_scored"}


def test_recall_bound_by_a_hundred_detections(healthy, drawn):
    many = drawn.sample([MEDIUM, SMALL, LARGE, *[MEDIUM] * 498], [0] * 500 + [1])
    found = kinds(replace(healthy, scored=[many]))
    assert found["recall_bound"].evidence == {
        "images": 1,
        "most": 500,
        "beyond": 400,
        "objects": 501,
    }


def test_objects_too_small_for_the_network(healthy):
    # 20 pixels of 640 are 3 of 96
    found = kinds(replace(healthy, preprocess=PreprocessSpec((96, 96))))
    evidence = found["tiny_objects"].evidence
    assert (evidence["tiny"], evidence["objects"]) == (50, 75), "20 and 50 pixels: 3.0 and 7.5"


def test_raised_threshold(healthy):
    assert set(kinds(replace(healthy, threshold=0.3))) == {"raised_threshold"}
    f1 = replace(healthy, threshold=0.3, main="f1", figures={"f1": 0.8})
    assert not kinds(f1), "an operating point is no fault"


def test_no_objects(healthy, drawn):
    found = kinds(replace(healthy, scored=[drawn.sample([], [])]))
    assert found["no_objects"].evidence == {"images": 1, "objects": 0}
    assert not any(k.endswith("_objects_in_train") for k in found)


def events(values, epochs=None):
    count = len(values)
    yield {"event": "started", "epoch": 0, "epochs": epochs or count}
    for i, value in enumerate(values, start=1):
        yield {"event": "epoch", "epoch": i, "metrics": {} if value is None else {"AP": value}}


@pytest.mark.parametrize(
    ("curve", "kind"),
    [
        (np.linspace(0.0, 0.5, 20), "not_converged"),
        (np.minimum(np.linspace(0.0, 2.0, 20), 0.5), None),
        ([None, None, 0.3, None, None, 0.5, None, 0.51], None),
        ([0.1, 0.2, 0.3, 0.4, 0.3, 0.2], None),
        ([0.5], None),
        ([-1.0] * 8, None),
        ([0.0] * 8, None),
        ([], None),
    ],
)
def test_convergence(healthy, curve, kind):
    found = kinds(replace(healthy, events=list(events(curve))))
    assert set(found) == ({kind} if kind else set())


def test_not_converged_names_the_figures(healthy):
    found = kinds(replace(healthy, events=list(events([0.1, 0.2, 0.3, 0.4]))))
    assert found["not_converged"].evidence == {
        "epochs": 4,
        "early": 0.3,
        "late": 0.4,
        "metric": "AP",
    }


def test_stopped_early(healthy):
    found = kinds(replace(healthy, events=list(events([0.5] * 8, epochs=100))))
    assert found["stopped_early"].evidence == {"epochs": 8, "planned": 100}


def test_crowd_does_not_count(drawn):
    sample = drawn.sample([SMALL, LARGE], [0, 1], crowd=[True, False])
    assert count_sizes([sample]) == {"small": 0, "medium": 0, "large": 1}
    assert count_classes([sample], ["a", "b"]) == {"a": 0, "b": 1}
    assert count_sizes([]) == {"small": 0, "medium": 0, "large": 0}


def sizes(*found_of):
    """``by_size`` rows with these (found, objects)."""
    limits = [0.0, 8.0, 16.0, 32.0, None]
    return [
        {"from": low, "below": high, "objects": objects, "found": found}
        for low, high, (found, objects) in zip(limits[:-1], limits[1:], found_of, strict=True)
    ]


def with_errors(healthy, by_size, confusions=()):
    errors = {"by_size": by_size, "confusions": list(confusions)}
    return replace(healthy, figures={**GOOD, "errors": errors})


def test_small_objects_missed_at_the_size_that_divides_best(healthy):
    found = kinds(with_errors(healthy, sizes((0, 20), (5, 41), (44, 50), (46, 51))))
    assert set(found) == {"small_objects_missed"}
    assert found["small_objects_missed"].evidence == {
        "side": 16.0, "found": 5, "objects": 61, "found_larger": 90, "larger": 101,
    }  # fmt: skip
    assert "5 of 61 objects under 16 pixels" in found["small_objects_missed"].message


@pytest.mark.parametrize(
    "rows",
    [
        sizes((16, 20), (30, 41), (44, 50), (46, 51)),  # found nearly as often
        sizes((0, 2), (30, 41), (44, 50), (46, 51)),  # too few to matter
        sizes((0, 20), (0, 41), (0, 50), (0, 51)),  # nothing is found: not a matter of size
        sizes((0, 20), (0, 0), (0, 0), (0, 0)),
        sizes((0, 0), (0, 0), (0, 0), (0, 0)),
    ],
)
def test_size_is_not_blamed_for_all(healthy, rows):
    assert not kinds(with_errors(healthy, rows))


def test_objects_taken_for_another_class(healthy):
    whole = sizes((0, 0), (0, 0), (0, 0), (50, 75))
    pair = {"object": "cat", "as": "dog", "count": 6}
    found = kinds(with_errors(healthy, whole, [pair]))
    assert found["confused_classes"].evidence["of"] == 25
    assert not kinds(with_errors(healthy, whole, [{**pair, "count": 2}]))


def test_one_image_of_twelve_is_no_trend(drawn):
    scored = [replace(drawn.sample([], []), image_label=i % 2) for i in range(12)]
    run = [{"event": "started", "epochs": 4}] + [
        {"event": "epoch", "epoch": i + 1, "metrics": {"top1": v}}
        for i, v in enumerate([0.5, 0.5, 0.583, 0.583 + 1 / 12])
    ]
    evidence = Evidence("top1", {"top1": 0.666}, ("a", "b"), scored, events=run)
    assert "not_converged" not in kinds(evidence)
    assert "not_converged" in kinds(replace(evidence, scored=scored * 40))


@pytest.mark.parametrize(("main", "value", "fires"), [("AP", 0.001, True), ("AP", 0.03, False)])
def test_a_network_that_learned_nothing(healthy, main, value, fires):
    figures = {**GOOD, "AP": value, "AP50": value, "AP75": value}
    assert ("learned_nothing" in kinds(replace(healthy, main=main, figures=figures))) is fires


def test_chance_depends_on_the_classes(drawn):
    scored = [replace(drawn.sample([], []), image_label=i % 4) for i in range(100)]
    evidence = Evidence("top1", {"top1": 0.27}, tuple("abcd"), scored)
    assert "learned_nothing" in kinds(evidence)
    assert "learned_nothing" not in kinds(replace(evidence, figures={"top1": 0.4}))


def test_each_planted_cause_is_found_and_no_other(healthy, drawn):
    """The causes are planted one at a time in a run that has none."""
    few = [drawn.sample([SMALL, MEDIUM, LARGE], [0, 1, 1]) for _ in range(25)]
    rare = few[:19] + [drawn.sample([SMALL, MEDIUM, LARGE], [1, 1, 1]) for _ in range(25)]
    rows = [
        {"from": 0.0, "below": 16.0, "objects": 25, "found": 2},
        {"from": 16.0, "below": None, "objects": 50, "found": 45},
    ]
    pair = {"object": "cat", "as": "dog", "count": 9}
    planted = {
        "raised_threshold": {"threshold": 0.3},
        "not_converged": {"events": list(events(np.linspace(0.0, 0.5, 20)))},
        "stopped_early": {"events": list(events([0.5] * 8, epochs=100))},
        "loose_boxes": {"figures": {**GOOD, "AP75": 0.2}},
        "few_examples": {"train": rare},
        "small_objects_missed": {"figures": {**GOOD, "errors": {"by_size": rows}}},
        "confused_classes": {"figures": {**GOOD, "errors": {"confusions": [pair]}}},
        "tiny_objects": {"preprocess": PreprocessSpec((96, 96))},
        "learned_nothing": {"figures": dict.fromkeys(GOOD, 0.0)},
    }
    for kind, change in planted.items():
        assert set(kinds(replace(healthy, **change))) == {kind}
