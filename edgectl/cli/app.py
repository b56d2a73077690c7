"""The ``edgectl`` program: the command table, and the one place where errors become exit codes.

Commands are modules imported when they are used; ``--help`` reads the table alone, so it loads neither torch
nor a plugin's heavy modules. Completion has an index of its own (:mod:`edgectl.cli.completion`).
"""

from __future__ import annotations

import contextlib
import difflib
import errno
import importlib
import io
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from edgectl import __version__
from edgectl.cli.argv import hoist_flags, join_sizes
from edgectl.cli.endings import end_soon, occupy_standard_streams
from edgectl.cli.session import SILENCED, Session
from edgectl.cli.signals import INTERRUPTED, exit_on_signals, interrupt_on_signals, undisturbed
from edgectl.errors import EdgectlError, UsageError
from edgectl.workflows.opening.context import is_offline_by_environment

EPILOG = (
    "Exit codes: 0 done · 1 run-time failure · 2 usage or configuration · 3 missing dependency, tool "
    "or device · 4 gate failed · 5 data or artifact invalid · 6 plugin error · 130 interrupted."
    "\n\nEvery command takes --json (one document on stdout), --offline and --debug."
)

COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("edgectl.cli.commands.init", "Write a commented edgectl.toml to start from."),
    "data": ("edgectl.cli.commands.data.app", "List, describe, check and convert data sets."),
    "train": ("edgectl.cli.commands.train", "Train a model family on labelled images."),
    "eval": ("edgectl.cli.commands.eval", "Score a checkpoint or an exported file."),
    "predict": ("edgectl.cli.commands.predict", "Run a model on images of your own."),
    "export": ("edgectl.cli.commands.export", "Write the file that ships, and prove it."),
    "quantize": (
        "edgectl.cli.commands.networks.quantize",
        "Write a network of another program in integers, and prove it.",
    ),
    "check": (
        "edgectl.cli.commands.networks.check",
        "Every operation of a network: runs, rewritten, cut, refused.",
    ),
    "quant": ("edgectl.cli.commands.quant", "Which tensor costs what in integers."),
    "qat": ("edgectl.cli.commands.qat", "Train in the backend's integer arithmetic, then export."),
    "bench": (
        "edgectl.cli.commands.bench",
        "Latency, size, memory and metric of files, one table.",
    ),
    "deploy": ("edgectl.cli.commands.deploy", "Everything a board needs, golden vectors included."),
    "profile": (
        "edgectl.cli.commands.profile",
        "Parameters, MACs, memory and traffic, layer by layer.",
    ),
    "runs": ("edgectl.cli.commands.runs", "What was trained: list, show, compare, clean."),
    "report": ("edgectl.cli.commands.report", "One self-contained HTML page about a run."),
    "demo": ("edgectl.cli.commands.demo", "The whole line on a generated data set, offline."),
    "models": ("edgectl.cli.commands.models", "Model families and variants installed here."),
    "boards": ("edgectl.cli.commands.boards", "Devices the installed backends know."),
    "plugins": ("edgectl.cli.commands.plugins", "What is plugged in, and in what state."),
    "tools": ("edgectl.cli.commands.tools", "Compilers of vendors, each in its own environment."),
    "trust": ("edgectl.cli.commands.trust", "Let a project's edgectl.toml name programs."),
    "doctor": (
        "edgectl.cli.commands.doctor",
        "What is installed, what is missing, and the remedy.",
    ),
}


class LazyGroup(TyperGroup):
    """Knows its commands by name and summary; imports one when it is invoked."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The table's order, then commands of plugins."""
        return [*COMMANDS, *sorted(_plugin_commands())]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A placeholder with the summary while the top-level help is being made."""
        known = {**_plugin_commands(), **COMMANDS}
        if cmd_name not in known:
            near = difflib.get_close_matches(cmd_name, list(known), n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            ctx.fail(f"No such command '{cmd_name}'.{hint}")
        entry, summary = known[cmd_name]
        if ctx.resilient_parsing or ctx.meta.get("edgectl.help"):
            return TyperCommand(cmd_name, callback=None, help=summary)
        if cmd_name in COMMANDS:
            app = importlib.import_module(entry).app
        else:
            from edgectl.plugins.registry import load_object

            app = load_object(entry, cmd_name)
        command = typer.main.get_command(app)
        command.name = cmd_name
        if ctx.find_root().obj.json:
            command.no_args_is_help = False
        return command

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Marks the context, so that listing commands imports none of them."""
        ctx.meta["edgectl.help"] = True
        super().format_help(ctx, formatter)


def _plugin_commands() -> dict[str, tuple[str, str]]:
    from edgectl.plugins.manager import get_manager

    found = get_manager().collect("edgectl_register_commands")
    return {c.name: (c.entry, c.summary) for _, c in found if c.name not in COMMANDS}


START = """edgectl {version}: from labelled images to a verified int8 model on the chip.

  edgectl demo                           the whole line on drawn images, offline, two minutes
  edgectl train fomo --data coco_mask    train on a known set, a folder or a label file
  edgectl eval                           score what was trained last
  edgectl export --backend tflite        write the file that ships, and prove it
  edgectl deploy --target BOARD          everything the board needs ('edgectl boards' lists them)

  edgectl --help                         every command; COMMAND --help says more
  edgectl doctor                         what is missing on this machine
  edgectl --install-completion           Tab completes commands, options and names
"""

root = typer.Typer(
    name="edgectl",
    cls=LazyGroup,
    invoke_without_command=True,
    epilog=EPILOG,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"edgectl {__version__}")
        raise typer.Exit


