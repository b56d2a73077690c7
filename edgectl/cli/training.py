"""Puts a training run together: loaders, hold-out, metrics, weights."""

from __future__ import annotations

from edgectl.cli.session import Session
from edgectl.cli.wiring import OpenFamily
from edgectl.config.layers import validate
from edgectl.config.schema import RunConfig
from edgectl.data.cache import PictureCache
from edgectl.data.holdout import split_holdout
from edgectl.data.index import DatasetIndex
from edgectl.data.loader import EvalLoader, TrainLoader
from edgectl.errors import DataError
from edgectl.metrics.tasks import task_metrics
from edgectl.train.setup import HeldBack, TrainSetup
from edgectl.train.weights import find_weights

_EVAL_BATCH = 16


def make_setup(
    session: Session, family: OpenFamily, config: RunConfig, index: DatasetIndex
) -> TrainSetup:
    """Everything ``Trainer`` needs.

    Raises:
        DataError: no training split, or nothing to learn in it.
        ConfigError: the ``[model]`` table.
        ArtifactError: the weights file.
    """
    model_config = validate(family.family.config_type, config.model, prefix="model.")
    assert config.input_size is not None
    spec = family.family.preprocess(model_config, config.input_size)
    spec = type(spec)(**{**vars(spec), **config.preprocess.model_dump()})
    outputs = family.family.outputs(model_config, num_classes=len(index.classes))
    samples = index.splits.get(config.data.train_split)
    if not samples or not any(len(s.boxes_xyxy) for s in samples):
        raise DataError(
            f"no labelled pictures in the split '{config.data.train_split}'",
            where=str(index.root),
            fix="splits: "
            + ", ".join(sorted(index.splits))
            + "; choose with --set data.train_split=",
        )
    kept, held = split_holdout(samples, config.data.holdout, config.train.seed)
    valid = index.splits.get(config.data.valid_split)
    if not valid:
        session.warn(f"no split '{config.data.valid_split}': the run is not scored")
    weights = find_weights(
        config.train.weights,
        family.variant(config.variant).weights,
        offline=session.offline,
        warn=session.warn,
    )
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
        train=TrainLoader(
            PictureCache(kept, spec, enabled=config.data.cache == "ram"),
            spec,
            config.augment,
            batch=config.train.batch,
            seed=config.train.seed,
        ),
        holdout=HeldBack(
            EvalLoader(held, spec, _EVAL_BATCH), len(held), sum(len(s.labels) for s in held)
        )
        if held
        else None,
        valid=EvalLoader(valid, spec, _EVAL_BATCH) if valid else None,
        metrics=task_metrics(family.info.task, index.classes, outputs, config.input_size),
        weights=weights,
    )
