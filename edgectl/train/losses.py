"""Losses of an epoch, averaged and watched, without a device synchronization every step."""

from __future__ import annotations

import torch
from torch import Tensor

from edgectl.errors import EdgectlError
from edgectl.train.distributed.processes import Processes


class LossMeter:
    """Collects the named losses of one epoch.

    Args:
        epoch: 1-based, for the message.
        interval: steps between looks at the values. Reading a value waits for the device, which is
            free on a CPU and stalls an accelerator.
        processes: their losses are averaged, so that all see the joint batch's and judge alike.
        remedy: for the message.
    """

    def __init__(
        self, epoch: int, interval: int, processes: Processes = Processes(), remedy: str = ""
    ) -> None:
        self._epoch = epoch
        self._interval = interval
        self._processes = processes
        self._remedy = remedy
        self._steps = 0
        self._pending: list[dict[str, Tensor]] = []
        self._sums: dict[str, float] = {}

    def add(self, losses: dict[str, Tensor]) -> None:
        """One step's losses (scalars). Raises EdgectlError at the first that is not finite."""
        self._pending.append({name: value.detach() for name, value in losses.items()})
        if len(self._pending) == self._interval:
            self._flush()

    def means(self) -> dict[str, float]:
        """Mean of each loss over the epoch's steps."""
        self._flush()
        return {name: total / self._steps for name, total in self._sums.items()}

    def _flush(self) -> None:
        if not self._pending:
            return
        names = list(self._pending[0])
        table = torch.stack([torch.stack([step[n] for step in self._pending]) for n in names])
        for name, values in zip(names, self._processes.mean(table).cpu().double(), strict=True):
            bad = (~values.isfinite()).nonzero()
            if len(bad):
                raise non_finite(name, self._epoch, self._steps + int(bad[0]) + 1, self._remedy)
            self._sums[name] = self._sums.get(name, 0.0) + float(values.sum())
        self._steps += len(self._pending)
        self._pending.clear()


def non_finite(what: str, epoch: int, step: int, remedy: str) -> EdgectlError:
    """The error of a diverged run. ``epoch`` and ``step`` (within it) count from 1."""
    return EdgectlError(
        f"training diverged: '{what}' is not finite",
        where=f"epoch {epoch}, step {step}",
        fix=remedy,
    )
