"""The workbench as a client sees it: who is let in, what it may read, what names may do."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from deepfactor.workbench.guard import POLICY, Pass
from deepfactor.workbench.starting import FOLDER, Calls
from support.cli import deepfactor
from support.workbench import Client, served

#: Names of runs that a page, an address or a shell may trip over.
NAMES = (
    "<img src=x onerror=alert(1)>",
    "\"quoted\" 'run' & more",
    "a%2f..%2fetc",
    "50% {{7*7}} #1?x=y",
    "测试 运行",
)
PORTFOLIO = "/run/small/portfolio/gru_ic/000905.SH/study_b"
EVIL = "</textarea><img src=x onerror=alert(1)>"
#: Addresses that mean to leave the folder.
OUTSIDE = (
    "/run/..", "/run/../..", "/run/%2e%2e", "/run/..%2f..%2fetc%2fpasswd", "/run/%2fetc", "/run/%00", "/run/small%2f..",
    "/run/linked", "/run/small/portfolio/../../x/day/2020-01-03", "/run/small/section/..%2f..%2fx", "/run/jobs",
    "/static/x/..%2fguard.py", "/static/x/%2fetc%2fpasswd", "/compare?run=..&run=small", "/compare?run=/etc&run=small",
    "/run/small%00", "/run/" + "a" * 5000,
)  # fmt: skip


@dataclass(frozen=True)
class Bench:
    """A client that was let in, and the runs folder."""

    client: Client
    runs: Path

    def get(self, address: str, status: int = 200) -> str:
        return self.client.get(address, status)

    def stranger(self) -> Client:
        return Client(self.client.allowed)


@pytest.fixture(scope="module")
def bench(main_job, tmp_path_factory) -> Iterator[Bench]:
    """The main job's runs, copied under names that nobody should give, beside a link that leads out."""
    runs = tmp_path_factory.mktemp("workbench") / "runs"
    shutil.copytree(main_job.runs, runs)
    for name in NAMES:
        shutil.copytree(main_job.run, runs / name)
    outside = runs.parent / "secret"
    shutil.copytree(main_job.run, outside)
    (runs / "linked").symlink_to(outside)
    with served(runs, main_job.market) as client:
        yield Bench(client, runs)


def test_the_link_lets_in_and_its_token_leaves_the_address(bench):
    client = bench.stranger()
    entered = client.ask(f"/?token={client.allowed.token}")
    assert entered.status == 303
    assert entered.headers["location"] == "/"
    cookie = entered.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    client.get("/")


@pytest.mark.parametrize("address", ["/", "/run/small", "/static/x/page.css", "/nowhere", "/?token=", "/?token=wrong",
                                     "/?token=%F0%9F%98%80", "/jobs", "/audit"])  # fmt: skip
def test_without_the_token_all_is_forbidden(bench, address):
    answer = bench.stranger().ask(address)
    assert answer.status == 403
    assert "small" not in answer.text


def test_a_wrong_token_is_forbidden_even_beside_the_right_cookie(bench):
    bench.get("/?token=wrong", 403)
    stranger = bench.stranger()
    stranger.cookies[stranger.allowed.cookie] = "wrong"
    stranger.get("/", 403)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:PORT", "127.0.0.1:1", "127.0.0.1", "localhost.evil:PORT"]
)
def test_another_host_name_is_forbidden(bench, host):
    named = host.replace("PORT", str(bench.client.allowed.port))
    assert bench.client.ask("/", headers={"Host": named}).status == 403


def test_this_machine_by_its_other_names(bench):
    for host in bench.client.allowed.hosts():
        assert bench.client.ask("/", headers={"Host": host}).status == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_not_allowed(bench, method):
    assert bench.client.ask("/", method=method).status == 405


