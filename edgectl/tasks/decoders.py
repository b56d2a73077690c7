"""Decode rules by name: what the raw heads of a network that is no family's are, and how they become results.

``--decode yolox`` names one. A rule looks at the heads' shapes and says of each what kind it is; from then on
evaluation, README and the programs of boards read them as they read a family's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from edgectl.errors import UsageError
from edgectl.plugins.family import Postprocess
from edgectl.plugins.info import DecoderInfo
from edgectl.plugins.registry import installed, load_entry
from edgectl.spec import OutputSpec, Size


@dataclass(frozen=True)
class HeadTensor:
    """A raw head. ``shape``: with the batch of one in front."""

    name: str
    shape: tuple[int, ...]

    @property
    def channels(self) -> int:
        """Size of dimension 1."""
        return self.shape[1]

    def stride(self, input_size: Size) -> int:
        """Input pixels a cell; 0 where it is no grid. The last column may be cut off."""
        if len(self.shape) != 4 or self.shape[2:] == (1, 1):
            return 0
        return round(input_size[0] / self.shape[2])


class Decoder(Protocol):
    """What a :class:`edgectl.plugins.info.DecoderInfo` names. Stateless."""

    def count_classes(self, heads: Sequence[HeadTensor], input_size: Size) -> int:
        """How many classes heads of these shapes tell apart. Raises UsageError for heads it cannot
        read."""
        ...

    def specify(
        self, heads: Sequence[HeadTensor], num_classes: int, input_size: Size
    ) -> tuple[OutputSpec, ...]:
        """What each head is, in the order given. Raises UsageError for heads it cannot read."""
        ...

    def postprocess(self, outputs: Sequence[OutputSpec]) -> Postprocess:
        """Heads of these kinds to results."""
        ...


def decoder_info(name: str) -> DecoderInfo:
    """Raises UnknownNameError for a rule nobody offers."""
    return installed().decoders.get(name)


def load_decoder(name: str) -> Decoder:
    """Imports the rule's code. Raises what :func:`decoder_info` does, PluginError where it is broken."""
    decoder: Decoder = load_entry(decoder_info(name).entry, name)
    return decoder


def build_postprocess(
    name: str | None, outputs: Sequence[OutputSpec], threshold: float | None
) -> Postprocess:
    """Raises UsageError where no rule is named."""
    if name is None:
        known = ", ".join(installed().decoders.names())
        raise UsageError(
            "nobody said how the outputs of this network are read",
            where="--decode",
            fix=f"--decode with one of {known}",
        )
    made = load_decoder(name).postprocess(outputs)
    if threshold is not None:
        made.threshold = threshold
    return made


def explain_heads(rule: str, heads: Sequence[HeadTensor], wanted: str) -> UsageError:
    """The error for heads a rule cannot read."""
    shapes = ", ".join(f"{h.name} {list(h.shape)}" for h in heads)
    return UsageError(
        f"'{rule}' reads {wanted}; this network has {shapes}",
        where="--decode",
        fix="name the heads: --outputs NAME,NAME; or leave --decode out: then agreement with the float "
        "outputs is measured",
    )
