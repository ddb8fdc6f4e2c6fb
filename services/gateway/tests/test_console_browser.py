"""The console as a browser shows it: on a telephone and on a desk, by day and by night, with the keyboard alone."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx  # noqa: TID251 - a client that nobody here wrote
import pytest
from ipfs_accel.errors import APIConnectionError
from ipfs_accel.testing import Scripted

from .browsers import Browser, Tab, browser, needs_a_browser
from .gateways import Running
from .test_console import KEYS, SETTINGS, answer, ask, config, site

HOSTILE = "\"><script>document.title = 'x'</script><img src=//evil.example onerror=x>"


class Switch:
    """Answers; or fails, or waits, as a test wants."""

    def __init__(self) -> None:
        self.fails = False
        self.begun, self.may_end = threading.Event(), threading.Event()
        self.may_end.set()

    def __call__(self, request: Any) -> Any:
        self.begun.set()
        self.may_end.wait(60)
        return APIConnectionError("away") if self.fails else answer(request)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture
def switch() -> Switch:
    return Switch()


@pytest.fixture
def at(tmp_path: Path, switch: Switch) -> Iterator[Running]:
    keys = {**KEYS, "alice": {**KEYS["alice"], "owner": HOSTILE}, "a-key-with-" + "a-very-long-name-" * 6: {**LONG}}
    settings = {**SETTINGS, "keys": keys, "spend_file": str(tmp_path / "spend")}
    running = Running(config(), settings, (Scripted(switch),))
    yield running
    running.close()


LONG = {"hash": "sha256:" + "0" * 64, "models": ["a/model-with-a-very-long-name-" * 5], "budget_per_month": 10.0}
OVERFLOWING = """[document.documentElement.scrollWidth - innerWidth, [...document.querySelectorAll("main *")].filter((each) => {
    const place = each.getBoundingClientRect();
    return place.width && !each.closest(".hidden, thead") && (place.right > innerWidth + 0.5 || place.left < -0.5);
}).map((each) => each.outerHTML.slice(0, 200))]"""
COLOURS = """(() => {
    const ground = (each) => {
        for (let at = each; at; at = at.parentElement) {
            const colour = getComputedStyle(at).backgroundColor;
            if (colour !== "rgba(0, 0, 0, 0)") return colour;
        }
    };
    const seen = [...document.querySelectorAll("body *")].filter((each) => each.checkVisibility() && !each.closest(".hidden, .skip, :disabled"));
    const said = seen.filter((each) => [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
    return [...new Set(said.map((each) => (each.namespaceURI.endsWith("svg") ? getComputedStyle(each).fill : getComputedStyle(each).color) + ground(each)))];
})()"""


def opened(chromium: Browser, at: Running, width: int = 1280, scheme: str = "light") -> Tab:
    tab = chromium.tab()
    tab.look_like(width, scheme)
    tab.go(at.call(at.gateway.console_link))
    tab.until("document.documentElement.dataset.state === 'live'")
    return tab


@needs_a_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_all_is_to_be_seen_and_nothing_runs_over(
    width: int, scheme: str, chromium: Browser, at: Running, switch: Switch, http: httpx.Client
) -> None:
    for model in ("fast", "team", "fast"):
        ask(at, http, model, stream=True)
    switch.fails = True
    for _ in range(8):
        ask(at, http)
    tab = opened(chromium, at, width, scheme)
    assert tab.run(OVERFLOWING) == [0, []]
    text = tab.run("document.querySelector('main').innerText")
    for words in ("Requests a second", "p50", "scripted/any", "team", "route, ordered", "there.example:1", HOSTILE):
        assert words in text, words
    assert tab.run("document.querySelectorAll('#plots .bars rect[height]:not([height=\"0\"])').length") > 3
    assert tab.run("document.images.length + document.scripts.length") == 1
    pairs = [re.findall(r"[\d.]+", each) for each in tab.run(COLOURS)]
    assert len(pairs) > 5
    assert [each for each in pairs if contrast(each[:3], each[3:6]) < 4.5] == []
    is_dark = luminance(re.findall(r"\d+", tab.run("getComputedStyle(document.body).backgroundColor"))) < 0.1
    assert is_dark == (scheme == "dark")
    assert tab.run("location.hash + document.cookie") == ""
    assert tab.complaints == []


@needs_a_browser
def test_what_changes_is_shown_without_loading_anew_and_said(
    chromium: Browser, at: Running, switch: Switch, http: httpx.Client
) -> None:
    tab = opened(chromium, at)
    tab.run("window.isSame = true")
    requests = "[...document.querySelectorAll('#figures div')].find((each) => each.textContent.startsWith('requests') && !each.textContent.includes('second')).lastChild.textContent"
    assert tab.until(requests) == "0"
    ask(at, http)
    tab.until(f"{requests} === '1'")
    switch.fails = True
    for _ in range(12):
        ask(at, http)
    assert tab.until("document.querySelector('#said').textContent") == "scripted/any: breaker is open"
    assert tab.run("document.querySelector('#said').getAttribute('role')") == "status"
    tab.until("[...document.querySelectorAll('#ends .bad')].some((each) => each.textContent === 'open')")
    at.close()
    tab.until("document.documentElement.dataset.state === 'lost'")
    assert tab.run("document.querySelector('#said').textContent") == "The gateway does not answer."
    assert tab.run("window.isSame")


@needs_a_browser
def test_a_link_that_was_used_leads_to_the_way_to_another(chromium: Browser, at: Running) -> None:
    link = at.call(at.gateway.console_link)
    for url, title in ((link, None), (link, "This link is no longer good"), (f"{site(at)}/", "A link is wanted")):
        tab = chromium.tab()
        tab.look_like(390)
        tab.go(url)
        shown = tab.run("document.querySelector('#gate').hidden || document.querySelector('#gate-title').textContent")
        assert shown == (True if title is None else title)
        assert tab.run("document.querySelector('#all').hidden") is (title is not None)
        assert ("kill -USR1" in tab.run("document.body.innerText")) is (title is not None)
        assert tab.run(OVERFLOWING) == [0, []]


@needs_a_browser
def test_with_the_keyboard_alone_one_comes_everywhere(chromium: Browser, at: Running) -> None:
    tab = opened(chromium, at, 390)
    at_focus = """(() => {
        const each = document.activeElement;
        const place = each.getBoundingClientRect();
        const style = getComputedStyle(each);
        const isShown = place.width > 0 && place.right > 0 && place.bottom > 0 && place.top < innerHeight;
        return [each.id || each.textContent.trim(), isShown && style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2];
    })()"""
    seen = []
    for _ in range(14):
        tab.press("Tab")
        seen.append(tab.run(at_focus))
    assert [name for name, _ in seen] == [
        "Skip to content", "Traffic", "Latency", "Models", "Endpoints", "Keys", "to-playground", "pause", "of", "over",
        "model", "prompt", "send", "clear",
    ]  # fmt: skip
    assert [name for name, is_shown in seen if not is_shown] == []
    tab.run("document.querySelector('.skip').focus()")
    tab.press("Enter")
    tab.until("document.activeElement.id === 'main'")
    tab.run("document.querySelector('#pause').focus()")
    tab.press(" ")
    tab.until("document.documentElement.dataset.state === 'paused'")
    assert tab.run("document.querySelector('#pause').getAttribute('aria-pressed')") == "true"
    tab.press(" ")
    tab.until("document.documentElement.dataset.state === 'live'")
    assert tab.complaints == []


@needs_a_browser
def test_one_talks_with_a_model_and_stops_it(chromium: Browser, at: Running, switch: Switch) -> None:
    tab = opened(chromium, at)
    tab.run("document.querySelector('#model').focus()")
    tab.until("[...document.querySelectorAll('#names option')].some((each) => each.value === 'fast')")
    tab.type("fast")
    tab.press("Tab")
    tab.type("How are you?")
    tab.press("Enter", ctrl=True)
    tab.until("document.querySelector('#talked').textContent.includes('scripted/any')")
    assert tab.run("[...document.querySelectorAll('#talk li')].map((each) => [each.className, each.textContent])") == [
        ["user", "How are you?"],
        ["assistant", "Hello there."],
    ]
    words = tab.run("document.querySelector('#talked').textContent")
    assert words.startswith("scripted/any · translate · first token ")
    assert "10 tokens in, 6 out" in words
    switch.may_end.clear()
    switch.begun.clear()
    tab.type("And now?")
    tab.press("Enter", ctrl=True)
    assert switch.begun.wait(60)
    assert tab.run("[document.querySelector('#stop').disabled, document.querySelector('#send').disabled]") == [
        False,
        True,
    ]
    tab.press("Escape")
    tab.until("document.querySelector('#talked').textContent.startsWith('stopped')")
    switch.may_end.set()
    tab.run("document.querySelector('#model').value = 'none'")
    tab.type("Who?")
    tab.press("Enter", ctrl=True)
    failed = tab.until("document.querySelector('#talk .failed')?.textContent")
    assert "the model 'none' is not served here" in failed
    expected = [each for each in tab.complaints if "404" not in str(each)]
    assert expected == []


def contrast(one: list[str], other: list[str]) -> float:
    """The ratio of WCAG 2."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: list[str]) -> float:
    parts = [float(part) / 255 for part in colour[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
