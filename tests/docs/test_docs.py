"""What README and docs say is so: links lead somewhere, commands parse, code runs, examples work."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import tomllib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl
import pytest
import typer

from deepfactor.cli.verbs import app
from deepfactor.desk.order_form import load_form
from deepfactor.portfolio.presets import load_preset
from deepfactor.recipe import Recipe, load_recipe, shipped_recipes
from deepfactor.store.folder import MarketFolder
from support.baostock_server import baostock_server
from support.cli import deepfactor
from support.qlib_folder import write_qlib
from support.sources import write_duckdb
from support.tushare_server import TOKEN, tushare_server
from support.vendor_baostock import baostock_data
from support.vendor_tushare import simulated_tables, tushare_data

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "README.zh.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
HOW_TO = ROOT / "docs" / "how-to"


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def name(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks() -> list[Block]:
    """Chinese pages have the blocks of the English ones, see `test_chinese_pages.py`: what runs runs once."""
    found = []
    for page in (page for page in PAGES if page.name == "README.zh.md" or not page.name.endswith(".zh.md")):
        language, start, held = None, 0, []
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
            if fence := re.fullmatch(r"\s*```(\w*).*", line):
                if language is None:
                    language, start, held = fence[1], number, []
                else:
                    found.append(Block(page, start, language, "\n".join(held) + "\n"))
                    language = None
            elif language is not None:
                held.append(line)
        assert language is None, f"{page}: the block of line {start} isn't closed"
    return found


BLOCKS = blocks()


def of(language: str) -> list[pytest.param]:
    return [pytest.param(block, id=block.name) for block in BLOCKS if block.language == language]


def commands() -> list[pytest.param]:
    """Lines of shell blocks that call deepfactor or make, continued lines joined."""
    found = []
    for block in BLOCKS:
        if block.language in ("", "console", "bash", "sh", "shell"):
            for line in block.text.replace("\\\n", " ").splitlines():
                if re.match(r"(\$ )?(\S*/)?(deepfactor|make)\b", line):
                    words = shlex.split(line.removeprefix("$ "), comments=True)
                    found.append(pytest.param(words, id=f"{block.name} {' '.join(words)}"))
    return found


def test_there_is_something_to_test():
    languages = {block.language for block in BLOCKS}
    assert {"", "python", "toml"} <= languages
    known = {
        "",
        "console",
        "bash",
        "sh",
        "shell",
        "python",
        "toml",
        "json",
        "text",
        "mermaid",
        "ini",
    }  # ini: test_units
    assert languages <= known, "a language that nothing here tests"
    assert len(commands()) >= 8


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    missing = []
    for target in re.findall(r"\]\(([^)\s]+)[^)]*\)", text):
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        file = (page.parent / path) if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            missing.append(target)
    assert not missing


def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ +(.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("words", commands())
def test_commands_parse(words):
    program, *arguments = words
    arguments = [word for word in arguments if word != "…"]
    if program == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
        goals = [word for word in arguments if "=" not in word]
        assert goals
        assert set(goals) <= set(targets)
        return
    group = typer.main.get_command(app)
    context = group.make_context("deepfactor", list(arguments))
    verb, command, rest = group.resolve_command(context, list(arguments))
    parsed = command.make_context(verb, rest, parent=context).params
    if verb == "run":
        assert parsed["recipe"] in shipped_recipes() or parsed["recipe"].endswith(".toml")


def test_modules_that_a_page_has_run_exist():
    """``python -m research.real_factors`` and the like; those of other programs aside."""
    ours = {"benchmarks": ROOT, "research": ROOT, "tests": ROOT, "deepfactor": ROOT / "src"}
    named = {name for page in PAGES for name in re.findall(r"python -m ([\w.]+)", page.read_text(encoding="utf-8"))}
    files = [ours[name.split(".")[0]] / name.replace(".", "/") for name in named if name.split(".")[0] in ours]
    assert len(files) > 8
    assert [file for file in files if not (file.with_suffix(".py").is_file() or (file / "__main__.py").is_file())] == []


def test_verbs_in_the_text_exist():
    verbs = set(typer.main.get_command(app).commands)
    for page in PAGES:
        named = set(re.findall(r"`deepfactor ([a-z]+)", page.read_text(encoding="utf-8")))
        assert named <= verbs, page


@pytest.mark.parametrize("block", of("toml"))
def test_toml_is_valid(block):
    assert tomllib.loads(block.text)


@pytest.mark.slow
@pytest.mark.parametrize("block", of("python"))
def test_python_runs(block, small_market, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("market").symlink_to(small_market)
    made = vars(run(block))
    if block.page.stem == "python":
        assert set(made["tested"].ic.to_polars()["universe"]) == {"all", "000905.SH"}
        assert made["close"].index.name == "date"
    if block.page.stem == "notebook":
        assert len([line for line in block.text.splitlines() if line]) <= 15
        for result in (made["tested"], made["book"]):
            assert result.page.as_uri() in result._repr_html_()
            assert result.plot(result.figures[0]).to_plotly_json()["data"]


def run(block: Block) -> ModuleType:
    module = ModuleType(block.page.stem.replace("-", "_"))
    exec(compile(block.text, block.name, "exec", dont_inherit=True), module.__dict__)
    return module


# The how-tos, followed to the letter.


def only(page: str, language: str) -> Block:
    (block,) = all_of(page, language)
    return block


def all_of(page: str, language: str) -> list[Block]:
    return [block for block in BLOCKS if block.page == HOW_TO / page and block.language == language]


def test_add_a_model(tmp_path, monkeypatch, main_recipe):
    """The file in the room is a kind; outside the package it needs to be allowed."""
    arm = tomllib.loads(only("add-a-model.md", "toml").text)["arms"][0]
    (tmp_path / "mylab").mkdir()
    (tmp_path / "mylab" / "my_net.py").write_text(only("add-a-model.md", "python").text)
    outside = [f"arms.0.model.kind='mylab:{arm['model']['kind']}'", "arms.0.model.hidden=64"]
    monkeypatch.syspath_prepend(tmp_path)
    loaded = load_recipe(str(main_recipe), outside, allow_code=True)
    assert loaded.arms[0].model.said == {"hidden": 64}

    import deepfactor.models

    monkeypatch.setattr(deepfactor.models, "__path__", [*deepfactor.models.__path__, str(tmp_path / "mylab")])
    inside = [f"arms.0.{key}={value}" for key, value in (("name", f"'{arm['name']}'"), ("model.kind", "'my_net'"))]
    assert load_recipe(str(main_recipe), inside).arms[0].name == arm["name"]
    monkeypatch.delitem(sys.modules, "deepfactor.models.my_net")
    monkeypatch.delattr(deepfactor.models, "my_net")


@pytest.mark.slow
def test_add_an_input(tmp_path, monkeypatch, main_recipe):
    """One file, a model that names it and a line of a recipe; the contract suite's own checks hold for it."""
    import deepfactor.inputs
    import deepfactor.models
    from contracts import test_inputs as contract

    (tmp_path / "activity.py").write_text(only("add-an-input.md", "python").text)
    reads = only("add-a-model.md", "python").text.replace('{"windows"}', '{"windows", "activity"}')
    (tmp_path / "active_net.py").write_text(reads)
    for room in (deepfactor.inputs, deepfactor.models):
        monkeypatch.setattr(room, "__path__", [*room.__path__, str(tmp_path)])
    text = only("add-an-input.md", "toml").text.replace('kind = "my_net"', 'kind = "active_net"')
    content = tomllib.loads(main_recipe.read_text()) | {"combinations": [], "portfolios": []} | tomllib.loads(text)
    recipe = Recipe.model_validate(content)
    assert [(one.kind, one.settings.days) for one in recipe.inputs_of(recipe.arms[0])] == [("activity", 60)]
    assert recipe.model_dump(mode="json")["inputs"] == {"activity": {"days": 60}}
    market = contract.company_market(days=contract.LAST + 1, stocks=40)
    contract.test_a_days_batch("activity", market)
    contract.test_some_of_the_days("activity", market)
    contract.test_what_is_kept_comes_back_from_disk("activity", market, tmp_path)
    contract.test_days_to_come_leave_the_fingerprint_of_a_fold("activity", market)
    contract.test_it_is_known_at_the_close("activity", market)
    for name in ("inputs.activity", "models.active_net"):
        sys.modules.pop(f"deepfactor.{name}")


