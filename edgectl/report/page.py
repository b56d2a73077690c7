"""One self-contained HTML page about a run: what it is, how good, what it finds, how it was made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from edgectl.errors import UsageError
from edgectl.evaluation.evaluate import EvaluationTarget
from edgectl.files import write_text
from edgectl.metrics.bootstrap import Comparison
from edgectl.metrics.diagnosis import Finding
from edgectl.report.documents import Documents, read_documents
from edgectl.report.evidence import Evidence
from edgectl.report.measured import describe_curves, describe_examples, describe_scores
from edgectl.report.stated import (
    describe_cards,
    describe_data,
    describe_exports,
    describe_hops,
    describe_origin,
    describe_training,
)

_MARK = "<title>edgectl · "
"""Every report has it near its beginning."""


@dataclass(frozen=True)
class Measured:
    """What running the model again told.

    Attributes:
        findings: what its figures mean.
    """

    target: EvaluationTarget
    evidence: Evidence
    findings: Sequence[Finding] = ()


@dataclass(frozen=True)
class Other:
    """A run to compare with. ``comparison``: None where the two were not scored on the same images."""

    documents: Documents
    evidence: Evidence | None = None
    comparison: Comparison | None = None


@dataclass(frozen=True)
class Additions:
    """What the page shows beyond the run's own documents.

    Attributes:
        absent: why nothing could be measured, in words.
        boards: names of the boards an export fits.
    """

    measured: Measured | None = None
    absent: str = ""
    boards: Sequence[str] = ()
    other: Other | None = None


def write_report(run: Path, out: Path | None = None, added: Additions = Additions()) -> Path:
    """Writes ``report.html`` into the run directory (or to ``out``) and returns its path.

    Raises:
        DataError: the directory is not a run.
        ArtifactError: a manifest that cannot be read.
        UsageError: something else than a report is in its place.
        EdgectlError: it cannot be written; what was there is as it was.
    """
    return save_report(read_documents(run), out, added)


def save_report(documents: Documents, out: Path | None, added: Additions) -> Path:
    """As :func:`write_report`, of a run that has been read."""
    target = out or documents.run / "report.html"
    text = render_report(documents, added)
    _require_report(target)
    write_text(target, text)
    return target


def render_report(documents: Documents, added: Additions) -> str:
    """The page. Nothing in it is fetched from elsewhere, and it runs no script."""
    measured, other = added.measured, added.other
    parts: dict[str, Any] = {
        **describe_cards(documents, added.boards),
        **describe_hops(documents.artifacts, documents.best),
        **describe_training(documents, None if other is None else other.documents),
        **describe_data(documents),
        **describe_exports(documents.artifacts),
        **describe_origin(documents),
        "absent": added.absent,
    }
    if measured is not None:
        parts |= describe_examples(measured.target, measured.evidence)
        parts |= describe_scores(measured.evidence)
        beside = None if other is None or other.evidence is None else other
        named = None if beside is None else (beside.documents.run.name, beside.evidence)
        parts |= describe_curves(measured.target, measured.evidence, named)
        parts["findings"] = measured.findings
    if other is not None:
        parts["compared"] = _describe_other(documents, other)
    return _template().render(style=_read("style.css"), **parts)


def _describe_other(documents: Documents, other: Other) -> dict[str, Any]:
    ours, theirs = documents.settings, other.documents.settings
    settings = [
        (key, _said(ours.get(key)), _said(theirs.get(key)))
        for key in sorted({*ours, *theirs})
        if ours.get(key) != theirs.get(key)
    ]
    c = other.comparison
    verdict = "They were not scored on the same images, so their metrics are not compared."
    if c is not None:
        verdict = (
            f"{c.metric} differs by {c.difference:+.4f}, {c.level:.0%} interval {c.low:+.4f} to "
            f"{c.high:+.4f} (paired bootstrap over {c.images} images)."
        )
    return {"name": other.documents.run.name, "verdict": verdict, "settings": settings}


def _said(value: Any) -> str:
    return "not set" if value is None else str(value)


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=_Absent
    )
    return environment.from_string(_read("page.html.j2"))


class _Absent(jinja2.Undefined):
    """A part the run has nothing for: its section is left out."""


def _read(name: str) -> Markup:
    """A text of the package, which needs no escaping."""
    return Markup((resources.files("edgectl.report") / "templates" / name).read_text("utf-8"))  # noqa: S704


def _require_report(target: Path) -> None:
    """``--out`` may name any file of the user's: only a report is replaced."""
    if not target.exists():
        return
    head = b""
    if target.is_file():
        with target.open("rb") as f:
            head = f.read(1024)
    if _MARK.encode() not in head:
        raise UsageError(
            "is there already, and is no report that edgectl wrote",
            where=str(target),
            fix="choose another --out, or move it away",
        )
