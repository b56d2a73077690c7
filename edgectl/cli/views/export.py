"""What ``edgectl export`` and ``edgectl qat`` show people: files, parity, metrics."""

from __future__ import annotations

from edgectl.artifacts.artifact import Artifact
from edgectl.cli.session import Session, plain


def say_artifact(session: Session, artifact: Artifact) -> None:
    """Files, parity and figures for people."""
    manifest = artifact.manifest
    state = "" if manifest.built else f"  [yellow]{manifest.status}[/yellow]"
    session.say(f"[bold]{plain(str(artifact.directory))}[/bold]{state}", markup=True)
    inside: dict[str, list[int]] = {}
    for f in manifest.files:
        folder, slash, _ = f.path.partition("/")
        if slash:
            inside.setdefault(folder, []).append(f.bytes)
        else:
            session.say(f"  {f.path}  {f.bytes:,} bytes  sha256 {f.sha256[:12]}")
    for folder, sizes in inside.items():
        session.say(f"  {folder}/  {len(sizes)} files, {sum(sizes):,} bytes")
    parity = manifest.parity
    heads = parity.graph.sqnr_db
    if heads:
        session.say("  quantization noise: " + ", ".join(f"{k} {v} dB" for k, v in heads.items()))
    for name, r in parity.runtimes.items():
        if heads and r.sqnr_db:
            figures = ", ".join(f"{k} {v} dB" for k, v in r.sqnr_db.items())
            session.say(f"  the file on {name}: {figures}")
        if not heads and r.heads_max_abs is not None:
            session.say(f"  {name} against the network: at most {r.heads_max_abs:.2g} apart")
        elif name != parity.reference:
            session.say(
                f"  {name} against {parity.reference}: {r.differing} of {r.of} elements differ"
            )
    for name, reason in parity.absent.items():
        session.warn(f"not judged by {name}: {reason}")
    gate, scored = manifest.gate, manifest.metrics
    if gate is not None and scored is not None:
        before, after = (r.metrics[gate.metric] for r in (scored.network, scored.file))
        runtime = scored.file.model.runtime
        session.say(f"  {gate.metric}: float {before:.4f} → file {after:.4f} on {runtime}")
        exact = [name for name, r in parity.runtimes.items() if r.exact]
        if exact and runtime not in exact:
            session.say(
                f"  as the device computes: edgectl eval {artifact.directory} --runtime {exact[0]}"
            )
