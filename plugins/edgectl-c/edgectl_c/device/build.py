"""The test program compiled and run."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

from edgectl.errors import ArtifactError, BackendUnavailableError
from edgectl_c.device.machines import Machine
from edgectl_c.modelfile import CODE
from edgectl_c.plugin import COMPILERS

CROSS, EMULATOR, SIZE = "arm-none-eabi-gcc", "qemu-system-arm", "arm-none-eabi-size"
PACKAGES = "gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm"
_SECONDS = 600
_SOURCES = ("verify.c", "main.c", "preprocess.c", "decode.c", CODE)


def require_tools() -> None:
    """Raises BackendUnavailableError without cross compiler and emulator."""
    absent = [name for name in (CROSS, SIZE, EMULATOR) if shutil.which(name) is None]
    if absent:
        raise BackendUnavailableError(
            f"{', '.join(absent)} not found", fix=f"apt-get install {PACKAGES}, or --cpu host"
        )


def write_program(texts: Mapping[str, str], directory: Path) -> None:
    """All sources of the test program but the linker's script: the bundle's own, and what measures it."""
    program = resources.files("edgectl_c.device") / "program"
    for name in ("board.h", "startup.c", "host_board.c", "verify.c"):
        (directory / name).write_text((program / name).read_text("utf-8"), encoding="utf-8")
    for name, text in texts.items():
        (directory / name).write_text(text, encoding="utf-8")


def build_for(machine: Machine, directory: Path, *, steps: bool) -> Path:
    """``program.elf`` in ``directory``, which :func:`write_program` has filled.

    Args:
        steps: print a hash of every layer.

    Raises:
        ArtifactError: the compiler refuses it; it does not fit the machine.
    """
    program = resources.files("edgectl_c.device") / "program"
    script = (program / "link.ld.in").read_text("utf-8")
    for name in ("code", "tables", "data"):
        region = getattr(machine, name)
        script = script.replace(f"@{name.upper()}@", hex(region.start))
        script = script.replace(f"@{name.upper()}_BYTES@", hex(region.size))
    (directory / "link.ld").write_text(script, encoding="utf-8")
    words = [
        *(CROSS, *machine.flags, "-mthumb", "-O2", "-std=c99", "-DMODEL_TRACE"),
        *(["-DVERIFY_STEPS"] if steps else []),
        *("-ffunction-sections", "-fdata-sections", "startup.c", *_SOURCES),
        *("-nostartfiles", "--specs=nano.specs", "--specs=nosys.specs", "-Wl,--gc-sections"),
        *("-T", "link.ld", "-lm", "-o", "program.elf"),
    ]
    _run(words, directory)
    return directory / "program.elf"


def run_on(machine: Machine, program: Path) -> str:
    """What it prints. Raises ArtifactError where it does not end."""
    words = [
        *(EMULATOR, "-M", machine.qemu, "-nographic", "-monitor", "none", "-serial", "none"),
        *("-semihosting-config", "enable=on,target=native", "-icount", "shift=0"),
        *("-kernel", program.name),
    ]
    return _run(words, program.parent)


def run_here(directory: Path, *, steps: bool) -> str:
    """The test program as a process of this machine. Raises BackendUnavailableError without a compiler."""
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        raise BackendUnavailableError("no C compiler on this machine", fix="install gcc or clang")
    defines = ["-DMODEL_TRACE", *(["-DVERIFY_STEPS"] if steps else [])]
    words = [
        compiler,
        "-std=c99",
        "-O2",
        *defines,
        "host_board.c",
        *_SOURCES,
        "-lm",
        "-o",
        "program",
    ]
    _run(words, directory)
    return _run([str(directory / "program")], directory)


def measure_sizes(machine: Machine, directory: Path) -> tuple[int, int]:
    """(flash, RAM) bytes of the library alone, as the compiler makes it at -O2."""
    words = [CROSS, *machine.flags, "-mthumb", "-O2", "-std=c99", "-c", CODE, "-o", "model.o"]
    _run(words, directory)
    table = _run([SIZE, "model.o"], directory).splitlines()
    text, data, bss = (int(n) for n in table[1].split()[:3])
    return text + data, data + bss


def _run(words: Sequence[str], directory: Path) -> str:
    try:
        done = subprocess.run(
            words,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except FileNotFoundError as e:
        raise BackendUnavailableError(
            f"{words[0]} not found", fix=f"apt-get install {PACKAGES}"
        ) from e
    except subprocess.TimeoutExpired as e:
        raise ArtifactError(f"{words[0]} did not end within {_SECONDS} s", where=CODE) from e
    if done.returncode:
        said = (done.stderr or done.stdout).splitlines()
        first = next(
            (x for x in said if "error" in x or "overflow" in x or "will not fit" in x), ""
        )
        raise ArtifactError(
            f"{Path(words[0]).name} failed: {first or ' '.join(said[-1:])}".strip(), where=CODE
        )
    return done.stdout + done.stderr
