"""One network with every kernel, compiled for the processors it is made for, without a warning."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from edgectl_c.code.model import write_source
from edgectl_c.facts import facts
from edgectl_c.modelfile import Library

from edgectl.quant.integer.lower import lower_graph
from edgectl.testing.networks import Net, quantize

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror", "-O2")
ARM = "arm-none-eabi-gcc"
TARGETS = {
    "host gcc": ("gcc",),
    "host clang": ("clang",),
    "cortex-m0plus": (ARM, "-mthumb", "-mcpu=cortex-m0plus"),
    "cortex-m4": (ARM, "-mthumb", "-mcpu=cortex-m4"),
    "cortex-m7": (ARM, "-mthumb", "-mcpu=cortex-m7"),
    "cortex-m33": (ARM, "-mthumb", "-mcpu=cortex-m33"),
    "cortex-m55": (ARM, "-mthumb", "-mcpu=cortex-m55", "-mfloat-abi=hard"),
    "riscv32": ("riscv64-unknown-elf-gcc", "-march=rv32imac", "-mabi=ilp32", "-ffreestanding"),
}
_STRING = """
#include <stddef.h>
void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);
"""


def everything() -> Library:
    """A network that needs all kernels."""
    net = Net((12, 12))
    x = net.conv("input", 8, activation="relu6")
    x = net.op("add", net.depthwise(x), x)
    x = net.op("mul", x, net.op("sigmoid", x))
    y = net.op("max_pool", x, kernel=(2, 2), stride=(2, 2), padding=(0, 0, 0, 0))
    y = net.op("concat", x, net.op("upsample", y, factor=2))
    y = net.op("pad", y, padding=(1, 0, 1, 0), value=0.4)
    y = net.op("avg_pool", y, kernel=(3, 3), stride=(2, 2), padding=(0, 0, 0, 0))
    z = net.op("softmax", net.linear(net.op("reshape", y, shape=(1, 16 * 36)), 7))
    m = net.op("mean", y)
    graph = quantize(net.graph(z, m), net.images(), 0.7)
    return Library(lower_graph(graph, ["scores", "mean"]), False)


@pytest.mark.parametrize("target", TARGETS)
def test_it_compiles_without_a_warning(target: str, tmp_path: Path) -> None:
    command = TARGETS[target]
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} on this machine")
    library = everything()
    plan = library.plan()
    source = write_source(plan)
    (tmp_path / "model.c").write_text(source.code)
    (tmp_path / "model.h").write_text(source.header)
    if target == "riscv32":  # its Debian package brings no C library
        (tmp_path / "string.h").write_text(_STRING)
    words = [*command, *STRICT, "-I.", "-c", "model.c", "-o", "model.o"]
    subprocess.run(words, cwd=tmp_path, check=True)
    if command[0] == ARM and target != "cortex-m0plus":
        table = subprocess.run(
            ["arm-none-eabi-size", "model.o"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()[1]
        text, data, bss = (int(n) for n in table.split()[:3])
        stated = facts(plan, source)
        assert data == 0
        assert text <= stated["flash_bytes"]
        assert stated["ram_bytes"] <= bss <= stated["ram_bytes"] + 16


def test_no_floating_point_no_allocation() -> None:
    text = write_source(everything().plan()).code
    for word in ("float", "double", "malloc", "calloc", "alloca", "long double"):
        assert word not in text
