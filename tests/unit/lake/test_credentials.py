"""The token: from where it may come, and that it comes nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from deepfactor.core.errors import UserError
from deepfactor.lake.credentials import Secret, token

WORD = "abc123def456ghi789"
VARIABLE = "DEEPFACTOR_TEST_TOKEN"


@pytest.fixture(autouse=True)
def _no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (VARIABLE, f"{VARIABLE}_FILE"):
        monkeypatch.delenv(name, raising=False)


def private(path: Path, text: str = WORD + "\n", mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_from_environment_or_file(monkeypatch, tmp_path):
    file = private(tmp_path / "token")
    assert token(VARIABLE, file).text == WORD
    monkeypatch.setenv(f"{VARIABLE}_FILE", str(file))
    assert token(VARIABLE, None).text == WORD
    monkeypatch.setenv(VARIABLE, "the-one-of-the-environment")
    assert token(VARIABLE, None).text == "the-one-of-the-environment"
    assert token(VARIABLE, file).text == WORD, "what is named by the command counts most"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o601, 0o620, 0o700 | 0o10])
def test_a_file_that_is_open_to_others_is_refused(tmp_path, mode):
    with pytest.raises(UserError, match="chmod 600") as refusal:
        token(VARIABLE, private(tmp_path / "token", mode=mode))
    assert WORD not in str(refusal.value)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_one_that_is_not_is_taken(tmp_path, mode):
    assert token(VARIABLE, private(tmp_path / "token", mode=mode)).text == WORD


@pytest.mark.parametrize("text", ["", "short", "two words here", "bad\x01character", "汉字汉字汉字汉字"], ids=range(5))
def test_what_is_no_token(tmp_path, text):
    with pytest.raises(UserError, match="no token") as refusal:
        token(VARIABLE, private(tmp_path / "token", text))
    assert not text or text not in str(refusal.value)


def test_nothing_a_folder_nowhere(tmp_path):
    with pytest.raises(UserError, match=VARIABLE):
        token(VARIABLE, None)
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(UserError):
            token(VARIABLE, path)


def test_a_secret_shows_itself_to_nobody():
    secret = Secret("a/b+c=d1234")
    assert "a/b" not in f"{secret} {secret!r} {[secret]} {vars(secret).keys()}"
    assert secret.hidden("before a/b+c=d1234 a%2Fb%2Bc%3Dd1234 after") == "before *** *** after"
