"""The one error tree. Only ``cli/app.py`` turns it into a line of text and an exit code.

EdgectlError                      1  a run-time failure
├── UsageError                    2  wrong words on the command line
│   ├── ConfigError               2  a configuration key or value
│   └── UnknownNameError          2  a family, backend, data set, ... nobody offers
├── UnsupportedOpError            2  a network the op set cannot express: change the model configuration
├── DependencyError               3  a missing package, tool or device
│   └── BackendUnavailableError   3  a backend whose vendor tool is absent
├── GateFailedError               4  accuracy, size or parity out of bounds
├── DataError                     5  images, labels
├── ArtifactError                 5  checkpoints, weights, exported files
├── PluginError                   6  a plugin that cannot be loaded or breaks its contract
└── InterruptedRunError         130  Ctrl-C, with a checkpoint written
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class EdgectlError(Exception):
    """What went wrong, where, and what to do about it.

    Args:
        message: one sentence for a person, without a trailing newline.
        where: file, ``file:line`` or configuration key the message is about.
        fix: the remedy, preferably a command that can be pasted.

    Attributes:
        result: what there is all the same, as the workflow would have returned it: the scores whose
            gate failed, a plan whose compiler is absent. None where there is nothing.
    """

    exit_code = 1
    code = "E-RUN"
    result: Any = None

    def __init__(self, message: str, *, where: str | None = None, fix: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class UsageError(EdgectlError):
    """Wrong words on the command line."""

    exit_code = 2
    code = "E-USAGE"


class ConfigError(UsageError):
    """A configuration key or value."""

    code = "E-CONFIG"


class UnknownNameError(UsageError):
    """A name nobody offers; carries the nearest known names as the remedy."""

    code = "E-NAME"

    def __init__(
        self, kind: str, name: str, known: Iterable[str], *, where: str | None = None
    ) -> None:
        self.name = name
        known = sorted(known)
        near = difflib.get_close_matches(name, known, n=2)
        if near:
            fix = "did you mean " + " or ".join(f"'{n}'" for n in near) + "?"
        elif known:
            fix = "known: " + ", ".join(known)
        else:
            fix = f"no {kind} is installed; see 'edgectl plugins list'"
        super().__init__(f"unknown {kind} '{name}'", where=where, fix=fix)


class UnsupportedOpError(EdgectlError):
    """A module whose arithmetic cannot be quantized; ``where`` is its path, ``fix`` the replacement.

    Exit code 2: the model configuration chose the operation, and another choice is the remedy.
    """

    exit_code = 2
    code = "E-OP"


class DependencyError(EdgectlError):
    """A missing package, tool or device."""

    exit_code = 3
    code = "E-DEPENDENCY"


class BackendUnavailableError(DependencyError):
    """A backend or runtime whose tool is absent."""

    code = "E-BACKEND"


class GateFailedError(EdgectlError):
    """Accuracy, size or parity out of bounds."""

    exit_code = 4
    code = "E-GATE"


class DataError(EdgectlError):
    """Images or labels."""

    exit_code = 5
    code = "E-DATA"


class ArtifactError(EdgectlError):
    """Checkpoints, weights, exported files."""

    exit_code = 5
    code = "E-ARTIFACT"


class PluginError(EdgectlError):
    """A plugin that cannot be loaded or breaks its contract."""

    exit_code = 6
    code = "E-PLUGIN"


class Interruption(KeyboardInterrupt):
    """Ctrl-C, SIGTERM or a closed terminal; a plain KeyboardInterrupt may be a plugin's own doing."""


class InterruptedRunError(EdgectlError):
    """Ctrl-C or SIGTERM, with a checkpoint written."""

    exit_code = 130
    code = "E-INTERRUPTED"
