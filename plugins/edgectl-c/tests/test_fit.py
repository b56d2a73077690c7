"""What is planned before training is what is measured after it."""

from __future__ import annotations

import pytest
from edgectl_c.backend import CBackend
from edgectl_c.config import CConfig

from edgectl.backends.contract import MemoryPlanner, WriteRequest
from edgectl.errors import GateFailedError
from edgectl.plugins.registry import installed
from edgectl.spec import OutputSpec, PreprocessSpec
from edgectl.testing.networks import fomo, images_for, quantize
from edgectl.workflows.fit import fit

CELLS = (OutputSpec("cells", "cell_logits", 8, 3, "sigmoid", applied=True),)


@pytest.mark.parametrize("layout", ["whole", "rows"])
def test_the_plan_is_the_file(tmp_path, layout):
    backend, config, graph = CBackend(), CConfig(input=layout), fomo(64)
    assert isinstance(backend, MemoryPlanner)
    board = installed().boards.infos()[0]
    planned = backend.plan_memory(graph, CELLS, config, board)
    quantized = quantize(graph, images_for(graph, 1))
    request = WriteRequest(
        quantized, tmp_path, CELLS, PreprocessSpec((64, 64)), ("a", "b"), "int8", config
    )
    described = backend.describe(backend.write(request)[0])
    assert planned.ram_bytes == described["ram_bytes"]
    # tables that depend on ranges, such as a sigmoid's, differ by some bytes
    assert planned.flash_bytes == pytest.approx(described["flash_bytes"], abs=512)


@pytest.mark.slow
@pytest.mark.skipif(not installed().families.claims("fomo"), reason="edgectl-fomo is absent")
def test_advice_has_numbers_and_is_true():
    """FOMO at 256 px does not fit an Arduino Nano 33 BLE beside its camera's frame; what is advised does."""
    words = {"target": "arduino-nano-33-ble", "family": "fomo", "backend": "c"}
    with pytest.raises(GateFailedError) as e:
        fit(imgsz=256, **words)
    report = e.value.result
    assert not report.fit.passed and "camera frame" in str(report.fit)
    (advice, *_) = report.advice
    assert e.value.fix.startswith(advice)
    _, size, _, needs, *_ = advice.split()
    smaller = fit(imgsz=int(size), **words).fit
    (model,) = [p for p in smaller.places if (p.need.name, p.need.kind) == ("model", "ram")]
    assert float(needs) * 1024 - 103 < model.need.nbytes <= float(needs) * 1024
    assert report.to_dict()["advice"] == list(report.advice)
