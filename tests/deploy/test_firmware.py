"""What a maker's firmware would misread is said before a file is written."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgectl.deploy.firmware import export_settings, firmware_violations, require_firmware
from edgectl.errors import GateFailedError
from edgectl.plugins.board import BoardInfo, FirmwareContract, plain_memory
from edgectl.spec import OutputSpec, PreprocessSpec
from edgectl.testing.manifest import make_manifest

CONTRACT = FirmwareContract(
    "Firm", "https://example.org", "chip", square=True, multiple_of=32, resize="stretch",
    offset=0.5, confused_channels=4, applied=True, unseen=(("cell_logits", "shows no cells"),),
)  # fmt: skip
BOARD = BoardInfo(
    "board", "a board", ("chip", "own"), plain_memory(flash_bytes=1, ram_bytes=1, source=""),
    firmware=CONTRACT,
)  # fmt: skip
GOOD = PreprocessSpec((64, 64), resize="stretch")


def boxes(classes=2, offset=0.5, kind="box_distances"):
    return (
        OutputSpec("cls", "class_logits", 8, classes, "sigmoid"),
        OutputSpec("box", kind, 8, 4, offset=offset),
    )


def manifest(outputs, preprocess=GOOD, **facts):
    return make_manifest(
        **{"backend": "chip", "outputs": outputs, "preprocess": preprocess} | facts
    )


def test_what_keeps_the_contract_is_not_mentioned():
    assert firmware_violations(BOARD, manifest(boxes())) == ()
    scores = (OutputSpec("y", "class_logits", 0, 4, "softmax", applied=True),)
    assert firmware_violations(BOARD, manifest(scores)) == ()


@pytest.mark.parametrize(
    ("outputs", "preprocess", "says", "fix"),
    [
        (boxes(offset=0.0), GOOD, "points at 0.5", "quant.point_offset=0.5"),
        (boxes(classes=4), GOOD, "cannot tell scores of 4 classes", "one class more"),
        (boxes(kind="box_log_distances"), GOOD, "logarithms", "another variant"),
        (boxes(), replace(GOOD, input_size=(64, 96)), "64x96", "--imgsz"),
        (boxes(), replace(GOOD, input_size=(48, 48)), "multiple of 32", "--imgsz"),
        ((OutputSpec("y", "class_logits", 0, 4, "softmax"),), GOOD, "probabilities",
         "append_activation=on"),
    ],
)  # fmt: skip
def test_what_would_be_silently_wrong_is_an_error(outputs, preprocess, says, fix):
    found = manifest(outputs, preprocess)
    with pytest.raises(GateFailedError, match=says) as e:
        require_firmware(BOARD, found, own_program=False)
    assert fix in e.value.fix and "--firmware own" in e.value.fix
    assert e.value.exit_code == 4
    (note,) = require_firmware(BOARD, found, own_program=True)
    assert says in note and note.startswith("Firm")


def test_what_only_shows_less_is_a_note():
    cells = (OutputSpec("cells", "cell_logits", 8, 2, "sigmoid", applied=True),)
    letterboxed = replace(GOOD, resize="letterbox")
    notes = require_firmware(BOARD, manifest(cells, letterboxed), own_program=False)
    assert len(notes) == 2
    assert "--set preprocess.resize=stretch" in notes[0] and "shows no cells" in notes[1]


def test_files_of_another_backend_run_in_a_program_of_their_own():
    assert firmware_violations(BOARD, manifest(boxes(offset=0.0), backend="own")) == ()
    bare = replace(BOARD, firmware=None)
    assert firmware_violations(bare, manifest(boxes(offset=0.0))) == ()


def test_an_export_is_made_as_the_firmware_takes_it():
    assert export_settings(CONTRACT, boxes(offset=0.0)) == ["quant.point_offset=0.5"]
    assert export_settings(CONTRACT, boxes()) == []
    scores = (OutputSpec("y", "class_logits", 0, 4, "softmax"),)
    assert export_settings(CONTRACT, scores) == ["backend.chip.append_activation=on"]
