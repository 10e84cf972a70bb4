"""A network that another job has trained: what stands behind it, and what only that reads, changes nothing of its fit.

Arms whose networks, labels and spans are the same, and whose weightings are not, share the training: the first job to
end it leaves the others its checkpoint, from which they go on as from their own, to the same bits. Jobs of one network
that run at the same time train it each.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from deepfactor.core.files import atomic_path
from deepfactor.core.spec import content_key
from deepfactor.inputs.base import ROOM as INPUTS
from deepfactor.inputs.base import FromMarket
from deepfactor.training.finished import read_trained
from deepfactor.training.jobs import Job
from deepfactor.training.records import JobIdentity

#: Of an arm's identity what its network's fit knows nothing of.
_BEHIND = ("weighting", "fit_on", "beside", "target")


def take_checkpoint(job: Job, folder: Path, name: str) -> str | None:
    """Copy the checkpoint `name` of a job beside `folder` that has trained the network of `job` to its end; the label
    of that job, None where there is none, or `folder` has a checkpoint of its own."""
    if (folder / name).exists():
        return None
    unread = _unread(job)
    wanted = network_key(job.identity, unread)
    for file in sorted(folder.parent.glob(f"*/{name}")):
        identity = _identity(file.parent)
        if identity is None or network_key(identity, unread) != wanted:
            continue
        trained = read_trained(file.parent)
        if trained is None:
            continue
        with atomic_path(folder / name) as temporary:
            shutil.copyfile(file, temporary)
        return trained["job"]
    return None


def network_key(identity: JobIdentity, unread: frozenset[str]) -> str:
    """Hash of what of a job's identity may change its network; `unread` are inputs that the network doesn't read."""
    arm = {name: said for name, said in identity["arm"].items() if name not in _BEHIND}
    fold = {"train": identity["fold"].get("early", identity["fold"]["train"]), "valid": identity["fold"]["valid"]}
    own: dict[str, object] = {**identity, "arm": arm, "fold": fold}
    for part in ("inputs", "parts"):
        said = cast(Mapping[str, object], own.get(part, {}))
        own[part] = {name: one for name, one in said.items() if name not in unread}
    return content_key(own)


def _unread(job: Job) -> frozenset[str]:
    """Folders of the inputs that a weighting behind the job's network may be given, and the network doesn't read."""
    network = job.arm.network
    assert network is not None, f"{job.label} has no network"
    names = {"fundamentals"} - network.reads()
    return frozenset(cast(FromMarket[Any], INPUTS.load(name)).FOLDER for name in names)


def _identity(folder: Path) -> JobIdentity | None:
    """What a job's folder says that it is of; None where it can't be read, which is the business of its own job."""
    try:
        identity: JobIdentity = json.loads((folder / "job.json").read_text(encoding="utf-8"))
        return identity if {"arm", "fold"} <= identity.keys() else None
    except (OSError, ValueError, AttributeError):
        return None
