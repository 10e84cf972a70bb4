"""The command's entry: every error ends in its exit code.

0 done; 2 wrong use, recipe or data; 3 stopped or out of resources, can be resumed; 1 a fault of ours.
"""

from __future__ import annotations

import errno
import signal
import sys
import traceback
from types import FrameType

from deepfactor.cli._words import not_utf8, words_are_utf8
from deepfactor.cli.verbs import app
from deepfactor.core.errors import DeepfactorError, Interrupted


def main() -> None:
    """Run the command line; every error ends in its exit code."""
    words_are_utf8()
    if (word := not_utf8(sys.argv)) is not None:
        print(f"deepfactor: {word!r} is no UTF-8: rename the file or folder", file=sys.stderr)
        sys.exit(2)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        app(prog_name="deepfactor")
    except DeepfactorError as error:
        if error.exit_code == 1:
            traceback.print_exc()
        print(f"deepfactor: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        sys.exit(_disk_trouble(error))
    except MemoryError:
        print("deepfactor: out of memory: take fewer workers, or a smaller market", file=sys.stderr)
        sys.exit(3)
    except Exception:
        sys.exit(_our_fault())


def _our_fault() -> int:
    traceback.print_exc()
    print("deepfactor: a fault of ours; please report it with the lines above", file=sys.stderr)
    return 1


def _disk_trouble(error: OSError) -> int:
    """The exit code of a path that can't be used (the user's to mend) or of a full disk; anything else is our fault."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    if not full and error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENOTDIR):
        return _our_fault()
    place = f"{error.filename}: " if error.filename else ""
    print(f"deepfactor: {place}{error.strerror}", file=sys.stderr)
    return 3 if full else 2


def _stop(number: int, frame: FrameType | None) -> None:
    raise Interrupted(f"stopped by {signal.Signals(number).name}; the same command goes on from where it was")
