"""`--language` of the verbs that end in a page: handed on, refused before any work where there is no such language."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from deepfactor.cli.verbs import Language
from deepfactor.core.words import LANGUAGES
from deepfactor.pipeline import experiment, factor, markets
from support.cli import deepfactor

VERBS = {
    "run": ("run", "study_b_reduced"),
    "test": ("test", "factor.parquet", "--universe", "all", "--json"),
    "enhance": ("enhance", "factor.parquet", "--index", "000905.SH"),
}


@pytest.fixture
def asked(monkeypatch, tmp_path) -> list[str]:
    """The language of each page asked for; nothing is computed."""
    languages: list[str] = []
    nothing = dict.fromkeys(("mean", "icir", "t_newey_west", "win_rate"))
    record = {"names": "all", "sampling": "daily", "convention": "t1_close", "universe": "all", "horizon": 5}
    record |= {"rank_ic": nothing}

    def note(*arguments, language=None):
        languages.append(arguments[-1] if language is None else language)
        return SimpleNamespace(
            path=tmp_path,
            report="",
            failures=tmp_path / "none",
            to_json_dict=lambda: {"records": [record], "groups": [], "top_n": []},
        )

    monkeypatch.setattr(markets, "open_market", lambda *_, **__: None)
    rows = SimpleNamespace(to_json_dict=dict, lines=lambda *_: [])
    monkeypatch.setattr(factor, "factor_names", lambda *_: (None,))
    monkeypatch.setattr(factor, "open_factor", lambda *_: SimpleNamespace(rows=rows))
    monkeypatch.setattr(factor, "test", note)
    monkeypatch.setattr(factor, "enhance", lambda *arguments, **_: (note(*arguments), factor.Enhanced())[1])
    monkeypatch.setattr(experiment, "run", lambda *_, language, **others: note(language=language))
    return languages


@pytest.mark.parametrize("verb", VERBS)
def test_the_page_opens_in_the_language_asked_for(verb, asked, tmp_path):
    command = (*VERBS[verb], "--market", tmp_path, "--out", tmp_path / "out")
    for more in ((), ("--language", "zh"), ("--language", "en")):
        result = deepfactor(*command, *more)
        assert result.code == 0, result.err
    assert asked == ["en", "zh", "en"]
    refused = deepfactor(*command, "--language", "fr")
    assert refused.code == 2
    assert "'fr' is not one of 'en', 'zh'" in refused.err
    assert len(asked) == 3


def test_the_languages_are_those_of_the_page():
    assert tuple(Language) == LANGUAGES
