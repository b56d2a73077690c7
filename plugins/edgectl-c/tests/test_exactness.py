"""Every op in every form: the compiled library == the integer executor, each byte, without a warning."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from edgectl_c.code.model import write_source
from edgectl_c.modelfile import Library
from edgectl_c.runtimes.compiled import CompiledLibrary, compile_shared

from edgectl.errors import ArtifactError
from edgectl.quant.integer.executor import IntegerExecutor
from edgectl.quant.integer.limits import require_portable
from edgectl.quant.integer.lower import lower_graph
from edgectl.quant.integer.program import Program
from edgectl.testing.networks import CASES, Net, fomo, images_for, quantize
from edgectl.testing.random_graphs import random_graph

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror")
SHARED = ("-O1", "-fPIC", "-shared")
pytestmark = pytest.mark.usefixtures("compiler")


def program_of(name: str, shrink: float = 0.7) -> tuple[Program, np.ndarray]:
    """A case as a program, and bytes to feed it."""
    net = Net()
    CASES[name](net)
    images = net.images()
    graph = quantize(net.graph(), images, shrink)
    return lower_graph(graph, ["out"]), (images ^ 0x80).view(np.int8)


SAME_KERNEL = {
    "conv_grouped_stride", "conv_transpose", "conv_transpose_same", "tanh", "gelu", "gelu_tanh", "exp",
    "elu", "leaky_relu_negative", "resize_bilinear_smaller", "resize_bilinear_aligned", "transpose",
    "resize_nearest", "slice_channels", "layer_norm", "constant", "max_pool_whole", "avg_pool_counted",
    "mul_by_one_channel",
}  # fmt: skip
"""Cases whose C is that of another case with other numbers: run with the slow ones."""


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n in SAME_KERNEL)) for n in CASES]
)
def test_every_byte(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compile_shared, "__defaults__", ((*STRICT, *SHARED),))
    program, x = program_of(name)
    # one way in for every other case: both are the same code but for the first step
    source = write_source(Library(program, len(name) % 2 == 0).plan())
    ours = CompiledLibrary(program, source).run(x)
    for a, b in zip(ours, IntegerExecutor(program).run(x), strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("rows", [False, True], ids=["whole", "rows"])
def test_a_whole_network(rows: bool) -> None:
    graph = fomo(48)
    images = images_for(graph, 4)
    program = lower_graph(quantize(graph, images), ["cells"])
    x = (images ^ 0x80).view(np.int8)
    library = CompiledLibrary(program, write_source(Library(program, rows).plan()))
    first, second = library.run(x), library.run(x)
    for a, b, c in zip(first, second, IntegerExecutor(program).run(x), strict=True):
        assert np.array_equal(a, b) and np.array_equal(a, c)


def random_programs(seeds: range) -> list[tuple[int, Program, np.ndarray]]:
    """Those whose scales every kernel survives."""
    found = []
    for seed in seeds:
        quantized, images = random_graph(seed, micro=seed % 8 != 0)
        names = [f"out{i}" for i in range(len(quantized.graph.outputs))]
        program = lower_graph(quantized, names)
        try:
            require_portable(program)
        except ArtifactError:
            continue
        found.append((seed, program, (images ^ 0x80).view(np.int8)))
    return found


def check_programs(seeds: range) -> int:
    """How many random graphs give the same bytes, the image whole or by rows."""
    programs = random_programs(seeds)
    for seed, program, x in programs:
        source = write_source(Library(program, seed % 2 == 0).plan())
        ours = CompiledLibrary(program, source).run(x)
        for a, b in zip(ours, IntegerExecutor(program).run(x), strict=True):
            assert np.array_equal(a, b), f"seed {seed}"
    return len(programs)


def test_random_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compile_shared, "__defaults__", (("-std=c99", *SHARED),))
    assert check_programs(range(6)) >= 4


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_many_random_graphs(part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compile_shared, "__defaults__", (("-std=c99", *SHARED),))
    assert check_programs(range(5000 + 60 * part, 5060 + 60 * part)) >= 50


_MAIN = """
#include <stdlib.h>
#include "model.h"
static uint32_t state = 1;
static void noise(void *context, int32_t row, int8_t *pixels) {
  (void)context, (void)row;
  for (int32_t i = 0; i < MODEL_INPUT_WIDTH * MODEL_INPUT_CHANNELS; i++) {
    state = state * 1664525u + 1013904223u;
    pixels[i] = (int8_t)(state >> 24);
  }
}
int main(void) {
  model_init();
  for (int i = 0; i < 20; i++) model_run_rows(noise, NULL);
  return model_output(0) == NULL || model_output(MODEL_OUTPUTS) != NULL || model_output(-1) != NULL;
}
"""


@pytest.mark.skipif(
    sys.platform != "linux", reason="sanitizers as gcc and clang have them on Linux"
)
@pytest.mark.parametrize("name", ["fomo", "classifier", "concat_upsample_pad", "add_broadcast"])
def test_sanitizers_find_nothing_on_random_bytes(name: str, compiler: str, tmp_path: Path) -> None:
    if name == "fomo":
        graph = fomo(32)
        program = lower_graph(quantize(graph, images_for(graph, 2), 0.3), ["cells"])
    else:
        program, _ = program_of(name, 0.3)
    source = write_source(Library(program, False).plan())
    (tmp_path / "model.c").write_text(source.code)
    (tmp_path / "model.h").write_text(source.header)
    (tmp_path / "main.c").write_text(_MAIN)
    flags = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g"]
    words = [compiler, *STRICT, *flags, "model.c", "main.c", "-o", "program"]
    subprocess.run(words, cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "program"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
