"""Boards whose own cores compute the network."""

from __future__ import annotations

from edgectl.plugins.board import BoardInfo, CameraFrame, MemoryRegion

_KIB, _MIB = 1 << 10, 1 << 20
_BACKENDS = ("c", "tflite")

_S3_LINKER = (
    "https://github.com/espressif/esp-idf/blob/master/components/esp_system/ld/esp32s3/memory.ld.in"
)
_XIAO = "https://wiki.seeedstudio.com/xiao_esp32s3_getting_started/"
_EYE = "https://github.com/espressif/esp-who/blob/master/docs/en/get-started/ESP32-S3-EYE_Getting_Started_Guide.md"
_P4 = "https://docs.espressif.com/projects/esp-dev-kits/en/latest/esp32p4/esp32-p4-function-ev-board/user_guide.html"
_NANO = "https://docs.arduino.cc/hardware/nano-33-ble-sense/"
_NICLA = "https://docs.arduino.cc/hardware/nicla-vision/"
_PORTENTA = "https://docs.arduino.cc/hardware/portenta-h7/"
_SHIELD = "https://docs.arduino.cc/hardware/portenta-vision-shield/"
_CORE = "https://github.com/arduino/ArduinoCore-mbed/blob/main/boards.txt"
_H747 = "https://www.st.com/resource/en/datasheet/stm32h747xi.pdf"
_DISCO = "https://www.st.com/en/evaluation-tools/stm32h747i-disco.html"
_OMV = "https://www.st.com/en/evaluation-tools/b-cams-omv.html"
_N6 = "https://www.st.com/en/evaluation-tools/stm32n6570-dk.html"
_PICO = "https://datasheets.raspberrypi.com/pico/pico-2-datasheet.pdf"
_RP2350 = "https://datasheets.raspberrypi.com/rp2350/rp2350-datasheet.pdf"
_HM01B0 = "https://www.himax.com.tw/products/cmos-image-sensor/always-on-vision-sensors/hm01b0/"

# of 512 KiB the linker script leaves 341 760 bytes to a program's data; a Wi-Fi stack takes more of them
_S3_SRAM = MemoryRegion(
    "SRAM", "ram", 512 * _KIB, kept_bytes=512 * _KIB - 341_760, source=_S3_LINKER
)


def _s3(page: str) -> tuple[MemoryRegion, ...]:
    return (
        _S3_SRAM,
        MemoryRegion("PSRAM", "ram", 8 * _MIB, external=True, source=page),
        MemoryRegion(
            "flash",
            "flash",
            8 * _MIB,
            kept_bytes=_MIB,
            external=True,
            source=page,
            note="kept: an estimate of boot loader, partition table and drivers",
        ),
    )


# Arduino's split of the 2 MiB: 256 KiB boot loader, 768 KiB for the M7, the second bank for the M4
_MBED_H7 = (
    MemoryRegion(
        "AXI SRAM",
        "ram",
        512 * _KIB,
        kept_bytes=64 * _KIB,
        source=_CORE,
        note="kept: an estimate of mbed's own data and heap",
    ),
    MemoryRegion("SRAM1-3", "ram", 288 * _KIB, source=_H747, note="D2 domain"),
    MemoryRegion("flash", "flash", 2 * _MIB, kept_bytes=2 * _MIB - 786_432, source=_CORE),
)

