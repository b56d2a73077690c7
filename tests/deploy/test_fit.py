"""Everything a program needs finds a region, or is said to have none."""

from __future__ import annotations

from edgectl.backends.contract import ModelMemory
from edgectl.deploy.fit import (
    PROGRAM_BYTES,
    STACK_BYTES,
    decoder_bytes,
    fit_memory,
    in_kib,
)
from edgectl.plugins.board import BoardInfo, CameraFrame, MemoryRegion
from edgectl.spec import OutputSpec

KIB = 1024
CELLS = (OutputSpec("cells", "cell_logits", 8, 3, "sigmoid"),)
FRAME = CameraFrame((100, 100), "rgb565")  # 20 000 bytes


def board(*ram, flash=1 << 20):
    regions = tuple(
        MemoryRegion(f"R{i}", "ram", size, external=bool(i)) for i, size in enumerate(ram)
    )
    flash_region = MemoryRegion("flash", "flash", flash)
    return BoardInfo("board", "a board", ("chip",), (*regions, flash_region), FRAME)


def fit(board, ram, flash=50_000, outputs=CELLS, size=(96, 96)):
    return fit_memory(board, ModelMemory(ram, flash), outputs, size)


def region_of(found, name):
    (place,) = [p for p in found.places if p.need.name == name and p.need.kind == "ram"]
    return place.region.name if place.region else None


def test_the_model_takes_the_fast_memory_and_the_frame_goes_where_room_is():
    found = fit(board(60_000, 60_000), 45_000)
    assert found.passed and not found.external
    assert (region_of(found, "model"), region_of(found, "camera frame")) == ("R0", "R1")
    assert fit(board(90_000, 60_000), 45_000).places != found.places  # all in one


def test_a_frame_that_only_fits_the_fast_memory_moves_the_model():
    """20 000 bytes of frame do not go into 19 000; the model, at 18 000, does."""
    found = fit(board(35_000, 19_000), 18_000)
    assert found.passed
    assert (region_of(found, "model"), region_of(found, "camera frame")) == ("R1", "R0")
    assert found.external


def test_one_byte_decides():
    rest = STACK_BYTES + FRAME.nbytes + decoder_bytes(CELLS, (96, 96))
    assert fit(board(rest + 1000), 1000).passed
    assert not fit(board(rest + 999), 1000).passed
    assert fit(board(1 << 20, flash=50_000 + PROGRAM_BYTES), 1000).passed
    assert not fit(board(1 << 20, flash=50_000 + PROGRAM_BYTES - 1), 1000).passed


def test_what_has_no_room_is_named():
    found = fit(board(60_000), 45_000)
    assert not found.passed
    assert "no room for camera frame, 19.6 KiB of ram" in str(found)
    assert found.to_dict()["passed"] is False
    assert {p["need"] for p in found.to_dict()["places"] if p["region"] is None} == {"camera frame"}


def test_arrays_of_the_decoders():
    assert decoder_bytes(CELLS, (96, 96)) == 144 * 6 + 144 * 28
    boxes = (
        OutputSpec("cls", "class_logits", 8, 2, "sigmoid"),
        OutputSpec("box", "box_distances", 8, 4),
    )
    assert decoder_bytes(boxes, (96, 96)) == 288 * 12 + 288 * 28
    # never more than the candidates and results a program keeps
    assert decoder_bytes(boxes, (960, 960)) == 3000 * 12 + 300 * 28
    assert decoder_bytes((OutputSpec("y", "class_logits", 0, 10, "softmax"),), (96, 96)) == 0


def test_what_is_said_to_fit_does():
    assert in_kib(104 * KIB) == "104" and in_kib(104 * KIB + 1) == "104.1"
