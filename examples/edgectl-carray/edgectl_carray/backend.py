"""What edgectl asks of a backend."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from edgectl.artifacts.manifest import Manifest
from edgectl.backends.contract import WriteRequest
from edgectl.errors import UnknownNameError
from edgectl.escape.markdown import code, text
from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.quant.ranges.scheme import QuantScheme
from edgectl.spec import OutputSpec, PreprocessSpec
from edgectl_carray.config import CArrayConfig
from edgectl_carray.generate import SUPPORTED, generate
from edgectl_carray.modelfile import from_graph, load, save
from edgectl_carray.runtime import KERNELS, CompiledRunner, kernels
from edgectl_carray.scheme import SCHEME


class CArrayBackend:
    """See :class:`edgectl.backends.contract.Backend`."""

    config_type: ClassVar[type[CArrayConfig]] = CArrayConfig

    def scheme(self, config: CArrayConfig) -> QuantScheme:
        """Symmetric, per-channel weights."""
        return SCHEME

    def check(self, graph: QuantGraph) -> list[str]:
        """Ops there is no C for."""
        return [
            f"{n.origin or n.name}: no C for {n.op}; leave it to the host"
            for n in graph
            if n.op not in SUPPORTED
        ]

    def prepare(
        self, graph: QuantGraph, specs: Sequence[OutputSpec], config: CArrayConfig
    ) -> tuple[QuantGraph, tuple[OutputSpec, ...]]:
        """Nothing to rewrite."""
        return graph, tuple(specs)

    def write(self, request: WriteRequest[CArrayConfig]) -> list[Path]:
        """``model.c``, ``kernels.h``, ``model.npz``."""
        model = from_graph(request.graph)
        files = [request.directory / n for n in ("model.c", KERNELS, "model.npz")]
        files[0].write_text(generate(model), encoding="utf-8")
        files[1].write_text(kernels(), encoding="utf-8")
        save(model, files[2])
        return files

    def open(
        self,
        model_file: Path,
        *,
        runtime: str,
        specs: Sequence[OutputSpec],
        preprocess: PreprocessSpec | None,
    ) -> CompiledRunner:
        """Compiled on this machine."""
        if runtime != "cc":
            raise UnknownNameError("runtime", runtime, ["cc"], where="--runtime")
        return CompiledRunner(model_file)

    def describe(self, model_file: Path) -> dict[str, Any]:
        """From the network's data. ``weights``: bytes of the arrays, what a device's flash holds."""
        data = model_file.with_suffix(".npz")
        model = load(data)
        shapes = {n["name"]: n["shape"] for n in model.nodes}
        first = model.nodes[0]["name"]
        return {
            "inputs": [{"name": first, "shape": shapes[first], "dtype": "float32"}],
            "outputs": [{"name": o, "shape": shapes[o], "dtype": "float32"} for o in model.outputs],
            "weights": sum(a.nbytes for a in model.arrays.values()),
            "files": [model_file.name, KERNELS, data.name],
            "file_bytes": model_file.stat().st_size,
        }

    def usage(self, manifest: Manifest) -> str:
        """How to call it."""
        height, width = manifest.preprocess.input_size
        channels = manifest.preprocess.channels
        outputs = ", ".join(code(o.name) for o in manifest.outputs)
        return f"""# {text(manifest.family)} {text(manifest.variant)} as C

```c
void edgectl_run(const float *images, float *heads);
```

`images`: {manifest.preprocess.channel_order}, pixel / 255, {channels} x {height} x {width}.
`heads`: {outputs}, one after the other. Compile `model.c` with `kernels.h` beside it; link the C
library's mathematics (`-lm`).
"""