def test_late_fusion():
    """The fragment makes one arm more of `long_only`, which reads what the page says; the others stay as they are."""
    shipped = tomllib.loads((ROOT / "src" / "deepfactor" / "recipes" / "long_only.toml").read_text())
    added = tomllib.loads(only("late-fusion.md", "toml").text)
    recipe = Recipe.model_validate({**shipped, "inputs": added["inputs"], "arms": shipped["arms"] + added["arms"]})
    before, (arm,) = recipe.arms[:-1], recipe.arms[-1:]
    assert before == load_recipe("long_only").arms
    assert [(one.kind, one.settings.features.kind) for one in recipe.inputs_of(arm)] == [("day_features", "alpha")]
    assert recipe.fit.samples == "sequences"
    assert not any(recipe.inputs_of(one) for one in before)
    assert Recipe.model_validate({**shipped, "arms": added["arms"], "combinations": [], "portfolios": []}).inputs_of(
        arm
    ) == recipe.inputs_of(arm), "alpha is the default"


def test_add_a_constraint(tmp_path, monkeypatch):
    import deepfactor.portfolio.constraints as room

    (tmp_path / "star_weight.py").write_text(only("add-a-constraint.md", "python").text)
    (tmp_path / "mine.toml").write_text(only("add-a-constraint.md", "toml").text)
    monkeypatch.setattr(room, "__path__", [*room.__path__, str(tmp_path)])
    enhancement = load_preset(tmp_path / "mine.toml")
    assert [kind.kind for kind in enhancement.constraints] == ["stock_active_weight", "star_weight"]
    assert enhancement.constraints[1].settings.maximum == 0.05
    monkeypatch.delitem(sys.modules, "deepfactor.portfolio.constraints.star_weight")
    monkeypatch.delattr(room, "star_weight")


