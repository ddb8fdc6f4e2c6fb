"""The page of capabilities, read as a browser would: complete, escaped, and in need of nothing else."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from ipfs_accel import BackendInfo, hookimpl
from ipfs_accel._cli.markup import Markup, element
from ipfs_accel._cli.report import render
from ipfs_accel.catalogue import Catalogue
from ipfs_accel.hookspecs import OPERATIONS
from ipfs_accel.plans import Endpoint, Ready
from ipfs_accel.types import ModelInfo
from pytest_httpserver import HTTPServer

from .conftest import Run
from .studio import Studio

NOON = 1_800_014_400.0
HOSTILE = "\"><script>alert(1)</script>\x1b[2J&amp;'<img src=//evil.example onerror=x>"
VOID = {"meta", "img", "br", "link", "input", "hr"}
CATALOGUE = Catalogue(
    date="2026-10-01",
    models={
        "m1": {"context_window": 128_000, "input_price": 1.5, "features": {"tools": "yes", "vision": "no"}},
        "m8": {"retired": "2026-10-01", "replacement": "m1"},
        "m9": {"retired": "2027-01-01", "replacement": "m1"},
    },
)


class Dated(Studio):
    """The same with a catalogue."""

    info = BackendInfo(
        name="studio", title="Studio <3", base_url="http://127.0.0.1:9", base_url_env=("STUDIO_BASE_URL",)
    )

    @hookimpl
    def describe(self) -> BackendInfo:
        import attrs

        return attrs.evolve(super().describe(), catalogue=lambda: CATALOGUE)

    def described(self, endpoint: Endpoint, model: ModelInfo) -> ModelInfo:
        return CATALOGUE.describe(model)


class Mute:
    """A backend that can do nothing but say where it is."""

    api_version = 1

    def __init__(self, name: str = "mute") -> None:
        self.name = name

    @hookimpl
    def describe(self) -> BackendInfo:
        return BackendInfo(name=self.name)

    @hookimpl
    def list_models(self, endpoint: Endpoint) -> Ready[tuple[ModelInfo, ...]]:
        return Ready(value=(ModelInfo(id=HOSTILE, owned_by=HOSTILE, retired=HOSTILE),))


class Page(HTMLParser):
    """What stands in a page: elements with their attributes, the text of each table's cells, ids and headings."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.headings: list[tuple[str, str]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs)
        self.elements.append((tag, dict(attrs)))
        if tag in VOID:
            return
        self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in {"td", "th"}:
            self.tables[-1][-1].append("")
        elif re.fullmatch(r"h\d", tag):
            self.headings.append((tag, ""))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            return
        self.text += data
        if {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data
        elif self.headings and self.headings[-1][0] in self.open:
            self.headings[-1] = (self.headings[-1][0], self.headings[-1][1] + data)


@pytest.fixture
def listed(httpserver: HTTPServer) -> HTTPServer:
    httpserver.expect_request("/models").respond_with_json({"data": [{"id": "m2"}, {"id": "m1"}]})
    return httpserver


def written(run: Run, tmp_path: Path, *arguments: str, plugins: Any) -> Page:
    file = tmp_path / "page.html"
    result = run("capabilities", "--html", str(file), *arguments, plugins=plugins)
    assert result.exit_code == 0, result.stderr
    return Page(file.read_text())


@pytest.mark.usefixtures("listed")
def test_every_endpoint_and_operation_is_there(run: Run, tmp_path: Path) -> None:
    page = written(run, tmp_path, plugins=[Dated(), Mute()])
    matrix = page.tables[0]
    assert matrix[0] == ["operation", "mute", "studio"]
    assert [row[0] for row in matrix[1:]] == list(OPERATIONS)
    cells = {row[0]: row[1:] for row in matrix[1:]}
    assert (cells["chat"], cells["rerank"]) == (["·no", "✓yes"], ["·no", "·no"])
    assert [text for tag, text in page.headings if tag == "h3"] == ["mute", "studio", "mute", "studio"]
    assert "own calls2add, colours" in page.text


@pytest.mark.usefixtures("listed")
def test_models_tell_what_is_known_and_by_whom(run: Run, tmp_path: Path) -> None:
    page = written(run, tmp_path, "studio", plugins=[Dated()])
    head, first, second = page.tables[1]
    assert head == ["model", "context", "input $", "features"]
    assert first == ["m1", "128,000", "1.5", "yes tools (catalogue)no vision (catalogue)"]
    assert second == ["m2", "", "", ""]
    assert "2 listed by the server, catalogue of 2026-10-01" in page.text


def test_offline_the_catalogue_lists_the_models(run: Run, tmp_path: Path, httpserver: HTTPServer) -> None:
    page = written(run, tmp_path, "--offline", plugins=[Dated(), Mute()])
    assert [row[0] for row in page.tables[1]] == ["model", "m1", "m9"]
    assert page.tables[1][2][-1] == "2027-01-01, then m1"
    assert "2 in the catalogue of 2026-10-01; server: not asked" in page.text
    assert httpserver.log == []


def test_a_server_that_does_not_answer_is_told(run: Run, tmp_path: Path) -> None:
    page = written(run, tmp_path, plugins=[Dated()])
    assert "2 in the catalogue of 2026-10-01; server: could not connect to 127.0.0.1:9" in page.text


def test_hostile_names_stay_text(run: Run, tmp_path: Path) -> None:
    name = HOSTILE.replace("/", "")  # with a slash it would be the name of a model
    page = written(run, tmp_path, plugins=[Mute(name)])
    shown = HOSTILE.replace("\x1b", "")
    assert page.tables[0][0] == ["operation", name.replace("\x1b", "")]
    assert page.tables[1][1][0] == shown
    assert page.tables[1][1][-1] == shown
    assert {"script", "img"}.isdisjoint(tag for tag, _ in page.elements)
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)


