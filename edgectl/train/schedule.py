"""The learning rate as a pure function of the step, so that resuming needs no scheduler state.

Cosine decay after Loshchilov and Hutter, 2017 (https://arxiv.org/abs/1608.03983); linear warm-up
after Goyal et al., 2017 (https://arxiv.org/abs/1706.02677).
"""

from __future__ import annotations

import math

from edgectl.config.schema import ScheduleConfig


def warmup_steps(config: ScheduleConfig, total_steps: int) -> int:
    """Steps of linear warm-up, capped at a share of the run.

    Recipes written for large sets ask for thousands of steps; with five steps an epoch such a
    warm-up would outlast the training.
    """
    return min(config.warmup_steps, int(config.warmup_fraction * total_steps))


def learning_rate_factor(config: ScheduleConfig, step: int, total_steps: int) -> float:
    """Multiplier of the base learning rate at ``step`` (0-based) of ``total_steps``.

    Raises ValueError when ``step`` is outside the run.
    """
    if not 0 <= step < total_steps:
        raise ValueError(f"step {step} is outside a run of {total_steps} steps")
    warmup = warmup_steps(config, total_steps)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if config.name == "constant":
        return 1.0
    if config.name == "multistep":
        passed = sum(step >= m * total_steps for m in config.milestones)
        return float(config.gamma**passed)
    progress = (step - warmup) / max(1, total_steps - 1 - warmup)
    final = config.final_lr_fraction
    return final + (1.0 - final) * 0.5 * (1.0 + math.cos(math.pi * progress))
