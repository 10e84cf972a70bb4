"""The built wheel in an environment outside the checkout: it has all that it needs, and the main job runs from it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from support.cli import Ended, deepfactor_process, ended
from support.recipe import RECIPE
from support.shared import made_once

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "deepfactor"
SITE = Path("lib") / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"

#: Where the package looks its data up, and what must be there.
ASK = """
import json
from importlib.resources import files

import deepfactor
from deepfactor.portfolio.presets import load_preset, preset_names
from deepfactor.recipe import load_recipe, shipped_recipes
from deepfactor.report.content.published import references
from deepfactor.sources.tables import Settings

for name in shipped_recipes():
    load_recipe(name)
for name in preset_names():
    load_preset(name)
places = {
    room: str(files(f"deepfactor.{room}" if room else "deepfactor"))
    for room in ("", "recipes", "portfolio", "sources", "report")
}
print(json.dumps({
    "file": deepfactor.__file__,
    "places": places,
    "recipes": shipped_recipes(),
    "presets": list(preset_names()),
    "mapping": Settings().mapping,
    "published": len(list(references())),
}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that nothing is left in the checkout and nothing of an older build gets in."""
    pytest.importorskip("setuptools", "77", reason="no wheel is tested: setuptools of the dev extra is missing")

    def make(folder: Path) -> None:
        copy = folder / "checkout"
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "*.so")
        shutil.copytree(ROOT / "src", copy / "src", ignore=ignored, dirs_exist_ok=True)
        for name in ("pyproject.toml", "setup.py", "README.md"):
            shutil.copy(ROOT / name, copy / name)
        pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, copy)

    (path,) = made_once(tmp_path_factory, "wheel", make).glob("deepfactor-*.whl")
    return path


@pytest.fixture(scope="module")
def home(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel in it; it sees this one's packages, but not its editable deepfactor."""

    def make(folder: Path) -> None:
        venv.create(folder, clear=True, symlinks=True)
        pip("--python", folder / "bin" / "python", "install", "--no-deps", "--no-index", wheel)
        (folder / SITE / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")

    return made_once(tmp_path_factory, "wheel_home", make)


def pip(*arguments: object) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def command(home: Path, cwd: Path, *arguments: object) -> Ended:
    """The installed command, without help from the checkout."""
    return deepfactor_process(
        *arguments, program=home / "bin" / "deepfactor", cwd=cwd, PYTHONPATH="", PYTHONSAFEPATH="1"
    )


def test_the_wheel_has_every_file_of_the_package(wheel):
    """Data files too: what is added to the package and forgotten in package-data is missed here."""
    built = {".pyc", ".so"}
    expected = {str(p.relative_to(ROOT / "src")) for p in PACKAGE.rglob("*") if p.is_file() and p.suffix not in built}
    assert {"deepfactor/published.json", "deepfactor/py.typed", "deepfactor/recipes/demo.toml"} <= expected
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if not name.split("/")[0].endswith(".dist-info")}
        libraries = {name for name in held if name.endswith(".so")}
        assert held - libraries == expected
        for name in sorted(expected):
            assert archive.read(name) == (ROOT / "src" / name).read_bytes(), name


def test_the_wheel_has_the_compiled_gru_where_a_compiler_is(wheel):
    if shutil.which("c++") is None:
        pytest.skip("no C++ compiler here")
    with zipfile.ZipFile(wheel) as archive:
        libraries = [name for name in archive.namelist() if name.endswith(".so")]
    assert [name.split(".")[0] for name in libraries] == ["deepfactor/models/_kernels/_gru"]


def test_what_ships_comes_from_the_wheel(home, tmp_path):
    result = ended([str(home / "bin" / "python"), "-c", ASK], cwd=tmp_path, environment={"PYTHONPATH": ""})
    found = result.json()
    installed = str(home / SITE / "deepfactor")
    assert found["file"] == f"{installed}/__init__.py"
    assert all(place.startswith(installed) for place in found["places"].values()), found["places"]
    assert {"demo", "study_b_first"} <= set(found["recipes"])
    assert {"study_a", "study_b"} <= set(found["presets"])
    assert found["mapping"] == "ashare_parquet"
    assert found["published"] >= 10


def test_the_main_job_runs_from_the_wheel(home, tmp_path):
    """doctor, simulate, run: with nothing but the wheel, in an empty folder."""
    found = command(home, tmp_path, "doctor", "--json").json()
    assert found["versions"]["deepfactor"]
    assert found["kernels"]["gru"].startswith("compiled" if shutil.which("c++") else "torch.nn.GRU")
    span = ("--start", "2018-01-02", "--end", "2020-12-31")
    made = command(home, tmp_path, "simulate", "market", "--stocks", 80, *span, "--json").json()
    assert made["days"] > 700
    (tmp_path / "recipe.toml").write_text(RECIPE)
    arm = 'arms=[{name = "gru_ic", model = {kind = "gru", hidden = 4}, published = "study_b/gru_ic"}]'
    changes = ("--set", arm, "--set", "fit.epochs=1", "--set", "fit.seeds=[0]", "--set", "plan.every=60")
    result = command(home, tmp_path, "run", "recipe.toml", "--market", "market", *changes, "--workers", 1, "--json")
    page = (tmp_path / result.json()["report"]).read_text(encoding="utf-8")
    assert "<style>" in page, "the page's assets"
    assert not [line for line in result.err.splitlines() if str(ROOT) in line]
