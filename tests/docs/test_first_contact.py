"""What `make` does before anything else: the build of torch that it takes, and what it says."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel() -> ModuleType:
    spec = importlib.util.spec_from_file_location("torch_wheel", ROOT / ".ci" / "torch_wheel.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def report(*needs: str) -> bytes:
    """As pip writes it."""
    return json.dumps({"install": [{"metadata": {"name": "torch", "requires_dist": list(needs)}}]}).encode()


def test_no_gpu_and_an_index_with_cuda_takes_the_cpu_build(wheel):
    place, why = wheel.choice({}, gpu=False, cuda=lambda: True)
    assert place == "https://download.pytorch.org/whl/cpu"
    assert "no NVIDIA GPU" in why
    assert wheel.choice({"TORCH_INDEX": "https://mirror/cpu"}, gpu=False, cuda=lambda: True)[0] == "https://mirror/cpu"


@pytest.mark.parametrize(
    ("environment", "gpu", "cuda"), [({"TORCH": "pypi"}, False, True), ({}, True, True), ({}, False, False)]
)
def test_else_the_package_index_decides(wheel, environment, gpu, cuda):
    assert wheel.choice(environment, gpu=gpu, cuda=lambda: cuda)[0] is None


def test_an_index_is_not_asked_where_it_does_not_decide(wheel):
    def never() -> bool:
        raise AssertionError

    assert wheel.choice({}, gpu=True, cuda=never)[0] is None


@pytest.mark.skipif(sys.platform != "linux", reason="of Linux")
def test_a_build_with_cuda_is_told_by_what_it_needs(wheel, monkeypatch):
    monkeypatch.setattr(wheel.os, "uname", lambda: type("Machine", (), {"machine": "x86_64"}))
    assert wheel.needs_cuda(report("filelock", 'nvidia-cudnn-cu13==9.1; platform_system == "Linux"'))
    assert not wheel.needs_cuda(report("filelock", "sympy>=1.13.3", "opt-einsum>=3.3; extra == 'opt-einsum'"))
    monkeypatch.setattr(wheel.os, "uname", lambda: type("Machine", (), {"machine": "aarch64"}))
    assert not wheel.needs_cuda(report("nvidia-cudnn-cu13==9.1"))


def test_where_the_cpu_build_cannot_be_had_it_says_what_to_do(wheel, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(wheel, "sees_gpu", lambda: False)
    monkeypatch.setattr(wheel, "brings_cuda", lambda wanted: True)
    monkeypatch.delenv("TORCH", raising=False)
    ran = []

    def refused(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        ran.append(command)
        return subprocess.CompletedProcess(command, 1)

    monkeypatch.setattr(wheel.subprocess, "run", refused)
    assert wheel.main() == 1
    assert "--index-url" in ran[0]
    assert "make TORCH=pypi" in capsys.readouterr().err
