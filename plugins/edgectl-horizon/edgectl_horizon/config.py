"""The ``[backend.horizon]`` table."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from edgectl.config.schema import StrictModel


class HorizonConfig(StrictModel):
    """What hb_mapper is told."""

    march: Literal["bernoulli2", "bayes"] = "bernoulli2"
    """The BPU: bernoulli2 of Sunrise X3 and Journey 3, bayes of Journey 5."""
    input_type_rt: Literal["nv12", "rgb", "bgr", "yuv444", "gray"] = "nv12"
    """What the board feeds; nv12 is what its camera gives. The compiler converts. gray: for networks of
    gray, which take nothing else."""
    calibration: Literal["max", "kl", "default"] = "max"
    max_percentile: Annotated[float, Field(gt=0.5, le=1.0)] = 0.99996
    """With ``max``: the share of values a range covers."""
    optimize_level: Literal["O0", "O1", "O2", "O3"] = "O3"
