from __future__ import annotations

import pytest

from edgectl.cli.app import run
from edgectl.plugins.registry import build_registry
from edgectl.workflows.opening.configuration import resolve_config
from edgectl.workflows.opening.families import open_family
from edgectl.workflows.training.plan import plan_new_run, scale_learning_rate


def test_the_linear_rule_is_applied_once():
    config = resolve_config({}, {"train": {"batch": 64, "scale_lr": True}}, [])
    base = config.train.optimizer.lr
    larger, note = scale_learning_rate(config, 16)
    assert larger.train.optimizer.lr == pytest.approx(4 * base)
    assert not larger.train.scale_lr
    assert "64 / 16" in note
    # a family without a batch of its own means the default one, 16
    assert scale_learning_rate(config, None)[0] == larger


@pytest.mark.parametrize("name", sorted(i.name for i in build_registry().families.infos()))
def test_the_family_s_own_batch_keeps_the_learning_rate(name):
    family = open_family(build_registry(), name)
    plain = plan_new_run(family, {}, []).config.train
    same = plan_new_run(family, {}, ["train.scale_lr=true"]).config.train
    double = plan_new_run(family, {"train": {"batch": 2 * plain.batch}}, ["train.scale_lr=true"])
    assert same.optimizer.lr == pytest.approx(plain.optimizer.lr)
    assert double.config.train.optimizer.lr == pytest.approx(2 * plain.optimizer.lr)


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        ("--devices 3 --device cpu --batch 16", 2, "--batch 15 or 18"),
        ("--devices 0", 2, "--devices"),
        ("--nodes 2 --devices 2 --device cpu", 2, "--rdzv HOST:PORT --node-rank 0..1"),
        ("--rdzv there:29400", 2, "--nodes N"),
        ("--set train.devices=3 --device cpu --batch 16", 2, "--batch 15 or 18"),
    ],
)
def test_nonsense_is_refused_before_anything_starts(
    capsys, monkeypatch, tmp_path, words, code, expected
):
    monkeypatch.chdir(tmp_path)
    assert run(["train", "fomo", "--data", "demo_mask", *words.split()]) == code
    assert expected in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
