"""What the figures of an evaluation mean, in plain words, each finding with its evidence.

Nothing here is a judgement by taste: a finding appears when counts or figures cross a stated limit,
and names them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from edgectl.data.images.preprocess import letterbox_geometry
from edgectl.labels import Sample
from edgectl.metrics.coco_library import AREAS, MAX_DETECTIONS
from edgectl.spec import PreprocessSpec

FEW_EXAMPLES = 20
"""Training objects of a class, or of a size, under which its figure is mostly luck."""
TINY_SIDE = 8.0
"""Network-input pixels: the stride of the finest grid most detectors predict on."""
TINY_SHARE = 0.1
GAP = 0.5
"""Share of small objects found, relative to that of larger ones."""
LOOSE = 0.5
"""AP75 under this share of AP50."""
LOW_THRESHOLD = 0.05
CONFUSED, CONFUSED_SHARE = 3, 0.1
"""Images of a class, and their share of it, taken for one other class."""
STILL_RISING = 0.1
"""Share of the final figure gained in the last quarter of the run, beyond doubt."""
NOTHING = 0.01
"""AP or F1 of a network that finds its objects by luck."""

_SIZES = {
    "small": "small objects (under 32 x 32 pixels)",
    "medium": "medium objects (32 x 32 to 96 x 96 pixels)",
    "large": "large objects (over 96 x 96 pixels)",
}


@dataclass(frozen=True)
class Finding:
    """``kind`` is stable, for programs; ``message`` for people; ``evidence`` holds plain numbers."""

    kind: str
    message: str
    evidence: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return asdict(self)


@dataclass(frozen=True)
class Evidence:
    """What can be known about an evaluation.

    Attributes:
        main: name of the task's main figure.
        figures: what was measured.
        classes: names, in label order.
        scored: the images it was measured on.
        train: the images the model was trained on, where they are known.
        preprocess: gives the size objects have for the network.
        threshold: detections below it were not scored.
        events: of the run (``events.jsonl``), where there is one.
    """

    main: str
    figures: Mapping[str, Any]
    classes: Sequence[str]
    scored: Sequence[Sample]
    train: Sequence[Sample] | None = None
    preprocess: PreprocessSpec | None = None
    threshold: float | None = None
    events: Sequence[Mapping[str, Any]] = field(default_factory=tuple)


def diagnose(evidence: Evidence) -> list[Finding]:
    """All findings, the gravest first."""
    return [found for look in _LOOKS for found in look(evidence)]


def count_sizes(samples: Sequence[Sample]) -> dict[str, int]:
    """Objects in COCO's size ranges, crowd left out; an area on a limit counts as the smaller."""
    areas = [s.object_areas()[~s.crowd] for s in samples]
    every = np.concatenate(areas) if areas else np.zeros(0)
    small, medium = (int((every <= AREAS[n][1]).sum()) for n in ("small", "medium"))
    return {"small": small, "medium": medium - small, "large": len(every) - medium}


def count_classes(samples: Sequence[Sample], classes: Sequence[str]) -> dict[str, int]:
    """Objects of every class, crowd left out; images, where each has a class of its own."""
    labels = [s.labels[~s.crowd] if s.image_label is None else s.class_labels() for s in samples]
    every = np.concatenate(labels) if labels else np.zeros(0, np.int64)
    counts = np.bincount(every, minlength=len(classes))
    return {name: int(n) for name, n in zip(classes, counts, strict=True)}


def _nothing_to_score(e: Evidence) -> Iterator[Finding]:
    if not any(count_classes(e.scored, e.classes).values()):
        yield Finding(
            "no_objects",
            f"None of the {len(e.scored)} images has an object: nothing was measured.",
            {"images": len(e.scored), "objects": 0},
        )


def _raised_threshold(e: Evidence) -> Iterator[Finding]:
    if "AP" in e.figures and e.threshold is not None and e.threshold > LOW_THRESHOLD:
        yield Finding(
            "raised_threshold",
            f"Detections under a score of {e.threshold:g} were left out: AP is lower than it would "
            "be over the whole curve, and not comparable with published figures.",
            {"threshold": e.threshold},
        )