@pytest.mark.slow
def test_use_your_own_data(small_market, tmp_path, monkeypatch):
    """A vendor's file by the mapping of the page; then its commands, on a factor of one's own."""
    vendors_file(small_market, tmp_path / "path" / "to" / "files")
    (tmp_path / "my_vendor.toml").write_text(all_of("own-data.md", "toml")[0].text)
    monkeypatch.chdir(tmp_path)
    named = {words[1]: words[1:] for words in commands_of("own-data.md") if "my_" in " ".join(words)}
    ingested = deepfactor(*named["ingest"], "--json").json()
    assert ingested["source"] == "my_vendor"
    assert MarketFolder.open(Path("MARKET")).read("daily").height > 10_000

    daily = pl.read_parquet("path/to/files/bars.parquet")
    factor = daily.filter(pl.col("trade_date").dt.year() == 2019).select(
        date="trade_date", symbol=pl.col("code").str.slice(2) + "." + pl.col("code").str.head(2), score=-pl.col("close")
    )
    factor.write_parquet("my_factor.parquet")
    report = deepfactor(*named["test"], "--json").json()
    assert {record["universe"] for record in report["records"]} == {"all"}, "no index is known"
    assert not {"symbol not in market", "no trading day", "after the market's last day"} & report["dropped"].keys()
    no_index = deepfactor(*named["enhance"])
    assert no_index.code == 2, "the page's daily alone holds no index"
    assert "unknown index '000905.SH'" in no_index.err


def commands_of(page: str) -> list[list[str]]:
    return [param.values[0] for param in commands() if str(param.id).startswith(f"docs/how-to/{page}:")]


