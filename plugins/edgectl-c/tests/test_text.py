"""Names from users in C: they compile, mean what was said, and nothing runs."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import pytest
from edgectl_c.code.model import write_source
from edgectl_c.modelfile import Library
from hypothesis import given, settings
from hypothesis import strategies as st

from edgectl.escape.c import comment, quote
from edgectl.quant.integer.lower import lower_graph
from edgectl.testing.networks import Net, quantize

HOSTILE = [
    'a"b', "line\nend", "*/ int x; /*", '"); system("touch harm', "back\\slash", "??/\n", "\x00\x01",
    "ünïcode 猫", "%s%n", "'", "#include <x>", "\r\n", "tab\t7", "//",
]  # fmt: skip


def test_a_literal_means_what_was_said(compiler: str, tmp_path: Path) -> None:
    rows = ",\n".join(quote(name) for name in HOSTILE)
    text = (
        f"const char *const names[] = {{{rows}}};\nconst char *name(int i) {{ return names[i]; }}\n"
    )
    (tmp_path / "names.c").write_text(text)
    words = [
        compiler,
        "-std=c99",
        "-trigraphs",
        "-Wall",
        "-Wpedantic",
        "-Werror",
        "-shared",
        "-fPIC",
    ]
    subprocess.run([*words, "names.c", "-o", "names.so"], cwd=tmp_path, check=True)
    library = ctypes.CDLL(str(tmp_path / "names.so"))
    library.name.restype = ctypes.c_char_p
    for i, name in enumerate(HOSTILE):
        assert library.name(i) == name.encode().split(b"\x00")[0]


@given(st.text())
@settings(max_examples=200)
def test_nothing_ends_a_literal_or_a_comment(text: str) -> None:
    assert '"' not in quote(text)[1:-1] and "\n" not in quote(text) and quote(text).isascii()
    inside = comment(text)[2:-2]
    assert "*" not in inside and "/" not in inside and "\n" not in inside and inside.isascii()


@pytest.mark.parametrize("name", HOSTILE)
def test_an_output_may_be_called_anything(name: str, compiler: str, tmp_path: Path) -> None:
    net = Net((4, 4))
    net.conv("input", 2)
    program = lower_graph(quantize(net.graph(), net.images()), [name])
    source = write_source(Library(program, False).plan())
    (tmp_path / "model.c").write_text(source.code)
    (tmp_path / "model.h").write_text(source.header)
    subprocess.run(
        [compiler, "-std=c99", "-Wall", "-Werror", "-fsyntax-only", "model.c"],
        cwd=tmp_path,
        check=True,
    )
    assert f"NAME {quote(name)}\n" in source.header
