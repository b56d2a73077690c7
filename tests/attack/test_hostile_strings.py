"""Names from others in every language edgectl writes: each means what was said, and nothing runs."""

from __future__ import annotations

import ast
import ctypes
import html
import itertools
import shlex
import shutil
import subprocess
import tomllib

import numpy as np
import pytest
import tomli_w
from markdown_it import MarkdownIt
from rich.table import Table

from edgectl.artifacts.manifest import Compiler, Manifest
from edgectl.cli.session import Session
from edgectl.config.schema import RunConfig
from edgectl.escape import c, markdown, python, terminal
from edgectl.plugins.registry import build_registry
from edgectl.spec import OperatingPoint, OutputSpec, require_name
from edgectl.testing.manifest import make_manifest
from edgectl.workflows.opening.backends import open_backend

PARTS = [
    'a"b', "line\nend", "*/ int x; /*", '"); system("touch harm', "back\\slash", "??/", "\x00", "\x1b[31m",
    "ünïcode 猫", "%s%n", "'", "#include <x>", "\r\n", "tab\t7", "//", "<script>alert(1)</script>", "|",
    "`id`", "$(id)", "${x}", "[red]x[/red]", ":smile:", "](javascript:x)", "![x](y)", "\u2028", "\x7f",
    "'''", '"""', "\\", "\x1b]0;t\x07", "&amp;", "-->", "]]>", "\ud800", "@x", "{{x}}", "#", "* x", "1. x",
    "    code", "---", "\u202e", "ﬁ", "\x85", ";rm", "\\u0041", "\\x41", "__x__", "**b**", "~~s~~",
]  # fmt: skip
"""Each of them ends something in some language."""


def hostile_strings() -> list[str]:
    """Every part, pairs of them, and noise: more than 500."""
    pairs = [a + b for a, b in itertools.islice(itertools.permutations(PARTS, 2), 0, None, 6)]
    rng = np.random.default_rng(0)
    noise = ["".join(map(chr, rng.integers(1, 0x2FF, 12))) for _ in range(80)]
    return [*PARTS, *pairs, *noise]


STRINGS = hostile_strings()
NAMES = [s for s in STRINGS if not any(map(terminal.is_control, s))]
"""Those that may be a name: the others are refused where a manifest or a checkpoint is read."""
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")


def test_there_are_enough():
    assert len(STRINGS) > 500 and len(NAMES) > 200


def test_c(tmp_path, record_property):
    record_property("tried", len(STRINGS))
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    rows = "\n".join(f"{c.comment(s)} {c.quote(s)}, // {c.harmless(s)}" for s in STRINGS)
    (tmp_path / "n.c").write_text(
        f"const char *const names[] = {{\n{rows}\n}};\nconst char *name(int i) {{ return names[i]; }}\n"
    )
    words = [compiler, "-std=c99", "-trigraphs", "-Wall", "-Werror", "-shared", "-fPIC"]
    subprocess.run([*words, "n.c", "-o", "n.so"], cwd=tmp_path, check=True)
    library = ctypes.CDLL(str(tmp_path / "n.so"))
    library.name.restype = ctypes.c_char_p
    for i, text in enumerate(STRINGS):
        assert library.name(i) == text.encode("utf-8", "replace").split(b"\x00")[0]


def test_python(record_property):
    record_property("tried", len(STRINGS))
    assert ast.literal_eval(python.strings(STRINGS)) == STRINGS
    assert python.strings(STRINGS).isascii()


def test_shell():
    if shutil.which("sh") is None:
        pytest.skip("no shell")
    words = [s for s in STRINGS if "\x00" not in s and s.isprintable()]
    script = "printf '%s\\n' " + shlex.join(words)
    said = subprocess.run(["sh", "-c", script], capture_output=True, check=True).stdout
    assert said.decode().split("\n")[:-1] == words


def test_toml(record_property):
    record_property("tried", len(STRINGS))
    for text in (s for s in STRINGS if s.isprintable()):
        config = RunConfig(variant=text)
        assert tomllib.loads(tomli_w.dumps(config.model_dump(exclude_none=True)))["variant"] == text


