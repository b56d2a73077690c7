"""A preprocessing with the changes a configuration asks for."""

from __future__ import annotations

from dataclasses import replace

from edgectl.config.schema import PreprocessConfig
from edgectl.errors import ConfigError
from edgectl.spec import PreprocessSpec


def override_preprocess(
    spec: PreprocessSpec, config: PreprocessConfig, *, whose: str
) -> PreprocessSpec:
    """``whose`` preprocessing it is, for the error.

    Raises ConfigError for an order of channels that is neither its own nor gray: the weights of a
    network know one order of colors.
    """
    changes = config.model_dump(exclude_none=True)
    order = changes.pop("channel_order", spec.channel_order)
    if order == "gray":
        spec = spec.to_gray()
    elif order != spec.channel_order:
        raise ConfigError(
            f"{whose} sees {spec.channel_order}",
            where="preprocess.channel_order",
            fix=f"{spec.channel_order} or gray; images are put into that order for it",
        )
    return replace(spec, **changes)
