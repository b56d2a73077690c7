"""The processes of one run, one a device, and the few words they exchange besides gradients.

Whoever started them (``edgectl train --devices``, or torchrun itself) has put their places into
the environment, as torchrun does: ``RANK``, ``WORLD_SIZE``, ``LOCAL_RANK``, ``LOCAL_WORLD_SIZE``.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, distributed

from edgectl.data.loading.shard import Shard
from edgectl.errors import ConfigError, EdgectlError
from edgectl.train.distributed.heartbeat import Heartbeat, Store

T = TypeVar("T")

BACKENDS = {"cpu": "gloo", "cuda": "nccl", "npu": "hccl"}
"""What gradients travel by, a kind of device. Words travel by gloo everywhere."""

# The first process reads the data set and validates while the others wait for it. A process that
# dies is noticed at once by other means.
_PATIENCE = datetime.timedelta(hours=1)
_REACH = datetime.timedelta(seconds=10)


@dataclass(frozen=True)
class Processes:
    """This process and how many there are; ``local``: on this machine. Alone by default."""

    rank: int = 0
    world: int = 1
    local_rank: int = 0
    local_world: int = 1

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Processes:
        """Alone, unless a launcher says otherwise."""
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
        if not all(environ.get(n, "").isdecimal() for n in names):
            return cls()
        return cls(*(int(environ[n]) for n in names))

    @property
    def is_distributed(self) -> bool:
        """Whether there are others."""
        return self.world > 1

    @property
    def is_main(self) -> bool:
        """Whether this is the one that writes, validates and speaks."""
        return self.rank == 0

    def part_of(self, batch: int) -> int:
        """This process's part of a joint batch. Raises ConfigError where it cannot be shared."""
        check_batch(batch, self.world)
        return batch // self.world

    @property
    def shard(self) -> Shard:
        """The part of every batch that is this process's."""
        return Shard(self.rank, self.world)

    def join(self, device_type: str, patience: float = 600.0) -> None:
        """Meets the others.

        Args:
            device_type: a key of :data:`BACKENDS`.
            patience: seconds one of them may be silent before this process ends.
        """
        if not self.is_distributed:
            return
        backend = BACKENDS[device_type]
        if device_type != "cpu":
            torch.accelerator.set_device_index(self.local_rank)
            backend = f"cpu:gloo,{device_type}:{backend}"
        distributed.init_process_group(backend, timeout=_PATIENCE)
        _beats.append(Heartbeat(_connect, self.rank, self.world, patience))
        _beats[-1].start()

    def leave(self) -> None:
        """After the last word. Not after a failure: it might wait for processes that have gone."""
        if self.is_distributed:
            while _beats:
                _beats.pop().stop()
            distributed.destroy_process_group()

    def broadcast(self, value: T) -> T:
        """What the first process says, in all of them: plain picklable values."""
        if not self.is_distributed:
            return value
        box = [value]
        distributed.broadcast_object_list(box, device=torch.device("cpu"))
        return box[0]

    def mean(self, values: Tensor) -> Tensor:
        """Element by element, over the processes."""
        if not self.is_distributed:
            return values
        values = values.clone()
        distributed.all_reduce(values)
        return values / self.world

    def wait(self) -> None:
        """Until all are here."""
        if self.is_distributed:
            distributed.all_reduce(torch.zeros(1))

    @contextmanager
    def rank0_first(self) -> Iterator[None]:
        """The first process, then one a machine, then the rest: what the earlier ones download or put
        into a cache, the later ones find there."""
        turn = 0 if self.is_main else 1 if self.local_rank == 0 else 2
        for _ in range(turn):
            self.wait()
        yield
        for _ in range(2 - turn):
            self.wait()


_beats: list[Heartbeat] = []


def _connect() -> Store:
    """To the store they met in. The connection of the process group may be waiting."""
    from torch._C._distributed_c10d import TCPStore

    place = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store: Store = TCPStore(*place, is_master=False, wait_for_workers=False, timeout=_REACH)
    return store


def check_batch(batch: int, world: int) -> None:
    """Raises ConfigError where a joint batch cannot be shared alike by ``world`` processes."""
    if batch % world:
        down = batch // world * world
        near = [str(b) for b in (down, down + world) if b]
        raise ConfigError(
            f"a joint batch of {batch} cannot be shared by {world} devices",
            where="train.batch",
            fix="--batch " + " or ".join(near),
        )


def is_lost_connection(error: BaseException) -> bool:
    """Whether the error says no more than that another process has gone."""
    if isinstance(error, distributed.DistError):
        return True
    text = str(error).lower()
    signs = ("gloo", "nccl", "hccl", "connection closed by peer", "connection reset by peer")
    return isinstance(error, RuntimeError) and any(s in text for s in signs)


class LostPeerError(EdgectlError):
    """Another process has gone; what became of it, its own log says."""

    code = "E-PEER"
