"""The whole bundle: it builds as its README says, tests itself, and means what its names say."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from edgectl_c.backend import CBackend
from edgectl_c.device.verify import Verification
from edgectl_c.program.boards import BOARDS
from edgectl_c.program.texts import write_labels

from edgectl.artifacts.artifact import list_files
from edgectl.artifacts.manifest import Manifest, Tensors
from edgectl.backends.contract import BoardProgram
from edgectl.errors import ArtifactError
from edgectl.files import MANIFEST, write_json
from edgectl.plugins.registry import build_registry
from edgectl.quant.integer.lower import lower_graph
from edgectl.quant.integer.program import Program
from edgectl.spec import OperatingPoint, OutputSpec, PreprocessSpec
from edgectl.testing.manifest import make_manifest
from edgectl.testing.networks import fomo, images_for, quantize

STUBS = Path(__file__).parent / "stubs"
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror", "-O2")
SOURCES = ("main.c", "model.c", "preprocess.c", "decode.c")
HOSTILE = (
    'a"b', "line end", "*/ int x; /*", '"); system("touch harm', "back\\slash", "??/", "ünïcode 猫", "%s%n",
)  # fmt: skip
ARM = ("arm-none-eabi-gcc", "-mthumb")


def network(size: int = 32) -> tuple[Program, np.ndarray]:
    graph = fomo(size)
    images = images_for(graph, 2)
    return lower_graph(quantize(graph, images), ["cells"]), images


def manifest_of(size: int = 32, **facts: object) -> Manifest:
    spec = OutputSpec("cells", "cell_logits", 8, 3, "sigmoid", applied=True)
    stated: dict[str, object] = {
        "backend": "c",
        "classes": ("mask", "no-mask"),
        "outputs": (spec,),
        "preprocess": PreprocessSpec((size, size)),
        "operating_point": OperatingPoint(0.4, "train-holdout (10 images)", 0.5),
        "model": "model.c",
    }
    return make_manifest(**(stated | facts))


def write(directory: Path, board: str = "xiao-esp32s3", **facts: object) -> Path:
    directory.mkdir(exist_ok=True)
    program, images = network()
    info = build_registry().boards.get(board)
    backend, manifest = CBackend(), manifest_of(**facts)
    model = backend.write_board_program(BoardProgram(program, manifest, info, images), directory)
    tensors = Tensors.from_description(backend.describe(model))
    stated = manifest.model_copy(update={"tensors": tensors, "files": list_files(directory)})
    write_json(directory / MANIFEST, stated.to_dict())
    return directory


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("bundle") / "board")


def build(directory: Path, *words: str) -> str:
    done = subprocess.run(words, cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_it_tests_itself(bundle: Path, compiler: str, tmp_path: Path) -> None:
    program = str(tmp_path / "program")
    build(bundle, compiler, *STRICT, *SOURCES, "-lm", "-o", program)
    said = build(bundle, program)
    assert said.startswith("edgectl-verify 1\nimage 0\ndiffers 0 0 0\ndecoded ")
    assert "\nself-test passed\nno frame" in said
    counts = re.findall(r"decoded (\d+) 0 0", said)
    assert len(counts) == 2 and sum(map(int, counts)) > 2
    # what the board prints is judged by the command, too
    dump = tmp_path / "dump.txt"
    dump.write_text("boot\r\n" + said.replace("\n", "\r\n"))
    images = network()[1]
    check = Verification(bundle / "model.c", images).of_dump(dump)
    assert check.passed and check.results == sum(map(int, counts))
    dump.write_text(said.replace(f"decoded {counts[0]} 0 0", f"decoded {counts[0]} 1 77", 1))
    check = Verification(bundle / "model.c", images).of_dump(dump)
    assert not check.passed and check.results_wrong == 1


def test_a_wrong_threshold_fails_its_test(bundle: Path, compiler: str, tmp_path: Path) -> None:
    text = (bundle / "decode.h").read_text()
    shutil.copytree(bundle, tmp_path / "b")
    (tmp_path / "b/decode.h").write_text(
        text.replace("DECODE_THRESHOLD 4.0e-01f", "DECODE_THRESHOLD 9e-01f")
    )
    build(tmp_path / "b", compiler, *SOURCES, "-lm", "-o", "program")
    assert "self-test FAILED" in build(tmp_path / "b", "./program")


def test_altered_code_is_not_run(bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(bundle, tmp_path / "b")
    images = network()[1]
    (tmp_path / "b/main.c").write_text("int main(void) { return 0; } /* mine */")
    Verification(tmp_path / "b/model.c", images)
    (tmp_path / "b/decode.c").write_text('void x(void) { system("harm"); }')
    with pytest.raises(ArtifactError, match="altered"):
        Verification(tmp_path / "b/model.c", images)


@pytest.mark.parametrize("cpu", ["m4", pytest.param("m33", marks=pytest.mark.slow)])
def test_bytes_and_results_in_the_emulator(bundle: Path, cpu: str) -> None:
    if shutil.which(ARM[0]) is None or shutil.which("qemu-system-arm") is None:
        pytest.skip(f"needs {ARM[0]} and qemu-system-arm")
    check = Verification(bundle / "model.c", network()[1]).on(cpu)
    assert check.passed and check.results > 2
    assert check.decode_stack_bytes is not None and 0 < check.decode_stack_bytes <= 4096


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "flags",
    [
        ("gcc",),
        ("clang",),
        (*ARM, "-mcpu=cortex-m0plus"),
        *(pytest.param((*ARM, f"-mcpu=cortex-{cpu}"), marks=SLOW) for cpu in ("m4", "m7", "m33")),
        (*ARM, "-mcpu=cortex-m55", "-mfloat-abi=hard"),
    ],
    ids=" ".join,
)
def test_it_compiles_without_a_warning(
    bundle: Path, flags: tuple[str, ...], tmp_path: Path
) -> None:
    if shutil.which(flags[0]) is None:
        pytest.skip(f"no {flags[0]} on this machine")
    for name in SOURCES:
        build(bundle, *flags, *STRICT, "-c", name, "-o", str(tmp_path / "x.o"))


def test_hostile_names_mean_what_was_said(compiler: str, tmp_path: Path) -> None:
    point = OperatingPoint(0.4, HOSTILE[3] + HOSTILE[2], 0.5)
    directory = write(
        tmp_path / "b",
        classes=tuple(name for name in HOSTILE if name.isprintable()),
        operating_point=point,
        family=HOSTILE[3],
        variant=HOSTILE[2],
    )
    # a manifest refuses names of two lines; the header would mean them, too
    (directory / "labels.h").write_text(write_labels(HOSTILE))
    (directory / "main.c").write_text(
        '#include <stdio.h>\n#include "decode.h"\n#include "labels.h"\n'
        "int main(void) { for (int i = 0; i < LABELS; i++) { fputs(labels[i], stdout); putchar(1); }\n"
        "return (int)decode_threshold; }\n"
    )
    words = [
        compiler,
        "-std=c99",
        "-trigraphs",
        "-Wall",
        "-Werror",
        "main.c",
        "decode.c",
        "-lm",
        "-o",
        "p",
    ]
    subprocess.run(words, cwd=directory, check=True)
    said = subprocess.run(["./p"], cwd=directory, capture_output=True, check=True).stdout
    assert said.decode().split("\x01")[:-1] == list(HOSTILE)
    assert not list(tmp_path.rglob("*harm*"))
    for line in (directory / "library.properties").read_text().splitlines():
        assert re.fullmatch(r"[a-z]+=[\x20-\x7e]+", line)


def test_random_bytes_leave_no_array(bundle: Path, tmp_path: Path) -> None:
    """Frames of random size, format and contents, under the sanitizers."""
    if shutil.which("gcc") is None:
        pytest.skip("no gcc on this machine")
    (tmp_path / "fuzz.c").write_text(FUZZ)
    flags = ("-std=c99", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    sources = [str(bundle / name) for name in SOURCES]
    build(tmp_path, "gcc", *flags, f"-I{bundle}", "fuzz.c", *sources, "-lm", "-o", "fuzz")
    build(tmp_path, "./fuzz")


FUZZ = """
#include <stdlib.h>
#include "edgectl_program.h"
static uint8_t *held;
static int left = 150;
void program_print(const char *text) { (void)text; }
int camera_frame(preprocess_frame *frame) {
  static const int32_t bytes[] = {2, 2, 3, 3, 2, 2, 1};
  free(held);
  held = NULL;
  if (left-- == 0) return 0;
  frame->format = (preprocess_format)(rand() % 7);
  frame->width = 2 + 2 * (rand() % 70);
  frame->height = 1 + rand() % 120;
  const int32_t count = frame->width * frame->height * bytes[frame->format];
  held = malloc((size_t)count);
  for (int32_t i = 0; i < count; i++) held[i] = (uint8_t)(rand() >> 7);
  frame->pixels = held;
  return 1;
}
"""


def commands(readme: str) -> list[str]:
    """Every line of the README's shell blocks, in order."""
    blocks = re.findall(r"^```sh\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize(
    "board",
    [
        "xiao-esp32s3",
        *(
            pytest.param(name, marks=SLOW)
            for name in (
                "nicla-vision",
                "arduino-nano-33-ble",
                "raspberry-pi-pico-2",
                "grove-vision-ai-v2",
            )
        ),
    ],
)
def test_the_readme_is_followed_line_by_line(board: str, compiler: str, tmp_path: Path) -> None:
    """With stand-ins for the SDKs that build for this machine, and one for edgectl that is not asked here."""
    if shutil.which("cmake") is None or shutil.which("g++") is None:
        pytest.skip("needs cmake and g++")
    if board not in build_registry().boards.names():
        pytest.skip(f"no plugin here has {board}")
    directory = write(tmp_path / board, board)
    readme = (directory / "README.md").read_text()
    environment = {
        **os.environ,
        "PATH": f"{STUBS / 'bin'}:{os.environ['PATH']}",
        "STUBS": str(STUBS),
        "PICO_SDK_PATH": str(STUBS / "pico"),
        "IDF_PATH": str(STUBS / "idf"),
        "ZEPHYR_BASE": str(STUBS / "zephyr"),
        "CMAKE_PREFIX_PATH": str(STUBS / "zephyr"),
    }
    ran = 0
    for line in commands(readme):
        if line.startswith("edgectl deploy verify"):
            continue  # the command has a test of its own
        done = subprocess.run(
            line,
            shell=True,
            cwd=directory,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
        ran += 1
        if line.endswith("./build/edgectl_program") or " monitor" in line or line == "west flash":
            assert "self-test passed" in done.stdout, line
    assert ran >= 3
    tools = BOARDS[board]
    assert ("arduino-cli" in readme) == bool(tools.arduino)
    assert ("idf.py" in readme) == bool(tools.esp_idf)


@pytest.mark.parametrize("engine", ["c99", pytest.param("gcc extensions", marks=SLOW)])
def test_the_flash_of_a_whole_program(engine: str, tmp_path: Path) -> None:
    """All but the weights: preprocessing, decoding, main, the C library's share. Issue: 40 KiB in all for
    FOMO-96, whose network takes 30 368 bytes on a Cortex-M4."""
    if shutil.which(ARM[0]) is None:
        pytest.skip(f"no {ARM[0]} on this machine")
    directory = write(tmp_path / "b")
    (tmp_path / "start.c").write_text(START)
    standard = "-std=c99" if engine == "c99" else "-std=gnu17"
    common = (
        *ARM,
        "-mcpu=cortex-m4",
        "-mfloat-abi=hard",
        "-mfpu=fpv4-sp-d16",
        "-O2",
        standard,
        f"-I{directory}",
    )
    link = (
        "-nostartfiles",
        "--specs=nano.specs",
        "--specs=nosys.specs",
        "-Wl,--gc-sections,-e,reset",
        "-lm",
    )
    sections = ("-ffunction-sections", "-fdata-sections", "-DEDGECTL_SELF_TEST=0", "-w")
    sources = [str(directory / name) for name in SOURCES]
    build(tmp_path, *common, *sections, "start.c", *sources, *link, "-o", "whole.elf")
    build(tmp_path, *common, "-c", str(directory / "model.c"), "-o", "model.o")
    whole, model = (
        int(build(tmp_path, "arm-none-eabi-size", name).splitlines()[1].split()[0])
        for name in ("whole.elf", "model.o")
    )
    assert whole - model <= 40 * 1024 - 30_368


START = """
#include "edgectl_program.h"
int main(void);
void reset(void);
void _exit(int code);
volatile uint32_t uart;
static uint8_t pixels[640];
static const uint8_t *line(void *c, int32_t y) { (void)c, (void)y; return pixels; }
void program_print(const char *text) { while (*text) uart = (uint32_t)*text++; }
int camera_frame(preprocess_frame *frame) {
  frame->format = PREPROCESS_RGB565_BE, frame->width = 320, frame->height = 240, frame->read_line = line;
  return 1;
}
void reset(void) { main(); for (;;) {} }
"""
