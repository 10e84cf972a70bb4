"""The terminal in Chinese: who chooses it, what is said, and what stays as it is."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from deepfactor.cli.helping import wrapped
from deepfactor.cli.language import asked, speaking, spoken
from support.cli import deepfactor


@pytest.mark.parametrize(
    ("words", "environment", "language"),
    [
        ("run demo", {}, "en"),
        ("run demo", {"LANG": "zh_CN.UTF-8"}, "zh"),
        ("run demo", {"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ("run demo", {"LANG": "en_GB", "LC_MESSAGES": "zh"}, "zh"),
        ("run demo", {"LANG": "zhoosh"}, "en"),
        ("--language zh run demo", {}, "zh"),
        ("run demo --language=zh", {}, "zh"),
        ("run demo --language en", {"LANG": "zh_CN.GBK"}, "en"),
        ("run demo --language fr", {"LANG": "zh_CN.GBK"}, "zh"),
        ("run -- --language zh", {}, "en"),
    ],
)
def test_the_option_goes_before_the_environment(words, environment, language):
    assert asked(words.split(), environment) == language


@pytest.mark.slow
def test_a_message_in_places():
    with speaking("zh"):
        assert spoken("file a.csv, row 3: missing; the file has x: y") == "文件a.csv，第3行：缺失；文件中有x: y"
        assert spoken("opened market m (0.1 s)") == "已打开市场m（0.1 秒）"
        assert spoken("what nobody says") == "what nobody says"
    assert spoken("opened market m (0.1 s)") == "opened market m (0.1 s)"


def test_a_long_line_that_no_form_fits_is_read_soon():
    """Each form has a pattern of places, which alone would take hours to say no."""
    text = "a  b to c: d; e (f) on g of h from i, " * 12
    with speaking("zh"):
        assert "b to c" in spoken(text)


def test_help_in_chinese():
    root, run = deepfactor("--language", "zh"), deepfactor("run", "--help", "--language", "zh")
    assert root.out.startswith("用法：deepfactor [选项] 命令 [参数]...\n")
    assert "\n  simulate  " in root.out
    assert "\n参数：\n  recipe <str>  配方 TOML，或自带配方的名称 [必填]\n" in run.out
    assert "--help                 显示本帮助并退出" in run.out
    assert max(cell_len(line) for line in run.out.splitlines()) <= 78
    for english in ("Usage", "Options", "Arguments", "default", "required"):
        assert english not in run.out
    assert deepfactor("run", "--help").out.startswith("Usage: deepfactor run")


def test_errors_in_chinese(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert deepfactor("check", "nowhere").err.endswith(
        "deepfactor: nowhere不是市场文件夹（不存在）：用 `deepfactor ingest` 或 `deepfactor simulate` 生成\n"
    )
    wrong = deepfactor("run", "demo")
    assert wrong.code == 2
    usage, more, _, why = wrong.err.splitlines()
    assert usage == "用法：deepfactor run [选项] {recipe}"
    assert (more, why) == ("查看帮助：deepfactor run --help", "错误：缺少选项'--market'。")
    assert deepfactor("frob").err.endswith("错误：没有命令'frob'。\n")
    assert deepfactor("check", "nowhere", "--language", "en").err.startswith("deepfactor: nowhere is no market folder")


def test_a_language_that_isnt_there_is_refused_everywhere():
    for words in (["doctor", "--language", "fr"], ["--language", "fr", "doctor"], ["run", "x", "--language", "fr"]):
        refused = deepfactor(*words)
        assert refused.code == 2
        assert "'fr' is not one of 'en', 'zh'" in refused.err


def test_json_is_the_same_in_every_locale(monkeypatch):
    english = deepfactor("mapping", "keys", "--json")
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert deepfactor("mapping", "keys", "--json").out == english.out
    assert deepfactor("mapping", "keys").out.startswith("# 映射")
    assert deepfactor("recipe", "list", "--json", "--language", "zh").out == deepfactor("recipe", "list", "--json").out


def test_lines_end_between_chinese_characters_and_never_before_a_comma():
    lines = wrapped("训练、评分、检验，再做 long_only 指数增强（含费用）。", 12)
    assert "".join(lines).replace(" ", "") == "训练、评分、检验，再做long_only指数增强（含费用）。"
    assert all(cell_len(line) <= 14 for line in lines)
    assert not any(line[0] in "，。、）" for line in lines)
