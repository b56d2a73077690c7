"""Starts the processes of a run through torchrun's elastic launcher, and says how it ended.

A failure ends all of them: the launcher's restarts would hide from the user what went wrong, and
what a restart would do, ``--resume`` does.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch.distributed import DistError
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException, Std
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.elastic.rendezvous.api import RendezvousError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from edgectl.config.schema import TrainConfig
from edgectl.errors import DependencyError, EdgectlError, InterruptedRunError, UsageError
from edgectl.runs.events import read_events
from edgectl.runs.rundir import RunDirectory
from edgectl.train.device import choose_device, choose_threads, count_devices
from edgectl.train.distributed.outcome import Outcome, read_outcomes
from edgectl.train.distributed.processes import BACKENDS, LostPeerError, check_batch

OUTCOMES = "EDGECTL_OUTCOMES"
"""Names the directory the processes write their outcomes to; set by :func:`launch`."""

_ENDPOINT = re.compile(r"[^:\s]+:(\d{1,5})|\[[0-9A-Fa-f:]+\]:(\d{1,5})")
_CONSEQUENCES = (LostPeerError.code, InterruptedRunError.code)
_CRASH = "E-INTERNAL"
_AT_ONCE_S = 15
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")


@dataclass(frozen=True)
class Machines:
    """How many processes, and where they meet.

    Attributes:
        devices: on each machine.
        rendezvous: ``HOST:PORT`` of the first machine; needed for more than one.
        node_rank: this machine's number, from 0.
    """

    devices: int
    nodes: int = 1
    rendezvous: str = ""
    node_rank: int | None = None

    @property
    def world(self) -> int:
        """Processes on all machines together."""
        return self.devices * self.nodes

    @property
    def words(self) -> str:
        """As options of the command line."""
        words = f"--devices {self.devices}"
        if self.nodes > 1:
            words += f" --nodes {self.nodes} --rdzv {self.rendezvous} --node-rank {self.node_rank}"
        return words

    def check(self) -> None:
        """Raises UsageError where the parts do not fit together."""
        if self.nodes == 1:
            if self.rendezvous or self.node_rank is not None:
                raise UsageError(
                    "--rdzv and --node-rank are for several machines",
                    fix="add --nodes N, or leave them out",
                )
            return
        example = f"--nodes {self.nodes} --rdzv HOST:PORT --node-rank 0..{self.nodes - 1}"
        if not self.rendezvous:
            raise UsageError("where do the machines meet?", where="--nodes", fix=example)
        port = _ENDPOINT.fullmatch(self.rendezvous)
        if port is None or not 0 < int(port[1] or port[2]) < 65536:
            raise UsageError(
                f"not an address and port: '{self.rendezvous}'",
                where="--rdzv",
                fix="HOST:PORT of the first machine, for example --rdzv 10.0.0.1:29400",
            )
        if self.node_rank is None or not 0 <= self.node_rank < self.nodes:
            was = "none" if self.node_rank is None else str(self.node_rank)
            raise UsageError(
                f"each of {self.nodes} machines needs its own number below that, got {was}",
                where="--node-rank",
                fix=example,
            )


def check_machines(machines: Machines, config: TrainConfig) -> None:
    """Before anything is started.

    Raises:
        ConfigError: the joint batch cannot be shared out.
        UsageError: a kind of device that does not train together, or ``machines`` itself.
        DependencyError: fewer devices than asked for.
    """
    machines.check()
    kind = choose_device(config.device)
    if config.device == "auto" and kind == "cpu":
        raise DependencyError(
            f"{machines.devices} devices asked for, and no accelerator found",
            where="train.devices",
            fix=f"--device cpu {machines.words} trains on processor cores; --devices 1",
        )
    if kind not in BACKENDS:
        raise UsageError(
            f"several '{kind}' devices do not train together here",
            where="train.device",
            fix="--devices 1; several: " + ", ".join(BACKENDS),
        )
    found = count_devices(kind)
    if kind != "cpu" and machines.devices > found:
        raise DependencyError(
            f"{machines.devices} '{kind}' devices asked for, {found} found",
            where="train.devices",
            fix=f"--devices {found}" if found else "edgectl doctor",
        )
    check_batch(config.batch, machines.world)


def launch(machines: Machines, words: Sequence[str], *, threads: int = 0) -> Outcome:
    """Runs ``edgectl WORDS`` in every process and waits for them. ``threads``: each one's; 0 shares
    the cores.

    The first process's stderr is this one's; what the others write goes to ``RUN/logs/rank-K.log``
    from the moment there is a run. Returns what the first process of this machine reports.

    Raises:
        InterruptedRunError: Ctrl-C or SIGTERM, passed on to all.
        EdgectlError: what a process raised, as it raised it; or that one was killed.
    """
    with tempfile.TemporaryDirectory(prefix="edgectl-train-") as temporary:
        outcomes = Path(temporary) / "outcomes"
        outcomes.mkdir()
        config = _launch_config(machines, Path(temporary))
        failures: dict[int, ProcessFailure] = {}
        variables = {OUTCOMES: str(outcomes)}
        variables |= {n: v for n, v in _defaults(machines, threads).items() if n not in os.environ}
        with _quiet_launcher(), _environment(variables):
            try:
                elastic_launch(config, sys.executable)("-u", "-m", "edgectl", *words)
            except SignalException as e:
                raise _interrupted(_run_of(read_outcomes(outcomes)), machines) from e
            except (RendezvousError, DistError) as e:
                raise EdgectlError(
                    f"the machines did not meet: {e}",
                    where=machines.rendezvous or None,
                    fix="start the same command on every machine, each with its --node-rank",
                ) from e
            except ChildFailedError as e:
                failures = e.failures
        reports = read_outcomes(outcomes)
        if failures:
            raise _failure(failures, reports, machines)
        if not reports:
            raise EdgectlError("the processes ended without a report", fix="run again with --debug")
        return next(iter(reports.values()))


def _launch_config(machines: Machines, temporary: Path) -> LaunchConfig:
    several = machines.nodes > 1
    return LaunchConfig(
        min_nodes=machines.nodes,
        max_nodes=machines.nodes,
        nproc_per_node=machines.devices,
        run_id=f"edgectl-{machines.rendezvous or uuid.uuid4().hex}",
        # static: machine 0 has process 0, which writes the run
        rdzv_backend="static" if several else "c10d",
        rdzv_endpoint=machines.rendezvous if several else "localhost:0",
        rdzv_configs={"rank": machines.node_rank} if several else {},
        local_addr=None if several else "localhost",
        max_restarts=0,
        logs_specs=DefaultLogsSpecs(
            log_dir=str(temporary),
            redirects={i: Std.OUT if i == 0 else Std.ALL for i in range(machines.devices)},
        ),
    )


def _defaults(machines: Machines, threads: int) -> dict[str, str]:
    """Environment variables of the processes, where the user has not set them."""
    return {
        # warnings of the transports about what this module reports itself
        "TORCH_CPP_LOG_LEVEL": "ERROR",
        "OMP_NUM_THREADS": str(choose_threads(threads, machines.devices)),
    }


def _run_of(reports: Mapping[int, Outcome]) -> RunDirectory | None:
    """The run, where it has begun and can be resumed from here."""
    runs = [RunDirectory(Path(r.run)) for r in reports.values() if r.run]
    return runs[0] if runs and runs[0].last.is_file() else None


def _state(run: RunDirectory) -> str:
    """What can be resumed, in words."""
    epochs = [e["epoch"] for e in read_events(run.events) if e["event"] == "epoch"]
    return f"{max(epochs, default=0)} epochs done; checkpoint: {run.last}"


def _again(run: RunDirectory | None, machines: Machines) -> str:
    if run is None:
        return "run again with --debug for the traceback"
    command = "train" if run.float_model is None else "qat"
    return f"edgectl {command} --resume {run.path} {machines.words}"


def _interrupted(run: RunDirectory | None, machines: Machines) -> EdgectlError:
    if run is None:
        return InterruptedRunError("interrupted before the first step")
    return InterruptedRunError(f"interrupted, {_state(run)}", fix=_again(run, machines))


def _failure(
    failures: Mapping[int, Any], reports: Mapping[int, Outcome], machines: Machines
) -> EdgectlError:
    """The cause among its consequences: what a process says went wrong; else one that was killed;
    else a crash; else the user's wish; else processes that only lost their peers."""
    run = _run_of(reports)
    errors = {rank: e for rank, r in reports.items() if (e := r.as_error()) is not None}
    own = [e for e in errors.values() if e.code not in _CONSEQUENCES]
    stated = [e for e in own if e.code != _CRASH]
    killed = _killed(failures)
    if killed is not None and not stated:
        rank, name = killed
        out_of_memory = " (by the system, if memory ran out)" if name == "SIGKILL" else ""
        return EdgectlError(
            f"process {rank} of {machines.world} was ended by {name}{out_of_memory}"
            + (f"; {_state(run)}" if run else ""),
            fix=_again(run, machines),
        )
    if own:
        return (stated or own)[0]
    if any(e.code == InterruptedRunError.code for rank, e in errors.items() if rank in failures):
        return _interrupted(run, machines)
    return EdgectlError(
        "a process of the run has gone without a word, here or on another machine"
        + (f"; {_state(run)}" if run else ""),
        where=str(run.logs) if run else None,
        fix=_again(run, machines),
    )


def _killed(failures: Mapping[int, Any]) -> tuple[int, str] | None:
    """Rank and signal of a process that was killed, but not by the launcher, which ends the others
    with SIGTERM and those that do not listen with SIGKILL half a minute later."""
    first = min(f.timestamp for f in failures.values())
    for rank, failure in sorted(failures.items()):
        by_signal = failure.exitcode < 0 and failure.exitcode != -signal.SIGTERM
        if by_signal and failure.timestamp - first < _AT_ONCE_S:
            return rank, signal.Signals(-failure.exitcode).name
    return None


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Environment variables for processes started in the block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _quiet_launcher() -> Iterator[None]:
    """Without the elastic launcher's own log lines, and with the signal handlers as they were."""
    numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    handlers = {n: signal.getsignal(n) for n in numbers}
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(level)
        for number, handler in handlers.items():
            signal.signal(number, handler)
