"""One self-contained HTML page about a run: figures at every hop, curves, how the file was made."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from edgectl.artifacts.artifact import read_manifest
from edgectl.artifacts.manifest import Manifest
from edgectl.errors import DataError, UsageError
from edgectl.files import MANIFEST, find_artifacts, write_text

_MARK = "<title>edgectl · "
"""Every report has it near its beginning."""
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; } h2 { font-size: 1.1rem; margin-top: 2rem; }
p.sub { opacity: .7; margin-top: .2rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); }
th { font-weight: 600; background: var(--soft); }
td.n, th.n { text-align: right; } .ok { color: #2a7d3b; } .bad { color: #c22; }
code { font-size: .85em; overflow-wrap: anywhere; } img { max-width: 100%; background: #fff; }
"""


def write_report(run: Path, out: Path | None = None) -> Path:
    """Writes ``report.html`` into the run directory (or to ``out``) and returns its path.

    Raises:
        DataError: the directory is not a run.
        ArtifactError: a manifest that cannot be read.
        UsageError: something else than a report is in its place.
        EdgectlError: it cannot be written; what was there is as it was.
    """
    metrics = _json(run / "metrics.json")
    provenance = _json(run / "provenance.json")
    if not metrics and not provenance:
        raise DataError(
            "not a run directory: neither metrics.json nor provenance.json",
            where=str(run),
            fix="name a run, for example runs/train/fomo-001",
        )
    artifacts = [read_manifest(p / MANIFEST) for p in find_artifacts(run)]
    sections = [
        f"<h1>{html.escape(run.name)}</h1>",
        f'<p class="sub">{html.escape(_subtitle(run, metrics, provenance))}</p>',
        _hops(metrics, artifacts),
        _fates(artifacts),
        *(_artifact(m) for m in artifacts),
        _images(sorted((run / "plots").glob("*.png"))),
        _facts("How it was made", provenance),
        _text("Configuration", run / "config.resolved.toml"),
    ]
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"{_MARK}{html.escape(run.name)}</title><style>{_STYLE}</style></head>"
        f"<body>{''.join(sections)}</body></html>\n"
    )
    target = out or run / "report.html"
    _require_report(target)
    write_text(target, page)
    return target


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


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as e:
        raise DataError(f"not JSON: {e}", where=str(path), fix="the run is damaged") from e
    return value if isinstance(value, dict) else {}


def _subtitle(run: Path, metrics: dict[str, Any], provenance: dict[str, Any]) -> str:
    parts = [str(metrics[k]) for k in ("family", "variant") if k in metrics]
    data = provenance.get("data")
    if isinstance(data, dict) and "name" in data:
        parts.append(f"on {data['name']}")
    return " ".join(parts) or str(run)


def _hops(metrics: dict[str, Any], artifacts: Sequence[Manifest]) -> str:
    """float → file for every artifact that was scored: the promise, in one table."""
    rows: list[tuple[str, dict[str, Any], str]] = []
    for manifest in artifacts:
        scored = manifest.metrics
        if scored is None:
            continue
        if not rows:
            float_report = scored.network
            rows.append(("float checkpoint", float_report.metrics, float_report.model.sha256))
        label = f"{manifest.backend} {manifest.precision} ({manifest.stage})"
        rows.append((label, scored.file.metrics, scored.file.model.sha256))
    if not rows and isinstance(metrics.get("best"), dict):
        best = metrics["best"]
        rows.append(("float checkpoint", best.get("metrics", {}), str(best.get("sha256", ""))))
    if not rows:
        return ""
    head = "".join(f'<th class="n">{html.escape(label)}</th>' for label, _, _ in rows)
    body = "".join(
        f"<tr><td>{html.escape(name)}</td>"
        + "".join(f'<td class="n">{_number(values.get(name))}</td>' for _, values, _ in rows)
        + "</tr>"
        for name, value in rows[0][1].items()
        if isinstance(value, int | float)
    )
    digests = "".join(f'<td class="n"><code>{html.escape(d[:12])}</code></td>' for *_, d in rows)
    return (
        f"<h2>Every hop, measured</h2><table><tr><th></th>{head}</tr>{body}"
        f"<tr><td>sha256 of what was scored</td>{digests}</tr></table>"
    )


