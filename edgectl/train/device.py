"""Where and how to compute: device, number format, threads. One ``Accelerator`` a run."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Literal, get_args

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedDataParallelKwargs, ProjectConfiguration

from edgectl.config.schema import TrainConfig
from edgectl.errors import DependencyError, UsageError
from edgectl.train.distributed.processes import Processes

Precision = Literal["fp32", "bf16"]
DEVICES: tuple[str, ...] = get_args(TrainConfig.model_fields["device"].annotation)
"""Kinds a user may name."""

# Before any run of this process has changed it.
_TORCH_THREADS = torch.get_num_threads()
_CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_DEVICE_FILES = Path("/dev")


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


def choose_threads(requested: int, processes: int = 1) -> int:
    """Compute threads of one of ``processes`` on this machine. 0: its share of the usable cores but
    one, and not more than torch would take (OMP_NUM_THREADS, physical cores).

    One core stays free for the loader and the rest of the system. Compute threads wait for each
    other after every operator, so one that loses its core for a moment holds up all: FOMO-0.35 at
    192 px, batch 4, on two cores trains 190 images/s with two threads while nothing else runs,
    but 10 beside another program, where one thread does 140.
    """
    return requested or max(1, min((usable_cores() - 1) // processes, _TORCH_THREADS))


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


def build_accelerator(
    config: TrainConfig, run: Path, *, tensorboard: bool, processes: Processes = Processes()
) -> Accelerator:
    """The accelerator of a run; sets torch's thread count.

    Raises:
        DependencyError: the device asked for is not there.
    """
    # accelerate keeps device and precision for the life of the process and refuses a second run
    # (qat after train, tests) that differs in them.
    AcceleratorState._reset_state(reset_partial_state=True)
    device_type = choose_device(config.device)
    precision = choose_precision(config.precision, device_type)
    accelerator = Accelerator(
        cpu=device_type == "cpu",
        mixed_precision="bf16" if precision == "bf16" else "no",
        log_with="tensorboard" if tensorboard else None,
        project_config=ProjectConfiguration(project_dir=str(run), logging_dir=str(run)),
        kwargs_handlers=[DistributedDataParallelKwargs(gradient_as_bucket_view=True)],
    )
    if accelerator.device.type != device_type:
        raise DependencyError(
            f"device '{device_type}' is installed, but cannot be used: accelerate found "
            f"{accelerator.device.type}",
            where="train.device",
            fix="edgectl doctor",
        )
    # after accelerate, which has an opinion of its own
    torch.set_num_threads(choose_threads(config.threads, processes.local_world))
    return accelerator


def choose_device(requested: str, where: str = "train.device") -> str:
    """Resolves ``auto``. ``where``: the choice was made, for the message.

    Raises:
        UsageError: not a kind of device.
        DependencyError: an explicit choice that is not there.
    """
    if requested not in DEVICES:
        raise UsageError(
            f"'{requested}' is no kind of device", where=where, fix="one of: " + ", ".join(DEVICES)
        )
    if requested == "cpu":
        return "cpu"
    current = torch.accelerator.current_accelerator() if _has_accelerator() else None
    found = current.type if current is not None else "npu" if has_npu() else "cpu"
    if requested == "auto":
        return found
    if requested == found or (requested == "npu" and has_npu()):
        return requested
    fix = f"--device {found}, or install a torch build for '{requested}'"
    if requested == "npu" and importlib.util.find_spec("torch_npu") is not None:
        fix = "source the set_env.sh of the CANN toolkit (it sets ASCEND_HOME_PATH)"
    raise DependencyError(
        f"device '{requested}' is not available here (found: {found})",
        where=where,
        fix=fix,
    )


def has_npu() -> bool:
    """Whether Ascend's torch extension and its toolkit are set up. Nothing is imported: the import
    fails without the toolkit, and takes torch with it."""
    return importlib.util.find_spec("torch_npu") is not None and "ASCEND_HOME_PATH" in os.environ


def count_devices(device_type: str) -> int:
    """Devices of a kind on this machine, those hidden from this process left out; usable cores for
    ``cpu``."""
    if device_type == "cpu":
        return usable_cores()
    if device_type == "npu" and not _has_accelerator():
        visible = os.environ.get("ASCEND_RT_VISIBLE_DEVICES")
        if visible is not None:
            return len([v for v in visible.split(",") if v.strip()])
        return len([p for p in _DEVICE_FILES.glob("davinci*") if p.name[7:].isdecimal()])
    return torch.accelerator.device_count()


def _has_accelerator() -> bool:
    return torch.accelerator.is_available()


def describe_device() -> str:
    """What ``auto`` takes here, for people."""
    if _has_accelerator():
        return str(torch.accelerator.current_accelerator())
    if has_npu():
        return "npu"
    return f"cpu, {choose_threads(0)} threads, {choose_precision('auto', 'cpu')}"
