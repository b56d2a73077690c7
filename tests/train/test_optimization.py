"""Schedule, optimizer groups, moving average, losses, choice of the best: numbers by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from edgectl.config.schema import OptimizerConfig, ScheduleConfig
from edgectl.errors import EdgectlError
from edgectl.metrics.operating_point import standard_error
from edgectl.train.ema import ModelEma
from edgectl.train.losses import LossMeter
from edgectl.train.optimizer import build_optimizer
from edgectl.train.schedule import learning_rate_factor, warmup_steps
from edgectl.train.selection import consider
from edgectl.train.state import Progress


def test_warmup_is_capped_at_a_share_of_the_run() -> None:
    config = ScheduleConfig(warmup_steps=1000, warmup_fraction=0.05)
    assert warmup_steps(config, 350) == 17  # 5 % of 350 is 17.5
    assert warmup_steps(config, 100_000) == 1000
    assert warmup_steps(ScheduleConfig(warmup_steps=30), 350) == 17
    assert warmup_steps(ScheduleConfig(warmup_steps=3), 350) == 3
    assert warmup_steps(config, 1) == 0


def test_cosine() -> None:
    config = ScheduleConfig(warmup_steps=4, warmup_fraction=0.5, final_lr_fraction=0.1)
    factors = [learning_rate_factor(config, s, 13) for s in range(13)]
    assert factors[:4] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert factors[4] == pytest.approx(1.0)
    assert factors[8] == pytest.approx(0.55)  # half-way: the mean of 1 and 0.1
    assert factors[6] == pytest.approx(0.1 + 0.9 * (1 + math.cos(math.pi / 4)) / 2)
    assert factors[12] == pytest.approx(0.1)
    assert factors[4:] == sorted(factors[4:], reverse=True)


def test_multistep_and_constant() -> None:
    config = ScheduleConfig(name="multistep", warmup_steps=0, milestones=(0.5, 0.75), gamma=0.3)
    factors = [learning_rate_factor(config, s, 8) for s in range(8)]
    assert factors == pytest.approx([1, 1, 1, 1, 0.3, 0.3, 0.09, 0.09])
    assert learning_rate_factor(ScheduleConfig(name="constant", warmup_steps=0), 7, 8) == 1.0


@pytest.mark.parametrize("step", [-1, 10])
def test_a_step_outside_the_run(step: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        learning_rate_factor(ScheduleConfig(), step, 10)


def test_one_step_runs() -> None:
    assert learning_rate_factor(ScheduleConfig(), 0, 1) == 1.0


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.PReLU(), nn.Linear(4, 2))


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_no_decay_on_norms_and_biases(name: str) -> None:
    model = network()
    optimizer = build_optimizer(model, OptimizerConfig(name=name, weight_decay=0.1))  # type: ignore[arg-type]
    decay = {p: g["weight_decay"] for g in optimizer.param_groups for p in g["params"]}
    expected = {
        n: 0.1 if n in ("0.weight", "3.weight") else 0.0 for n, _ in model.named_parameters()
    }
    assert {n: decay[p] for n, p in model.named_parameters()} == expected


def test_shared_and_frozen_parameters() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight
    model[0].bias.requires_grad_(False)
    optimizer = build_optimizer(model, OptimizerConfig())
    assert [len(g["params"]) for g in optimizer.param_groups] == [1, 1]


def test_ema_by_hand() -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 0.0)
    ema = ModelEma(model, decay=0.25)
    nn.init.constant_(model.weight, 1.0)
    ema.update(model)  # decay (1+1)/(10+1) = 2/11
    assert ema.module.weight.item() == pytest.approx(9 / 11)
    ema.update(model)  # decay min(0.25, 3/12)
    assert ema.module.weight.item() == pytest.approx(0.25 * 9 / 11 + 0.75)
    assert ema.decay_at(100) == 0.25


def test_ema_averages_statistics_copies_counters_and_survives_a_round_trip() -> None:
    model = nn.BatchNorm1d(2)
    ema = ModelEma(model, decay=0.9)
    model(torch.tensor([[1.0, 2.0], [3.0, 8.0]]))
    ema.update(model)
    # batch means 2 and 5, momentum 0.1, then 9/11 of the way from 0
    assert ema.module.running_mean.tolist() == pytest.approx([0.2 * 9 / 11, 0.5 * 9 / 11])
    assert ema.module.num_batches_tracked == 1
    assert not ema.module.training
    other = ModelEma(nn.BatchNorm1d(2), decay=0.9)
    other.load_state_dict(ema.state_dict())
    assert other.updates == 1
    assert torch.equal(other.module.running_var, ema.module.running_var)


def test_ema_without_decay_is_the_model() -> None:
    model = nn.Linear(3, 3)
    ema = ModelEma(model, decay=0.0)
    nn.init.normal_(model.weight)
    ema.update(model)
    assert torch.equal(ema.module.weight, model.weight)


@pytest.mark.parametrize("interval", [1, 2, 4])
def test_loss_meter_names_the_first_bad_step(interval: int) -> None:
    meter = LossMeter(epoch=3, interval=interval)
    with pytest.raises(EdgectlError) as e:
        for value in (1.0, 2.0, float("inf"), float("nan")):
            meter.add({"loss": torch.tensor(value)})
    assert e.value.where == "epoch 3, step 3"


def test_loss_meter_means() -> None:
    meter = LossMeter(epoch=1, interval=2)
    for value in (1.0, 2.0, 6.0):
        meter.add({"loss": torch.tensor(value), "box": torch.tensor(2 * value)})
    assert meter.means() == {"loss": 3.0, "box": 6.0}


def test_standard_error_by_hand() -> None:
    # Laplace: (0.5 * 98 + 1) / 100 = 0.5; sqrt(0.25 / 100)
    assert standard_error(0.5, 98) == pytest.approx(0.05)
    assert standard_error(1.0, 3) > 0.1


def test_later_weights_win_unless_clearly_worse() -> None:
    progress = Progress()
    few = 20  # the standard error of .8 on 20 objects is .09
    chosen = [consider(progress, s, few, e) for e, s in enumerate((0.5, 0.8, 0.75, 0.6, 0.72), 1)]
    assert chosen == [True, True, True, False, True]
    assert (progress.best_epoch, progress.best_score, progress.stale) == (5, 0.8, 3)
    many = Progress()
    assert [consider(many, s, 10_000, e) for e, s in enumerate((0.8, 0.75), 1)] == [True, False]
