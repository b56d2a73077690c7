"""A family's bare weights: a file of tensors, of which somebody says what they are."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from torch import Tensor

from edgectl.config.schema import RunConfig
from edgectl.errors import ArtifactError, UsageError
from edgectl.nn.state import abridge_names, read_state
from edgectl.plugins.family import Family
from edgectl.plugins.info import FamilyInfo, VariantInfo
from edgectl.runs.checkpoint import Checkpoint
from edgectl.runs.provenance import versions
from edgectl.runs.trained import TrainedModel
from edgectl.sources.options import Statement
from edgectl.sources.preparation import prepare_as_stated
from edgectl.sources.source import Source, from_trained
from edgectl.spec import PreprocessSpec, Size

_NAMED = 3


def open_family_weights(
    path: Path,
    info: FamilyInfo,
    family: Family,
    variant: VariantInfo,
    config: RunConfig,
    said: Statement,
    *,
    size: Size,
    data_classes: tuple[str, ...] = (),
) -> Source:
    """The family's network with the file's tensors, every one of them.

    Raises:
        UsageError: nobody said what normalization the weights were made for, or how many classes there are.
        ArtifactError: the weights are of another network.
    """
    model_config = family.config_type.model_validate(config.model, strict=False)
    own = family.preprocess(model_config, size)
    preprocess, fold = _preparation(path, variant, own, said)
    state = read_state(path)
    classes = said.classes or _count(family, model_config, state, data_classes, path)
    model = family.build(model_config, num_classes=len(classes))
    if fold:
        report = family.load_weights(model, model_config, path)
    else:
        report = _load_unfolded(info, family, model, model_config, path)
    missing = [k for k in report["missing"] if not k.endswith("num_batches_tracked")]
    if missing:
        raise ArtifactError(
            f"not all of {info.name} {variant.name}: no {abridge_names(missing, _NAMED)}",
            where=str(path),
            fix="the variant, size and classes the weights were trained with: --variant, --classes",
        )
    checkpoint = Checkpoint(
        family=info.name,
        variant=variant.name,
        task=info.task,
        config=config.model_dump(mode="json"),
        classes=classes,
        preprocess=preprocess,
        outputs=family.outputs(model_config, num_classes=len(classes)),
        weights=model.state_dict(),
        epoch=0,
        data={},
        versions=versions(),
    )
    trained = TrainedModel(path, checkpoint, family, config, model_config, model.eval())
    return from_trained(trained, info.task)


def _preparation(
    path: Path, variant: VariantInfo, own: PreprocessSpec, said: Statement
) -> tuple[PreprocessSpec, bool]:
    """What the network sees, and whether the published normalization is folded into its stem."""
    published = variant.weights is not None and path.name == variant.weights.filename
    if said.normalization is None and not said.channel_order:
        if not published:
            hint = f"; {variant.weights.filename} would be known" if variant.weights else ""
            raise UsageError(
                f"nothing says what normalization these weights were trained with{hint}",
                where=str(path),
                fix="--mean 123.675,116.28,103.53 --std 58.395,57.12,57.375, for example; "
                "as for a checkpoint of edgectl's: name the .pt file",
            )
        return own, True
    kept: dict[str, Any] = {
        name: getattr(own, name) for name in ("resize", "pad_value", "pad_side", "interpolation")
    }
    spec, stated = prepare_as_stated(said, kept, own.input_size, boxes=True)
    if not stated:
        raise UsageError(
            "--channel-order needs --mean and --std beside it", where="--channel-order"
        )
    return spec, False


def _load_unfolded(
    info: FamilyInfo, family: Family, model: Any, config: Any, path: Path
) -> dict[str, Any]:
    if "fold" not in inspect.signature(family.load_weights).parameters:
        raise UsageError(
            f"{info.name} only loads weights made for the normalization it publishes",
            where=str(path),
            fix="leave --mean, --std and --channel-order out, or use a later version of the plugin",
        )
    return family.load_weights(model, config, path, fold=False)


def _count(
    family: Family,
    config: Any,
    state: dict[str, Tensor],
    data: tuple[str, ...],
    path: Path,
) -> tuple[str, ...]:
    """Names of the set where their number fits the tensors, else numbers."""
    shapes = [
        {k: tuple(v.shape) for k, v in family.build(config, num_classes=n).state_dict().items()}
        for n in (2, 3)
    ]
    for name, two in shapes[0].items():
        three = shapes[1][name]
        if two == three or name not in state:
            continue
        slope = three[0] - two[0]
        count, rest = divmod(state[name].shape[0] - (two[0] - 2 * slope), slope)
        if count >= 1 and not rest:
            return data if len(data) == count else tuple(str(i) for i in range(count))
    if data:
        return data
    raise UsageError(
        "of how many classes?", where=str(path), fix="--classes NAME,NAME or --data DATA"
    )