def test_every_answer_forbids_what_is_not_ours(bench):
    for address in ("/", "/run/small", "/nowhere", "/?token=wrong"):
        headers = bench.client.ask(address).headers
        assert headers["content-security-policy"] == POLICY
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"
    assert "unsafe-inline" not in POLICY.split("style-src")[0]
    assert "http" not in POLICY


@pytest.mark.parametrize("address", OUTSIDE)
def test_nothing_outside_the_runs_is_read(bench, address):
    answer = bench.client.ask(address)
    assert answer.status in (404, 409), answer.text
    assert "root:" not in answer.text
    assert "Traceback" not in answer.text


def test_a_link_out_of_the_folder_is_no_run(bench):
    assert "linked" not in bench.get("/")


def test_a_run_that_links_out_of_the_folder_is_refused(bench, tmp_path):
    run = bench.runs / "hollow"
    shutil.copytree(bench.runs / "small", run)
    (tmp_path / "report.json").write_text('{"secret": 1}')
    (run / "arms" / "extra.json").symlink_to(tmp_path / "report.json")
    try:
        assert "leads out of the runs folder" in bench.get("/run/hollow", 409)
    finally:
        shutil.rmtree(run)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_text_whatever_stands_in_it(bench, name):
    """It is found by its address, and shown as it is: no element, no template, no attribute comes of it."""
    page = bench.get(f"/run/{quote(name, safe='')}")
    index = bench.get("/")
    for html in (page, index):
        assert "<img" not in html
        assert "49" not in re.findall(r"50% (\S+)", html)
        assert 'value=""quoted"' not in html
    assert f"/run/{quote(name, safe='')}" in index


@pytest.mark.slow
def test_what_a_run_says_is_text_on_every_page(bench):
    """Its name, title, arm, folders, warnings, findings and constraints hold an element each; no page gets one."""
    evil = "<img src=x onerror=alert(1)>"
    run = bench.runs / "evil"
    shutil.copytree(bench.runs / "small", run)
    (run / "checksums.json").unlink()
    (run / "report.html").unlink()
    for file in run.rglob("*.json"):
        text = file.read_text()
        for word in ("gru_ic", "The main job in the smallest", *(("study_b",) if file.name == "recipe.json" else ())):
            text = text.replace(f'"{word}"', f'"{evil}"')
        content = json.loads(text)
        if isinstance(content, dict) and "warnings" in content:
            content["warnings"] = [*content["warnings"], evil, f"no such {evil}: {evil}"]
        file.write_text(json.dumps(content))
    (run / "arms" / "gru_ic").rename(run / "arms" / evil)
    (run / "portfolio" / "gru_ic").rename(run / "portfolio" / evil)
    (run / "portfolio" / evil / "000905.SH" / "study_b").rename(run / "portfolio" / evil / "000905.SH" / evil)
    try:
        seen, waiting = set(), ["/", "/run/evil", "/compare?run=evil&run=small"]
        while waiting:
            address = waiting.pop()
            answer = bench.client.ask(address)
            assert answer.status in (200, 409), (address, answer.text[-500:])
            assert "<img" not in answer.text, address
            seen.add(address)
            kinds = ("section/", "portfolio/", "/day/2020-06", "/stock/0000", "/solve")
            links = {unescape(one) for one in re.findall(r'href="(/run/evil[^"]*)"', answer.text)}
            waiting += [one for one in links - seen - set(waiting) if any(kind in one for kind in kinds)]
        assert any("/solve" in one for one in seen)
        assert any("/day/" in one for one in seen)
        assert len(seen) > 15
    finally:
        shutil.rmtree(run)


def test_every_section_of_a_run_is_there(bench):
    page = bench.get("/run/small")
    sections = set(re.findall(r'href="(/run/small/section/[\w-]+)"', page))
    assert len(sections) > 6
    for address in sections:
        bench.get(address)
    assert "http://" not in re.sub(r"http://www\.w3\.org/\S+", "", page)


