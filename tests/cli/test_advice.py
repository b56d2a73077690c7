"""The remedy of a failed gate fits what failed."""

from __future__ import annotations

from typing import Literal

import pytest

from edgectl.metrics.gates import GateResult
from edgectl.metrics.report import DatasetIdentity, EvaluationReport, ModelIdentity
from edgectl.workflows.evaluate import Evaluation, _advise


def report(kind: Literal["checkpoint", "artifact"], value: float) -> EvaluationReport:
    return EvaluationReport(
        task="detection",
        model=ModelIdentity(
            path="m",
            kind=kind,
            backend=None if kind == "checkpoint" else "mychip",
            precision="int8",
            sha256="0" * 64,
            bytes=100,
        ),
        dataset=DatasetIdentity(name="d", split="valid", images=1, fingerprint="ab"),
        metrics={"AP": value},
    )


@pytest.mark.parametrize(
    ("kind", "float_value", "expr", "word"),
    [
        ("checkpoint", None, "AP>=0.3", "train further"),
        ("artifact", 0.001, "AP>=0.3", "float network fails as well"),
        ("artifact", 0.4, "AP>=0.3", "edgectl qat --backend mychip"),
        ("artifact", 0.4, "AP_drop<=0.01", "edgectl qat --backend mychip"),
        ("artifact", 0.4, "bytes<=10", "smaller --variant"),
    ],
)
def test_advice(
    kind: Literal["checkpoint", "artifact"], float_value: float | None, expr: str, word: str
) -> None:
    against = None if float_value is None else report("checkpoint", float_value)
    found = Evaluation(report(kind, 0.001), against=against)
    advice = _advise(found, [GateResult(expr, 0.001, False)])
    assert word in advice
    assert ("qat" in advice) == ("qat" in word)
