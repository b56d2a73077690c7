from __future__ import annotations

import pytest

from edgectl.errors import UsageError
from edgectl.metrics.gates import Gate, check_gates


@pytest.mark.parametrize(
    ("expr", "values", "reference", "value", "passed"),
    [
        ("f1>=0.7", {"f1": 0.7}, None, 0.7, True),
        ("f1>=0.7", {"f1": 0.699}, None, 0.699, False),
        ("f1>0.7", {"f1": 0.7}, None, 0.7, False),
        ("bytes<=100", {"bytes": 101}, None, 101.0, False),
        ("AP_drop<=0.01", {"AP": 0.40}, {"AP": 0.405}, 0.005, True),
        ("AP_drop<=0.01", {"AP": 0.38}, {"AP": 0.40}, 0.02, False),
        ("AP_drop<=0.01", {"AP": 0.45}, {"AP": 0.40}, -0.05, True),
    ],
)
def test_gate(expr, values, reference, value, passed):
    (result,) = check_gates([expr], values, reference)
    assert result.value == pytest.approx(value)
    assert result.passed is passed


def test_a_drop_of_exactly_the_limit_passes():
    # 0.70 - 0.69 is 0.010000000000000009 in binary
    (result,) = check_gates(["f1_drop<=0.01"], {"f1": 0.69}, {"f1": 0.70})
    assert result.passed


@pytest.mark.parametrize("expr", ["", "f1", "f1=0.7", "f1>=x", ">=0.5", "f1>=0.5 or 1", "f1>=1e"])
def test_not_a_gate(expr):
    with pytest.raises(UsageError, match="not a gate"):
        Gate.parse(expr)


def test_unknown_figure_names_the_known_ones():
    with pytest.raises(UsageError) as e:
        check_gates(["AP>=0.5"], {"f1": 0.5, "per_class": {}}, None)
    assert e.value.fix == "known: f1"


def test_drop_without_reference():
    with pytest.raises(UsageError, match="compare with"):
        check_gates(["f1_drop<=0.01"], {"f1": 0.5}, None)


def test_every_expression_is_parsed_before_any_is_checked():
    with pytest.raises(UsageError, match="not a gate"):
        check_gates(["f1>=0.5", "nonsense"], {"f1": 0.9}, None)
