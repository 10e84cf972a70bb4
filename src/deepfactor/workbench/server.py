"""The workbench served: a socket on this machine alone, and the link that lets a browser in."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from deepfactor.core.errors import DataError, Interrupted, UserError
from deepfactor.store.folder import MarketFolder
from deepfactor.workbench.app import application
from deepfactor.workbench.guard import Pass
from deepfactor.workbench.pages import Press
from deepfactor.workbench.shelf import Shelf

#: No other machine reaches it.
HOST = "127.0.0.1"
PORT = 8765
#: Requests at once; one more is told to come back (503).
MOST_AT_ONCE = 200


def serve(
    runs: Path,
    market: Path,
    tell: Callable[[Pass], None],
    *,
    port: int = PORT,
    write: bool = False,
    language: str = "en",
    chinese: Callable[[str], str] = str,
) -> None:
    """Serve a runs folder and a market until stopped; `tell` gets the link when it can be opened.

    Parameters
    ----------
    port : 0 = any free one
    write : runs may be started and stopped
    chinese : the Chinese of an error

    Raises
    ------
    DataError
        no such folder, or no market there.
    UserError
        the port is in use.
    """
    if not runs.is_dir():
        raise DataError("is no folder: give the one that was --out of deepfactor run", file=runs)
    MarketFolder.open(market)
    with listening(port) as bound:
        allowed = Pass.new(int(bound.getsockname()[1]))
        press = Press(allowed.form_token, write, language, chinese)
        served = server(application(Shelf(runs, market), allowed, press))
        tell(allowed)
        try:
            served.run(sockets=[bound])
        except Interrupted:
            return  # to be stopped is how it ends


def server(app: ASGIApp) -> uvicorn.Server:
    """What answers; nothing of it is logged but faults, since the link holds the token."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            limit_concurrency=MOST_AT_ONCE,
            timeout_graceful_shutdown=3,
        )
    )


def listening(port: int) -> socket.socket:
    """A socket that this machine alone reaches; a `UserError` where the port can't be had."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((HOST, port))
        bound.listen(128)
    except (OSError, OverflowError) as error:
        bound.close()
        if isinstance(error, OverflowError) or error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise UserError(
                f"--port {port} can't be had ({error}): give another one, or 0 for any that is free"
            ) from None
        raise
    return bound