def test_runs_side_by_side(bench):
    page = bench.get(f"/compare?run=small&run={quote(NAMES[4])}")
    assert "Side by side: small · 测试 运行" in page
    assert "at least two runs" in bench.get("/compare?run=small", 409)


def test_the_language_is_kept_and_leaves_the_address(bench):
    assert bench.client.ask("/run/small?language=zh").headers["location"] == "/run/small"
    assert '<html lang="zh-CN">' in bench.get("/run/small")
    bench.get("/?language=en", 303)
    assert '<html lang="en">' in bench.get("/")


def test_an_error_is_said_in_both_languages(bench):
    page = bench.get("/run/nowhere", 404)
    assert "no run &#39;nowhere&#39; in this folder" in page
    assert "此文件夹中没有运行&#39;nowhere&#39;" in page


def test_a_run_that_changes_is_read_anew(bench):
    run = bench.runs / "moving"
    shutil.copytree(bench.runs / "small", run)
    try:
        bench.get("/run/moving")
        (run / "environment.json").unlink()
        assert "no results yet" in bench.get("/run/moving", 404)
    finally:
        shutil.rmtree(run)


def day_of(bench: Bench) -> str:
    """A signal day in the middle of the portfolio."""
    days = re.findall(rf'href="{PORTFOLIO}/day/([\d-]+)"', bench.get(PORTFOLIO))
    assert len(days) > 20
    return days[len(days) // 2]


def test_a_day_is_walked(bench):
    """Portfolio → day → stock and back; neighbours lead on, what bound the day has its prices."""
    day = day_of(bench)
    page = bench.get(f"{PORTFOLIO}/day/{day}")
    assert "Held or sold, the best score first" in page
    assert "Best scores that were passed over" in page
    assert "industry active weight" in page
    near = re.findall(rf'href="({PORTFOLIO}/day/[\d-]+)"', page)
    assert len(set(near)) == 2
    bench.get(near[0])
    stock = re.findall(rf'href="({PORTFOLIO}/stock/[^"]+)"', page)[0]
    assert f"{PORTFOLIO}/day/{day}" in bench.get(stock)


NOT_THERE = (
    "day/2020-01-01", "day/..", "day/2020-13-01", "day/%3Cimg%3E", "stock/%3Cimg%20src=x%3E", "stock/..", "solve",
    "day/99999999999",
)  # fmt: skip


@pytest.mark.parametrize("end", NOT_THERE)
def test_what_a_portfolio_has_not_is_not_here(bench, end):
    answer = bench.client.ask(f"{PORTFOLIO}/{end}")
    assert answer.status in (404, 409)
    assert "<img" not in answer.text


def solved(bench: Bench, address: str) -> str:
    """The page of an answer, waited for as a browser does."""
    end = time.monotonic() + 120
    while "data-refresh" in (page := bench.get(address)):
        assert time.monotonic() < end
        time.sleep(0.5)
    return page


@pytest.mark.slow
def test_a_day_is_solved_again(bench):
    """As it was nothing changes; under a wider bound the objective rises; what is asked twice is one answer."""
    address = f"{PORTFOLIO}/day/{day_of(bench)}/solve"
    text = unescape(re.findall(r"<textarea[^>]*>\n(.*?)</textarea>", bench.get(address), re.DOTALL)[0])
    assert "limit = 0.008" in text
    same = solved(bench, bench.client.post(address, constraints=text).headers["location"])
    assert "gives the objective that the backtest wrote" in same
    assert "No weight changes" in same
    wider = text.replace("limit = 0.008", "limit = 0.02")
    places = {bench.client.post(address, constraints=wider).headers["location"] for _ in range(2)}
    assert len(places) == 1
    page = solved(bench, places.pop())
    assert "Weights that change" in page
    row = re.findall(r'data-sort="Objective".*?</tr>', page, re.DOTALL)[0]
    before, after = re.findall(r'<td[^>]*data-sort="([^"]+)"', row)
    assert float(after) > float(before)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cash = 0.005\n[[constraints]\n", "line 2"),
        ("cash = 2\n", "cash"),
        ('[[constraints]]\nkind = "nowhere:Kind"\n', "constraints.0"),
        ('[[constraints]]\nkind = "stock_active_weight"\nlimt = 1\n', "limt"),
        (f"{EVIL} = 1", "line 1"),
        ("x" * 70_000, "at most"),
    ],
)
def test_wrong_constraints_are_named_and_stay_to_be_mended(bench, text, said):
    answer = bench.client.ask(
        f"{PORTFOLIO}/day/{day_of(bench)}/solve",
        method="POST",
        form={"form_token": bench.client.allowed.form_token, "constraints": text},
    )
    assert answer.status in (409, 422)
    assert said in unescape(answer.text)
    assert "<img" not in answer.text


