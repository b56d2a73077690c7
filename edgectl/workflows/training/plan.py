"""What a training run is to do: a new one from the configuration, or one that goes on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgectl.errors import ConfigError, UsageError
from edgectl.plugins.registry import Registry
from edgectl.workflows.opening.configuration import apply_overrides, resolve_config
from edgectl.workflows.opening.families import OpenFamily, check_size, open_family

if TYPE_CHECKING:
    from edgectl.config.schema import RunConfig
    from edgectl.runs.checkpoint import Checkpoint
    from edgectl.runs.rundir import RunDirectory


@dataclass(frozen=True)
class TrainPlan:
    """What to train, before any data is read. ``checkpoint``: of the run to continue; ``name``: of
    the one to begin."""

    family: OpenFamily
    config: RunConfig
    run: RunDirectory | None = None
    checkpoint: Checkpoint | None = None
    name: str | None = None
    note: str = ""


def plan_new_run(
    family: OpenFamily, flags: dict[str, Any], assignments: list[str], name: str | None = None
) -> TrainPlan:
    """Resolves the configuration of a new run. ``name``: of its directory."""
    # the variant decides the preset, and may itself come from any layer
    probe = resolve_config({}, flags, assignments)
    variant = family.variant(probe.variant)
    preset: dict[str, Any] = {"family": family.info.name, "variant": variant.name}
    preset |= family.family.presets(variant.name)
    config = resolve_config(preset, flags, assignments)
    config = config.model_copy(
        update={
            "family": family.info.name,
            "variant": variant.name,
            "input_size": config.input_size or variant.default_input_size,
        }
    )
    assert config.input_size is not None
    check_size(config.input_size, variant)
    note = ""
    if config.train.scale_lr:
        config, note = scale_learning_rate(config, preset.get("train", {}).get("batch"))
    return TrainPlan(family, config, name=name, note=note)


def scale_learning_rate(config: RunConfig, own_batch: int | None) -> tuple[RunConfig, str]:
    """The linear rule (Goyal et al., 2017, arXiv:1706.02677), and what it did in words. The rule is
    switched off in the result, which can be used again as it is.

    Args:
        own_batch: the batch the learning rate is meant for; None: the default one.
    """
    train, base = config.train, own_batch or type(config.train)().batch
    lr = train.optimizer.lr * train.batch / base
    note = f"learning rate {lr:g} = {train.optimizer.lr:g} x {train.batch} / {base}"
    optimizer = train.optimizer.model_copy(update={"lr": lr})
    train = train.model_copy(update={"optimizer": optimizer, "scale_lr": False})
    return config.model_copy(update={"train": train}), note


def plan_resume(
    registry: Registry,
    run: Path,
    family_name: str,
    flags: dict[str, Any],
    assignments: list[str],
    name: str | None,
) -> TrainPlan:
    """Continues a run from its ``last.pt``, with the configuration it began with."""
    from edgectl.config.schema import RunConfig
    from edgectl.runs.checkpoint import Checkpoint
    from edgectl.runs.rundir import RunDirectory, through_latest

    if name is not None:
        raise UsageError("a resumed run keeps its name", where="--name", fix="leave --name out")
    run = through_latest(run)
    directory = RunDirectory(run)
    if not directory.last.is_file():
        raise UsageError(
            "no checkpoint to resume from", where=str(directory.last), fix="name a run directory"
        )
    checkpoint = Checkpoint.load(directory.last)
    if family_name and family_name != checkpoint.family:
        raise ConfigError(
            f"the run trains {checkpoint.family}, not {family_name}",
            where=str(run),
            fix=f"edgectl train --resume {run}",
        )
    family = open_family(registry, checkpoint.family)
    stored = RunConfig.model_validate(checkpoint.config, strict=False)
    config = apply_overrides(stored, flags, assignments)
    return TrainPlan(family, config, directory, checkpoint)
