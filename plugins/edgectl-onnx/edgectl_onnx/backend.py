"""The backend: core's ONNX file is the product, so there is nothing to compile."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgectl.artifacts.manifest import Manifest
from edgectl.backends.contract import Runner
from edgectl.backends.network import ONNX_FILE, Network, Plan
from edgectl.backends.onnx_file import describe_onnx
from edgectl.errors import ArtifactError, UnknownNameError
from edgectl.escape.markdown import code, text
from edgectl.spec import OutputSpec, PreprocessSpec
from edgectl_onnx.config import OnnxConfig


class OnnxBackend:
    """A :class:`edgectl.backends.contract.VendorBackend` without a vendor."""

    config_type = OnnxConfig

    def opset(self, config: OnnxConfig, *, precision: str) -> int:
        """As configured."""
        return config.opset

    def check(self, network: Network, *, precision: str, config: OnnxConfig) -> list[str]:
        """What ONNX can express, its runtime runs."""
        return []

    def plan(
        self, network: Network, directory: Path, *, precision: str, config: OnnxConfig
    ) -> Plan:
        """No command: the file is there."""
        return Plan((), ONNX_FILE)

    def open(
        self,
        model_file: Path,
        *,
        runtime: str,
        specs: Sequence[OutputSpec],
        preprocess: PreprocessSpec | None,
    ) -> Runner:
        """Core opens ``onnxruntime``; there is no other."""
        raise UnknownNameError("runtime", runtime, ["onnxruntime"], where=str(model_file))

    def describe(self, model_file: Path) -> dict[str, Any]:
        """Describe any ONNX file. Raises ArtifactError for what is none."""
        try:
            return describe_onnx(model_file)
        except Exception as e:  # protobuf's and onnx's own types
            raise ArtifactError(
                f"not an ONNX file: {type(e).__name__}",
                where=str(model_file),
                fix="export again: edgectl export --backend onnx",
            ) from e

    def example(self, manifest: Manifest) -> str:
        """Run the file on ONNX Runtime."""
        spec = manifest.preprocess
        return f'''
import onnxruntime

session = onnxruntime.InferenceSession("{ONNX_FILE}", providers=["CPUExecutionProvider"])
MEAN, STD = np.float32({list(spec.mean)}), np.float32({list(spec.std)})


def run(pixels):
    """(pixel - mean) / std, channels first."""
    x = ((pixels.astype(np.float32) - MEAN) / STD).transpose(2, 0, 1)[None]
    names = [rule["name"] for rule in MODEL["decode"]["heads"]]
    return dict(zip(names, (y[0] for y in session.run(names, {{"images": x}})), strict=True))
'''

    def usage(self, manifest: Manifest) -> str:
        """A program of a few lines."""
        spec = manifest.preprocess
        height, width = spec.input_size
        outputs = ", ".join(code(o.name) for o in manifest.outputs)
        return f"""# {text(manifest.family)} {text(manifest.variant)} as ONNX

Input `images`: float32 (1, {spec.channels}, {height}, {width}), {spec.channel_order}, `(pixel - mean) / std`.
Outputs, raw: {outputs}.

```python
import numpy as np, onnxruntime

session = onnxruntime.InferenceSession("{ONNX_FILE}")
mean = np.float32({list(spec.mean)})
std = np.float32({list(spec.std)})
image = ...  # uint8 ({height}, {width}, {spec.channels}), {spec.channel_order}, resized: {spec.resize}
x = ((image - mean) / std).transpose(2, 0, 1)[None]
outputs = session.run(None, {{"images": x}})
```
"""