@root.callback()
def _options(
    ctx: typer.Context,
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version and exit."
    ),
    json: bool = typer.Option(False, "--json", help="One JSON document on stdout."),
    offline: bool = typer.Option(False, "--offline", help="No network (EDGECTL_OFFLINE=1)."),
    debug: bool = typer.Option(False, "--debug", help="Show tracebacks."),
) -> None:
    """From labelled images to a verified int8 model on the chip.

    edgectl train fomo --data coco_mask && edgectl export --backend tflite && edgectl eval
    """
    session: Session = ctx.obj
    session.command = ctx.invoked_subcommand or ""
    if ctx.invoked_subcommand is None:
        if session.json:
            raise UsageError("no command is named", fix="edgectl --help")
        typer.echo(START.format(version=__version__), nl=False)
    if version or json or offline or debug:  # taken out of argv before parsing; here for --help
        raise AssertionError("global flags are hoisted before parsing")


def run(argv: Sequence[str]) -> int:
    """Runs one command line and returns its exit code. Prints everything there is to print."""
    words, flags = hoist_flags(argv)
    session = Session(
        json="--json" in flags,
        debug="--debug" in flags,
        offline="--offline" in flags or is_offline_by_environment(),
        silent=os.environ.get(SILENCED) == "1",
    )
    if session.offline:
        os.environ["EDGECTL_OFFLINE"] = "1"  # for libraries and worker processes
    session.command = next((w for w in words if not w.startswith("-")), "")
    try:
        return _run(session, words)
    except KeyboardInterrupt as e:
        with undisturbed():
            return _report(session, e)


def _run(session: Session, words: list[str]) -> int:
    # what people asked to read they get where they look for it
    document = session.json and not {"--help", "--version"} & set(words)
    try:
        command = typer.main.get_command(root)
        # plugins and libraries print as they please; the document stands alone
        with contextlib.redirect_stdout(sys.stderr) if document else contextlib.nullcontext():
            outcome = command.main(
                join_sizes(words), prog_name="edgectl", standalone_mode=False, obj=session
            )
        if outcome == INTERRUPTED:  # how typer passes Ctrl-C on
            raise KeyboardInterrupt
    except Exception as e:  # noqa: BLE001 - the one place where errors become text
        return _report(session, e)
    except SystemExit as e:
        # Rich's answer to a reader that has gone
        if not isinstance(e.__context__, BrokenPipeError):
            raise
        return _report(session, e.__context__)
    return _deliver(session, None, 0) if document and session.json else 0


def _report(session: Session, error: BaseException) -> int:
    message, fix, code, status = explain(error)
    if session.debug:
        traceback.print_exception(error)
    if message:
        with contextlib.suppress(OSError):  # nowhere left to say it; the exit code still does
            session.fail(message, fix)
    if session.json and status:
        document = {"code": code, "exit": status, "message": message, "fix": fix}
        return _deliver(session, document, status)
    return status


def _deliver(session: Session, error: dict[str, Any] | None, status: int) -> int:
    """Prints the document and returns the exit code: 1 where a success could not be told."""
    try:
        session.print_document(error)
    except BrokenPipeError:
        _silence_stdout()
    except OSError as e:
        _silence_stdout()
        with contextlib.suppress(OSError):
            session.fail(f"the JSON document could not be written: {e.strerror}", None)
        return status or 1
    return status


def _silence_stdout() -> None:
    """What is left in its buffer must not raise once more when the interpreter ends."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


_OS_FIXES = {
    **dict.fromkeys(
        (errno.EACCES, errno.EPERM, errno.EROFS),
        "choose a directory you may write to, with --out or by running edgectl there",
    ),
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "free disk space"),
}


def explain(error: BaseException) -> tuple[str, str | None, str, int]:
    """(message, fix, stable code, exit code)."""
    if isinstance(error, EdgectlError):
        return str(error), error.fix, error.code, error.exit_code
    if isinstance(error, typer.Exit):
        return "", None, "E-EXIT", error.exit_code
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return "interrupted", None, "E-INTERRUPTED", 130
    if isinstance(error, BrokenPipeError):
        # the reader has gone (for example `| head`): not a failure, and nobody to tell
        _silence_stdout()
        return "", None, "E-PIPE", 0
    usage = typer.BadParameter.__mro__[1]
    if isinstance(error, usage):
        text = getattr(error, "format_message", lambda: str(error))()
        help_words = getattr(getattr(error, "ctx", None), "command_path", "edgectl")
        return text, f"{help_words} --help", "E-USAGE", 2
    if is_out_of_memory(error):
        return (
            "not enough memory",
            'a smaller --batch or --imgsz, data.cache = "none", or fewer programs beside it',
            "E-MEMORY",
            1,
        )
    if isinstance(error, OSError):
        text = f"{error.filename or ''}: {error.strerror or error}".lstrip(": ")
        return text, _OS_FIXES.get(error.errno or 0), "E-OS", 1
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text, "run again with --debug for the traceback", "E-INTERNAL", 1


_MEMORY_WORDS = (
    "can't start new thread",
    "can't allocate memory",
    "cannot allocate memory",
    "out of memory",
    "insufficient memory",
    "bad_alloc",
    "failed to allocate",
)
"""How torch, OpenCV, CUDA and Python's threads say it; only the last two have exceptions of their own."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the system had no more, in whichever library it showed."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    foreign = type(error).__module__.split(".")[0] in ("builtins", "torch", "cv2")
    said = str(error).lower()
    return isinstance(error, MemoryError) or (foreign and any(w in said for w in _MEMORY_WORDS))


def main() -> None:
    """Entry point."""
    occupy_standard_streams()
    for stream in (sys.stdout, sys.stderr):
        # a terminal without UTF-8 shows question marks in place of dashes and dots
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    interrupt_on_signals()
    status = run(sys.argv[1:])
    exit_on_signals()
    end_soon(status)
    sys.exit(status)
