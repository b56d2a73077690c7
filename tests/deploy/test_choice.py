"""Of several exports a board gets the one that it runs, that fits, and that its firmware takes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgectl.artifacts.artifact import Artifact
from edgectl.artifacts.manifest import Tensors
from edgectl.plugins.board import BoardInfo, FirmwareContract, plain_memory
from edgectl.spec import OutputSpec
from edgectl.testing.manifest import make_manifest
from edgectl.workflows.opening.exports import choose_for_board

BOARD = BoardInfo(
    "board", "a board", ("chip", "own"), plain_memory(flash_bytes=1000, ram_bytes=500, source="")
)


@pytest.fixture
def export(tmp_path):
    def make(name, backend="chip", *, ram=100, flash=100, **facts):
        manifest = make_manifest(
            backend=backend, tensors=Tensors(ram_bytes=ram, flash_bytes=flash), **facts
        )
        return Artifact(tmp_path / name, manifest)

    return make


def name_of(chosen):
    return None if chosen is None else chosen.directory.name


def test_the_preferred_backend_and_then_the_newest(export):
    newest_first = [export("a", "other"), export("b", "own"), export("c"), export("d")]
    assert name_of(choose_for_board(newest_first, BOARD, own_program=False)) == "c"
    assert name_of(choose_for_board(newest_first[:2], BOARD, own_program=False)) == "b"
    assert choose_for_board(newest_first[:1], BOARD, own_program=False) is None


def test_one_that_fits_stands_before_one_that_does_not(export):
    exports = [export("large", ram=501), export("small", "own", ram=500)]
    assert name_of(choose_for_board(exports, BOARD, own_program=False)) == "small"
    assert name_of(choose_for_board(exports[:1], BOARD, own_program=False)) == "large"


def test_a_plan_is_no_file(export):
    assert choose_for_board([export("a", status="planned")], BOARD, own_program=False) is None


def test_the_firmware_has_a_say(export):
    firmware = FirmwareContract("Firm", "https://example.org", "chip", offset=0.5)
    board = replace(BOARD, firmware=firmware)
    corner = (OutputSpec("box", "box_distances", 8, 4),)
    center = (OutputSpec("box", "box_distances", 8, 4, offset=0.5),)
    exports = [export("corner", outputs=corner), export("center", outputs=center)]
    assert name_of(choose_for_board(exports, board, own_program=False)) == "center"
    assert name_of(choose_for_board(exports, board, own_program=True)) == "corner"
