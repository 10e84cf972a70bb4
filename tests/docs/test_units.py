"""The units of systemd in the desk's page are ones that systemd takes."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs/how-to/desk.md"


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze isn't here: the units weren't tried"
)
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    units = re.findall(
        r"```ini\n# /etc/systemd/system/([\w.]+)[^\n]*\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL
    )
    assert [name for name, _ in units] == ["deepfactor.service", "deepfactor.timer"]
    for name, text in units:
        assert text.count("/srv/desk") == (2 if name.endswith("service") else 0)
        (tmp_path / name).write_text(text.replace("/srv/desk", str(tmp_path)))
    ended = subprocess.run(
        ["systemd-analyze", "verify", *(str(tmp_path / name) for name, _ in units)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    ours = [line for line in ended.stderr.splitlines() if str(tmp_path) in line or "deepfactor." in line]
    assert (ended.returncode, ours) == (0, [])
