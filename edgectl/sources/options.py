"""What a user may have to say of a network that is no family's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgectl.errors import UsageError
from edgectl.spec import Size

RESIZES = ("letterbox", "center", "stretch")
ORDERS = ("rgb", "bgr", "gray")
INTERPOLATIONS = ("auto", "bilinear", "area", "bicubic", "nearest")
_CHANNELS = 3


@dataclass(frozen=True)
class Statement:
    """What was said; None and empty: nothing.

    Attributes:
        weights: a file of tensors for a module; family, variant: whose weights a bare file holds.
        input_size: (height, width).
        mean, std: in 0..255 units, in the order of the channels.
        resize: ``letterbox`` pads at the bottom and right, ``center`` on all sides, ``stretch`` not at all.
        decode: name of a decode rule. outputs: names of the raw heads. classes: names in label order.
    """

    weights: Path | None = None
    family: str = ""
    variant: str = ""
    input_size: Size | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    channel_order: str = ""
    resize: str = ""
    interpolation: str = ""
    decode: str = ""
    outputs: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, value, known in (
            ("--resize", self.resize, RESIZES),
            ("--channel-order", self.channel_order, ORDERS),
            ("--interpolation", self.interpolation, INTERPOLATIONS),
        ):
            if value and value not in known:
                raise UsageError(f"not one of {', '.join(known)}: '{value}'", where=name)

    @property
    def normalization(self) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
        """(mean, std) in 0..255 units; None where neither was said.

        Raises:
            UsageError: one without the other.
        """
        if self.mean is None and self.std is None:
            return None
        if self.mean is None or self.std is None:
            raise UsageError(
                "--mean and --std belong together",
                where="--mean" if self.mean is None else "--std",
                fix="--mean 123.675,116.28,103.53 --std 58.395,57.12,57.375, for example",
            )
        return in_pixels(self.mean, self.std)

    @property
    def given(self) -> list[str]:
        """Options that only networks that are no family's take, as they were spelled."""
        return [
            f"--{name.replace('_', '-')}"
            for name, value in vars(self).items()
            if value and name != "input_size"
        ]


def in_pixels(
    mean: tuple[float, ...], std: tuple[float, ...]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Numbers of the 0..1 convention (every std below 1, no mean above 1) are multiplied by 255."""
    scale = 255.0 if max(std) < 1.0 and max(map(abs, mean)) <= 1.0 else 1.0
    return tuple(m * scale for m in mean), tuple(s * scale for s in std)


def read_numbers(text: str, where: str) -> tuple[float, ...]:
    """``127.5`` or ``123.7,116.3,103.5``, a number a channel. Raises UsageError."""
    try:
        numbers = tuple(float(word) for word in text.replace(" ", ",").split(",") if word)
    except ValueError:
        numbers = ()
    if len(numbers) == 1:
        numbers *= _CHANNELS
    if len(numbers) != _CHANNELS:
        raise UsageError(
            f"not a number a channel: '{text}'", where=where, fix="one number or three"
        )
    return numbers


def read_names(text: str) -> tuple[str, ...]:
    """``mask,no-mask``, or a file with a name a line. Raises UsageError."""
    path = Path(text)
    if path.is_file():
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError) as e:
            raise UsageError("not a text file", where=str(path), fix="a name a line") from e
    else:
        lines = text.split(",")
    names = tuple(line.strip() for line in lines if line.strip())
    if len(set(names)) != len(names) or not names:
        raise UsageError("names must be there and differ", where=text)
    return names
