"""What several processes of one run cost: bytes, collectives, images a second; two here, 8 x 8 by
arithmetic.

    python examples/benchmarks/devices.py --family fomo --imgsz 96 --batch 16

Every process computes with one thread. Run it on an idle machine with a core for each process.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

from commands import edgectl

MIB = 1 << 20
REPEATS, EPOCHS = 3, 4


def model_of(name: str, variant: str):
    """A network and its joint-batch norms."""
    from torch import nn

    from edgectl.plugins.registry import build_registry, load_entry

    info = build_registry().families.get(name)
    family = load_entry(info.entry, name)
    preset = family.presets(variant or info.default_variant).get("model", {})
    model = family.build(family.config_type.model_validate_json(json.dumps(preset)), num_classes=2)
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    return model, norms


def ring_bytes(parameters: int, devices: int) -> float:
    """What each device sends in one all-reduce of float32 gradients."""
    return 2 * (devices - 1) / devices * 4 * parameters


def _measure(rank: int, store: str, elements: int, out: str) -> None:
    import torch
    from torch import distributed

    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    found = []
    for size, times in ((elements, 20), (64, 200)):
        tensor = torch.zeros(size)
        distributed.all_reduce(tensor)
        seconds = []
        for _ in range(times):
            distributed.barrier()
            began = time.perf_counter()
            distributed.all_reduce(tensor)
            seconds.append(time.perf_counter() - began)
        found.append(statistics.median(seconds))
    distributed.destroy_process_group()
    if rank == 0:
        Path(out).write_text(json.dumps(found))


def collectives(elements: int) -> tuple[float, float]:
    """Seconds of an all-reduce of the gradients, and of a small one, by two processes here."""
    from torch.multiprocessing.spawn import spawn

    with tempfile.TemporaryDirectory() as directory:
        spawn(_measure, (f"{directory}/store", elements, f"{directory}/out"), nprocs=2)
        large, small = json.loads(Path(directory, "out").read_text())
    return large, small


def images_a_second(words: list[str], *extra: str) -> float:
    """Median over the epochs but the first."""
    name = f"devices-{time.monotonic_ns()}"
    edgectl("train", *words, *extra, "--name", name)
    events = Path("runs/train", name, "events.jsonl").read_text().splitlines()
    epochs = [e for e in map(json.loads, events) if e["event"] == "epoch"]
    return statistics.median(e["images_per_second"] for e in epochs[1:])


def main() -> None:
    """Prints three tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--family", default="fomo")
    parser.add_argument("--variant", default="")
    parser.add_argument("--imgsz", default="96")
    parser.add_argument("--batch", type=int, default=16, help="of each process")
    parser.add_argument("--data", default="demo_mask")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"

    model, norms = model_of(options.family, options.variant)
    parameters = sum(p.numel() for p in model.parameters())
    channels = sum(n.num_features for n in norms)
    print(f"{options.family}: {parameters / 1e6:.2f} M parameters, {len(norms)} batch norms\n")
    print("| devices | gradients sent by each, MiB a step | batch norm, KiB a step |")
    print("| ---: | ---: | ---: |")
    for devices in (2, 8, 64):
        # an all-gather of mean, variance and count, an all-reduce of two sums
        norm = (devices - 1) * 4 * (2 * channels + len(norms)) + ring_bytes(2 * channels, devices)
        sent = ring_bytes(parameters, devices) / MIB
        print(f"| {devices} | {sent:.2f} | {norm / 1024:.0f} |")

    large, small = collectives(parameters)
    print(f"\ntwo processes, gloo, this machine: gradients in {large * 1e3:.2f} ms ", end="")
    print(
        f"({ring_bytes(parameters, 2) / large / 1e9:.2f} GB/s), 64 numbers in {small * 1e6:.0f} us"
    )

    words = [options.family, "--data", options.data, "--imgsz", options.imgsz]
    words += ["--device", "cpu", "--weights", "none", "--epochs", str(EPOCHS)]
    words += ["--set", "train.threads=1", "--set", "train.eval_interval=100"]
    words += ["--set", "data.cache=ram", "--set", "train.tensorboard=false"]
    if options.variant:
        words += ["--variant", options.variant]
    joint = ["--batch", str(2 * options.batch)]
    runs = {
        "1 process": ["--batch", str(options.batch)],
        "2 processes": [*joint, "--devices", "2"],
        "2 processes, sync_bn off": [*joint, "--devices", "2", "--set", "train.sync_bn=false"],
    }
    with tempfile.TemporaryDirectory() as directory, contextlib.chdir(directory):
        # in turns, so that a busy minute hits all of them
        speeds: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(REPEATS):
            for name, extra in runs.items():
                speeds[name].append(images_a_second(words, *extra))
    alone = statistics.median(speeds["1 process"])
    step = options.batch / alone
    exchanged = {"2 processes": 2 * len(norms) * small, "2 processes, sync_bn off": 0.0}
    print("\n| | images/s, median (all) | against 1 | expected |")
    print("| --- | ---: | ---: | ---: |")
    for name, values in speeds.items():
        expected = "1.00"
        if name in exchanged:
            expected = f"{2 * step / (step + large + exchanged[name]):.2f}"
        every = ", ".join(f"{v:.0f}" for v in values)
        speed = statistics.median(values)
        print(f"| {name} | {speed:.0f} ({every}) | {speed / alone:.2f} | {expected} |")


if __name__ == "__main__":
    main()
