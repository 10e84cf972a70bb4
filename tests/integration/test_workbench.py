"""The workbench as a client sees it: who is let in, what it may read, what names may do."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from deepfactor.workbench.guard import POLICY
from support.workbench import Client, served

#: Names of runs that a page, an address or a shell may trip over.
NAMES = (
    "<img src=x onerror=alert(1)>",
    "\"quoted\" 'run' & more",
    "a%2f..%2fetc",
    "50% {{7*7}} #1?x=y",
    "测试 运行",
)
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


def test_a_run_that_changes_is_read_anew(bench):
    run = bench.runs / "moving"
    shutil.copytree(bench.runs / "small", run)
    try:
        bench.get("/run/moving")
        (run / "environment.json").unlink()
        assert "no results yet" in bench.get("/run/moving", 404)
    finally:
        shutil.rmtree(run)
