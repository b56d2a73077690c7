"""The options every command has for networks that edgectl did not train."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

import typer

_HELP = {
    "weights": "Of a module: a file of tensors.",
    "family": "Of bare weights: whose they are.",
    "variant": "Of bare weights: of which variant.",
    "mean": "Of pixels 0..255, one number or three: 123.7,116.3,103.5.",
    "std": "As --mean; numbers of the 0..1 convention are understood.",
    "channel_order": "rgb, bgr or gray.",
    "resize": "letterbox (pads below and right), center (pads around) or stretch.",
    "interpolation": "auto, bilinear, area, bicubic or nearest.",
    "decode": "How raw heads are read: yolox, yolov8, classify, ...; without it agreement is measured.",
    "outputs": "Names of the raw heads, with commas; what is behind them runs on the host.",
    "classes": "Names with commas, or a file with a name a line.",
}
PANEL = "Networks of other programs"


def with_network_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options to a command, which gets them as one dictionary, ``network``."""

    def wrapper(*args: Any, **kwargs: Any) -> None:
        network = {name: kwargs.pop(name) for name in _HELP}
        command(*args, **kwargs, network=network)

    signature = inspect.signature(command)
    hints = get_type_hints(command)
    own = [
        p.replace(annotation=hints[p.name])
        for p in signature.parameters.values()
        if p.name != "network"
    ]
    added = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=typer.Option(None, help=text, rich_help_panel=PANEL),
            annotation=str | None,
        )
        for name, text in _HELP.items()
    ]
    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own] + added
    wrapper.__name__, wrapper.__doc__ = command.__name__, command.__doc__
    wrapper.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {p.name: p.annotation for p in parameters}
    return wrapper
