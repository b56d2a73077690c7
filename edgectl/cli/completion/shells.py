"""Answers a shell that asks what comes next, in the protocol of typer's completion scripts.

``edgectl --install-completion`` installs those scripts. They call the program with ``_EDGECTL_COMPLETE`` set
to ``complete_bash`` (or ``zsh``, ``fish``, ``powershell``, ``pwsh``) and the command line in variables of
their own. Typer would import every command to answer; this answers from the kept index.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

from edgectl.cli.completion.candidates import Candidate, list_candidates
from edgectl.cli.completion.kept import keep_index, read_index

VARIABLE = "_EDGECTL_COMPLETE"
_PREFIX = "complete_"


def answer() -> int:
    """Prints what may come next; returns the exit code. A fault is shown with EDGECTL_DEBUG=1 alone: a shell
    would write its traceback into the line being typed."""
    try:
        return _answer()
    except Exception:
        if os.environ.get("EDGECTL_DEBUG"):
            raise
        return 1


def _answer() -> int:
    shell = os.environ[VARIABLE].removeprefix(_PREFIX)
    words, start = _typed(shell)
    index = read_index()
    if index is None:
        index = _make_index()
    found = list_candidates(index, words, start)
    if shell == "bash" and "=" in start:
        # it cuts words at the sign, and replaces what follows it
        found = [(word.rpartition("=")[2], text) for word, text in found]
    if shell == "fish" and os.environ.get("_TYPER_COMPLETE_FISH_ACTION") == "is-args":
        return 0 if found else 1
    text = _format(shell, found)
    if text:
        sys.stdout.write(text + "\n")
    return 0


def _make_index() -> dict[str, object]:
    """The first time: what can be had without torch, and the rest is made behind the user's back."""
    from edgectl.cli.completion.index import make_index

    index = make_index(whole=False)
    try:
        keep_index(index)
        subprocess.Popen(
            [sys.executable, "-m", "edgectl.cli.completion.index"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={k: v for k, v in os.environ.items() if k != VARIABLE},
        )
    except OSError:
        return index  # nowhere to keep it: the next Tab makes it again
    return index


def _typed(shell: str) -> tuple[list[str], str]:
    """The words before the cursor without the program's name, and the one under it."""
    if shell == "bash":
        words = _split(os.environ.get("COMP_WORDS", ""))
        at = int(os.environ.get("COMP_CWORD", "0"))
        joined = _rejoin([*words[1:at], words[at] if at < len(words) else ""])
        return joined[:-1], joined[-1]
    line = os.environ.get("_TYPER_COMPLETE_ARGS", "")
    words = _split(line)[1:]
    if shell in ("powershell", "pwsh"):
        start = os.environ.get("_TYPER_COMPLETE_WORD_TO_COMPLETE", "")
        return (words[:-1] if start else words), start
    if words and not line.endswith(" "):
        return words[:-1], words[-1]
    return words, ""


def _rejoin(words: list[str]) -> list[str]:
    """``a.b = c``, as bash cuts it, to ``a.b=c``."""
    joined: list[str] = []
    for word in words:
        if joined and (word == "=" or joined[-1].endswith("=")):
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def _split(line: str) -> list[str]:
    """As a shell does, an open quotation included."""
    lexer = shlex.shlex(line, posix=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    try:
        words.extend(lexer)
    except ValueError:  # a quotation that is still being typed
        words.append(lexer.token)
    return words


def _format(shell: str, found: list[Candidate]) -> str:
    if shell == "zsh":
        if not found:
            return "_files"
        return "_arguments '*: :((" + "\n".join(_for_zsh(*c) for c in found) + "))'"
    if shell == "fish":
        return "\n".join(f"{word}\t{text}" if text else word for word, text in found)
    if shell in ("powershell", "pwsh"):
        return "\n".join(f"{word}:::{text or ' '}" for word, text in found)
    return "\n".join(word for word, _ in found)


def _for_zsh(word: str, text: str) -> str:
    def escape(s: str) -> str:
        doubled = s.replace('"', '""').replace("'", "''")
        return doubled.replace("$", "\\$").replace("`", "\\`").replace(":", r"\\:")

    return f'"{escape(word)}":"{escape(text)}"' if text else f'"{escape(word)}"'
