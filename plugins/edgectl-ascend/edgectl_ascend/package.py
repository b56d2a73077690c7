"""How to compile and run the artifact, for its README."""

from __future__ import annotations

import shlex

from edgectl.artifacts.manifest import Manifest
from edgectl.escape.markdown import code, text


def usage(manifest: Manifest) -> str:
    """Markdown."""
    spec = manifest.preprocess
    height, width = spec.input_size
    order = "gray" if spec.channels == 1 else "red first"
    int8 = manifest.precision == "int8"
    first = "AMCT's Python (`amct_onnx`), then " if int8 else ""
    planned = (
        f"\nNot compiled yet. Where CANN is installed: `./build.sh` ({first}`atc`).\n"
        if not manifest.built
        else ""
    )
    command = "python3 quantize.py && \\\n" if int8 else ""
    product = shlex.quote(manifest.require_compiler().product)
    words = " \\\n  ".join(map(shlex.quote, ("atc", *manifest.require_compiler().arguments)))
    outputs = "\n".join(f"{i}. {code(o.name)}" for i, o in enumerate(manifest.outputs))
    return f"""# {text(manifest.family)} {text(manifest.variant)} for an Ascend NPU
{planned}
```sh
{command}{words}
```

The OM takes uint8 (1, {height}, {width}, {spec.channels}), {order}, resized: {spec.resize}. AIPP (`aipp.cfg`)
normalizes; do not normalize again. Outputs, raw, float32 (1, C, H, W):

{outputs}

```sh
python3 -m ais_bench --model {product} --input images/ --output out --outfmt NPY
```
"""