@pytest.mark.usefixtures("listed")
def test_the_page_needs_nothing_else(run: Run, tmp_path: Path) -> None:
    page = written(run, tmp_path, plugins=[Dated(), Mute("a b"), Mute("a-b")])
    names = [
        name for tag, attributes in page.elements for name in ("src", "href", "action", "data") if name in attributes
    ]
    targets = [attributes["href"] for _, attributes in page.elements if "href" in attributes]
    assert set(names) == {"href"}
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    assert {f"#{each}" for each in ids} >= set(targets)
    assert "url(" not in (tmp_path / "page.html").read_text()
    assert "@import" not in (tmp_path / "page.html").read_text()


@pytest.mark.usefixtures("listed")
def test_it_can_be_read_without_eyes_and_mouse(run: Run, tmp_path: Path) -> None:
    page = written(run, tmp_path, plugins=[Dated(), Mute()])
    by_tag: dict[str, list[dict[str, str | None]]] = {}
    for tag, attributes in page.elements:
        by_tag.setdefault(tag, []).append(attributes)
    assert by_tag["html"] == [{"lang": "en"}]
    assert [len(by_tag[tag]) for tag in ("title", "main", "nav", "h1")] == [1, 1, 1, 1]
    assert [each["scope"] in {"col", "row"} for each in by_tag["th"]] == [True] * len(by_tag["th"])
    assert len(by_tag["caption"]) == len(by_tag["table"]) == len(page.tables)
    levels = [int(tag[1]) for tag, _ in page.headings]
    assert all(after - before <= 1 for before, after in pairwise(levels))
    regions = [each for each in by_tag["div"] if each.get("role") == "region"]
    ids = {attributes.get("id") for _, attributes in page.elements}
    assert [(each["tabindex"], each["aria-labelledby"] in ids) for each in regions] == [("0", True)] * len(page.tables)


@pytest.mark.usefixtures("listed")
def test_the_page_is_made_of_the_document(run: Run) -> None:
    arguments = ("capabilities", "--models", "--json")
    document = json.loads(run(*arguments, plugins=[Dated()]).stdout)
    assert document["models"]["studio"]["source"] == "server"
    assert document["models"]["studio"]["models"][0]["features"]["tools"] == {"value": "yes", "source": "catalogue"}
    assert document["endpoints"]["studio"]["title"] == "Studio <3"
    assert "as of 2027-01-15 12:00 UTC" in Page(render(document, NOON)).text
    shown = run("capabilities", "--html", "-", plugins=[Dated()]).stdout
    assert Page(shown).tables == Page(render(document, NOON)).tables


def test_a_page_of_nothing(run: Run) -> None:
    page = Page(run("capabilities", "--html", "-", plugins=[]).stdout)
    assert page.tables == []
    assert "No backend is installed." in page.text


