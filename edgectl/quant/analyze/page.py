"""An analysis as one self-contained HTML page."""

from __future__ import annotations

import html
import math

from edgectl.quant.analyze.findings import Analysis, Finding
from edgectl.quant.graph.quant_graph import QuantGraph

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; } h2 { font-size: 1.1rem; margin-top: 2rem; }
p.sub { opacity: .7; margin-top: .2rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .5rem; border-bottom: 1px solid var(--line); }
th { background: var(--soft); } td.n, th.n { text-align: right; white-space: nowrap; }
td.bar { background: linear-gradient(90deg, #d336 var(--w), #0000 var(--w)); }
.graph { display: flex; flex-wrap: wrap; gap: 2px; }
.graph span { width: 1.1rem; height: 1.1rem; border-radius: 3px; border: 1px solid var(--line); }
code { font-size: .85em; overflow-wrap: anywhere; }
"""


def render_page(title: str, analysis: Analysis, graph: QuantGraph) -> str:
    """The page's text. Nothing in it is fetched from elsewhere."""
    return "\n".join(
        (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f"<title>edgectl · {html.escape(title)}</title><style>{_STYLE}</style></head><body>",
            f"<h1>{html.escape(title)}</h1>",
            f'<p class="sub">What rounding costs at the heads, measured on {analysis.images} images:'
            f" activations alone {analysis.activations:.3g}, weights alone {analysis.weights:.3g},"
            f" both {analysis.both:.3g} (0 is the float network).</p>",
            "<h2>The network, in order</h2>",
            "<p>A square a tensor; the redder, the more it costs by itself. Point at one for its name.</p>",
            _drawn(analysis, graph),
            "<h2>Tensors, worst first</h2>",
            "<table><tr><th>tensor</th><th class=n>share</th><th class=n>SQNR, dB</th>"
            "<th class=n>clipped</th><th class=n>range used</th><th class=n>noise so far</th>"
            "<th>what ails it</th></tr>",
            *(_row(t) for t in analysis.tensors),
            "</table></body></html>",
        )
    )


def _drawn(analysis: Analysis, graph: QuantGraph) -> str:
    found = {t.name: t for t in analysis.tensors}
    worst = max((t.share for t in analysis.tensors), default=1.0) or 1.0
    cells = []
    for node in graph:
        if node.name in found:
            t = found[node.name]
            alpha = math.sqrt(max(0.0, t.share) / worst)
            words = html.escape(f"{t.words}: {t.share:.1%}", quote=True)
            cells.append(
                f'<span title="{words}" style="background:rgb(210 40 40/{alpha:.2f})"></span>'
            )
    return f'<div class="graph">{"".join(cells)}</div>'


def _row(t: Finding) -> str:
    return (
        f"<tr><td>{html.escape(t.words)}<br><code>{html.escape(t.name)}</code></td>"
        f'<td class="n bar" style="--w:{min(t.share, 1.0):.1%}">{t.share:.1%}</td>'
        f'<td class="n">{t.sqnr_db:.1f}</td><td class="n">{t.saturation:.2%}</td>'
        f'<td class="n">{t.used:.0%}</td><td class="n">{t.cumulative:.3g}</td>'
        f"<td>{html.escape('; '.join(t.reasons))}</td></tr>"
    )