def _still_rising(e: Evidence) -> Iterator[Finding]:
    planned = next((int(x["epochs"]) for x in e.events if x.get("event") == "started"), 0)
    epochs = [x for x in e.events if x.get("event") == "epoch"]
    if not epochs:
        return
    last = int(epochs[-1]["epoch"])
    curve = [
        (int(x["epoch"]), float(x["metrics"][e.main]))
        for x in epochs
        if e.main in (x.get("metrics") or {})
    ]
    early = [v for epoch, v in curve if epoch <= 0.75 * last]
    end = curve[-1][1] if curve and curve[-1][0] > 0.75 * last else 0.0
    if early and end - max(early) > max(STILL_RISING * end, _doubt(end, e)):
        yield Finding(
            "not_converged",
            f"{e.main} was still rising when training ended: {max(early):.3f} at best in the first "
            f"three quarters of the {last} epochs, {end:.3f} at the end. Train for more epochs.",
            {"epochs": last, "early": max(early), "late": end, "metric": e.main},
        )
    elif last < planned:
        yield Finding(
            "stopped_early",
            f"Training ended after {last} of {planned} epochs, before the learning rate came down.",
            {"epochs": last, "planned": planned},
        )


def _doubt(value: float, e: Evidence) -> float:
    """Standard error of a share of so many objects (or images): less is chance."""
    units = max(1, sum(count_classes(e.scored, e.classes).values()))
    share = min(1.0, max(0.0, value))
    return float(np.sqrt(max(share * (1 - share), 1 / units) / units))


def _learned_nothing(e: Evidence) -> Iterator[Finding]:
    """As good as chance: no advice about thresholds, sizes or integers fits that."""
    value = e.figures.get(e.main)
    chance = 1.0 / max(1, len(e.classes)) if e.main == "top1" else 0.0
    if not isinstance(value, int | float) or not any(count_classes(e.scored, e.classes).values()):
        return
    if 0 <= value <= chance + (_doubt(chance, e) if chance else NOTHING):
        yield Finding(
            "learned_nothing",
            f"{e.main} {value:.3f} is no better than chance: the network has not learned yet. Look at the "
            "labels ('edgectl data preview'), train for more epochs, begin from pretrained weights.",
            {e.main: value, "chance": chance},
        )


def _loose_boxes(e: Evidence) -> Iterator[Finding]:
    ap50, ap75 = (float(e.figures.get(k, -1.0)) for k in ("AP50", "AP75"))
    if ap50 >= 0.2 and 0 <= ap75 < LOOSE * ap50:
        yield Finding(
            "loose_boxes",
            f"Objects are found, but their boxes are loose: AP50 {ap50:.3f} falls to AP75 "
            f"{ap75:.3f}. A larger input, more epochs or tighter labels would help.",
            {"AP50": ap50, "AP75": ap75},
        )


def _tiny_for_the_network(e: Evidence) -> Iterator[Finding]:
    if e.preprocess is None or not {"AP", "f1"} & e.figures.keys():
        return
    if "errors" in e.figures:  # which know what is found of them
        return
    sides = []
    for s in e.scored:
        geometry = letterbox_geometry(s.height, s.width, e.preprocess)[1]
        sides.append(geometry.longer_sides(s.boxes_xyxy[~s.crowd]))
    every = np.concatenate(sides) if sides else np.zeros(0)
    tiny = int((every < TINY_SIDE).sum())
    if len(every) and tiny >= TINY_SHARE * len(every):
        rows, columns = e.preprocess.input_size
        yield Finding(
            "tiny_objects",
            f"{tiny} of {len(every)} objects are under {TINY_SIDE:g} pixels in the network's input "
            f"of {rows} x {columns}. A larger --imgsz would show more of them.",
            {"tiny": tiny, "objects": len(every), "input_size": [rows, columns]},
        )


def _missed_for_their_size(e: Evidence) -> Iterator[Finding]:
    """Where detection ends, in pixels the network has: the size that divides best."""
    rows = e.figures.get("errors", {}).get("by_size", ())
    best: dict[str, Any] = {}
    largest_gap = 0.0
    for i in range(1, len(rows)):
        few, many = (sum(r["objects"] for r in part) for part in (rows[:i], rows[i:]))
        hits, others = (sum(r["found"] for r in part) for part in (rows[:i], rows[i:]))
        if not many or few < TINY_SHARE * (few + many):
            continue
        share, rest = hits / few, others / many
        if share < GAP * rest and rest - share > largest_gap:
            largest_gap = rest - share
            best = {"side": rows[i]["from"], "found": hits, "objects": few}
            best |= {"found_larger": others, "larger": many}
    if best:
        yield Finding(
            "small_objects_missed",
            f"{best['found']} of {best['objects']} objects under {best['side']:g} pixels in the "
            f"network's input are found, and {best['found_larger']} of {best['larger']} larger ones. "
            "A larger --imgsz, or a camera closer by, would help most.",
            best,
        )


