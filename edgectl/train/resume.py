"""Whether a checkpoint is the unfinished half of the run that is asked for."""

from __future__ import annotations

from typing import Any, Protocol

from edgectl.config.resolved import flatten_table
from edgectl.config.schema import RunConfig
from edgectl.errors import ArtifactError, ConfigError, DataError
from edgectl.runs.rundir import RunDirectory
from edgectl.train.trainee import Resumable

# Where a run continues may differ from where it began; what it computes may not. The place of its images may:
# their fingerprint says whether they are the same.
_MACHINE_KEYS = frozenset(
    {
        "train.device",
        "train.devices",
        "train.threads",
        "train.peer_timeout",
        "train.tensorboard",
        "data.cache",
        "data.name",
    }
)

_KEEP = "leave the changed options out, or start a new run"


class Planned(Protocol):
    """The run that is asked for: a trainee, or what one is made of."""

    @property
    def config(self) -> RunConfig:
        """The configuration it would train with."""
        ...

    @property
    def data(self) -> dict[str, Any]:
        """Fingerprints of its images."""
        ...


def check_resumable(checkpoint: Resumable, planned: Planned, run: RunDirectory) -> None:
    """Raises:
    ArtifactError: the checkpoint holds weights only.
    ConfigError: it was trained with another configuration (the number of epochs included: the
        learning rate's whole course depends on it).
    DataError: the images or labels have changed.
    """
    if checkpoint.training is None:
        raise ArtifactError(
            "holds no training state and cannot be resumed",
            where=str(run.path),
            fix=f"resume from {run.last}, or start a new run with --weights",
        )
    # read anew, so that a key this version has added stands at its default
    stored = RunConfig.model_validate(checkpoint.config, strict=False)
    before, now = (
        flatten_table(c.model_dump(mode="json", exclude={"tools"}))
        for c in (stored, planned.config)
    )
    changed = sorted(
        key
        for key in before.keys() | now.keys()
        if before.get(key) != now.get(key) and key not in _MACHINE_KEYS
    )
    if changed:
        what = ", ".join(f"{k}: {before.get(k)} -> {now.get(k)}" for k in changed[:3])
        raise ConfigError(
            f"a resumed run keeps its configuration ({what})",
            where=str(run.path),
            fix=_longer(planned, run) if changed == ["train.epochs"] else _KEEP,
        )
    if checkpoint.data["fingerprint"] != planned.data["fingerprint"]:
        raise DataError(
            "the images or labels have changed since the run began",
            where=str(run.path),
            fix="restore them, or start a new run",
        )


def _longer(planned: Planned, run: RunDirectory) -> str:
    """The learning rate's whole course follows from the number of epochs: a longer run is another one."""
    return (
        "the learning rate has come down to its end; go on from the weights with a schedule of its own: "
        f"edgectl train {planned.config.family} --epochs {planned.config.train.epochs} --weights {run.last}"
    )