def test_elements_escape_text_and_attributes() -> None:
    assert element("b", "<&", Markup("<i></i>"), None, title='"<') == '<b title="&quot;&lt;">&lt;&amp;<i></i></b>'


def test_what_the_catalogue_knows_is_told_without_a_server(run: Run) -> None:
    plugins = [Dated(), Mute()]
    shown = json.loads(run("show", "studio/m1", "--offline", "--json", plugins=plugins).stdout)
    assert (shown["source"], shown["catalogue_date"], shown["input_price"]) == ("catalogue", "2026-10-01", 1.5)
    found = json.loads(run("find", "--offline", "--feature", "tools", "--json", plugins=plugins).stdout)
    assert [match["name"] for match in found["matches"]] == ["studio/m1", "studio/m9"]
    assert found["skipped"] == {"mute": "the endpoint 'mute' has no catalogue of models"}
    able = json.loads(run("capabilities", "--offline", "studio/m1", "--json", plugins=plugins).stdout)
    assert able["capabilities"]["studio/m1"]["model"]["features"]["vision"]["source"] == "catalogue"


@pytest.mark.parametrize("option", ["--models", "--html=-"])
def test_a_model_has_no_models(run: Run, option: str) -> None:
    result = run("capabilities", "studio/m1", option)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "hint: name the endpoint alone: studio" in result.stderr


@pytest.mark.usefixtures("listed")
def test_a_pipe_gets_the_features_of_models(run: Run) -> None:
    lines = run("capabilities", "studio", "--models", plugins=[Dated()]).stdout.splitlines()
    assert lines[-2:] == ["studio/m1\ttools\tyes\tcatalogue", "studio/m1\tvision\tno\tcatalogue"]


@pytest.mark.usefixtures("listed")
def test_a_narrow_terminal_gets_several_tables(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("capabilities", "output"):
        monkeypatch.setattr(f"ipfs_accel._cli.{module}.is_terminal", lambda **_: True)
    monkeypatch.setenv("COLUMNS", "30")
    lines = run("capabilities", "--models", "--offline", plugins=[Dated(), Mute("alpha")]).stdout.splitlines()
    heads = [line.split() for line in lines if line.strip() in {"ALPHA", "STUDIO"}]
    assert heads == [["ALPHA"], ["STUDIO"]]
    assert max(len(line.rstrip()) for line in lines if "own calls" not in line) <= 30


BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NAMES = [f"endpoint{number}" for number in range(12)]
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--virtual-time-budget=9000",
]


@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium on this machine")
@pytest.mark.parametrize("width", [360, 1280])
def test_in_a_browser_only_tables_scroll_sideways(width: int, run: Run, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    run("capabilities", "--offline", "--html", str(page), plugins=[Dated(), *map(Mute, NAMES)])
    # The page allows itself no scripts: it is measured from around it.
    frame = f'<iframe id="page" width="{width}" height="30000" srcdoc="{html.escape(page.read_text())}"></iframe>'
    script = "onload = () => document.title = page.contentDocument.documentElement.scrollWidth"
    outer = tmp_path / "outer.html"
    outer.write_text(f"<!doctype html><title>-</title>{frame}<script>{script}</script>")
    command = [
        str(BROWSER),
        "--headless",
        *QUIET,
        f"--user-data-dir={tmp_path / 'profile'}",
        "--dump-dom",
        outer.as_uri(),
    ]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout
    assert dom.partition("<title>")[2].partition("</title>")[0] == str(width)


def test_colours_can_be_told_apart_by_light_and_in_the_dark() -> None:
    css = (files("ipfs_accel._cli") / "report.css").read_text()
    schemes = [dict(re.findall(r"--(\w+): (#\w+)", block)) for block in re.findall(r":root \{(.*?)\}", css, re.DOTALL)]
    assert len(schemes) == 2
    for scheme in schemes:
        for text in ("ink", "soft", "yes", "no", "open", "link"):
            for ground in ("paper", "card", "head"):
                assert contrast(scheme[text], scheme[ground]) >= 4.5, (text, ground, scheme)


def contrast(one: str, other: str) -> float:
    """The ratio of WCAG 2."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[start : start + 2], 16) / 255 for start in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