@pytest.mark.slow
def test_a_qlib_folder_as_on_the_page(small_market, tmp_path, monkeypatch):
    tables = {name: MarketFolder.open(small_market).read(name) for name in ("daily", "index_members", "index_daily")}
    folder = tmp_path / "path" / "to" / "qlib_data" / "cn_data"
    write_qlib(folder, {**tables, "calendar": tables["daily"].select(pl.col("date").unique().sort())})
    monkeypatch.chdir(tmp_path)
    (command,) = [words[1:] for words in commands_of("own-data.md") if words[2] == "qlib"]
    assert deepfactor(*command, "--json").json()["source"] == "qlib"
    raw = MarketFolder.open(Path("MARKET")).read("daily")

    for field, renamed in (("volume", "volume"), ("amount", "circ_mv"), ("vwap", "other")):
        for file in folder.glob(f"features/*/{field}.day.bin"):
            content = np.fromfile(file, "<f4")
            content[1:] /= 100 if field == "volume" else 1
            file.unlink()
            content.tofile(file.with_name(f"{renamed}.day.bin"))
    (block,) = [block for block in all_of("own-data.md", "toml") if 'kind = "qlib"' in block.text]
    (tmp_path / "dump.toml").write_text(block.text)
    account = deepfactor("ingest", "dump.toml", "OTHER", "--folder", folder, "--json").json()
    assert account["source"] == "my_dump"
    assert {"daily.vwap", "securities.list_date"} <= set(account["derived"])
    other = MarketFolder.open(Path("OTHER"))
    assert other.read("daily")["close"].equals(raw["close"])
    np.testing.assert_allclose(other.read("daily")["volume"], raw["volume"], rtol=1e-6)
    assert other.read("index_members")["index"].unique().to_list() == ["000300.SH"]


@pytest.mark.slow
def test_a_database_as_on_the_page(small_market, tmp_path, monkeypatch):
    """The page's mapping, its URL's place taken by a DuckDB file, so that it runs where there is no server."""
    daily = MarketFolder.open(small_market).read("daily").filter(pl.col("volume") > 0)
    renamed = daily.rename({"date": "trade_date", "symbol": "code", "adj_factor": "factor"})
    write_duckdb(tmp_path / "market.duckdb", {"bars": renamed})
    monkeypatch.chdir(tmp_path)
    (block,) = [block for block in all_of("own-data.md", "toml") if 'kind = "sql"' in block.text]
    assert "${DB_PASSWORD}" in tomllib.loads(block.text)["url"]
    Path("warehouse.toml").write_text(re.sub(r"^url = .*\n", "", block.text, flags=re.MULTILINE))
    (command,) = [words[1:] for words in commands_of("own-data.md") if words[2] == "warehouse.toml"]
    assert deepfactor(*command, "--json").json()["source"] == "warehouse"
    assert MarketFolder.open(Path("MARKET")).read("daily")["amount"].equals(daily["amount"])


@pytest.mark.slow
def test_add_a_source(small_market, tmp_path, monkeypatch):
    (tmp_path / "mylab").mkdir()
    (tmp_path / "mylab" / "one_file.py").write_text(only("add-a-source.md", "python").text)
    (tmp_path / "my_source.toml").write_text(only("add-a-source.md", "toml").text)
    (tmp_path / "path" / "to" / "files").mkdir(parents=True)
    daily = MarketFolder.open(small_market).read("daily").filter(pl.col("volume") > 0)
    columns = ["date", "symbol", "open", "high", "low", "close", "volume", "amount"]
    daily.select(columns).write_csv(tmp_path / "path" / "to" / "files" / "my_bars.csv")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    (words,) = commands_of("add-a-source.md")
    account = deepfactor(*words[1:], "--json").json()
    assert account["source"] == "one_file"
    assert account["notes"] == ["prices are not adjusted: returns contain the drops of ex-dates"]
    assert MarketFolder.open(Path("MARKET")).read("daily").height == daily.height


def vendors_file(market: Path, folder: Path) -> None:
    """The simulated market's bars as the mapping on the page expects them."""
    folder.mkdir(parents=True)
    daily = MarketFolder.open(market).read("daily")
    traded = daily.filter(pl.col("volume") > 0)
    bars = traded.select(
        trade_date="date",
        code=pl.col("symbol").str.tail(2) + pl.col("symbol").str.head(6),
        open="open",
        high="high",
        low="low",
        close="close",
        volume_lots=pl.col("volume") / 100,
        amount_k=pl.col("amount") / 1000,
        factor="adj_factor",
        float_market_value="float_mv",
        st="is_st",
    )
    assert np.isfinite(bars["close"].to_numpy()).all()
    bars.write_parquet(folder / "bars.parquet")


