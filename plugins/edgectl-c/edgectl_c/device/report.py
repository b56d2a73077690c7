"""What the test program prints: by QEMU, by a process, or by a board over a serial line."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgectl.errors import ArtifactError

_FIRST = "edgectl-verify 1"


@dataclass
class ImageReport:
    """Of one image. ``differing``: output -> (bytes, largest difference); ``steps``: step -> hash;
    ``decoded``: results, those that are wrong, and how far off a box is, in hundredths of a pixel."""

    differing: dict[int, tuple[int, int]] = field(default_factory=dict)
    steps: dict[int, int] = field(default_factory=dict)
    ticks: int = 0
    stack: int = 0
    decode_stack: int = 0
    decoded: tuple[int, int, int] | None = None


def parse_report(text: str, *, images: int, outputs: int, where: str) -> list[ImageReport]:
    """One report an image. What else a board prints is passed over.

    Raises:
        ArtifactError: not a print-out of the test program, an incomplete one, or one of other images.
    """
    reports: list[ImageReport] = []
    lines = [line.strip() for line in text.splitlines()]
    if _FIRST not in lines:
        raise ArtifactError(
            f"no line '{_FIRST}'",
            where=where,
            fix="save what the board prints from its start, as plain text",
        )
    started = lines[len(lines) - 1 - lines[::-1].index(_FIRST) :]
    for line in started:
        word, *numbers = line.split() or [""]
        try:
            if word == "image":
                reports.append(ImageReport())
            elif word == "differs" and reports:
                k, count, largest = map(int, numbers)
                reports[-1].differing[k] = count, largest
            elif word == "step" and reports:
                reports[-1].steps[int(numbers[0])] = int(numbers[1], 16)
            elif word == "decoded" and reports:
                count, wrong, far = map(int, numbers)
                reports[-1].decoded = count, wrong, far
            elif word in ("ticks", "stack", "decode_stack") and reports:
                setattr(reports[-1], word, int(numbers[0]))
        except (ValueError, IndexError) as e:
            raise ArtifactError(f"cannot be read: '{line[:60]}'", where=where) from e
    whole = all(sorted(r.differing) == list(range(outputs)) for r in reports)
    if "done" not in started or len(reports) != images or not whole:
        raise ArtifactError(
            f"{len(reports)} of {images} images, "
            + ("and not all their outputs" if "done" in started else "and no end"),
            where=where,
            fix="let the board run to 'done', with the program of this model",
        )
    return reports
