"""What ``edgectl train`` shows people when it is done."""

from __future__ import annotations

from edgectl.cli.session import Session, plain
from edgectl.workflows.train import Run


def say_run(session: Session, run: Run) -> None:
    """The run, its metrics on *valid*, and the figure it was chosen by."""
    metrics = "  ".join(
        f"{k} {v:.3f}" for k, v in run.metrics.items() if isinstance(v, int | float)
    )
    session.say(
        f"[bold]{plain(str(run.path))}[/bold]: {run.epochs} epochs in {run.seconds:.1f} s, "
        f"{run.images_per_second:.0f} images/s\n  valid: {metrics or 'not scored'}",
        markup=True,
    )
    if run.holdout is not None:
        session.say(f"  held back: {run.holdout['score']:.3f} ({run.holdout['chosen_on']})")
