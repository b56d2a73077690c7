"""The board tables: every figure has a source, and none is one nobody could build."""

from __future__ import annotations

from urllib.parse import urlparse

import pytest

from edgectl.plugins.board import CameraFrame, MemoryRegion
from edgectl.plugins.registry import build_registry

REGISTRY = build_registry()
BOARDS = REGISTRY.boards.infos()
KIB = 1024


def on_the_web(address):
    parts = urlparse(address)
    return parts.scheme == "https" and "." in parts.netloc


@pytest.mark.parametrize("board", BOARDS, ids=lambda b: b.name)
def test_a_board_has_both_kinds_of_memory_and_a_page_for_every_figure(board):
    assert on_the_web(board.page)
    assert board.regions("ram") and board.regions("flash")
    names = [region.name for region in board.memory]
    assert len(names) == len(set(names))
    for region in board.memory:
        assert on_the_web(region.source), region
        assert 0 <= region.kept_bytes < region.size_bytes
        assert region.size_bytes % (8 * KIB) == 0
    assert board.camera is None or on_the_web(board.camera.source)


@pytest.mark.parametrize("board", BOARDS, ids=lambda b: b.name)
def test_fast_memory_stands_first(board):
    for kind in ("ram", "flash"):
        order = [region.external for region in board.regions(kind)]
        assert order == sorted(order)


@pytest.mark.parametrize("board", BOARDS, ids=lambda b: b.name)
def test_memory_inside_a_processor_is_not_larger_than_they_are_made(board):
    """4.2 MiB is the most any microcontroller here has; a frame is a picture, and has room somewhere."""
    if board.camera is None:
        return
    inside = [r for r in board.regions("ram") if not r.external]
    assert 128 * KIB <= sum(r.size_bytes for r in inside) <= 4.2 * KIB * KIB
    assert board.camera.nbytes <= max(r.usable_bytes for r in board.regions("ram"))


@pytest.mark.parametrize("board", BOARDS, ids=lambda b: b.name)
def test_a_board_runs_files_somebody_writes(board):
    known = REGISTRY.backends.names()
    assert board.backends and set(board.backends) <= set(known)
    if board.firmware is not None:
        assert board.firmware.backend in board.backends
        assert {kind for kind, _ in board.firmware.unseen} <= set(REGISTRY.heads.names())


def test_the_boards_makers_have():
    assert {
        "nicla-vision", "portenta-h7", "stm32h747i-disco", "stm32n6570-dk", "raspberry-pi-pico-2",
        "esp32-p4", "arduino-nano-33-ble", "xiao-esp32s3", "grove-vision-ai-v2",
    } <= {board.name for board in BOARDS}  # fmt: skip


def test_sizes_are_computed_from_what_is_kept():
    assert MemoryRegion("SRAM", "ram", 100, kept_bytes=30).usable_bytes == 70
    assert CameraFrame((120, 160), "rgb565").nbytes == 120 * 160 * 2
    nano = REGISTRY.boards.get("arduino-nano-33-ble")
    # what the board package's boards.txt calls upload.maximum_size
    assert nano.flash_bytes == 983_040
