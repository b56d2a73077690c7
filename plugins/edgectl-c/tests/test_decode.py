"""Decoding in C against the program of the boards with Python: the same results, to the last bit."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edgectl_c.program.decode import Decoder, HeadBytes, real_numbers, write_decoder

from edgectl.deploy.reference import Result, decode
from edgectl.plugins.registry import build_registry, load_entry
from edgectl.spec import OutputSpec
from edgectl.tasks.decode_rule import decode_rule

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror", "-O2")
ARM = ("arm-none-eabi-gcc", "-mthumb")
TARGETS = {
    "gcc": ("gcc",),
    "clang": ("clang",),
    "cortex-m0plus": (*ARM, "-mcpu=cortex-m0plus"),
    "cortex-m4": (*ARM, "-mcpu=cortex-m4"),
    "cortex-m7": (*ARM, "-mcpu=cortex-m7"),
    "cortex-m33": (*ARM, "-mcpu=cortex-m33"),
    "cortex-m55": (*ARM, "-mcpu=cortex-m55", "-mfloat-abi=hard"),
    "riscv32": ("riscv64-unknown-elf-gcc", "-march=rv32imac", "-mabi=ilp32", "-ffreestanding"),
}
FREESTANDING = {
    "string.h": "#include <stddef.h>\nvoid *memcpy(void *, const void *, size_t);\n"
    "void *memset(void *, int, size_t);\nvoid *memmove(void *, const void *, size_t);\n",
    "math.h": "#define NAN __builtin_nanf(\"\")\n#define INFINITY __builtin_inff()\n"
    "float sqrtf(float);\n",
}  # fmt: skip
"""Debian's compiler for RISC-V brings no C library."""


class Found(ctypes.Structure):
    _fields_ = [
        ("label", ctypes.c_int32),
        *((n, ctypes.c_float) for n in ("score", "x0", "y0", "x1", "y1")),
    ]


Head = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_int32)


