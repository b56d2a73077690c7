"""A checkpoint brought back to life: network, preprocessing, postprocess and classes, ready to run."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from edgectl.config.schema import RunConfig
from edgectl.data.select.holdout import split_holdout
from edgectl.labels import Sample
from edgectl.errors import ArtifactError, UsageError
from edgectl.metrics.evaluator import Predictor, torch_predictor
from edgectl.plugins.family import Criterion, Family, Postprocess, build_network
from edgectl.runs.checkpoint import Checkpoint
from edgectl.spec import OutputSpec, PreprocessSpec


@dataclass(frozen=True)
class TrainedModel:
    """What every stage after training starts from.

    ``config`` is the run's resolved configuration, ``model_config`` its ``[model]`` table validated by
    the family. ``model`` holds the inference weights and is in eval mode, on the CPU; ``device`` is where
    :meth:`predictor` runs a copy of it.
    """

    path: Path
    checkpoint: Checkpoint
    family: Family
    config: RunConfig
    model_config: Any
    model: nn.Module
    device: str = "cpu"

    @property
    def preprocess(self) -> PreprocessSpec:
        """How images are prepared for it."""
        return self.checkpoint.preprocess

    @property
    def outputs(self) -> tuple[OutputSpec, ...]:
        """Its raw heads, in order."""
        return self.checkpoint.outputs

    @property
    def classes(self) -> tuple[str, ...]:
        """Names in label order."""
        return self.checkpoint.classes

    def divided(self, samples: Sequence[Sample]) -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
        """*train* as the run divided it: (trained on, held back), whatever seed ``config`` has now.

        Drawn by another seed, images the network was trained on would judge it.

        Raises:
            UsageError: ``config`` holds back another share.
        """
        began = RunConfig.model_validate(self.checkpoint.config, strict=False)
        if self.config.data.holdout != began.data.holdout:
            raise UsageError(
                f"the run held back {began.data.holdout:g} of its images and was trained on the rest",
                where="data.holdout",
                fix="leave it out, or train again with another share",
            )
        return split_holdout(samples, began.data.holdout, began.train.seed)

    def criterion(self) -> Criterion:
        """The family's loss."""
        return self.family.criterion(self.model_config, num_classes=len(self.classes))

    def postprocess(self, threshold: float | None = None) -> Postprocess:
        """With the checkpoint's operating point unless another threshold is given."""
        post = self.family.postprocess(self.model_config, num_classes=len(self.classes))
        point = self.checkpoint.operating_point
        if threshold is not None:
            post.threshold = threshold
        elif point is not None:
            post.threshold = point.threshold
        return post

    def predictor(self) -> Predictor:
        """The float network as a predictor, on ``device``."""
        device = torch.device(self.device)
        model = self.model if device.type == "cpu" else copy.deepcopy(self.model).to(device)
        return torch_predictor(model, self.preprocess, device)


def configuration_error(error: ValidationError, family: str, path: Path) -> ArtifactError:
    """What was stored is not of this version and family: the first key that does not fit."""
    first = error.errors()[0]
    return ArtifactError(
        f"not a configuration of {family}: "
        f"{'.'.join(map(str, first['loc']))}: {first['msg'].lower()}",
        where=str(path),
        fix="train again with this version, or use the version that wrote it",
    )


def load_trained_model(path: Path, checkpoint: Checkpoint, family: Family) -> TrainedModel:
    """Builds the family's network and loads the checkpoint's weights, every tensor of them.

    Raises:
        ArtifactError: the weights do not fit the network, or the stored configuration is not one of this
            version and family.
    """
    try:
        config = RunConfig.model_validate(checkpoint.config, strict=False)
        model_config = family.config_type.model_validate(config.model, strict=False)
    except ValidationError as e:
        raise configuration_error(e, checkpoint.family, path) from e
    model = build_network(
        family,
        checkpoint.family,
        model_config,
        num_classes=len(checkpoint.classes),
        in_chans=checkpoint.preprocess.channels,
    )
    try:
        model.load_state_dict(checkpoint.weights)
    except RuntimeError as e:
        raise ArtifactError(
            f"the weights do not fit {checkpoint.family} {checkpoint.variant}: "
            + str(e).splitlines()[-1].strip(),
            where=str(path),
            fix="train again with this version, or use the version that wrote it",
        ) from e
    model.eval()
    return TrainedModel(path, checkpoint, family, config, model_config, model)


def nchw(images: np.ndarray) -> Tensor:
    """uint8 (N, H, W, C) to uint8 (N, C, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
