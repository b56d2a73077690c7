"""The backend: settings and calibration images for rknn-toolkit2, and the scripts it runs.

https://github.com/airockchip/rknn-toolkit2 (the API reference is the PDF in its ``doc``).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edgectl.artifacts.manifest import Manifest
from edgectl.backends.contract import Runner
from edgectl.backends.network import ONNX_FILE, Network, Plan
from edgectl.errors import ArtifactError, UnknownNameError
from edgectl.escape.markdown import code, text
from edgectl.quant.ranges.scheme import QuantScheme
from edgectl.spec import OutputSpec, PreprocessSpec
from edgectl_rknn.config import PLATFORMS, RknnConfig
from edgectl_rknn.runtime import SimulatorRunner

PRODUCT = "model.rknn"
SETTINGS = "rknn.json"
_CALIBRATION = "calibration"
_FEW = 20
_MAGIC = b"RKNN"


class RknnBackend:
    """A :class:`edgectl.backends.contract.VendorBackend`."""

    config_type = RknnConfig

    def opset(self, config: RknnConfig, *, precision: str) -> int:
        """The toolkit reads 12 to 19; this one the exporter writes best."""
        return 17

    def scheme(self, config: RknnConfig) -> QuantScheme:
        """One affine scale a tensor, one symmetric scale an output channel of a weight."""
        return QuantScheme("rknn w8a8")

    def check(self, network: Network, *, precision: str, config: RknnConfig) -> list[str]:
        """The chip. Operations its NPU lacks, the compiler itself puts on the CPU."""
        if config.platform not in PLATFORMS:
            raise UnknownNameError(
                "platform", config.platform, PLATFORMS, where="backend.rknn.platform"
            )
        return []

    def plan(
        self, network: Network, directory: Path, *, precision: str, config: RknnConfig
    ) -> Plan:
        """``rknn.json``, calibration images, the scripts."""
        spec = network.preprocess
        quantize = precision == "int8"
        names = _write_images(network, directory) if quantize else []
        settings: dict[str, Any] = {
            "model": ONNX_FILE,
            "product": PRODUCT,
            "config": {
                # the runtime computes (pixel - mean) / std: the network's input is normalized here, once
                "mean_values": [list(spec.mean)],
                "std_values": [list(spec.std)],
                # of calibration images, which it reads as rgb; the device is fed what the spec says
                "quant_img_RGB2BGR": spec.channel_order == "bgr",
                "quantized_algorithm": config.algorithm,
                "optimization_level": config.optimization_level,
                "target_platform": config.platform,
                "auto_hybrid_cos_thresh": config.hybrid_cosine,
            },
            "build": {"do_quantization": quantize},
        }
        if quantize:
            settings["build"] |= {"dataset": "dataset.txt", "auto_hybrid": config.hybrid}
            (directory / "dataset.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
        text = json.dumps(settings, indent=1) + "\n"
        (directory / SETTINGS).write_text(text, encoding="utf-8")
        for script in ("build.py", "compile.py", "simulate.py"):
            shutil.copyfile(Path(__file__).with_name("job") / script, directory / script)
        remarks: tuple[str, ...] = ()
        if quantize and len(names) < _FEW:
            remarks = (f"{len(names)} calibration images; the vendor recommends 20 to 200",)
        return Plan(("compile.py",), PRODUCT, remarks)

    def open(
        self,
        model_file: Path,
        *,
        runtime: str,
        specs: Sequence[OutputSpec],
        preprocess: PreprocessSpec | None,
    ) -> Runner:
        """The toolkit's simulator, in its own process."""
        if runtime != "simulator":
            raise UnknownNameError("runtime", runtime, ["simulator", "onnxruntime"])
        self.describe(model_file)
        return SimulatorRunner(model_file, specs)

    def describe(self, model_file: Path) -> dict[str, Any]:
        """What there is to know of a closed format. Raises ArtifactError."""
        try:
            with model_file.open("rb") as f:
                head = f.read(len(_MAGIC))
        except OSError as e:
            raise ArtifactError(f"cannot be read: {e.strerror}", where=str(model_file)) from e
        if head != _MAGIC:
            raise ArtifactError(
                "not an .rknn file",
                where=str(model_file),
                fix="export again: edgectl export --backend rknn",
            )
        return {"inputs": [], "outputs": [], "file_bytes": model_file.stat().st_size}

    def usage(self, manifest: Manifest) -> str:
        """On the board, and how to compile where that was not done."""
        spec = manifest.preprocess
        height, width = spec.input_size
        outputs = "\n".join(f"{i}. {code(o.name)}" for i, o in enumerate(manifest.outputs))
        planned = (
            "\nNot compiled yet: run `./build.sh` with the Python that has rknn-toolkit2.\n"
            if not manifest.built
            else ""
        )
        return f"""# {text(manifest.family)} {text(manifest.variant)} for a Rockchip NPU
{planned}
On the board, with rknn-toolkit-lite2:

```python
from rknnlite.api import RKNNLite

network = RKNNLite()
network.load_rknn("{PRODUCT}")
network.init_runtime()
image = ...  # uint8 (1, {height}, {width}, {spec.channels}), {spec.channel_order}, resized: {spec.resize}
outputs = network.inference(inputs=[image], data_format=["nhwc"])
```

Feed the pixels as they are: the runtime normalizes. Outputs, raw, (1, C, H, W):

{outputs}
"""


def _write_images(network: Network, directory: Path) -> list[str]:
    """PNG files, lossless, as the network sees them before normalization. Their paths."""
    place = directory / _CALIBRATION
    place.mkdir()
    names = []
    for number, image in enumerate(network.images()):
        # imwrite takes bgr, and the toolkit reads the file as rgb
        bgr = image if network.preprocess.channel_order == "bgr" else image[..., ::-1]
        name = f"{_CALIBRATION}/{number:05}.png"
        done, data = cv2.imencode(".png", np.ascontiguousarray(bgr))
        assert done
        (directory / name).write_bytes(data.tobytes())
        names.append(name)
    return names