def test_a_terminal_shows_and_does_nothing(capsys, record_property):
    record_property("tried", len(STRINGS))
    session = Session()
    for text in STRINGS:
        table = Table(box=None, show_header=False)
        table.add_row(terminal.markup(text))
        for speak in (session.note, session.warn, lambda t: session.fail(t, t), session.say):
            speak(text)
        session.say(table)
        captured = capsys.readouterr()
        for line in (captured.out + captured.err).split("\n"):
            assert line.isprintable()
    session.say(":smile: [red]x[/red]")
    session.fail("a:b: [red]x[/red]", None)
    captured = capsys.readouterr()
    assert captured.out == ":smile: [red]x[/red]\n"
    assert captured.err == "error: a:b: [red]x[/red]\n"


def test_a_list_has_one_line_a_name(record_property):
    record_property("tried", len(STRINGS))
    assert len(terminal.lines(STRINGS).split("\n")) == len(STRINGS) + 1
    assert terminal.lines(["plain", "ünï 猫", "a\xa0b"]) == "plain\nünï 猫\na\xa0b\n"


def rendered_text(source: str) -> str:
    """What a reader of Markdown sees; raises where anything else than text comes of it."""
    seen = []
    for token in MARKDOWN.parse(source):
        assert token.type in ("paragraph_open", "inline", "paragraph_close"), token.type
        for child in token.children or ():
            assert child.type in ("text", "text_special", "code_inline"), child.type
            seen.append(child.content)
    return "".join(seen)


def test_markdown(record_property):
    record_property("tried", len(STRINGS))
    for text in STRINGS:
        line = "".join(ch if ch.isprintable() else " " for ch in text)
        shown = rendered_text(f"x {markdown.text(text)} y")
        assert shown.split() == ["x", *line.split(), "y"]
        if line.strip():
            inside = rendered_text(f"x {markdown.code(text)} y")
            assert inside.split() == ["x", *line.replace("|", "¦").split(), "y"]


@pytest.mark.parametrize("text", [s for s in STRINGS if s not in NAMES])
def test_what_is_no_name_is_refused(text):
    with pytest.raises(ValueError, match="control characters"):
        require_name(text)
    with pytest.raises(ValueError, match="control characters"):
        OperatingPoint(0.5, text, 0.0)
    document = make_manifest().to_dict() | {"classes": [text]}
    with pytest.raises(ValueError, match=r"'classes|invalid json"):
        Manifest.from_dict(document)


BACKENDS = build_registry().backends.names()


@pytest.mark.parametrize("name", BACKENDS)
def test_readme_of_a_backend(name, record_property):
    """Headings, tables and code blocks are as many as with harmless names, and nothing else appears."""
    record_property("tried", len(NAMES[::12]))
    backend = open_backend(build_registry(), name, RunConfig()).backend
    expected = outline(backend.usage(manifest_with("plain", name)))
    for text in NAMES[::12]:
        found = backend.usage(manifest_with(text, name))
        assert outline(found) == expected, text


def manifest_with(text: str, backend: str) -> Manifest:
    base = make_manifest()
    output = OutputSpec(text[:200] or "x", base.outputs[0].kind, 8, base.outputs[0].channels)
    return base.model_copy(
        update={
            "backend": backend,
            "family": text,
            "variant": text,
            "classes": ("background", text, text),
            "outputs": (output,),
            "operating_point": OperatingPoint(0.5, text, 0.5),
            "remarks": (text,),
            "compiler": Compiler(
                arguments=("--x", text), product="model.om", facts={"hw_arch": text}
            ),
        }
    )


def outline(source: str) -> list[str]:
    """Types of all blocks and of what stands in them, text aside."""
    found = []
    for token in MARKDOWN.parse(source):
        found.append(token.type)
        types = [ch.type for ch in token.children or () if not ch.type.startswith("text")]
        found += [t for t in types if t not in ("softbreak", "hardbreak")]
    return found


def test_html(record_property):
    record_property("tried", len(STRINGS))
    for text in STRINGS:
        assert "<" not in html.escape(text) and '"' not in html.escape(text)