def _taken_for_others(e: Evidence) -> Iterator[Finding]:
    """Find the class of objects most often found as another."""
    counts = count_classes(e.scored, e.classes)
    for pair in e.figures.get("errors", {}).get("confusions", ()):
        count, of = pair["count"], counts[pair["object"]]
        if count >= CONFUSED and count >= CONFUSED_SHARE * of:
            yield Finding(
                "confused_classes",
                f"{count} of {of} objects '{pair['object']}' are found, but as '{pair['as']}'. More "
                "examples that differ in nothing else would help; look for mixed-up labels too.",
                {"true": pair["object"], "predicted": pair["as"], "objects": count, "of": of},
            )
            return


def _size_ranges(e: Evidence) -> Iterator[Finding]:
    if "AP" not in e.figures:
        return
    scored = count_sizes(e.scored)
    train = count_sizes(e.train) if e.train else None
    for size, words in _SIZES.items():
        if not scored[size] and any(scored.values()):
            yield Finding(
                f"no_{size}_objects",
                f"The set has no {words}: AP_{size} and AR_{size} are -1, not measured.",
                {f"AP_{size}": e.figures.get(f"AP_{size}", -1.0), "scored": scored},
            )
        elif scored[size] and train is not None and train[size] < FEW_EXAMPLES:
            yield Finding(
                f"few_{size}_objects_in_train",
                f"{scored[size]} {words} are scored, but {train[size] or 'none'} trained on: "
                f"AP_{size} {e.figures.get(f'AP_{size}', -1.0):.3f}.",
                {"train": train, "scored": scored},
            )


def _few_examples(e: Evidence) -> Iterator[Finding]:
    if e.train:
        rare = {n: c for n, c in count_classes(e.train, e.classes).items() if c < FEW_EXAMPLES}
        if rare:
            yield Finding(
                "few_examples",
                f"Fewer than {FEW_EXAMPLES} training examples: {_listed(rare)}. Label more of them.",
                {"train": rare},
            )
    counts = count_classes(e.scored, e.classes)
    absent = {n: c for n, c in counts.items() if not c}
    if absent and len(absent) < len(counts):
        yield Finding(
            "classes_not_scored",
            f"Nothing to score: {_listed(absent)}. Their figures are not part of {e.main}.",
            {"scored": absent},
        )


def _too_many_objects(e: Evidence) -> Iterator[Finding]:
    """COCO looks at the 100 best detections of an image and class."""
    limit = MAX_DETECTIONS[-1]
    if "AR_100" not in e.figures:
        return
    most = beyond = total = images = 0
    for s in e.scored:
        own = np.bincount(s.labels[~s.crowd], minlength=1)
        most, total = max(most, int(own.max())), total + int(own.sum())
        beyond += int(np.maximum(own - limit, 0).sum())
        images += int((own > limit).any())
    if beyond:
        yield Finding(
            "recall_bound",
            f"{images} images have more than {limit} objects of a class (up to {most}), and COCO "
            f"looks at {limit} detections: {beyond} of {total} objects cannot be found.",
            {"images": images, "most": most, "beyond": beyond, "objects": total},
        )


def _confused(e: Evidence) -> Iterator[Finding]:
    """Find the pair of image classes most often taken for each other."""
    matrix = np.asarray(e.figures.get("confusion", ()), np.int64)
    if not matrix.size:
        return
    wrong = matrix * (1 - np.eye(len(matrix), dtype=np.int64))
    true, taken = (int(i) for i in np.unravel_index(wrong.argmax(), wrong.shape))
    count, of = int(wrong[true, taken]), int(matrix[true].sum())
    if count >= CONFUSED and count >= CONFUSED_SHARE * of:
        names = e.classes[true], e.classes[taken]
        yield Finding(
            "confused_classes",
            f"{count} of {of} images of '{names[0]}' are taken for '{names[1]}'. Look at both: labels "
            "may be mixed up, or the difference too fine for this input size.",
            {"true": names[0], "predicted": names[1], "images": count, "of": of},
        )


def _listed(counts: Mapping[str, int], limit: int = 6) -> str:
    """``cat (3), dog (7) and 12 more``, the rarest first."""
    ordered = sorted(counts.items(), key=lambda item: item[1])
    shown = ", ".join(f"{name} ({count})" for name, count in ordered[:limit])
    return shown + (f" and {len(ordered) - limit} more" if len(ordered) > limit else "")


_LOOKS: tuple[Callable[[Evidence], Iterator[Finding]], ...] = (
    _nothing_to_score,
    _learned_nothing,
    _raised_threshold,
    _still_rising,
    _loose_boxes,
    _tiny_for_the_network,
    _missed_for_their_size,
    _size_ranges,
    _few_examples,
    _too_many_objects,
    _confused,
    _taken_for_others,
)
