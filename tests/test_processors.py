"""The tests that compare numbers, with the kernels that other processors would take.

oneDNN and torch choose kernels by the processor's instructions, and may be told to leave some out. A test
that holds with one choice only compares rounding errors.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]
NUMERIC = [
    "tests/nn",
    "tests/quant",
    "tests/deploy/test_board_program.py",
    "tests/export/test_distill.py",
    "tests/train/test_loop.py",
    "tests/train/test_crash.py",
    "tests/train/test_optimization.py",
]
PARTS = (
    "model",
    "torchvision",
    "postprocess",
    "assigner",
    "exactness",
    "runtime",
    "write",
    "split",
)
"""Of the plugins, by the names their test files share."""


def numeric_tests() -> list[str]:
    plugins = [
        str(path.relative_to(ROOT))
        for part in PARTS
        for path in sorted(ROOT.glob(f"plugins/*/tests/test_{part}.py"))
    ]
    return [*NUMERIC, *plugins]


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("onednn", "aten"),
    [("AVX2", "avx2"), ("AVX512_CORE", "avx512"), ("DEFAULT", "default"), ("SSE41", "default")],
)
def test_numbers_hold_with_other_kernels(onednn: str, aten: str) -> None:
    if aten == "avx512" and not torch.cpu._is_avx512_supported():
        pytest.skip("this processor has no AVX-512")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *numeric_tests()],
        cwd=ROOT,
        env={**os.environ, "ONEDNN_MAX_CPU_ISA": onednn, "ATEN_CPU_CAPABILITY": aten},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:]
    assert " passed" in done.stdout
