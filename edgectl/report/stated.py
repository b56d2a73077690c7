"""The parts of the page that a run's own documents state."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgectl.artifacts.manifest import Manifest
from edgectl.report.charts import Axis, Series, bar_chart, line_chart
from edgectl.report.documents import Documents


def describe_cards(documents: Documents, boards: Sequence[str]) -> dict[str, Any]:
    """``name``, ``subtitle`` and ``cards``: the run in one look."""
    metrics, data = documents.metrics, documents.data
    what = f"{documents.family} {documents.variant}".strip()
    made = str(documents.provenance.get("created", ""))[:10]
    about = [what, f"on {data['name']}" if data.get("name") else "", made]
    cards = []
    built = [m for m in documents.artifacts if m.built]
    main = documents.main_metric
    best = documents.best.get("metrics", {})
    if main and isinstance(best.get(main), int | float):
        images = data.get("images", {}).get(metrics.get("split", "valid"))
        note = (
            f"float, on {images} images of {metrics.get('split', 'valid')}" if images else "float"
        )
        cards.append({"label": main, "value": f"{best[main]:.3f}", "note": note, "tone": ""})
    for manifest in built:
        cards.append(_export_card(manifest, main))
    if built:
        spec = built[0].preprocess
        size = f"{spec.input_size[0]} x {spec.input_size[1]}"
        names = ", ".join(built[0].classes[:4]) + ("…" if len(built[0].classes) > 4 else "")
        cards.append({"label": "input", "value": size, "note": names, "tone": ""})
    if boards:
        value = f"{len(boards)} boards" if len(boards) > 1 else boards[0]
        note = ", ".join(boards) if len(boards) > 1 else ""
        cards.append({"label": "fits", "value": value, "note": note, "tone": ""})
    return {
        "name": documents.run.name,
        "subtitle": " · ".join(p for p in about if p) or str(documents.run),
        "cards": cards,
    }


def _export_card(manifest: Manifest, main: str) -> dict[str, Any]:
    label = f"{manifest.backend} {manifest.precision}"
    size = _bytes(_loaded(manifest))
    if manifest.metrics is None:
        return {"label": label, "value": size, "note": "not scored", "tone": ""}
    value = manifest.metrics.file.metrics.get(main)
    gate = manifest.gate
    note, tone = size, ""
    if gate is not None:
        note = f"{size}; {gate.metric} {-gate.drop:+.3f} from float"
        tone = "good" if gate.passed else "bad"
    shown = f"{value:.3f}" if isinstance(value, int | float) else size
    return {"label": f"{main} of {label}", "value": shown, "note": note, "tone": tone}


def describe_hops(artifacts: Sequence[Manifest], best: dict[str, Any]) -> dict[str, Any]:
    """``hops``, ``hop_metrics``, ``fates``: float and every file that was scored, side by side."""
    hops: list[dict[str, Any]] = []
    for manifest in artifacts:
        scored = manifest.metrics
        if scored is None:
            continue
        if not hops:
            hops.append(
                _hop("float checkpoint", scored.network.metrics, scored.network.model.sha256)
            )
        label = f"{manifest.backend} {manifest.precision} ({manifest.stage})"
        hops.append(_hop(label, scored.file.metrics, scored.file.model.sha256))
    if not hops and best:
        hops.append(_hop("float checkpoint", best.get("metrics", {}), str(best.get("sha256", ""))))
    if not hops:
        return {}
    shown = [k for k, v in hops[0]["metrics"].items() if isinstance(v, int | float)]
    return {"hops": hops, "hop_metrics": shown, "fates": _fates(hops)}


def _hop(label: str, metrics: dict[str, Any], sha256: str) -> dict[str, Any]:
    return {"label": label, "metrics": metrics, "sha256": sha256}


def _fates(hops: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """How many objects each model finds, by their size for the network: where a hop loses them."""
    models = [(h["label"], h["metrics"]["errors"]) for h in hops if h["metrics"].get("errors")]
    if not models:
        return None
    rows = []
    for i, size in enumerate(models[0][1]["by_size"]):
        low, below = f"{size['from']:g}", size["below"]
        words = f"over {low} px" if below is None else f"{low} to {below:g} px"
        found = [e["by_size"][i]["found"] for _, e in models]
        rows.append({"words": words, "objects": size["objects"], "found": found})
    return {
        "labels": [label for label, _ in models],
        "rows": rows,
        "alarms": [e["false_alarms"] for _, e in models],
    }


def describe_training(documents: Documents, other: Documents | None) -> dict[str, Any]:
    """``training``: the loss, and the metric that decides, epoch by epoch; those of a second run dashed."""
    main = documents.main_metric
    runs = [("", documents.events, False)]
    if other is not None:
        runs.append((f" {other.run.name}", other.events, True))
    losses, metrics = [], []
    for suffix, entries, dashed in runs:
        epochs = [e for e in entries if e.get("event") == "epoch"]
        curves = _curves(epochs, "losses")
        if other is not None and "loss" in curves:  # the parts of two runs would hide one another
            curves = {"loss": curves["loss"]}
        losses += [Series(n + suffix, p, dashed) for n, p in curves.items()]
        points = _curves(epochs, "metrics").get(main)
        metrics += [Series(main + suffix, points, dashed)] if points else []
    charts = []
    if losses:
        svg = line_chart("Mean loss by epoch", losses, Axis("epoch"), Axis("mean loss", low=0.0))
        charts.append({"svg": svg, "caption": "Mean loss of each epoch."})
    if metrics:
        svg = line_chart(f"{main} by epoch", metrics, Axis("epoch"), Axis(main, low=0.0))
        charts.append({"svg": svg, "caption": f"{main} on the validation split."})
    return {"training": charts}


def _curves(epochs: Sequence[dict[str, Any]], key: str) -> dict[str, list[tuple[float, float]]]:
    curves: dict[str, list[tuple[float, float]]] = {}
    for event in epochs:
        for name, value in (event.get(key) or {}).items():
            if isinstance(value, int | float):
                curves.setdefault(name, []).append((float(event["epoch"]), float(value)))
    return curves


def describe_data(documents: Documents) -> dict[str, Any]:
    """``data``: splits with their fingerprints, and a sheet of training images."""
    data = documents.data
    if not data:
        return {}
    images, prints = data.get("images", {}), data.get("fingerprint", {})
    names = list(dict.fromkeys([*images, *prints]))
    splits = [{"name": n, "images": images.get(n), "fingerprint": prints.get(n, "")} for n in names]
    caption = str(data.get("name", "")) + (
        f", read from {data['path']}" if data.get("path") else ""
    )
    sheet = documents.run / "plots" / "images.png"
    return {"data": {"caption": caption, "splits": splits, "sheet": _embed(sheet)}}


def _embed(path: Path) -> str:
    if not path.is_file():
        return ""
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()


def describe_exports(artifacts: Sequence[Manifest]) -> dict[str, Any]:
    """``exports`` and ``sizes``."""
    bars = [
        (f"{m.backend} {m.precision}", float(_loaded(m)), _bytes(_loaded(m)))
        for m in artifacts
        if m.built
    ]
    return {
        "exports": [_export(m) for m in artifacts],
        "sizes": bar_chart("Bytes of each export", bars) if len(bars) > 1 else "",
    }


def _export(manifest: Manifest) -> dict[str, Any]:
    parity, gate = manifest.parity, manifest.gate
    verdict, tone = "", ""
    if gate is not None:
        word, tone = ("within", "good") if gate.passed else ("over", "bad")
        verdict = f"{gate.metric} drop {gate.drop:+.4f}, {word} the limit of {gate.limit}"
    elif not manifest.built:
        verdict = "Planned, not built: the vendor's compiler has not run."
    noise = [(name, max(0.0, db), f"{db:.1f} dB") for name, db in parity.graph.sqnr_db.items()]
    return {
        "backend": manifest.backend,
        "precision": manifest.precision,
        "verdict": verdict,
        "tone": tone,
        "remarks": manifest.remarks,
        "noise": bar_chart("Signal to quantization noise by head", noise),
        "reference": parity.reference or "",
        "runtimes": [
            {
                "name": n,
                "differing": r.differing,
                "of": r.of,
                "max_abs": r.max_abs,
                "exact": r.exact,
            }
            for n, r in parity.runtimes.items()
        ],
        "files": manifest.files,
    }


def describe_origin(documents: Documents) -> dict[str, Any]:
    """``commands``, ``facts`` and ``configuration``: enough to make it again."""
    facts = []
    for key, value in documents.provenance.items():
        if key in ("data", "command"):
            continue
        if isinstance(value, dict):
            shown = ", ".join(f"{k} {v}" for k, v in value.items() if v not in (None, [], ""))
        else:
            shown = value if isinstance(value, str) else json.dumps(value)
        if shown not in ("", "null"):
            facts.append((key.replace("_", " "), shown))
    command = documents.provenance.get("command")
    commands = []
    if isinstance(command, list) and command:
        commands.append(shlex.join([Path(str(command[0])).name, *map(str, command[1:])]))
    for m in documents.artifacts:
        verb = "qat" if m.stage == "qat" else "export"
        commands.append(f"edgectl {verb} {documents.run} --backend {m.backend}")
    return {"commands": commands, "facts": facts, "configuration": documents.configuration}


def _loaded(manifest: Manifest) -> int:
    """Bytes of what a device loads."""
    names = set(manifest.tensors.files or (manifest.model,))
    return sum(f.bytes for f in manifest.files if f.path in names)


def _bytes(count: int) -> str:
    return f"{count / 1024:,.0f} KiB" if count < 1 << 20 else f"{count / (1 << 20):,.1f} MiB"