@pytest.mark.slow
def test_constraints_that_nothing_keeps_are_said(bench):
    rows = (
        "relax_order = []",
        '[[constraints]]\nkind = "constituents_weight"\nminimum = 1.0',
        '[[constraints]]\nkind = "stock_active_weight"\nlimit = 0.0',
        '[[constraints]]\nkind = "turnover"\nlimit = 0.0001',
    )
    address = f"{PORTFOLIO}/day/{day_of(bench)}/solve"
    answer = bench.client.post(address, constraints="\n".join(rows)).headers["location"]
    end = time.monotonic() + 60
    while (now := bench.client.ask(answer)).status == 200 and time.monotonic() < end:
        time.sleep(0.5)
    assert now.status == 422
    assert "no portfolio" in now.text


@pytest.mark.parametrize("sent", [{}, {"form_token": ""}, {"form_token": "wrong"}])
def test_a_form_without_its_token_is_forbidden(bench, sent):
    for address in (f"{PORTFOLIO}/day/{day_of(bench)}/solve", "/jobs/start", "/jobs/stop"):
        assert bench.client.ask(address, method="POST", form={**sent, "constraints": "x"}).status == 403


def test_a_form_from_another_page_is_forbidden(bench):
    form = {"form_token": bench.client.allowed.form_token, "constraints": ""}
    for origin in ("http://evil.example", "null", f"https://127.0.0.1:{bench.client.allowed.port}"):
        answer = bench.client.ask("/jobs/start", method="POST", headers={"Origin": origin}, form=form)
        assert answer.status == 403


def test_without_write_nothing_is_started(bench):
    assert bench.client.post("/jobs/start", 403, recipe="demo", workers="1")
    assert bench.client.post("/jobs/stop", 403, call="1")
    assert "--write" in bench.get("/jobs")
    assert "<form" not in bench.get("/jobs")
    assert not (bench.runs / FOLDER).exists()


def test_a_form_that_is_too_large_is_refused(bench):
    bench.client.post(f"{PORTFOLIO}/day/2020-01-03/solve", 413, constraints="x" * 300_000)


def test_jobs_and_their_curves(bench):
    page = bench.get("/jobs")
    keys = set(re.findall(r'href="/jobs/([0-9a-f]{16})"', page))
    assert len(keys) == 4
    assert "Validation RankIC by epoch" in page
    assert "What its key is made of" in bench.get(f"/jobs/{min(keys)}")
    bench.get("/jobs/..", 404)
    bench.get("/jobs/call/1", 404)


def test_a_job_of_any_content_is_shown_as_text(bench):
    job = bench.runs / "jobs" / "odd"
    job.mkdir()
    try:
        (job / "job.json").write_text(f'{{"arm": {{"model": {{"kind": "{EVIL}"}}}}, "seed": "{EVIL}", "fold": 3}}')
        (job / "log.jsonl").write_text('{"epoch": 1, "loss": 0.5, "valid_rank_ic": null}\n{"epoch": 2, "lo')
        for address in ("/jobs", "/jobs/odd"):
            page = bench.get(address)
            assert "<img" not in page
            assert "onerror" in page
    finally:
        shutil.rmtree(job)


