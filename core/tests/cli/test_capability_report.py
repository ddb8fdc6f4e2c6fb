"""The page of capabilities, read as a browser would: complete, escaped, and in need of nothing else."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from base64 import b64encode
from hashlib import sha256
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
        self.within: dict[str, list[str]] = {"style": [], "script": []}
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
        if self.open and self.open[-1] in self.within:
            self.within[self.open[-1]].append(data)
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
    assert [tag for tag, _ in page.elements if tag in {"script", "img"}] == ["script"]
    assert page.within["script"] == [(files("ipfs_accel._cli") / "report.js").read_text()]
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


def listing(*names: str) -> dict[str, Any]:
    """Models of an endpoint, as the document has them, of which nothing but the names is known."""
    unknown = dict.fromkeys(("input_price", "output_price", "context_window", "max_output_tokens"))
    unknown |= dict.fromkeys(("input_modalities", "output_modalities", "retired", "replacement"))
    models = [{"id": name, "features": {}, **unknown} for name in names]
    return {"source": "server", "catalogue_date": None, "reason": None, "models": models}


EMPTY: dict[str, Any] = {"capabilities": {}, "endpoints": {}, "skipped": {}, "models": {}}


@pytest.mark.parametrize(("counts", "is_open"), [((20,), True), ((21,), False), ((10, 10), True), ((10, 11), False)])
def test_many_models_are_folded(counts: tuple[int, ...], is_open: bool) -> None:
    models = {f"e{at}": listing(*[f"m{n}" for n in range(count)]) for at, count in enumerate(counts)}
    page = Page(render({**EMPTY, "models": models}, NOON))
    folds = [attributes for tag, attributes in page.elements if tag == "details"]
    assert [("open" in each, each["class"]) for each in folds] == [(is_open, "endpoint")] * len(counts)
    assert [tag for tag, _ in page.elements].count("summary") == len(counts)


def test_the_filter_looks_into_names_and_what_a_model_can_do() -> None:
    document = {**EMPTY, "models": {"Lab": listing('M"1')}}
    support = {
        name: {"value": value, "source": "server"} for name, value in zip("abc", ("yes", "no", "unknown"), strict=True)
    }
    document["models"]["Lab"]["models"][0] |= {"features": support, "input_modalities": ["text", "image"]}
    page = Page(render(document, NOON))
    assert [each["data-find"] for tag, each in page.elements if "data-find" in each] == ['lab m"1 a text image']


def test_without_a_script_there_is_no_filter_and_with_it_one_that_has_a_name() -> None:
    page = Page(render({**EMPTY, "models": {"lab": listing("m")}}, NOON))
    by_class = {each.get("class"): each for _, each in page.elements}
    by_id = {each["id"]: (tag, each) for tag, each in page.elements if "id" in each}
    labels = [each["for"] for tag, each in page.elements if tag == "label"]
    assert "hidden" in by_class["filter"]
    assert "hidden" in by_class["none"]
    (control,) = [each for tag, each in page.elements if tag in {"input", "button", "select", "textarea"}]
    assert labels == [control["id"]]
    assert by_id[str(control["aria-describedby"])][0] == "p"
    assert by_id[str(control["aria-controls"])][0] == "section"
    assert "tabindex" not in control
    assert [tag for tag, each in page.elements if each.get("for") == control["id"]] == ["label", "output"]


@pytest.mark.parametrize("models", [{}, {"lab": listing("m")}], ids=["without models", "with models"])
def test_the_policy_lets_in_what_the_page_has_and_nothing_else(models: dict[str, Any]) -> None:
    text = render({**EMPTY, "models": models}, NOON)
    page = Page(text)
    (policy,) = [each["content"] for tag, each in page.elements if each.get("http-equiv") == "Content-Security-Policy"]
    said = dict(part.strip().split(" ", 1) for part in str(policy).split(";"))
    assert (said.pop("default-src"), said.pop("base-uri"), said.pop("form-action")) == ("'none'",) * 3
    for name in ("style", "script"):
        (source,) = [said.pop(f"{name}-src")]
        texts = re.findall(rf"<{name}>(.*?)</{name}>", text, re.DOTALL)
        assert len(texts) == (1 if name == "style" or models else 0)
        for each in texts:
            assert source == f"'sha256-{b64encode(sha256(each.encode()).digest()).decode()}'"
    assert said == {}
    assert not any(name == "style" or name.startswith("on") for _, each in page.elements for name in each)


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
HAS_NONE = "there is no Chromium on this machine; Debian's package chromium is one"


def needs_a_browser(test: Any) -> Any:
    return pytest.mark.peer(pytest.mark.skipif(BROWSER is None, reason=HAS_NONE)(test))


QUIET = [
    "--headless",
    "--no-sandbox",
    "--hide-scrollbars",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--virtual-time-budget=9000",
]


def in_a_browser(text: str, script: str, tmp_path: Path, *, width: int = 1280, scheme: str = "light") -> Any:
    """Show the page in a frame, which its policy does not reach out of, and return what the script gives."""
    page = tmp_path / "outer.html"
    frame = f'<iframe id="page" width="{width}" height="3000" srcdoc="{html.escape(text)}"></iframe>'
    run = (
        f"onload = () => document.title = JSON.stringify((({{document, window}}) => {{{script}}})(page.contentWindow))"
    )
    page.write_text(
        f'<!doctype html><html style="color-scheme: {scheme}"><title>-</title>{frame}<script>{run}</script>'
    )
    command = [str(BROWSER), *QUIET, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout
    return json.loads(html.unescape(dom.partition("<title>")[2].partition("</title>")[0]))


@needs_a_browser
@pytest.mark.parametrize("width", [360, 390, 1280])
def test_in_a_browser_only_tables_scroll_sideways(width: int, run: Run, tmp_path: Path) -> None:
    text = run("capabilities", "--offline", "--html", "-", plugins=[Dated(), *map(Mute, NAMES)]).stdout
    script = """
        document.querySelectorAll("details").forEach((each) => (each.open = true));
        const inner = document.querySelectorAll(".models, .models tr, .filter, .filter input");
        const most = Math.max(...[...inner].map((each) => each.getBoundingClientRect().right));
        return [document.documentElement.scrollWidth, most <= window.innerWidth];
    """
    assert in_a_browser(text, script, tmp_path, width=width) == [width, True]


@needs_a_browser
def test_in_a_browser_the_filter_leaves_what_has_all_its_words(run: Run, tmp_path: Path) -> None:
    document = {**EMPTY, "models": {"one": listing("alpha", "beta"), "two": listing(*[f"m{n}" for n in range(20)])}}
    document["models"]["one"]["models"][1]["features"] = {
        "tools": {"value": "yes", "source": "catalogue"},
        "vision": {"value": "no", "source": "catalogue"},
    }
    script = """
        const input = document.querySelector("input");
        const look = (words) => {
            input.value = words;
            input.dispatchEvent(new Event("input", { bubbles: true }));
            const shown = [...document.querySelectorAll(".endpoint tbody tr")].filter((row) => row.checkVisibility());
            return [
                shown.map((row) => row.querySelector("th").textContent),
                [...document.querySelectorAll(".endpoint")].map((each) => each.open),
                document.querySelector("output").textContent,
                document.querySelector(".none").getClientRects().length,
            ];
        };
        const seen = [input.getClientRects().length, look("")];
        document.querySelector("details").open = true;
        return [...seen, look("BETA"), look("one tools"), look("vision"), look("two m1"), look(" ")];
    """
    assert in_a_browser(render(document, NOON), script, tmp_path) == [
        1,
        [[], [False, False], "22 models", 0],
        [["beta"], [True, False], "1 of 22 models", 0],
        [["beta"], [True, False], "1 of 22 models", 0],
        [[], [False, False], "0 of 22 models", 1],
        [["m1", *[f"m{n}" for n in range(10, 20)]], [False, True], "11 of 22 models", 0],
        [["alpha", "beta"], [True, False], "22 models", 0],
    ]


@needs_a_browser
def test_a_browser_runs_nothing_but_the_script_of_the_page(run: Run, tmp_path: Path) -> None:
    text = run("capabilities", "--html", "-", plugins=[Mute(HOSTILE.replace("/", ""))]).stdout
    script = """
        const script = document.createElement("script");
        script.textContent = "document.body.dataset.ran = 1";
        document.body.append(script);
        document.body.setAttribute("onclick", "document.body.dataset.ran = 2");
        document.body.click();
        document.body.setAttribute("style", "color: rgb(1, 2, 3)");
        const controls = [...document.querySelectorAll("a, input, summary, [tabindex]")];
        const reached = controls.filter((each) => {
            each.focus();
            return each.getClientRects().length && document.activeElement !== each;
        });
        return [
            document.body.dataset.ran ?? null,
            window.getComputedStyle(document.body).color === "rgb(1, 2, 3)",
            document.querySelector(".filter").hidden,
            document.images.length,
            reached.length,
        ];
    """
    assert in_a_browser(text, script, tmp_path) == [None, False, False, 0, 0]


@needs_a_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_all_text_with_enough_contrast(scheme: str, run: Run, tmp_path: Path) -> None:
    text = run("capabilities", "--offline", "--html", "-", plugins=[Dated(), Mute()]).stdout
    script = """
        const ground = (each) => {
            for (let at = each; at; at = at.parentElement) {
                const colour = window.getComputedStyle(at).backgroundColor;
                if (colour !== "rgba(0, 0, 0, 0)") return colour;
            }
        };
        document.querySelectorAll("details").forEach((each) => (each.open = true));
        const seen = [...document.querySelectorAll("body *")].filter((each) => each.getClientRects().length);
        const said = seen.filter((each) => [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
        return [...new Set(said.map((each) => window.getComputedStyle(each).color + ground(each)))];
    """
    found = [re.findall(r"\d+", each) for each in in_a_browser(text, script, tmp_path, scheme=scheme)]
    pairs = [["#" + "".join(f"{int(part):02x}" for part in each[at : at + 3]) for at in (0, 3)] for each in found]
    assert len(pairs) > 5
    assert (luminance(pairs[0][0]) > luminance(pairs[0][1])) is (scheme == "dark")
    assert [pair for pair in pairs if contrast(*pair) < 4.5] == []


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
