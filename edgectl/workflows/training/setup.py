"""Puts a training run together: loaders, hold-out, metrics, weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgectl.config.layers import validate
from edgectl.config.schema import PreprocessConfig, RunConfig
from edgectl.data.index import DatasetIndex
from edgectl.data.select.holdout import FEWEST, split_holdout
from edgectl.errors import DataError
from edgectl.labels import Sample, has_objects
from edgectl.spec import PreprocessSpec
from edgectl.tasks.contract import Task
from edgectl.tasks.lookup import load_task, task_metrics
from edgectl.train.distributed.processes import Processes
from edgectl.train.setup import HeldBack, TrainSetup
from edgectl.train.weights import find_weights
from edgectl.workflows.opening.context import Context
from edgectl.workflows.opening.families import OpenFamily
from edgectl.workflows.opening.preprocess import override_preprocess

_EVAL_BATCH = 16


def make_setup(
    context: Context,
    family: OpenFamily,
    config: RunConfig,
    index: DatasetIndex,
    processes: Processes = Processes(),
    *,
    resuming: bool = False,
) -> TrainSetup:
    """Everything ``Trainer`` needs. Of every batch, the part of this one of ``processes`` is read.

    Args:
        resuming: a checkpoint holds the weights to go on from; pretrained ones are not looked for.

    Raises:
        DataError: no training split, or nothing to learn in it.
        ConfigError: the ``[model]`` table; a batch that cannot be shared by the processes.
        ArtifactError: the weights file.
    """
    info, classes = family.info, index.classes
    model_config = validate(family.family.config_type, config.model, prefix="model.")
    spec, config = _settle_preprocess(family, model_config, config)
    outputs = family.family.outputs(model_config, num_classes=len(classes))
    samples = _training_images(config, index)
    task = load_task(info.task)
    task.require_labels(index, samples, learner=info.name)
    kept, held = split_holdout(samples, config.data.holdout, config.train.seed)
    _warn_of_early_stop(context, config, held=len(held), of=len(samples))
    valid = _validation_images(context, config, index)
    weights = None if resuming else _find_weights(context, family, config)
    for split, how in index.made_splits.items():
        context.console.warn(f"'{index.name}' has no split '{split}': made of {how}")
    names = [config.data.train_split, *([config.data.valid_split] if valid else [])]
    return TrainSetup(
        family_name=info.name,
        family=family.family,
        task=info.task,
        config=config,
        model_config=model_config,
        classes=classes,
        preprocess=spec,
        data=_describe_data(config, index, names),
        train=task.train_batches(
            kept,
            spec,
            config,
            num_classes=len(classes),
            batch=processes.part_of(config.train.batch),
            shard=processes.shard,
        ),
        holdout=_hold_back(task, held, spec) if held else None,
        valid=task.eval_batches(valid, spec, batch=_EVAL_BATCH) if valid else None,
        metrics=task_metrics(info.task, classes, outputs, spec.input_size),
        weights=weights,
    )


def _validation_images(
    context: Context, config: RunConfig, index: DatasetIndex
) -> tuple[Sample, ...] | None:
    """The split a run is scored on; None, and a warning, where it could not be."""
    valid = index.splits.get(config.data.valid_split)
    if not valid:
        context.console.warn(f"no split '{config.data.valid_split}': the run is not scored")
        return None
    if not has_objects(valid):
        context.console.warn(
            f"no image of '{config.data.valid_split}' has a labelled object: the run is not scored"
        )
        return None
    return valid


def _find_weights(context: Context, family: OpenFamily, config: RunConfig) -> Path | None:
    return find_weights(
        config.train.weights,
        family.variant(config.variant).weights,
        offline=context.offline,
        warn=context.console.warn,
    )


def _settle_preprocess(
    family: OpenFamily, model_config: Any, config: RunConfig
) -> tuple[PreprocessSpec, RunConfig]:
    """The family's preprocessing with the configured changes, and the configuration that says so."""
    assert config.input_size is not None
    spec = family.family.preprocess(model_config, config.input_size)
    spec = override_preprocess(spec, config.preprocess, whose=family.info.name)
    settled = {key: getattr(spec, key) for key in PreprocessConfig.model_fields}
    return spec, config.model_copy(update={"preprocess": PreprocessConfig(**settled)})


def _training_images(config: RunConfig, index: DatasetIndex) -> Sequence[Sample]:
    """The images of the training split. Raises DataError where nothing can be learned from them."""
    samples = index.splits.get(config.data.train_split)
    if not samples or not any(len(s.class_labels()) for s in samples):
        raise DataError(
            f"no labelled images in the split '{config.data.train_split}'",
            where=str(index.root),
            fix="splits: "
            + ", ".join(sorted(index.splits))
            + "; choose with --set data.train_split=",
        )
    return samples


def _warn_of_early_stop(context: Context, config: RunConfig, *, held: int, of: int) -> None:
    """Early stopping looks at images held back; without any it does nothing."""
    if config.train.early_stop and not held:
        context.console.warn(
            f"train.early_stop = {config.train.early_stop} does nothing: no images of "
            f"'{config.data.train_split}' are held back to judge by; raise data.holdout "
            f"(now {config.data.holdout:g}) until it makes {FEWEST} of {of}"
        )


def _describe_data(config: RunConfig, index: DatasetIndex, splits: Sequence[str]) -> dict[str, Any]:
    """What the checkpoint remembers of the data set."""
    named = Path(config.data.name)
    place = named if config.data.name and named.exists() else index.root
    return {
        "name": config.data.name,
        "path": str(place.resolve()),
        "fingerprint": {n: index.fingerprint(n) for n in splits},
        "images": {n: len(index.splits[n]) for n in splits},
    }


def _hold_back(task: Task, held: Sequence[Sample], spec: PreprocessSpec) -> HeldBack:
    objects = sum(len(s.class_labels()) for s in held)
    return HeldBack(task.eval_batches(held, spec, batch=_EVAL_BATCH), len(held), objects)
