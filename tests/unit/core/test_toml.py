from __future__ import annotations

import pytest

from deepfactor.core.errors import RecipeError
from deepfactor.core.toml import read_toml, toml_value


def test_windows_files_are_read(tmp_path):
    file = tmp_path / "a.toml"
    file.write_bytes(b"\xef\xbb\xbfname = '\xe6\xb2\xaa'\r\n[plan]\r\nx = 1\r\n")
    assert read_toml(file, "a") == {"name": "沪", "plan": {"x": 1}}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"name = ", "a can't be read as TOML: Invalid value"),
        (b"x = 1\nx = 2\n", "a can't be read as TOML: .*line 2"),
        (b"name = '\xc4\xe3'", "a is not UTF-8 .*save it as UTF-8"),
        (b"x = " + b"[" * 5000, "nested too deeply"),
        (b"x = " + b"9" * 5000, "can't be read as TOML: .*digits"),
        (b"\x00", "can't be read as TOML"),
        (b"PAR1\x15\x00\xff", "not UTF-8|can't be read"),
    ],
)
def test_what_is_no_toml(tmp_path, content, says):
    file = tmp_path / "a.toml"
    file.write_bytes(content)
    with pytest.raises(RecipeError, match=says):
        read_toml(file, "a")


def test_what_can_not_be_read(tmp_path):
    for file in (tmp_path, tmp_path / "gone.toml", tmp_path / ("x" * 300), tmp_path / "a\0b"):
        with pytest.raises(RecipeError, match="a can't be read: "):
            read_toml(file, "a")


def test_values_of_the_command_line():
    assert toml_value("12") == 12
    assert toml_value("[1, 2]") == [1, 2]
    assert toml_value("ic") == "ic"
    assert toml_value("[" * 5000) == "[" * 5000
