"""What ``edgectl predict`` shows people: a line an image."""

from __future__ import annotations

from edgectl.cli.session import Session
from edgectl.workflows.predict import Prediction


def say_prediction(session: Session, prediction: Prediction) -> None:
    """The image's name, and what was found in it."""
    session.say(f"{prediction.image}: {prediction.summary or 'nothing'}")