@pytest.mark.slow
def test_the_market_is_audited(bench):
    page = solved(bench, "/audit")
    assert "By year" in page
    assert "Nothing found" in page or "Findings" in page


def test_a_run_is_started_seen_by_another_server_and_stopped(main_job, tmp_path):
    """By a recipe file of the runs folder; stopped as by Ctrl-C, which its exit code says."""
    runs = tmp_path / "runs"
    runs.mkdir()
    (runs / "my recipe.toml").write_text(main_job.recipe.read_text().replace("epochs = 2", "epochs = 2000"))
    with served(runs, main_job.market, write=True) as client:
        assert "my recipe.toml" in client.get("/jobs")
        wrong = (
            ("../recipe", "1"),
            ("/etc/passwd", "1"),
            ("my recipe.toml", "999"),
            ("my recipe.toml", "x"),
            ("", "1"),
        )
        for recipe, workers in wrong:
            client.post("/jobs/start", 422, recipe=recipe, workers=workers)
        address = client.post("/jobs/start", recipe="my recipe.toml", workers="1").headers["location"]
        assert "running, process" in client.get(address)
        (other,) = Calls(runs, main_job.market).all()
        assert other.running
        client.post("/jobs/stop", call=other.number)
        end = time.monotonic() + 60
        while "stopped; the same start goes on" not in client.get(address):
            assert time.monotonic() < end, client.get(address)
            time.sleep(0.2)
        assert not Calls(runs, main_job.market).one(other.number).running
        client.post("/jobs/stop", 404, call="../1")


def test_a_process_of_the_same_number_is_not_taken_for_a_call(main_job, tmp_path):
    """A number is given again; what began at another time is another process, and is not stopped."""
    (tmp_path / FOLDER).mkdir()
    noted = '{"number": "1", "recipe": "demo", "command": [], "started": "", "pid": %d, "born": "1"}'
    (tmp_path / FOLDER / "1.json").write_text(noted % os.getpid())
    (tmp_path / FOLDER / "2.json").write_text("{}")
    (call,) = Calls(tmp_path, main_job.market).all()
    assert not call.running
    Calls(tmp_path, main_job.market).stop("1")  # and this process lives


@pytest.mark.slow
def test_the_verb_prints_its_link_and_ends_by_a_signal(main_job):
    """Exit 0; the port is free again; one that is taken, a folder or a market that isn't there end in 2."""
    verb = [sys.executable, "-m", "deepfactor", "serve", str(main_job.runs), "--market"]
    served_by = subprocess.Popen(
        [*verb, str(main_job.market), "--port", "0", "--json"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert served_by.stdout is not None
        said = json.loads(served_by.stdout.readline())
        client = Client(Pass(parse_qs(urlsplit(said["link"]).query)["token"][0], said["port"]))
        assert client.ask(said["link"].removeprefix(client.allowed.origin)).status == 303
        assert "The main job" not in client.get("/")
        assert "small" in client.get("/")
        taken = deepfactor("serve", main_job.runs, "--market", main_job.market, "--port", said["port"])
        assert taken.code == 2
        assert "give another one" in taken.err
    finally:
        served_by.send_signal(signal.SIGINT)
    assert served_by.wait(60) == 0
    served_by.stdout.close()
    assert deepfactor("serve", main_job.runs / "nowhere", "--market", main_job.market).code == 2
    assert deepfactor("serve", main_job.runs, "--market", main_job.runs).code == 2


def test_without_its_packages_it_says_what_to_install(main_job, monkeypatch):
    monkeypatch.setitem(sys.modules, "starlette", None)
    refused = deepfactor("serve", main_job.runs, "--market", main_job.market)
    assert refused.code == 2
    assert "pip install 'deepfactor[serve]'" in refused.err
