"""What ``edgectl train`` shows people when it is done."""

from __future__ import annotations

from edgectl.cli.session import Session, plain
from edgectl.workflows.train import Run


def say_run(session: Session, run: Run) -> None:
    """Two lines: the run, and its metrics."""
    metrics = "  ".join(
        f"{k} {v:.3f}" for k, v in run.metrics.items() if isinstance(v, int | float)
    )
    session.say(
        f"[bold]{plain(str(run.path))}[/bold]: {run.epochs} epochs in {run.seconds:.1f} s, "
        f"{run.images_per_second:.0f} images/s\n  valid: {metrics}",
        markup=True,
    )