def _fates(artifacts: Sequence[Manifest]) -> str:
    """How many objects each model finds, by their size for the network: where a hop loses them."""
    models: list[tuple[str, dict[str, Any]]] = []
    for manifest in artifacts:
        scored = manifest.metrics
        if scored is None:
            continue
        file = f"{manifest.backend} {manifest.precision}"
        for label, report in (("float", scored.network), (file, scored.file)):
            errors = report.metrics.get("errors")
            if errors and (label != "float" or not models):
                models.append((label, errors))
    if not models:
        return ""
    head = "".join(f'<th class="n">{html.escape(label)}</th>' for label, _ in models)
    body = ""
    for i, size in enumerate(models[0][1]["by_size"]):
        low, below = f"{size['from']:g}", size["below"]
        words = f"over {low} px" if below is None else f"{low} to {below:g} px"
        cells = "".join(f'<td class="n">{e["by_size"][i]["found"]}</td>' for _, e in models)
        body += f'<tr><td>{words}</td><td class="n">{size["objects"]}</td>{cells}</tr>'
    alarms = "".join(f'<td class="n">{e["false_alarms"]}</td>' for _, e in models)
    return (
        "<h2>Objects found, by their size in the network's input</h2><table>"
        f'<tr><th>longer side</th><th class="n">objects</th>{head}</tr>{body}'
        f'<tr><td>boxes on nothing</td><td class="n"></td>{alarms}</tr></table>'
        '<p class="sub">each at the score where its own F1 is highest</p>'
    )


def _artifact(manifest: Manifest) -> str:
    parity = manifest.parity
    rows = "".join(
        f"<tr><td>{html.escape(name)}</td>"
        f'<td class="n {"ok" if r.differing == 0 else ""}">{r.differing} of {r.of}</td>'
        f'<td class="n">{_number(r.max_abs)}</td><td>{"must be 0" if r.exact else ""}</td></tr>'
        for name, r in parity.runtimes.items()
    )
    files = "".join(
        f'<tr><td>{html.escape(f.path)}</td><td class="n">{f.bytes:,}</td>'
        f"<td><code>{html.escape(f.sha256)}</code></td></tr>"
        for f in manifest.files
    )
    gate = manifest.gate
    verdict = ""
    if gate:
        word, css = ("within", "ok") if gate.passed else ("over", "bad")
        verdict = (
            f'<p class="{css}">{html.escape(gate.metric)} drop {gate.drop:+.4f}, '
            f"{word} the limit of {gate.limit}</p>"
        )
    noise = parity.graph.sqnr_db
    heads = ", ".join(f"{html.escape(k)} {v} dB" for k, v in noise.items())
    return (
        f"<h2>{html.escape(manifest.backend)} {html.escape(manifest.precision)}</h2>{verdict}"
        + (f"<p>Quantization noise at the raw heads (SQNR): {heads}</p>" if heads else "")
        + f'<table><tr><th>runtime</th><th class="n">elements differing from '
        f'{html.escape(parity.reference or "")}</th><th class="n">largest difference</th>'
        f"<th></th></tr>{rows}</table>"
        f'<table><tr><th>file</th><th class="n">bytes</th><th>sha256</th></tr>{files}</table>'
    )


def _images(paths: Iterable[Path]) -> str:
    images = "".join(
        f'<img alt="{html.escape(p.stem)}" '
        f'src="data:image/png;base64,{base64.b64encode(p.read_bytes()).decode()}">'
        for p in paths
    )
    return f"<h2>Curves</h2>{images}" if images else ""


def _facts(title: str, facts: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(k)}</td><td><code>"
        f"{html.escape(v if isinstance(v, str) else json.dumps(v))}</code></td></tr>"
        for k, v in facts.items()
    )
    return f"<h2>{html.escape(title)}</h2><table>{rows}</table>" if rows else ""


def _text(title: str, path: Path) -> str:
    if not path.is_file():
        return ""
    text = html.escape(path.read_text(encoding="utf-8"))
    return f"<h2>{html.escape(title)}</h2><pre><code>{text}</code></pre>"


def _number(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
