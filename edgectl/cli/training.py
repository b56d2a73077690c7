"""Puts a training run together: loaders, hold-out, metrics, weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edgectl.cli.session import Session
from edgectl.cli.wiring import OpenFamily
from edgectl.config.layers import validate
from edgectl.config.schema import PreprocessConfig, RunConfig
from edgectl.data.index import DatasetIndex
from edgectl.data.loading.batches import train_batches
from edgectl.data.loading.loader import EvalLoader
from edgectl.data.select.holdout import FEWEST, split_holdout
from edgectl.errors import DataError
from edgectl.labels import Sample
from edgectl.metrics.tasks import task_metrics
from edgectl.plugins.info import FamilyInfo
from edgectl.train.distributed.processes import Processes
from edgectl.train.setup import HeldBack, TrainSetup
from edgectl.train.weights import find_weights

_EVAL_BATCH = 16


def _check_labels(info: FamilyInfo, index: DatasetIndex, samples: Sequence[Sample]) -> None:
    """Raises DataError where the labels are not of the family's kind, or tell nothing apart."""
    whole = info.task == "classification"
    if any((s.image_label is not None) != whole for s in samples):
        has, wants = ("boxes", "a class an image") if whole else ("a class an image", "boxes")
        raise DataError(
            f"'{index.name}' ({index.format}) is labelled with {has}; {info.name} learns {wants}",
            where=str(index.root),
            fix="'edgectl models' shows the task of each family",
        )
    if whole and len({s.image_label for s in samples}) < 2:
        raise DataError(
            f"images of one class only ({index.classes[samples[0].image_label or 0]}): "
            "nothing to tell apart",
            where=str(index.root),
            fix="add a folder with images of everything else",
        )


def make_setup(
    session: Session,
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
    model_config = validate(family.family.config_type, config.model, prefix="model.")
    assert config.input_size is not None
    spec = family.family.preprocess(model_config, config.input_size)
    spec = replace(spec, **config.preprocess.model_dump(exclude_none=True))
    settled = PreprocessConfig(resize=spec.resize, pad_side=spec.pad_side, pad_value=spec.pad_value)
    config = config.model_copy(update={"preprocess": settled})
    outputs = family.family.outputs(model_config, num_classes=len(index.classes))
    samples = index.splits.get(config.data.train_split)
    if not samples or not any(len(s.class_labels()) for s in samples):
        raise DataError(
            f"no labelled images in the split '{config.data.train_split}'",
            where=str(index.root),
            fix="splits: "
            + ", ".join(sorted(index.splits))
            + "; choose with --set data.train_split=",
        )
    _check_labels(family.info, index, samples)
    kept, held = split_holdout(samples, config.data.holdout, config.train.seed)
    if config.train.early_stop and not held:
        session.warn(
            f"train.early_stop = {config.train.early_stop} does nothing: no images of "
            f"'{config.data.train_split}' are held back to judge by; raise data.holdout "
            f"(now {config.data.holdout:g}) until it makes {FEWEST} of {len(samples)}"
        )
    valid = index.splits.get(config.data.valid_split)
    if not valid:
        session.warn(f"no split '{config.data.valid_split}': the run is not scored")
    weights = None
    if not resuming:
        weights = find_weights(
            config.train.weights,
            family.variant(config.variant).weights,
            offline=session.offline,
            warn=session.warn,
        )
    for split, how in index.made_splits.items():
        session.warn(f"'{index.name}' has no split '{split}': made of {how}")
    names = [config.data.train_split, *([config.data.valid_split] if valid else [])]
    return TrainSetup(
        family_name=family.info.name,
        family=family.family,
        task=family.info.task,
        config=config,
        model_config=model_config,
        classes=index.classes,
        preprocess=spec,
        data={
            "name": config.data.name,
            "fingerprint": {n: index.fingerprint(n) for n in names},
            "images": {n: len(index.splits[n]) for n in names},
        },
        train=train_batches(
            family.info.task,
            kept,
            spec,
            config,
            num_classes=len(index.classes),
            batch=processes.part_of(config.train.batch),
            shard=processes.shard,
        ),
        holdout=HeldBack(
            EvalLoader(held, spec, _EVAL_BATCH), len(held), sum(len(s.class_labels()) for s in held)
        )
        if held
        else None,
        valid=EvalLoader(valid, spec, _EVAL_BATCH) if valid else None,
        metrics=task_metrics(family.info.task, index.classes, outputs, spec.input_size),
        weights=weights,
    )
