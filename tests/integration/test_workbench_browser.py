"""The workbench in a real headless Chromium: clicked through at two widths, in both languages; a run started, stopped.

Without a Chromium these are skipped, which says so; on Debian: ``apt-get install chromium fonts-noto-cjk``.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from support.browser import Tab, browse, chromium
from support.pages import english_in
from support.workbench import Client, served

pytestmark = pytest.mark.skipif(chromium() is None, reason="no Chromium here: nobody has looked at the workbench")

PORTFOLIO = "/run/small/portfolio/gru_ic/000905.SH/study_b"


@dataclass(frozen=True)
class Reader:
    """A tab on a workbench that may start runs."""

    tab: Tab
    client: Client

    def open(self, address: str) -> None:
        self.tab.open(self.client.allowed.origin + address)
        self.fine()

    def click(self, selector: str) -> None:
        """Click what a selector finds, and wait for the page that comes."""
        self.tab.browser.events.clear()
        self.tab.evaluate(f"document.querySelector({selector!r}).click()")
        self.tab.browser.wait_for("Page.loadEventFired")
        self.tab.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 50)))")
        self.fine()

    def fine(self) -> None:
        """Nothing complains, nobody else is asked, nothing is wider than the window."""
        assert self.tab.complaints() == []
        own = (self.client.allowed.origin, "data:", "blob:")
        assert [one for one in self.tab.requests() if not one.startswith(own)] == []
        assert self.tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

    def title(self) -> str:
        return str(self.tab.evaluate("document.querySelector('h1').innerText"))

    def text(self) -> str:
        return str(self.tab.evaluate("document.body ? document.body.innerText : ''"))


@pytest.fixture(scope="module")
def reader(main_job, tmp_path_factory) -> Iterator[Reader]:
    runs = tmp_path_factory.mktemp("clicked") / "runs"
    shutil.copytree(main_job.runs, runs)
    (runs / "long.toml").write_text(main_job.recipe.read_text().replace("epochs = 2", "epochs = 2000"))
    profile = tmp_path_factory.mktemp("profile")
    with served(runs, main_job.market, write=True) as client, browse(profile) as browser:
        tab = browser.tab()
        tab.size(1280)
        tab.open(client.allowed.link)
        yield Reader(tab, client)
    shutil.rmtree(profile, ignore_errors=True)


def test_the_link_opens_the_list_and_the_token_is_gone_from_the_address(reader):
    reader.tab.open(reader.client.allowed.link)
    assert reader.tab.evaluate("location.href") == f"{reader.client.allowed.origin}/"
    assert reader.title() == "Runs"
    assert reader.tab.evaluate("document.cookie") == ""


@pytest.mark.parametrize("width", [1280, 390])
def test_clicked_through_from_the_list_to_a_stock(reader, width):
    reader.tab.size(width)
    reader.open("/?language=en")
    reader.click('tbody a[href="/run/small"]')
    assert reader.title() == "The main job in the smallest"
    reader.click('a[href="/run/small/section/training"]')
    assert reader.tab.evaluate("document.querySelectorAll('.plot .main-svg').length") > 0
    reader.click('a[href="/run/small/section/portfolios"]')
    reader.click(f'tbody a[href="{PORTFOLIO}"]')
    reader.click(f'#signal_days tbody tr:nth-child(9) a[href^="{PORTFOLIO}/day/"]')
    assert reader.title().startswith("Signal of 2020-")
    reader.click(f'#held tbody a[href^="{PORTFOLIO}/stock/"]')
    assert reader.tab.evaluate("document.querySelectorAll('.plot .main-svg').length") > 0


@pytest.mark.slow
def test_a_day_is_solved_again_by_a_form(reader):
    """The answer's page comes by itself."""
    reader.tab.size(1280)
    reader.open(f"{PORTFOLIO}?language=en")
    reader.click(f'#signal_days tbody tr:nth-child(9) a[href^="{PORTFOLIO}/day/"]')
    reader.click('a[href$="/solve"]')
    reader.tab.evaluate("const t = document.querySelector('textarea'); t.value = t.value.replace('0.008', '0.02')")
    reader.click("form button.go")
    end = time.monotonic() + 120
    while "Weights that change" not in reader.text():
        assert time.monotonic() < end, reader.text()
        time.sleep(1)
    reader.fine()


@pytest.mark.slow
def test_a_run_is_started_and_stopped_by_buttons(reader):
    reader.open("/jobs?language=en")
    reader.tab.evaluate("document.querySelector('select[name=recipe]').value = 'long.toml'")
    reader.click("form button.go")
    assert reader.title() == "long.toml"
    assert "running, process" in reader.text()
    reader.click("button.stop")
    end = time.monotonic() + 90
    while "stopped; the same start goes on" not in reader.text():
        assert time.monotonic() < end, reader.text()
        time.sleep(1)
        reader.open(str(reader.tab.evaluate("location.pathname")))


def test_nothing_but_chinese_is_said_in_chinese(reader):
    """Names and the run's own words aside."""
    reader.tab.size(390)
    reader.client.cookies["deepfactor-language"] = "zh"
    try:
        pages = ["/", "/run/small", "/jobs", PORTFOLIO]
        days = list(dict.fromkeys(re.findall(rf'href="({PORTFOLIO}/day/[^"]+)"', reader.client.get(PORTFOLIO))))
        pages += [days[5], f"{days[5]}/solve"]
        for address in pages:
            html = reader.client.get(address)
            assert '<html lang="zh-CN">' in html
            assert english_in(html, ("The main job in the smallest",)) == [], address
    finally:
        del reader.client.cookies["deepfactor-language"]
    for address in ("/?language=zh", days[5], f"{days[5]}/solve", "/jobs"):
        reader.open(address)
        assert reader.tab.evaluate("document.documentElement.lang") == "zh-CN"
    reader.open("/?language=en")


def test_it_can_be_used_by_the_keyboard(reader):
    """From the address line, Tab reaches the skip link first, then the menu, then all that can be done."""
    reader.tab.size(1280)
    reader.open("/jobs?language=en")
    seen = []
    for _ in range(12):
        for kind in ("keyDown", "keyUp"):
            reader.tab.call("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
        seen.append(reader.tab.evaluate("document.activeElement.name || document.activeElement.innerText"))
    assert seen[:4] == ["Skip to the content", "Runs", "Jobs", "Data audit"]
    assert {"EN", "中文", "workers", "Start"} <= set(seen)
