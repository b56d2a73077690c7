"""Files for boards with an Ethos-U: what they take, what a bundle holds, how it gets onto the board."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from edgectl.backends.contract import ModelMemory
from edgectl.plugins.board import BoardInfo
from edgectl_tflite.ethosu.vela import Compiled, best_compiled, compile_all

FILE, REPORT = "model_vela.tflite", "vela.json"
_SDK = "https://github.com/HimaxWiseEyePlus/Seeed_Grove_Vision_AI_Module_V2"
_WEB = "https://sensecraft.seeed.cc/ai/"
SDK_ADDRESS = 0xB7B000
"""Where the detectors among Himax's example applications look for their model (``common_config.h``)."""


@dataclass(frozen=True)
class UploadStep:
    """``text``: a sentence for people. ``command``: to be typed, empty where a web page does it."""

    text: str
    command: str = ""


def has_ethos_u(board: BoardInfo) -> bool:
    """Whether Vela compiles for it."""
    return board.accelerator.startswith("ethos-u")


def compile_for(data: bytes, board: BoardInfo) -> Compiled:
    """The best file for the board. Raises what :func:`edgectl_tflite.ethosu.vela.best_compiled` does."""
    frame = 0 if board.camera is None else board.camera.nbytes
    return best_compiled(data, board.accelerator, board.ram_bytes - frame)


def memory_of(data: bytes, board: BoardInfo) -> ModelMemory:
    """By Vela's figures: the interpreter's own tensors are not there any more."""
    compiled = compile_for(data, board)
    return ModelMemory(compiled.sram_bytes, len(compiled.data), note=str(compiled))


def write_compiled(data: bytes, board: BoardInfo, directory: Path) -> None:
    """``model_vela.tflite``, and ``vela.json``: what was chosen, and what each way would have taken."""
    chosen = compile_for(data, board)
    (directory / FILE).write_bytes(chosen.data)
    report = {
        "summary": str(chosen),
        "chosen": chosen.to_dict(),
        "tried": [c.to_dict() for c in compile_all(data, board.accelerator)],
        "flash_address": SDK_ADDRESS,
        "upload": [vars(step) for step in upload_steps(board)],
    }
    (directory / REPORT).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def upload_steps(board: BoardInfo, file: str = FILE) -> tuple[UploadStep, ...]:
    """Of a board with an Ethos-U; empty for others."""
    if not has_ethos_u(board):
        return ()
    model = f"{file} {SDK_ADDRESS:#X} 0x00000".replace("0X", "0x")
    return (
        UploadStep(
            f"With the maker's firmware: open {_WEB}, connect the board by USB, choose to upload a "
            f"custom model, and give it {file} and the names in labels.txt in their order."
        ),
        UploadStep(
            f"With a program of your own built from the maker's SDK ({_SDK}, scenario_app): the model "
            f"goes to flash address {SDK_ADDRESS:#X}".replace("0X", "0x")
            + ", where the SDK's detectors look for it "
            "(common_config.h). Fetch the SDK and what its sender needs.",
            f"git clone {_SDK} && pip install -r Seeed_Grove_Vision_AI_Module_V2/xmodem/requirements.txt",
        ),
        UploadStep(
            "Send firmware and model; press the board's reset button when asked.",
            "python3 Seeed_Grove_Vision_AI_Module_V2/xmodem/xmodem_send.py --port=/dev/ttyACM0 "
            "--baudrate=921600 --protocol=xmodem "
            "--file=Seeed_Grove_Vision_AI_Module_V2/we2_image_gen_local/output_case1_sec_wlcsp/output.img "
            f'--model="{model}"',
        ),
    )


def write_guide(board: BoardInfo, directory: Path) -> str:
    """For a README: what :func:`write_compiled` put into ``directory``, and the steps, in Markdown."""
    report = json.loads((directory / REPORT).read_text(encoding="utf-8"))
    parts = ["## The neural processor", "", f"`{FILE}`: {report['summary']}.", ""]
    for number, step in enumerate(upload_steps(board), 1):
        parts.append(f"{number}. {step.text}")
        if step.command:
            parts += ["", f"       {step.command}", ""]
    return "\n".join(parts).rstrip() + "\n"
