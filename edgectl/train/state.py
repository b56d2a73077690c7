"""The part of a run that must survive a crash for the resumed run to be bit-equal."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from edgectl.train.ema import ModelEma


@dataclass
class Progress:
    """Counters of a run.

    Attributes:
        epoch: epochs completed.
        step: optimizer steps completed.
        images: images trained on.
        train_seconds: wall time in training steps; ``seconds``: in everything, over all sittings.
        best_score: highest held-back score seen; None before the first evaluation.
        best_epoch: epoch ``best.pt`` was taken at; 0 where there is none.
        stale: evaluations in a row that did not raise ``best_score``.
        stopped: the run ended early and is complete.
    """

    epoch: int = 0
    step: int = 0
    images: int = 0
    train_seconds: float = 0.0
    seconds: float = 0.0
    best_score: float | None = None
    best_epoch: int = 0
    stale: int = 0
    stopped: bool = False


def capture(
    model: nn.Module, optimizer: torch.optim.Optimizer, ema: ModelEma | None, progress: Progress
) -> dict[str, Any]:
    """Plain values and tensors, as ``Checkpoint.training``. Tensors are shared, not copied."""
    return {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "ema": None if ema is None else ema.state_dict(),
        "progress": asdict(progress),
        "rng": _random_states(),
    }


def restore(
    training: dict[str, Any],
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    ema: ModelEma | None,
) -> Progress:
    """Inverse of :func:`capture`. Raises KeyError, TypeError, ValueError or RuntimeError when
    ``training`` does not fit."""
    model.load_state_dict(training["model"])
    optimizer.load_state_dict(training["optimizer"])
    if ema is not None:
        ema.load_state_dict(training["ema"])
    _set_random_states(training["rng"])
    return Progress(**training["progress"])


def seed_everything(seed: int) -> None:
    """Python, numpy and torch (all devices)."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def seed_epoch(seed: int, rank: int, epoch: int) -> None:
    """For processes after the first, whose state no checkpoint holds: what they draw (dropout, say)
    is a function of the epoch, so that a resumed run draws it again."""
    words = np.random.SeedSequence((seed, rank, epoch)).generate_state(1)
    seed_everything(int(words[0]))


def _random_states() -> dict[str, Any]:
    state = np.random.get_state(legacy=False)
    assert isinstance(state, dict)
    return {
        "python": random.getstate(),
        # int64, because the safe unpickler knows torch's tensors and not numpy's arrays
        "numpy": {
            **state,
            "state": {
                **state["state"],
                "key": torch.from_numpy(state["state"]["key"].astype(np.int64)),
            },
        },
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def _set_random_states(states: dict[str, Any]) -> None:
    version, internal, gauss = states["python"]
    random.setstate((version, tuple(internal), gauss))
    state = states["numpy"]
    key = state["state"]["key"].numpy().astype(np.uint32)
    np.random.set_state({**state, "state": {**state["state"], "key": key}})
    torch.set_rng_state(states["torch"])
    if states["cuda"] and torch.cuda.device_count() == len(states["cuda"]):
        torch.cuda.set_rng_state_all(states["cuda"])
