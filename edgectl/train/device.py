"""Where and how to compute: device, number format, threads. One ``Accelerator`` a run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import ProjectConfiguration

from edgectl.config.schema import TrainConfig
from edgectl.errors import DependencyError, UsageError

Precision = Literal["fp32", "bf16"]

# Before any run of this process has changed it.
_TORCH_THREADS = torch.get_num_threads()
_CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def usable_cores() -> int:
    """Cores this process may use: its affinity mask, and a container's CPU quota if it has one."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on every system
    cores: int = len(affinity(0)) if affinity else os.cpu_count() or 1
    try:
        quota, period = _CGROUP_QUOTA.read_text().split()
    except (OSError, ValueError):
        return cores
    if quota == "max":
        return cores
    return max(1, min(cores, int(quota) // int(period)))


def choose_threads(requested: int) -> int:
    """Compute threads. 0: the usable cores but one, and not more than torch would take
    (OMP_NUM_THREADS, physical cores).

    One core stays free for the loader and the rest of the system. Compute threads wait for each
    other after every operator, so one that loses its core for a moment holds up all: FOMO-0.35 at
    192 px, batch 4, on two cores trains 190 pictures/s with two threads while nothing else runs,
    but 10 beside another program, where one thread does 140.
    """
    return requested or max(1, min(usable_cores() - 1, _TORCH_THREADS))


def native_bf16(device_type: str) -> bool:
    """Whether the device multiplies bfloat16 in hardware; emulation is slower than float32."""
    if device_type == "cpu":
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    if device_type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return False


def choose_precision(requested: str, device_type: str) -> Precision:
    """Resolves ``auto``; an explicit choice stands."""
    if requested == "auto":
        return "bf16" if native_bf16(device_type) else "fp32"
    return "bf16" if requested == "bf16" else "fp32"


def build_accelerator(config: TrainConfig, run: Path, *, tensorboard: bool) -> Accelerator:
    """The accelerator of a run; sets torch's thread count.

    Raises:
        DependencyError: the device asked for is not there.
        UsageError: more devices than one process drives.
    """
    if config.devices > 1:
        raise UsageError(
            f"training on {config.devices} devices at once is not supported",
            where="train.devices",
            fix="--devices 1",
        )
    torch.set_num_threads(choose_threads(config.threads))
    # accelerate keeps device and precision for the life of the process and refuses a second run
    # (qat after train, tests) that differs in them.
    AcceleratorState._reset_state(reset_partial_state=True)
    on_cpu = config.device == "cpu" or (config.device == "auto" and not _has_accelerator())
    device_type = "cpu" if on_cpu else _accelerator_type(config.device)
    precision = choose_precision(config.precision, device_type)
    return Accelerator(
        cpu=on_cpu,
        mixed_precision="bf16" if precision == "bf16" else "no",
        log_with="tensorboard" if tensorboard else None,
        project_config=ProjectConfiguration(project_dir=str(run), logging_dir=str(run)),
    )


def _has_accelerator() -> bool:
    return torch.accelerator.is_available()


def _accelerator_type(requested: str) -> str:
    current = torch.accelerator.current_accelerator() if _has_accelerator() else None
    found = current.type if current is not None else "cpu"
    if requested in ("auto", found):
        return found
    raise DependencyError(
        f"device '{requested}' is not available here (found: {found})",
        where="train.device",
        fix=f"--device {found}, or install a torch build for '{requested}'",
    )


def describe_device() -> str:
    """What ``auto`` takes here, for people."""
    if _has_accelerator():
        return str(torch.accelerator.current_accelerator())
    return f"cpu, {choose_threads(0)} threads, {choose_precision('auto', 'cpu')}"