class Model:
    """A decoding rule and heads of random sizes."""

    def __init__(
        self,
        task: str,
        specs: Sequence[OutputSpec],
        size: tuple[int, int],
        scales: Sequence[float],
        zeros: Sequence[int],
        threshold: float = 0.25,
        most: int | None = None,
        **rule: Any,
    ) -> None:
        self.specs = specs
        self.heads = []
        for k, (spec, scale, zero) in enumerate(zip(specs, scales, zeros, strict=True)):
            rows, columns = (-(-n // spec.stride) if spec.stride else 1 for n in size)
            self.heads.append(HeadBytes(k, rows, columns, spec.channels, scale, zero))
        decoding = decode_rule(task, specs).to_dict() | rule
        self.model = {
            "threshold": threshold,
            "overlap": 0.65,
            "most_shown": most,
            "decode": decoding,
        }

    def decoder(self) -> Decoder:
        return write_decoder(self.model, self.heads)

    def python(self, heads: Sequence[np.ndarray]) -> list[Result]:
        """What the boards with Python find."""
        values = {}
        for spec, head, raw in zip(self.specs, self.heads, heads, strict=True):
            real = real_numbers(head)[raw.astype(int) + 128]
            grid = real.transpose(2, 0, 1)
            values[spec.name] = grid if spec.stride else grid.reshape(-1)
        with np.errstate(all="ignore"):
            return decode(values, self.model)[: self.model["most_shown"]]

    def random(self, rng: np.random.Generator) -> list[np.ndarray]:
        """Bytes of every head; few values, so that many are equal, or all."""
        least = int(rng.integers(-128, 127))
        most = int(rng.choice([least + 3, 127]))
        return [
            rng.integers(least, min(most, 127) + 1, (h.rows, h.columns, h.channels)).astype(np.int8)
            for h in self.heads
        ]


def compiled(
    decoder: Decoder, directory: Path, compiler: str, *flags: str
) -> Callable[..., list[Any]]:
    directory.mkdir(exist_ok=True)
    (directory / "decode.h").write_text(decoder.header)
    (directory / "decode.c").write_text(decoder.code)
    words = [compiler, *STRICT, *flags, "-shared", "-fPIC", "decode.c", "-o", "decode.so", "-lm"]
    subprocess.run(words, cwd=directory, check=True)
    library = ctypes.CDLL(str(directory / "decode.so"))

    def run(heads: Sequence[np.ndarray]) -> list[Any]:
        kept = [np.ascontiguousarray(h) for h in heads]
        places = [h.ctypes.data for h in kept]
        results = ctypes.POINTER(Found)()
        count = library.decode(Head(lambda k: places[k]), ctypes.byref(results))
        return [(r.label, r.score, (r.x0, r.y0, r.x1, r.y1)) for r in results[:count]]

    return run


def same(found: list[Any], wanted: list[Result], *, exact: bool) -> None:
    assert [label for label, *_ in found] == [label for label, *_ in wanted]
    ours, theirs = (np.array([s for _, s, _ in x], np.float32) for x in (found, wanted))
    if exact:
        np.testing.assert_array_equal(ours, theirs)
    else:  # sums of powers are rounded in another order
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    boxes = [(b, w) for (_, _, b), (_, _, w) in zip(found, wanted, strict=True) if w is not None]
    for box, other in boxes:
        np.testing.assert_allclose(box, other, rtol=1e-5, atol=1e-3)


def cells(**kw: Any) -> Model:
    spec = OutputSpec("cells", "cell_logits", 8, 4, "sigmoid", kw.pop("applied", False))
    return Model("centroid", [spec], (56, 40), [kw.pop("scale", 0.06)], [kw.pop("zero", -11)], **kw)


def rtmdet(logarithms: bool = False, scale: float = 0.09, zero: int = 9, **kw: Any) -> Model:
    kind = "box_log_distances" if logarithms else "box_distances"
    offset = kw.pop("offset", 0.0)
    strides = (8, 16, 32)
    specs = [OutputSpec(f"c{s}", "class_logits", s, 3, "sigmoid") for s in strides]
    specs += [OutputSpec(f"b{s}", kind, s, 4, offset=offset) for s in strides]
    scales = [0.05, 0.07, 0.05, scale, scale * 0.9, scale * 0.7]
    return Model("detection", specs, (48, 32), scales, [3, -9, 0, zero, zero, zero], **kw)


def fcos(**kw: Any) -> Model:
    strides = (8, 16)
    specs = [OutputSpec(f"c{s}", "class_logits", s, 2, "sigmoid") for s in strides]
    specs += [OutputSpec(f"b{s}", "box_distances", s, 4, offset=0.5) for s in strides]
    specs += [OutputSpec(f"q{s}", "centerness_logits", s, 1, "sigmoid") for s in strides]
    return Model("detection", specs, (32, 32), [0.05] * 6, [5, 0, -40, -60, 3, 3], **kw)


def classes(most: int | None = 3, applied: bool = False) -> Model:
    spec = OutputSpec("y", "class_logits", 0, 9, "softmax", applied)
    return Model("classification", [spec], (32, 32), [0.11], [-7], most=most)


INFINITE = float("inf")
MODELS = {
    "cells": lambda: cells(),
    "cells with scores": lambda: cells(applied=True, scale=1 / 256, zero=-128, threshold=0.7),
    "cells at threshold zero": lambda: cells(threshold=0.0),
    "cells that are no numbers": lambda: cells(scale=INFINITE),
    "boxes": lambda: rtmdet(),
    "boxes from the centers": lambda: rtmdet(offset=0.5, threshold=0.5),
    "boxes of negative sides": lambda: rtmdet(zero=90, threshold=0.05),
    "boxes of logarithms": lambda: rtmdet(logarithms=True, scale=0.02),
    "boxes that overflow": lambda: rtmdet(logarithms=True, scale=2.0, threshold=0.5),
    "boxes that are no numbers": lambda: rtmdet(scale=INFINITE, zero=0, threshold=0.4),
    "few candidates": lambda: rtmdet(most_candidates=20, most_results=5, threshold=0.01),
    "no suppression": lambda: rtmdet(suppression="none", most_candidates=40, most_results=30),
    "boxes with center-ness": lambda: fcos(threshold=0.3),
    "classes": lambda: classes(),
    "all classes": lambda: classes(None),
    "classes with scores": lambda: classes(applied=True),
}  # fmt: skip


@pytest.mark.parametrize("rounds", [30, pytest.param(650, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", MODELS)
def test_random_heads_give_the_same_results(
    name: str, rounds: int, compiler: str, tmp_path: Path
) -> None:
    """Some 10,000 heads in all where it takes its time: ties, infinities, what is no number, sides turned
    inside out."""
    model = MODELS[name]()
    run = compiled(model.decoder(), tmp_path, compiler)
    rng = np.random.default_rng(len(name))
    exact = model.model["decode"]["heads"][0]["activation"] != "softmax"
    several = 0
    for _ in range(rounds):
        heads = model.random(rng)
        wanted = model.python(heads)
        same(run(heads), wanted, exact=exact)
        several += len(wanted) > 1
    assert several > rounds // 8 or "no numbers" in name


def test_the_families_rules_are_covered() -> None:
    """Every family that is installed has a decoder in C."""
    for info in build_registry().families.infos():
        family = load_entry(info.entry, info.name)
        table = family.presets(info.default_variant)["model"]
        config = family.config_type.model_validate(table, strict=False)
        specs = family.outputs(config, num_classes=2)
        model = Model(info.task, specs, (128, 128), [0.1] * len(specs), [0] * len(specs))
        assert "no decoder" not in model.decoder().code


@pytest.mark.parametrize(
    "target",
    [
        pytest.param(name, marks=pytest.mark.slow) if name in ("cortex-m4", "cortex-m7") else name
        for name in TARGETS
    ],
)
def test_it_compiles_without_a_warning(target: str, tmp_path: Path) -> None:
    command = TARGETS[target]
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} on this machine")
    if target == "riscv32":
        for name, text in FREESTANDING.items():
            (tmp_path / name).write_text(text)
    some = ("cells", "boxes", "no suppression", "boxes with center-ness", "classes")
    decoders = [MODELS[name]().decoder() for name in some] + [write_decoder(None, [])]
    for decoder in decoders:
        (tmp_path / "decode.h").write_text(decoder.header)
        (tmp_path / "decode.c").write_text(decoder.code)
        words = [*command, *STRICT, "-I.", "-c", "decode.c", "-o", "decode.o"]
        subprocess.run(words, cwd=tmp_path, check=True)


@pytest.mark.parametrize("name", ["cells", "boxes", "boxes with center-ness", "classes"])
def test_its_memory_is_what_is_said(name: str, tmp_path: Path) -> None:
    if shutil.which(ARM[0]) is None:
        pytest.skip(f"no {ARM[0]} on this machine")
    decoder = MODELS[name]().decoder()
    (tmp_path / "decode.h").write_text(decoder.header)
    (tmp_path / "decode.c").write_text(decoder.code)
    words = [*ARM, "-mcpu=cortex-m4", *STRICT, "-fstack-usage", "-c", "decode.c"]
    subprocess.run(words, cwd=tmp_path, check=True)
    table = subprocess.run(
        ["arm-none-eabi-size", "decode.o"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout.splitlines()[1]
    _, data, bss = (int(n) for n in table.split()[:3])
    assert data + bss - 8 <= decoder.ram_bytes + 8 and data + bss >= decoder.ram_bytes
    # no function calls itself, so their sum is more than any chain of calls takes
    frames = [line.split("\t") for line in (tmp_path / "decode.su").read_text().splitlines()]
    assert sum(int(f[1]) for f in frames) <= 1024 and all(f[2] == "static" for f in frames)


@pytest.mark.parametrize("name", ["cells", "few candidates"])
def test_random_bytes_leave_no_array(name: str, tmp_path: Path) -> None:
    if shutil.which("gcc") is None:
        pytest.skip("no gcc on this machine")
    model = MODELS[name]()
    decoder = model.decoder()
    sizes = [h.rows * h.columns * h.channels for h in model.heads]
    (tmp_path / "decode.h").write_text(decoder.header)
    (tmp_path / "decode.c").write_text(decoder.code)
    (tmp_path / "main.c").write_text(FUZZ % (len(sizes), ", ".join(map(str, sizes))))
    flags = ("-std=c99", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    words = ["gcc", *flags, "main.c", "decode.c", "-o", "fuzz", "-lm"]
    subprocess.run(words, cwd=tmp_path, check=True)
    done = subprocess.run(["./fuzz"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:2000]


FUZZ = """
#include <stdlib.h>
#include "decode.h"
static const int32_t sizes[%d] = {%s};
static int8_t *heads[16];
static const int8_t *head(int32_t k) { return heads[k]; }
int main(void) {
  const int32_t count = (int32_t)(sizeof sizes / sizeof sizes[0]);
  for (int32_t k = 0; k < count; k++) heads[k] = malloc((size_t)sizes[k]);
  for (int round = 0; round < 300; round++) {
    for (int32_t k = 0; k < count; k++)
      for (int32_t i = 0; i < sizes[k]; i++) heads[k][i] = (int8_t)(rand() >> 8);
    const decode_result *results;
    const int32_t found = decode(head, &results);
    if (found < 0 || found > DECODE_RESULTS) return 1;
    for (int32_t i = 1; i < found; i++)
      if (results[i].score > results[i - 1].score) return 2;
  }
  for (int32_t k = 0; k < count; k++) free(heads[k]);
  return 0;
}
"""
