"""Twenty-odd steps of a real recipe, alone and by two processes; prints the losses of every step.

In double precision: training doubles rounding errors every step or two, whoever makes them, and in
single precision they reach the loss's third digit after five steps (a single process whose first
weights differ by 1e-7 drifts as far).
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import torch
from torch.multiprocessing.spawn import spawn

from edgectl.metrics import evaluator
from edgectl.plugins.registry import build_registry
from edgectl.runs.rundir import RunDirectory, create_run
from edgectl.train import float_trainee, loop
from edgectl.train.distributed.processes import Processes
from edgectl.train.losses import LossMeter
from edgectl.workflows.opening.context import open_context
from edgectl.workflows.opening.datasets import open_data
from edgectl.workflows.opening.families import open_family
from edgectl.workflows.training.plan import plan_new_run
from edgectl.workflows.training.setup import make_setup

SETTINGS = {
    "data": {"name": "demo_mask"},
    "input_size": [64, 64],
    "train": {
        "epochs": 2,
        "batch": 16,
        "device": "cpu",
        "precision": "fp32",
        "threads": 1,
        "weights": "none",
        "tensorboard": False,
    },
}


def in_double_precision():
    torch.set_default_dtype(torch.float64)
    torch.Tensor.float = torch.Tensor.double
    single = float_trainee.normalize
    float_trainee.normalize = evaluator.normalize = lambda x, spec: single(x, spec).double()


class Steps(LossMeter):
    """Remembers the joint loss of every step."""

    seen: list[float]

    def add(self, losses):
        Steps.seen.append(float(self._processes.mean(losses["loss"].detach())))
        super().add(losses)


def train(family, processes, sync_bn=True):
    Steps.seen = []
    plan = plan_new_run(family, SETTINGS, [f"train.sync_bn={str(sync_bn).lower()}"])
    context = open_context()
    index = open_data(context, "demo_mask", plan.config, quiet=True)
    setup = make_setup(context, family, plan.config, index, processes)
    root = Path(tempfile.mkdtemp())
    path = create_run("joint", root=root).path if processes.is_main else None
    trainer = loop.Trainer(float_trainee.FloatTrainee(setup), None, processes)
    result = trainer.fit(RunDirectory(processes.broadcast(path)))
    return {"losses": Steps.seen, "metrics": result.metrics}


def run(rank, out):
    torch.set_num_threads(1)
    in_double_precision()
    loop.LossMeter = Steps
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank)}
    family = open_family(build_registry(), "fomo")
    processes = Processes.from_environment()
    found = {}
    if processes.is_main:
        places = {n: os.environ.pop(n) for n in ("WORLD_SIZE", "LOCAL_RANK")}
        found["alone"] = train(family, Processes())
        os.environ |= places
    processes.join("cpu")
    found["together"] = train(family, processes)
    found["unsynchronized"] = train(family, processes, sync_bn=False)
    processes.leave()
    if rank == 0:
        Path(out).write_text(json.dumps(found))


if __name__ == "__main__":
    from torch.distributed.elastic.utils.distributed import get_free_port

    os.environ |= {
        "MASTER_ADDR": "localhost",
        "MASTER_PORT": str(get_free_port()),
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "OMP_NUM_THREADS": "1",
    }
    with tempfile.TemporaryDirectory() as directory:
        spawn(run, (f"{directory}/losses.json",), nprocs=2)
        sys.stdout.write(Path(directory, "losses.json").read_text())
