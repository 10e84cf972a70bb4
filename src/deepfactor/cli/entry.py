"""The command's entry: every error ends in its exit code.

0 done; 2 wrong use, recipe or data; 3 stopped or out of resources, can be resumed; 1 a fault of ours.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from functools import cache
from types import FrameType
from typing import Any

from deepfactor.cli._words import not_utf8, words_are_utf8
from deepfactor.cli.language import asked, language, speaking, spoken
from deepfactor.core.errors import DeepfactorError, Interrupted
from deepfactor.core.system import RESOURCES, USERS, out_of_memory, system_error


def main() -> None:
    """Run the command line; every error ends in its exit code."""
    _open_streams()
    words_are_utf8()
    with speaking(asked(sys.argv[1:], os.environ)):
        sys.exit(_ended())


def _ended() -> int:
    if (word := not_utf8(sys.argv)) is not None:
        return _said(f"{word!r} is no UTF-8: rename the file or folder", 2)
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _stop)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})  # held back by who started this
        code = _verb()
        sys.stdout.flush()
    except BaseException as error:
        code = _code(error)
    return code


def _verb() -> int:
    """What the words of the command line ask for; the exit code. Wrong words end in 2 and say how to get help."""
    import typer  # here and below: importing takes half a second, in which Ctrl-C is no fault either

    try:
        with _command().make_context("deepfactor", sys.argv[1:]) as context:
            context.command.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    except Exception as error:
        # Click's error, which typer brings along under a name of its own in some versions.
        if (show := getattr(error, "show", None)) is None:
            raise
        _show_usage(error) if language() == "zh" else show()
        return int(getattr(error, "exit_code", 2))
    return 0


def _show_usage(error: Any) -> None:
    """Wrong words, in Chinese; no words at all are asking for help, which is what that error says."""
    from deepfactor.cli.helping import usage_error

    asks_for_help = type(error).__name__ == "NoArgsIsHelpError"
    print(error.format_message() if asks_for_help else usage_error(error), file=sys.stderr, flush=True)


@cache
def _command() -> Any:
    """The verbs as a command; it keeps nothing from one call to the next."""
    import typer

    from deepfactor.cli.verbs import app

    return typer.main.get_command(app)


def _code(error: BaseException) -> int:
    """Say what ended the command; its exit code."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(bool(error.code))
    if isinstance(error, BrokenPipeError):  # nobody listens any more, as behind `| head`
        _leave_streams()
        return Interrupted.exit_code
    if isinstance(error, KeyboardInterrupt):
        return _said("stopped; the same command goes on from where it was", Interrupted.exit_code)
    if isinstance(error, DeepfactorError):
        if error.exit_code == 1:
            traceback.print_exc()
        return _said(str(error), error.exit_code)
    if out_of_memory(error):
        return _said("out of memory: take fewer workers, a smaller network or a smaller market", 3)
    number, words = system_error(error) or (0, "")
    if number in RESOURCES:
        return _said(f"{words}: mend that and repeat the command", 3)
    if number in USERS:
        return _said(words, 2)
    traceback.print_exception(error)
    return _said("a fault of ours; please report it with the lines above", 1)


def _said(text: str, code: int) -> int:
    try:
        print(f"deepfactor: {spoken(text)}", file=sys.stderr, flush=True)
    except OSError:  # standard error is closed or full: the exit code says it
        _leave_streams()
    return code


def _open_streams() -> None:
    """Standard output and error that can always be written: closed ones swallow."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))


def _leave_streams() -> None:
    """Let what is still to be written go nowhere, so that Python doesn't complain at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(nowhere, stream.fileno())


def _stop(number: int, frame: FrameType | None) -> None:
    raise Interrupted(f"stopped by {signal.Signals(number).name}; the same command goes on from where it was")
