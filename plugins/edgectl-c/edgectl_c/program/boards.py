"""How the tools of each board are called. Names from the tools' own board lists."""

from __future__ import annotations

from dataclasses import dataclass

_ESP_PINS = ("pwdn", "reset", "xclk", "sccb_sda", "sccb_scl", *(f"d{i}" for i in range(7, -1, -1)))
_ESP_SYNC = ("vsync", "href", "pclk")


@dataclass(frozen=True)
class Tools:
    """Empty words: the board has no place in that tool, or its name there is not known.

    Attributes:
        arduino: fully qualified board name; core: the platform it is in.
        sketch: which example shows its camera. pins: of ``esp32.ino``, in Espressif's order.
        esp_idf: target. zephyr: board. pico: whether the pico-sdk builds for it.
        note: what only this board needs.
    """

    arduino: str = ""
    core: str = ""
    sketch: str = "plain"
    pins: tuple[int, ...] = ()
    esp_idf: str = ""
    zephyr: str = ""
    pico: str = ""
    note: str = ""


_HIMAX = (
    "This board's chip is programmed with Himax's SDK "
    "(github.com/HimaxWiseEyePlus/Seeed_Grove_Vision_AI_Module_V2). Put the `.c` and `.h` files of this "
    "directory into a `scenario_app` of it, define `program_print` with `xprintf` and `camera_frame` with "
    "the frame of its data path. The network then runs on the Cortex-M55; its neural processor takes "
    "`model_vela.tflite`, where the bundle has one."
)

BOARDS = {
    "xiao-esp32s3": Tools(
        "esp32:esp32:XIAO_ESP32S3:PSRAM=opi",
        "esp32:esp32",
        "esp32",
        (-1, -1, 10, 40, 39, 48, 11, 12, 14, 16, 18, 17, 15, 38, 47, 13),
        "esp32s3",
        "xiao_esp32s3/esp32s3/procpu/sense",
    ),
    "esp32-s3-eye": Tools(
        "esp32:esp32:esp32s3:PSRAM=opi",
        "esp32:esp32",
        "esp32",
        (-1, -1, 15, 4, 5, 16, 17, 18, 12, 10, 8, 9, 11, 6, 7, 13),
        "esp32s3",
        "esp32s3_eye/esp32s3/procpu",
    ),
    "esp32-p4": Tools("esp32:esp32:esp32p4:PSRAM=enabled", "esp32:esp32", esp_idf="esp32p4"),
    "arduino-nano-33-ble": Tools(
        "arduino:mbed_nano:nano33ble",
        "arduino:mbed_nano",
        zephyr="arduino_nano_33_ble/nrf52840/sense",
    ),
    "nicla-vision": Tools(
        "arduino:mbed_nicla:nicla_vision",
        "arduino:mbed_nicla",
        "gc2145",
        zephyr="arduino_nicla_vision/stm32h747xx/m7",
    ),
    "portenta-h7": Tools(
        "arduino:mbed_portenta:envie_m7",
        "arduino:mbed_portenta",
        zephyr="arduino_portenta_h7/stm32h747xx/m7",
    ),
    "stm32h747i-disco": Tools(zephyr="stm32h747i_disco/stm32h747xx/m7"),
    "stm32n6570-dk": Tools(zephyr="stm32n6570_dk"),
    "raspberry-pi-pico-2": Tools(
        "rp2040:rp2040:rpipico2",
        "rp2040:rp2040",
        zephyr="rpi_pico2/rp2350a/m33",
        pico="pico2",
        note="The Arduino core is Earle Philhower's: its address is to be added to the board manager first.",
    ),
    "grove-vision-ai-v2": Tools(note=_HIMAX),
    "sensecap-watcher": Tools(note=_HIMAX),
}
GENERIC = Tools(
    "YOUR:BOARD:NAME", "YOUR:BOARD", zephyr="your_board", pico="pico2", esp_idf="esp32s3"
)
"""For boards of other plugins: every way is shown."""


def pin_lines(pins: tuple[int, ...]) -> str:
    """Assignments to a ``camera_config_t``."""
    names = (*_ESP_PINS, *_ESP_SYNC)
    return "\n".join(f"  c.pin_{n} = {p};" for n, p in zip(names, pins, strict=True))
