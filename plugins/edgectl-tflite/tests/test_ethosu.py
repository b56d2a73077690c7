"""Files for boards with an Ethos-U: the same network, compiled every way, the best one kept."""

from __future__ import annotations

import configparser
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from edgectl_tflite.ethosu import upload, vela
from edgectl_tflite.ethosu.merge import merge_slices
from edgectl_tflite.ethosu.settings import HX6538, MODE, SYSTEM
from edgectl_tflite.ethosu.vela import Compiled, best_compiled, compile_all
from edgectl_tflite.plugin import edgectl_register_boards
from edgectl_tflite.reader.modelfile import parse_model
from edgectl_tflite.runtimes.runtime import IntegerRunner
from edgectl_tflite.writer.split import split_expansions
from edgectl_tflite.writer.write import write_program

from edgectl.errors import BackendUnavailableError
from edgectl.toolchains.process import ToolError

BOARDS = {b.name: b for b in edgectl_register_boards()}
GROVE = BOARDS["grove-vision-ai-v2"]
KIB = 1024


def compiled(optimise: str, sram: int, milliseconds: float, cpu: int = 0) -> Compiled:
    return Compiled(b"", False, optimise, sram, 1, cpu, 10, milliseconds, "5.2.0")


def test_slices_joined_give_the_same_bytes(nets: SimpleNamespace) -> None:
    graph = nets.fomo(96)
    images = nets.images_for(graph, 2)
    quantized = nets.quantize(graph, images)
    whole, sliced = nets.write(quantized), nets.write(split_expansions(quantized))
    merged = merge_slices(sliced)
    assert merged is not None and len(sliced.operations) > len(whole.operations)
    names = [[op.name for op in program.operations] for program in (merged, whole)]
    assert names[0] == names[1]
    again = parse_model(write_program(merged, "x"))
    (a,), (b,) = (IntegerRunner(m).raw(images) for m in (again, sliced))
    assert len(np.unique(a)) > 50 and (a == b).all()
    assert merge_slices(whole) is None


def test_a_concatenation_of_other_things_stays(nets: SimpleNamespace) -> None:
    net = nets.Net((8, 8))
    x = net.conv("input", 8)
    net.op("concat", net.depthwise(x), net.depthwise(x))  # both read one convolution
    graph = net.graph()
    assert merge_slices(nets.write(nets.quantize(graph, nets.images_for(graph, 1)))) is None


def test_settings_are_sscmas() -> None:
    """Core 400 MHz; SRAM at its clock, latency 16; flash at 1/64, latency 64; bursts of 32."""
    parser = configparser.ConfigParser()
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(HX6538.to_ini())
    system, mode = parser[f"System_Config.{SYSTEM}"], parser[f"Memory_Mode.{MODE}"]
    assert float(system["core_clock"]) == 400e6
    assert (system["axi0_port"], system["axi1_port"]) == ("Sram", "OffChipFlash")
    assert float(system["OffChipFlash_clock_scale"]) == 1 / 64
    assert (system["Sram_read_latency"], system["OffChipFlash_write_latency"]) == ("16", "64")
    assert (mode["const_mem_area"], mode["arena_mem_area"]) == ("Axi1", "Axi0")


@pytest.mark.parametrize(
    ("limit", "chosen"),
    [
        (500, 100.0),
        (299, 200.0),
        (49, 300.0),
    ],  # the fastest that fits; the smallest where none does
)
def test_the_best_that_fits(monkeypatch: pytest.MonkeyPatch, limit: int, chosen: float) -> None:
    tried = (compiled("Performance", 300, 100.0), compiled("Size", 200, 200.0),
             compiled("Size", 100, 300.0), compiled("Performance", 50, 1.0, cpu=2))  # fmt: skip
    monkeypatch.setattr(vela, "compile_all", lambda data, accelerator: tried)
    assert best_compiled(b"", "ethos-u55-64", limit).milliseconds == chosen


def test_without_the_compiler_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vela.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("EDGECTL_HOME", "/nonexistent")
    with pytest.raises(BackendUnavailableError) as e:
        vela.find_vela()
    assert e.value.exit_code == 3 and "edgectl tools setup vela" in str(e.value.fix)


def test_the_steps_name_file_and_address() -> None:
    steps = upload.upload_steps(GROVE)
    assert '--model="model_vela.tflite 0xB7B000 0x00000"' in steps[-1].command
    assert "sensecraft" in steps[0].text and not steps[0].command
    assert upload.upload_steps(BOARDS["nicla-vision"]) == ()


@pytest.fixture
def with_vela() -> None:
    pytest.importorskip("ethosu.vela", reason="ethos-u-vela is an extra")


def test_fomo_on_the_board(nets: SimpleNamespace, with_vela: None, tmp_path: Path) -> None:
    """Everything on the neural processor, in at most 62 KiB; the slices help its speed, not its size."""
    graph = nets.fomo(96)
    data = nets.write(split_expansions(nets.quantize(graph, nets.images_for(graph, 1)))).data
    tried = {(c.sliced, c.optimise): c for c in compile_all(data, GROVE.accelerator)}
    assert len(tried) == 4 and all(c.cpu_operators == 0 for c in tried.values())
    assert tried[False, "Size"].sram_bytes <= 62 * KIB < tried[True, "Size"].sram_bytes
    assert tried[True, "Performance"].sram_bytes < tried[False, "Performance"].sram_bytes
    upload.write_compiled(data, GROVE, tmp_path)
    report = json.loads((tmp_path / "vela.json").read_text())
    assert report["chosen"]["optimise"] == "Performance" and len(report["tried"]) == 4
    assert (tmp_path / upload.FILE).read_bytes()[4:8] == b"TFL3"
    guide = upload.write_guide(GROVE, tmp_path)
    assert "0 of" in guide and "on the CPU" in guide and "xmodem_send.py" in guide


def test_a_file_vela_cannot_read(with_vela: None) -> None:
    with pytest.raises(ToolError, match="vela failed"):
        vela.compile_file(vela.find_vela(), b"no model", "ethos-u55-64", "Size")