@pytest.fixture
def main_recipe(tmp_path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(
        'name = "x"\ntitle = "x"\n[plan]\nfirst_test = 2020\n[[arms]]\nname = "a"\nmodel = { kind = "gru" }\n'
    )
    return path


@pytest.mark.slow
def test_your_first_day_with_baostock(tmp_path, monkeypatch):
    """The same of BaoStock's page."""
    monkeypatch.chdir(tmp_path)
    page = (HOW_TO / "baostock.md").read_text(encoding="utf-8")
    lines = [line for line in page.splitlines() if re.match(r"deepfactor (fetch|ingest|check) ", line)]
    assert [line.split()[1] for line in lines] == ["fetch", "ingest", "check"]
    with baostock_server(baostock_data(simulated_tables(start=date(2019, 2, 11)))) as server:
        for line in lines:
            words = line.replace("2013-01-01", "2019-02-11").split()[1:]
            more = ["--url", server.url, "--until", "2019-03-29", "--a-minute", "100000"] if words[0] == "fetch" else []
            assert deepfactor(*words, *more).code == 0, line
    assert MarketFolder.open(tmp_path / "market").manifest.source["name"] == "baostock"


@pytest.mark.slow
def test_your_first_day_with_tushare(tmp_path, monkeypatch):
    """The page's commands, word for word but for the address and the days."""
    monkeypatch.chdir(tmp_path)
    page = (HOW_TO / "tushare.md").read_text(encoding="utf-8")
    lines = [line for line in page.splitlines() if re.match(r"deepfactor (fetch|ingest|check) ", line)]
    assert [line.split()[1] for line in lines] == ["fetch", "fetch", "ingest", "check"]
    data = tushare_data(simulated_tables(start=date(2019, 2, 11)))
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "token").chmod(0o600)
    monkeypatch.setenv("TUSHARE_TOKEN_FILE", str(tmp_path / "token"))
    with tushare_server(data) as server:
        for line in lines:
            words = line.replace("2013-01-01", "2019-02-11").replace("~/.tushare", "token").split()[1:]
            more = ["--url", server.url, "--until", "2019-03-29", "--a-minute", "100000"] if words[0] == "fetch" else []
            assert deepfactor(*words, *more).code == 0, line
    assert MarketFolder.open(tmp_path / "market").manifest.source["name"] == "tushare"


def test_an_order_form_as_on_the_page(tmp_path):
    (tmp_path / "mine.toml").write_text(only("orders.md", "toml").text, encoding="utf-8")
    form = load_form(tmp_path / "mine.toml")
    assert (form.symbol, form.sides.buy, form.price_offset) == ("600000", "买入", 0.01)
    assert [column.name for column in form.columns][2:4] == ["证券代码", "买卖方向"]


@pytest.mark.slow
def test_an_evening_as_on_the_page(small_market, tmp_path, monkeypatch):
    """The commands of the page in their order, with names of what is there in the places of the page's."""
    monkeypatch.chdir(tmp_path)
    oracle = pl.read_parquet(small_market.with_name("market.oracle.parquet"))
    oracle.select("date", "symbol", score="oracle_10").drop_nulls().write_parquet("factor.parquet")
    names = {"FACTOR": "factor.parquet", "MARKET": str(small_market)}

    def follow(words: list[str], *more: object) -> Path:
        made = re.compile(r"DESK/\d{4}-\d\d-\d\d-[0-9a-f]{16}")
        words = [names.get(word, made.sub(names.get("DESK", ""), word)) for word in words[1:]]
        return Path(deepfactor(*words, *more, "--json").json().get("folder", ""))

    ours = ("rebalance", "release", "reconcile")  # what scores and watches needs a trained run
    first, second, let_out, reconcile = (words for words in commands_of("desk.md") if words[1] in ours)
    Path("positions.csv").write_text("代码,数量\n现金,50000000\n", encoding="gbk")
    names["DESK"] = str(follow(first, "--day", "2020-12-28"))
    orders = commands_of("orders.md")[0]
    follow(let_out)
    follow(orders)
    (file,) = Path("ORDERS").glob("orders-2020-12-29-generic-*.csv")
    shutil.copy(file, "fills.csv")
    evening = follow(reconcile)
    shutil.copy(evening / "book.csv", "positions.csv")
    assert follow(second, "--day", "2020-12-29").name.startswith("2020-12-29-")
