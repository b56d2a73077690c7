"""How a compiled file gets onto a board: flash address and exact commands, as data for a README."""

from __future__ import annotations

from dataclasses import dataclass

from edgectl.plugins.board import BoardInfo

FILE = "model_vela.tflite"
_SDK = "https://github.com/HimaxWiseEyePlus/Seeed_Grove_Vision_AI_Module_V2"
_WEB = "https://sensecraft.seeed.cc/ai/"
SDK_ADDRESS = 0xB7B000
"""Where the detectors among Himax's example applications look for their model (``common_config.h``)."""


@dataclass(frozen=True)
class UploadStep:
    """``text``: a sentence for people. ``command``: to be typed, empty where a web page does it."""

    text: str
    command: str = ""


def upload_steps(board: BoardInfo, file: str = FILE) -> tuple[UploadStep, ...]:
    """Of a board with an Ethos-U; empty for others."""
    if not board.accelerator.startswith("ethos-u"):
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


def write_steps(board: BoardInfo, file: str = FILE) -> str:
    """The steps as Markdown, for a README."""
    parts = []
    for number, step in enumerate(upload_steps(board, file), 1):
        parts.append(f"{number}. {step.text}")
        if step.command:
            parts.append(f"\n       {step.command}\n")
    return "\n".join(parts) + "\n" if parts else ""
