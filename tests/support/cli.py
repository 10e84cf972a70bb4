"""The command line as a test sees it: exit code, standard output, standard error."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from deepfactor.cli import main

#: Control characters but for the line feed.
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f\x80-\x9f]")
#: The command that pip made in this environment.
PROGRAM = Path(sys.executable).with_name("deepfactor")
SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    def json(self) -> dict[str, Any]:
        """Standard output as one strict JSON object, alone on its line."""
        assert self.code == 0, self.err
        assert self.out.count("\n") == 1, self.out
        content = strict_json(self.out)
        assert isinstance(content, dict)
        return content


def strict_json(text: str) -> Any:
    """JSON without the NaN and Infinity that Python's reader takes."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


def deepfactor(*arguments: object) -> Ended:
    """Run a command in this process, whose standard output and error are no terminal."""
    out, err = io.StringIO(), io.StringIO()
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    streams = (contextlib.redirect_stdout(out), contextlib.redirect_stderr(err))
    try:
        with streams[0], streams[1], mock.patch.object(sys, "argv", ["deepfactor", *map(str, arguments)]):
            main()
        code: object = 0
    except SystemExit as end:
        code = end.code or 0
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert isinstance(code, int), code
    return _checked(Ended(code, out.getvalue(), err.getvalue()))


def deepfactor_process(*arguments: object, cwd: Path, program: Path = PROGRAM, **more: str) -> Ended:
    """Run the installed command in a process of its own; `more` = environment."""
    return _checked(ended([str(program), *map(str, arguments)], cwd=cwd, environment=more))


def ended(command: list[str], *, cwd: Path, environment: Mapping[str, str] | None = None) -> Ended:
    """Run any command to its end."""
    done = subprocess.run(
        command, cwd=cwd, env=os.environ | dict(environment or {}), capture_output=True, text=True, check=False
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def refused(result: Ended, *named: str) -> str:
    """The message: exit 2, nothing on standard output, one line at the end of standard error, no traceback."""
    assert result.code == 2, (result.code, result.err)
    assert not result.out
    assert "Traceback" not in result.err
    *said, message = result.err.splitlines()
    assert all(re.match(r"opened market |small: \d jobs", line) for line in said), said
    assert message.startswith("deepfactor: ")
    for part in named:
        assert part in message, message
    return message


def misused(result: Ended, *named: str) -> None:
    """Wrong words on the command line: exit 2, and how to get help."""
    assert result.code == 2
    assert not result.out
    assert result.err.startswith("Usage: deepfactor")
    assert "--help" in result.err
    assert "Traceback" not in result.err
    for part in named:
        assert part in result.err.splitlines()[-1]


def _checked(result: Ended) -> Ended:
    """Without a terminal nothing but text comes out, whatever the command."""
    for text in (result.out, result.err):
        assert not CONTROL.search(text), repr(text)
    return result