MICROCONTROLLERS = (
    BoardInfo(
        name="xiao-esp32s3",
        summary="Seeed XIAO ESP32S3 Sense: two Xtensa LX7, 512 KiB SRAM and 8 MiB PSRAM",
        backends=_BACKENDS,
        memory=_s3(_XIAO),
        camera=CameraFrame((240, 320), "rgb565", "OV2640", _XIAO),
        page=_XIAO,
    ),
    BoardInfo(
        name="esp32-s3-eye",
        summary="Espressif ESP32-S3-EYE: two Xtensa LX7, 512 KiB SRAM and 8 MiB PSRAM",
        backends=_BACKENDS,
        memory=_s3(_EYE),
        camera=CameraFrame((240, 320), "rgb565", "OV2640", _EYE),
        page=_EYE,
    ),
    BoardInfo(
        name="esp32-p4",
        summary="Espressif ESP32-P4-Function-EV-Board: two RISC-V cores at 400 MHz",
        backends=_BACKENDS,
        memory=(
            MemoryRegion(
                "L2MEM",
                "ram",
                768 * _KIB,
                kept_bytes=256 * _KIB,
                source=_P4,
                note="kept: the second-level cache at its default, and an estimate of the system",
            ),
            MemoryRegion("PSRAM", "ram", 32 * _MIB, external=True, source=_P4),
            MemoryRegion(
                "flash",
                "flash",
                16 * _MIB,
                kept_bytes=_MIB,
                external=True,
                source=_P4,
                note="kept: an estimate of boot loader, partition table and drivers",
            ),
        ),
        camera=CameraFrame((720, 1280), "rgb565", "SC2336", _P4),
        page=_P4,
    ),
    BoardInfo(
        name="arduino-nano-33-ble",
        summary="Arduino Nano 33 BLE and BLE Sense: nRF52840, Cortex-M4F at 64 MHz",
        backends=_BACKENDS,
        memory=(
            MemoryRegion(
                "SRAM",
                "ram",
                256 * _KIB,
                kept_bytes=48 * _KIB,
                source=_NANO,
                note="kept: an estimate of what an empty sketch on mbed takes",
            ),
            MemoryRegion("flash", "flash", _MIB, kept_bytes=_MIB - 983_040, source=_CORE),
        ),
        camera=CameraFrame((120, 160), "rgb565", "OV7675", _NANO),
        page=_NANO,
    ),
    BoardInfo(
        name="nicla-vision",
        summary="Arduino Nicla Vision: STM32H747, Cortex-M7 at 480 MHz and Cortex-M4",
        backends=_BACKENDS,
        memory=_MBED_H7,
        camera=CameraFrame((240, 320), "rgb565", "GC2145", _NICLA),
        page=_NICLA,
    ),
    BoardInfo(
        name="portenta-h7",
        summary="Arduino Portenta H7 with Vision Shield: STM32H747, Cortex-M7 at 480 MHz and Cortex-M4",
        backends=_BACKENDS,
        memory=(
            *_MBED_H7[:2],
            MemoryRegion("SDRAM", "ram", 8 * _MIB, external=True, source=_PORTENTA),
            _MBED_H7[2],
        ),
        camera=CameraFrame((240, 320), "gray", "HM0360", _SHIELD),
        page=_PORTENTA,
    ),
    BoardInfo(
        name="stm32h747i-disco",
        summary="ST STM32H747I-DISCO: Cortex-M7 at 400 MHz and Cortex-M4, camera B-CAMS-OMV",
        backends=_BACKENDS,
        memory=(
            MemoryRegion("DTCM", "ram", 128 * _KIB, source=_H747),
            MemoryRegion("AXI SRAM", "ram", 512 * _KIB, source=_H747),
            MemoryRegion("SRAM1-3", "ram", 288 * _KIB, source=_H747, note="D2 domain"),
            MemoryRegion("SDRAM", "ram", 32 * _MIB, external=True, source=_DISCO),
            MemoryRegion("flash", "flash", 2 * _MIB, source=_H747),
            MemoryRegion("QSPI flash", "flash", 128 * _MIB, external=True, source=_DISCO),
        ),
        camera=CameraFrame((240, 320), "rgb565", "OV5640", _OMV),
        page=_DISCO,
    ),
    BoardInfo(
        name="stm32n6570-dk",
        summary="ST STM32N6570-DK: Cortex-M55 at 800 MHz; its NPU takes files of ST Edge AI only",
        backends=_BACKENDS,
        memory=(
            MemoryRegion(
                "AXISRAM",
                "ram",
                4_200 * _KIB,
                kept_bytes=_MIB,
                source=_N6,
                note="kept: an estimate of the program, which runs from this memory, and its buffers",
            ),
            MemoryRegion("PSRAM", "ram", 32 * _MIB, external=True, source=_N6),
            MemoryRegion(
                "flash", "flash", 128 * _MIB, kept_bytes=_MIB, external=True, source=_N6,
                note="kept: boot stage and program, from 0x70000000",
            ),
        ),
        camera=CameraFrame((480, 800), "rgb565", "IMX335", _N6),
        page=_N6,
    ),
    BoardInfo(
        name="raspberry-pi-pico-2",
        summary="Raspberry Pi Pico 2: RP2350, two Cortex-M33 at 150 MHz; a camera is an addition",
        backends=_BACKENDS,
        memory=(
            MemoryRegion(
                "SRAM",
                "ram",
                520 * _KIB,
                kept_bytes=24 * _KIB,
                source=_RP2350,
                note="kept: an estimate of the SDK's data and both cores' stacks",
            ),
            MemoryRegion(
                "flash",
                "flash",
                4 * _MIB,
                kept_bytes=128 * _KIB,
                external=True,
                source=_PICO,
                note="kept: an estimate of the program",
            ),
        ),
        camera=CameraFrame((240, 320), "gray", "HM01B0, an addition", _HM01B0),
        page=_PICO,
    ),
)  # fmt: skip
