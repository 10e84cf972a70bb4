"""A PostgreSQL server of a test's own, from Debian's package, on a free port of the loopback."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PASSWORD = "a-s3cret:pass/word"


@dataclass(frozen=True)
class Postgres:
    """A running server: user ``reader`` with `PASSWORD`, database ``postgres``."""

    port: int

    def url(self, password: str) -> str:
        """As SQLAlchemy wants it; `password` quoted for a URL."""
        return f"postgresql+psycopg://reader:{password}@127.0.0.1:{self.port}/postgres"


def programs() -> Path | None:
    """The folder of initdb and pg_ctl of the newest version installed; None = none is."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    return folders[-1] if folders and (folders[-1] / "initdb").is_file() else None


@contextmanager
def running(bin_folder: Path) -> Iterator[Postgres]:
    """A fresh server, ended and removed on leaving. It refuses to run as root, so root hands it to another user."""
    folder = Path(tempfile.mkdtemp(prefix="deepfactor-pg-"))
    port = _free_port()
    try:
        (folder / "password").write_text(PASSWORD)
        _hand_over(folder)
        data, socket_option = folder / "data", f"-k {folder}"
        options = f"-p {port} {socket_option} -c listen_addresses=127.0.0.1 -c fsync=off"
        initial = ["-U", "reader", "--pwfile", folder / "password", "--auth=scram-sha-256", "--no-locale", "-E", "UTF8"]
        _call(folder, bin_folder / "initdb", "-D", data, *initial)
        _call(folder, bin_folder / "pg_ctl", "-D", data, "-l", folder / "log", "-o", options, "-w", "start")
        try:
            yield Postgres(port)
        finally:
            _call(folder, bin_folder / "pg_ctl", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _other_user() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]


def _hand_over(folder: Path) -> None:
    user = _other_user()
    for path in (folder, *folder.iterdir()) if user else ():
        os.chown(path, user.pw_uid, user.pw_gid)


def _call(folder: Path, *command: object) -> None:
    user = _other_user()
    more: dict[str, Any] = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    with (folder.parent / f"{folder.name}.out").open("w+") as out:  # a pipe would stay open in the server
        done = subprocess.run(
            [str(part) for part in command], cwd=folder, env=environment, stdout=out, stderr=out, check=False, **more
        )
        out.seek(0)
        said = out.read()
    Path(out.name).unlink()
    assert done.returncode == 0, f"{command[0]}: {said}"
