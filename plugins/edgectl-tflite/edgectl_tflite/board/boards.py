"""Boards that run .tflite files. Figures from the makers' pages and linker scripts."""

from __future__ import annotations

from edgectl.plugins.info import BoardInfo

_MIB = 1 << 20

BOARDS = (
    BoardInfo(
        name="grove-vision-ai-v2",
        summary="Seeed Grove Vision AI V2: Himax WiseEye2 HX6538, two Cortex-M55 and an Ethos-U55",
        backend="tflite",
        flash_bytes=16 * _MIB,
        # CM55M_S_SRAM of the maker's linker script: 2 MiB less what the boot loader keeps.
        ram_bytes=0x1E1000,
        accelerator="ethos-u55-64",
    ),
    BoardInfo(
        name="sensecap-watcher",
        summary="Seeed SenseCAP Watcher: Himax WiseEye2 HX6538 for vision beside an ESP32-S3",
        backend="tflite",
        flash_bytes=16 * _MIB,
        ram_bytes=0x1E1000,
        accelerator="ethos-u55-64",
    ),
    BoardInfo(
        name="xiao-esp32s3",
        summary="Seeed XIAO ESP32S3 Sense: 512 KiB SRAM; the arena goes to its 8 MiB PSRAM",
        backend="tflite",
        flash_bytes=8 * _MIB,
        ram_bytes=8 * _MIB,
    ),
    BoardInfo(
        name="esp32-s3-eye",
        summary="Espressif ESP32-S3-EYE: 512 KiB SRAM; the arena goes to its 8 MiB PSRAM",
        backend="tflite",
        flash_bytes=8 * _MIB,
        ram_bytes=8 * _MIB,
    ),
    BoardInfo(
        name="arduino-nano-33-ble",
        summary="Arduino Nano 33 BLE Sense: nRF52840, Cortex-M4F",
        backend="tflite",
        flash_bytes=_MIB,
        ram_bytes=256 * 1024,
    ),
)
