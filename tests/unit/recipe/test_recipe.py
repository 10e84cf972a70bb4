"""Recipes: what ships loads, what is overridden is overridden, what is wrong names its key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from deepfactor.core.errors import KindError, RecipeError
from deepfactor.core.kind import Kind, recipe_error
from deepfactor.models.base import ROOM as MODELS
from deepfactor.portfolio.presets import load_preset
from deepfactor.recipe import Portfolio, Recipe, load_constraints, load_recipe, shipped_recipes

HEAD = 'name = "mine"\ntitle = "Mine"\n[plan]\nfirst_test = 2020\n'
ARM = '[[arms]]\nname = "gru"\nmodel = { kind = "gru" }\n'


@pytest.fixture
def recipe(tmp_path):
    """Writes a recipe and gives back its path."""

    def write(text: str = HEAD + ARM) -> str:
        (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
        return str(tmp_path / "mine.toml")

    return write


def test_what_ships():
    assert {"demo", "study_b_first"} <= set(shipped_recipes())
    for name in shipped_recipes():
        loaded = load_recipe(name)
        assert loaded.name == name, "the run's folder is called like the recipe"
        assert loaded.portfolios
        assert all(load_constraints(portfolio).constraints for portfolio in loaded.portfolios)


def test_the_study_as_published():
    loaded = load_recipe("study_b_first")
    assert (loaded.plan.first_test, loaded.plan.train_years, loaded.plan.valid_years) == (2019, 5, 1)
    assert (loaded.plan.every, loaded.fit.epochs, loaded.fit.lr, loaded.fit.clip) == (5, 12, 1e-3, 3.0)
    assert [arm.model.kind for arm in loaded.arms] == ["gru", "decomp_gru"]
    assert {arm.loss.kind for arm in loaded.arms} == {"ic"}
    assert all(arm.published is not None for arm in loaded.arms)


def test_a_shipped_recipe_is_meant_even_beside_a_folder_of_its_name(tmp_path, monkeypatch):
    """``deepfactor demo`` leaves a folder ``demo``."""
    monkeypatch.chdir(tmp_path)
    Path("demo").mkdir()
    assert load_recipe("demo").name == "demo"


def test_defaults(recipe):
    loaded = load_recipe(recipe())
    assert (loaded.features.kind, loaded.label.kind, loaded.styles.kind) == ("price_volume", "neutral_return", "basic")
    assert loaded.arms[0].loss.kind == "ic"
    assert loaded.portfolios == ()
    assert Recipe.model_validate(loaded.model_dump(mode="json")) == loaded, "what is written can be read"
    assert Recipe.model_validate(loaded.model_dump(mode="json")).key() == loaded.key()


@pytest.mark.parametrize(
    ("setting", "where", "value"),
    [
        ("fit.epochs=3", "fit.epochs", 3),
        ("fit.epochs = 3", "fit.epochs", 3),
        ("fit.lr=2e-4", "fit.lr", 2e-4),
        ("fit.seeds=[1, 2]", "fit.seeds", (1, 2)),
        ("title=One = two", "title", "One = two"),
        ('title="000300"', "title", "000300"),
        ("name=000300", "name", "000300"),
        ("universe.exclude_st=false", "universe.exclude_st", False),
        ("label={kind='neutral_return', horizon=5}", "label.settings.horizon", 5),
        ("label.kind=neutral_return", "label.kind", "neutral_return"),
        ("arms.0.model.hidden=8", "arms.0.model.settings.hidden", 8),
        ("arms.gru.model.hidden=8", "arms.0.model.settings.hidden", 8),
        ("arms.0.published=study_b/gru_ic", "arms.0.published", "study_b/gru_ic"),
    ],
)
def test_overrides(recipe, setting, where, value):
    found = load_recipe(recipe(), [setting])
    for step in where.split("."):
        found = found[int(step)] if step.isdigit() else getattr(found, step)
    assert found == value
    assert type(found) is type(value)


def test_the_last_override_counts_and_the_key_follows(recipe):
    path = recipe()
    twice = load_recipe(path, ["fit.epochs=3", "fit.epochs=4"])
    assert twice.fit.epochs == 4
    assert twice.key() == load_recipe(path, ["fit.epochs=4"]).key() != load_recipe(path).key()


BAD_SETTINGS = {
    "fit.epochs": "no '='",
    "=1": "no key",
    ".=1": "no key",
    "fit.epochs=none": r"^fit\.epochs: .*'none'",
    "fit.epochs=0": r"^fit\.epochs: .*given: 0",
    "fit.lr=nan": r"^fit\.lr: ",
    "magic=1": r"^magic: ",
    "fit.magic=1": r"^fit\.magic: ",
    "plan.last_test=2019": r"^plan: .*last_test 2019 lies before first_test 2020",
    "fit.seeds=[1, 1]": r"^fit\.seeds: .*different seeds",
    "name=x/y": r"^name: .*'x/y'",
    "name=jobs": r"^name: .*trained jobs",
    "title.x=1": r"^title\.x: 'Mine' is no table",
    "title.x.y=1": r"^title\.x\.y: 'Mine' is no table",
    "arms.1.name=x": r"^arms\.1\.name: '1' is no position in a list of 1, and no name: there are gru$",
    "arms.grus.name=x": r"^arms\.grus\.name: 'grus' is .*no name: did you mean gru\? there are gru$",
    "arms.-1.name=x": r"^arms\.-1\.name: ",
    "arms.0=x": r"^arms\.0: ",
    "arms.0.model.magic=1": r"^arms\.0\.model\.magic: ",
    "arms.0.model.hidden=0": r"^arms\.0\.model\.hidden: ",
    "test.horizons=[0]": r"^test\.horizons\.0: ",
}


@pytest.mark.parametrize("setting", BAD_SETTINGS)
def test_a_bad_override_names_its_key(recipe, setting):
    with pytest.raises(RecipeError, match=BAD_SETTINGS[setting]) as caught:
        load_recipe(recipe(), [setting])
    assert caught.value.exit_code == 2


BAD_TEXTS = {
    "no arms": (HEAD, r"arms: .*required"),
    "an empty list of arms": ("arms = []\n" + HEAD, r"arms: "),
    "no plan": ('name = "x"\ntitle = "X"\n' + ARM, r"plan: .*required"),
    "two arms with one name": (HEAD + ARM + ARM, r"arms: .*two arms have the same name: gru"),
    "an arm that is a path": (HEAD + ARM.replace('"gru"', '"../gru"', 1), r"arms\.0\.name: "),
    "features": (HEAD + '[features]\nkind = "volume"\n' + ARM, r"^features\.kind: no kind 'volume'.*price_volume"),
    "label": (HEAD + '[label]\nkind = "raw"\n' + ARM, r"^label\.kind: no kind 'raw'.*neutral_return"),
    "an unknown part of the return": (
        HEAD + '[label]\nkind = "neutral_return"\nneutralise = ["style"]\n' + ARM,
        r"^label\.neutralise\.0: .*'industry' or 'size' \(given: 'style'\)",
    ),
    "a part taken out twice": (
        HEAD + '[label]\nkind = "neutral_return"\nneutralise = ["size", "size"]\n' + ARM,
        r"^label\.neutralise: 'size' stands twice",
    ),
    "an arm's label": (
        HEAD + ARM + 'label = { kind = "neutral_return", neutralise = "size" }\n',
        r"^arms\.0\.label\.neutralise: ",
    ),
    "styles": (HEAD + '[styles]\nkind = "barra"\n' + ARM, r"^styles\.kind: no kind 'barra'.*basic"),
    "a shared part is no kind": (HEAD + ARM.replace('kind = "gru"', 'kind = "_layers"'), r"^arms\.0\.model\.kind: "),
    "base is no kind": (HEAD + ARM.replace('kind = "gru"', 'kind = "base"'), r"^arms\.0\.model\.kind: "),
    "an arm without a model": (HEAD + '[[arms]]\nname = "x"\n', r"arms\.0: .*a model .* or a weighting"),
    "a model without a kind": (HEAD + ARM.replace('kind = "gru"', "hidden = 8"), r"arms\.0\.model\.kind: .*required"),
    "an unknown arm": (
        HEAD + ARM + '[[portfolios]]\nindex = "000905.SH"\narms = ["x"]\n',
        r"^portfolios\.0\.arms: no arm 'x': there are gru$",
    ),
    "unknown constraints": (
        HEAD + ARM + '[[portfolios]]\nindex = "000905.SH"\nconstraints = "x"\n',
        r"^portfolios\.0\.constraints: .*'x'.*study_a, study_a_all_market, study_b",
    ),
    "one folder for two portfolios": (
        HEAD + ARM + 2 * '[[portfolios]]\nindex = "000905.SH"\n',
        r"^portfolios\.1: a second gru/000905\.SH/study_b",
    ),
}


@pytest.mark.parametrize("case", BAD_TEXTS)
def test_a_bad_recipe_names_its_key(recipe, case):
    text, message = BAD_TEXTS[case]
    with pytest.raises(RecipeError, match=message):
        load_recipe(recipe(text))


def test_every_wrong_key_is_named_at_once(recipe):
    with pytest.raises(RecipeError, match=r"fit\.epochs: .*; .*plan\.every: |plan\.every: .*; .*fit\.epochs: "):
        load_recipe(recipe(), ["fit.epochs=0", "plan.every=0"])


def test_two_portfolios_of_different_arms_may_share_constraints(recipe):
    arms = ARM + ARM.replace('"gru"', '"again"', 1)
    portfolios = "".join(f'[[portfolios]]\nindex = "000905.SH"\narms = ["{name}"]\n' for name in ("gru", "again"))
    assert len(load_recipe(recipe(HEAD + arms + portfolios)).portfolios) == 2


def test_code_from_outside_needs_to_be_allowed(recipe, tmp_path, monkeypatch):
    (tmp_path / "somelab").mkdir()
    (tmp_path / "somelab" / "net.py").write_text(
        "from deepfactor.core.spec import Spec\n\nINPUTS = frozenset({'windows'})\n\n\n"
        "class Settings(Spec):\n    width: int = 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for kind in ("somelab:net", "somelab.net"):
        wide = [f"arms.0.model={{kind='{kind}', width=5}}"]
        with pytest.raises(KindError, match=rf"^arms\.0\.model\.kind: '{kind}' .*--allow-code"):
            load_recipe(recipe(), wide)
        assert load_recipe(recipe(), wide, allow_code=True).arms[0].model.said == {"width": 5}
        with pytest.raises(RecipeError, match=r"^arms\.0\.model\.height: "):
            load_recipe(recipe(), [f"arms.0.model={{kind='{kind}', height=5}}"], allow_code=True)


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        ("name='a', model={kind='bi_agru_gat'}", r"^arms\.0\.graph: bi_agru_gat reads neighbours: say whose"),
        ("name='a', model={kind='bi_agru_gat'}, graph={kind='friends'}", r"^arms\.0\.graph\.kind: no kind 'friends'"),
        ("name='a', model={kind='bi_agru_gat'}, graph={kind='random', like='x'}", r"^arms\.0\.graph\.like"),
        ("name='a', model={kind='gru'}, graph={kind='full'}", r"^arms\.0\.graph: gru reads no neighbours"),
        ("name='a', model={kind='gru'}, every=0", r"^arms\.0\.every: "),
    ],
)
def test_an_arm_has_a_graph_where_its_network_reads_neighbours(arm, message, recipe):
    with pytest.raises(RecipeError, match=message):
        load_recipe(recipe(), [f"arms=[{{{arm}}}]"])


def test_which_quarters_a_network_reads(recipe):
    settings = ["fundamentals={quarters=8, items=['BP', 'SUE']}", "arms=[{name='a', model={kind='fundamental_gru'}}]"]
    assert load_recipe(recipe(), settings).fundamentals.quarters == 8
    with pytest.raises(RecipeError, match=r"^fundamentals\.items\.0: "):
        load_recipe(recipe(), ["fundamentals={items=['PE']}"])


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("inputs={news={}}", r"^inputs\.news\.kind: no kind 'news' .*exposures, fundamentals"),
        ("inputs={exposures={days=3}}", r"^inputs\.exposures\.days: unknown key"),
        ("inputs={exposures={}}", r"^inputs\.exposures: no arm's network reads it"),
        ("inputs={fundamentals={quarters=8}}", r"^inputs\.fundamentals: .*write it as \[fundamentals\]"),
    ],
)
def test_settings_of_inputs_belong_to_inputs_that_are_read(said, message, recipe):
    with pytest.raises(RecipeError, match=message):
        load_recipe(recipe(), [said])


@pytest.mark.parametrize("name", ["nothing", "nothing.toml", ""])
def test_no_such_recipe(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shipped = "long_only, study_a, study_a_reduced, study_b, study_b_ablations, study_b_first"
    with pytest.raises(RecipeError, match=rf"^no recipe '{name}': .*{shipped}"):
        load_recipe(name)


def test_unreadable_recipes(tmp_path):
    path = tmp_path / "mine.toml"
    deep = b"name = " + 5000 * b"[" + 5000 * b"]"
    for content, why in (
        (b"name =\n", "can't be read as TOML: .*line 1"),
        (b"name = '\xff'", r"is not UTF-8 \(byte 8"),
        (deep, ".*nested too deeply"),
        (b"name = " + 5000 * b"1", "can't be read as TOML: .*digits"),
    ):
        path.write_bytes(content)
        with pytest.raises(RecipeError, match=rf"mine\.toml {why}"):
            load_recipe(str(path))


def test_a_constraint_file_of_ones_own(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("cash = 0.01\n[[constraints]]\nkind = 'stock_active_weight'\nlimit = 0.02\n")
    loaded = load_constraints(Portfolio(index="000905.SH", constraints=str(path)))
    assert (loaded.name, loaded.cash, len(loaded.constraints)) == ("mine", 0.01, 1)
    path.write_text("cash = 2\n")
    with pytest.raises(RecipeError, match=r"^portfolios\.3\.constraints: .*cash: "):
        load_constraints(Portfolio(index="000905.SH", constraints=str(path)), "portfolios.3.")


def test_a_portfolio_may_say_styles_costs_and_haircut_of_its_own():
    plain = load_constraints(Portfolio(index="000905.SH", constraints="study_a"))
    assert plain == load_preset("study_a")
    own = {"styles": {"kind": "basic"}, "costs": {"kind": "schedule"}, "haircut": 0.0}
    changed = load_constraints(Portfolio(index="000905.SH", constraints="study_a", **own))
    assert (changed.styles.kind, changed.costs.kind, changed.haircut) == ("basic", "schedule", 0.0)
    assert changed.constraints == plain.constraints
    with pytest.raises(ValidationError) as caught:
        Portfolio(index="000905.SH", styles={"kind": "barra"})
    assert re.match(
        r"^portfolios\.3\.styles\.kind: no kind 'barra'.*barra_cne5", str(recipe_error(caught.value, "portfolios.3"))
    )


def test_each_ablation_changes_one_thing_under_the_protocol_in_full():
    full, loaded = load_recipe("study_b_full"), load_recipe("study_b_ablations")
    two = full.fit.model_copy(update={"seeds": (0, 42)})
    assert (loaded.plan, loaded.fit, loaded.label, loaded.features) == (full.plan, two, full.label, full.features)
    arms = {arm.name: arm for arm in loaded.arms}
    for name in ("gru_ic", "decomp_gru_ic"):
        assert arms.pop(name) in full.arms
    whole = next(arm for arm in full.arms if arm.name == "decomp_gru_ic")
    for name, arm in arms.items():
        assert arm.model_copy(update={"model": whole.model}) == whole.model_copy(
            update={"name": name, "published": None}
        )
    changed = {name: arm.model.written().items() - whole.model.written().items() for name, arm in arms.items()}
    assert changed == {
        "no_decomposition": {("decompose", False)},
        "split_before_scaling": {("split", "before_scaling")},
        "no_residual_branch": {("residual_branch", False)},
        "no_cross_section": {("cross_section", "none")},
        "plain_mean": {("cross_section", "mean")},
        "groups_10": {("groups", 10)},
        "groups_20": {("groups", 20)},
        "cross_gru": {("kind", "cross_gru")},
    }


@pytest.mark.parametrize("name", ["study_b", "study_b_reduced"])
def test_the_studys_arms_stand_beside_baselines(name):
    loaded = load_recipe(name)
    arms = {arm.name: arm for arm in loaded.arms}
    four = {(m, loss) for m in ("gru", "decomp_gru") for loss in ("ic", "weighted_mse")}
    assert {(a.model.kind, a.loss.kind) for a in loaded.arms if a.published} == four
    assert {arm.published for arm in loaded.arms if arm.published} == {
        f"study_b/{model}_{loss}" for model in ("gru", "decomp_gru") for loss in ("ic", "mse")
    }
    baselines = {arms[name].weighting.kind: arms[name].features.kind for name in ("lightgbm", "ridge")}
    assert baselines == {"lightgbm": "hand_features", "ridge": "hand_features"}
    assert len(loaded.portfolios) == 3


def test_the_full_study_is_the_published_protocol():
    loaded = load_recipe("study_b")
    assert (loaded.plan.every, loaded.plan.last_test, loaded.fit.epochs, loaded.fit.patience) == (1, None, 50, 15)
    assert loaded.fit.seeds == (0, 42, 3407)
    assert all(arm.seeds is None for arm in loaded.arms if arm.model is not None)


def test_study_a_has_each_of_its_networks_and_the_twins_of_its_graph():
    loaded, reduced = load_recipe("study_a"), load_recipe("study_a_reduced")
    small, own = {"hidden": 32, "layers": 1}, [arm for arm in reduced.arms if arm.label is None]
    for arm, other in zip((a for a in loaded.arms if a.name != "bi_agru_orthogonal"), own, strict=True):
        model = arm.model if arm.name == "fundamental_gru" else MODELS.choose(Kind(**{**arm.model.written(), **small}))
        assert other.model_copy(update={"seeds": None}) == arm.model_copy(update={"model": model})
    for arm in reduced.arms:
        if arm.label is not None:  # BiAGRU but for what is taken out of the label
            assert arm.model_copy(update={"name": "bi_agru", "label": None, "seeds": None}) == own[0].model_copy(
                update={"seeds": None, "published": None}
            )
            assert {**arm.label.whole(), "neutralise": ["industry", "size"]} == reduced.label.whole()
    assert [arm.name for arm in reduced.arms if arm.label is not None] == ["bi_agru_raw", "bi_agru_industry"]
    assert [arm.name for arm in reduced.arms if arm.seeds == (0, 42, 3407)] == [
        *("bi_agru", "bi_agru_raw", "bi_agru_gat", "bi_agru_gat_random"),
        *("second_weighting", "second_weighting_train", "second_weighting_deep"),
    ]
    arms = {arm.name: arm for arm in loaded.arms}
    assert {a.model.kind for a in loaded.arms} == {"bi_agru", "fundamental_gru", "composite", "bi_agru_gat"}
    assert {a.graph.kind for a in loaded.arms if a.graph} == {"fundamental", "random", "industry"}
    assert arms["bi_agru_orthogonal"].model.said == {"orthogonal": True, "mlp": 128}
    assert [name for name, arm in arms.items() if arm.every] == ["fundamental_gru"]
    assert (loaded.plan.first_test, loaded.plan.last_test, loaded.plan.every) == (2017, None, 1)
    assert (loaded.features.kind, loaded.label.said["horizon"]) == ("daily_set", 5)
    assert (loaded.fit.epochs, loaded.fit.patience, loaded.fit.seeds) == (50, 15, (0, 42, 3407))
    assert (reduced.plan.first_test, reduced.plan.last_test) == (2019, 2021)
    assert {(p.index, p.constraints) for p in loaded.portfolios} == {
        (index, preset) for index in ("000905.SH", "000852.SH") for preset in ("study_a_all_market", "study_a")
    }


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        ('weighting = { kind = "forest" }', r"arms\.0\.weighting\.kind: no kind 'forest'.*ridge"),
        ('weighting = { kind = "ridge" }\nfeatures = { kind = "x" }', r"arms\.0\.features\.kind: no kind 'x'"),
        ('features = { kind = "hand_features" }', r"arms\.0: .*a model .* or a weighting"),
    ],
)
def test_wrong_baselines_name_their_key(recipe, arm, message):
    with pytest.raises(RecipeError, match=message):
        load_recipe(recipe(f'{HEAD}[[arms]]\nname = "b"\n{arm}\n'))


def test_the_forerunners_stand_beside_the_reduced_recipes_networks_and_baselines():
    reduced, loaded = load_recipe("study_b_reduced"), load_recipe("study_b_forerunners")
    assert (loaded.label, loaded.features, loaded.portfolios) == (reduced.label, reduced.features, reduced.portfolios)
    beside = {arm.name: arm for arm in reduced.arms}
    assert [arm.name for arm in loaded.arms] == [
        "gru_ic", "decomp_gru_ic", "cross_gru", "cross_gru2", "lightgbm", "ridge",
    ]  # fmt: skip
    for arm in loaded.arms:
        if arm.name.startswith("cross_gru"):
            assert arm == beside["gru_ic"].model_copy(update={"name": arm.name, "model": arm.model, "published": None})
            assert arm.model.kind == arm.name
        else:
            assert arm == beside[arm.name]
