"""The two programs of Hailo's. Neither is on the package index, and both pin what they stand on."""

from __future__ import annotations

from edgectl.plugins.info import ToolInfo

COMPILER = ToolInfo(
    name="hailo",
    module="hailo_sdk_client",
    distribution="hailo-dataflow-compiler",
    fix="install the Dataflow Compiler's wheel from https://hailo.ai/developer-zone/ (free account) into a "
    'venv of its own, then set python = "VENV/bin/python" under [tools.hailo] in edgectl.toml',
)

RUNTIME = ToolInfo(
    name="hailort",
    module="hailo_platform",
    distribution="hailort",
    fix="on a machine with the accelerator install HailoRT (Raspberry Pi OS: sudo apt install hailo-all), "
    'then set python = "/usr/bin/python3" under [tools.hailort] in edgectl.toml',
)
