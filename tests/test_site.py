"""The built documentation: what a search finds first, which buttons there are, and what search engines are told.

It is built where Sphinx is installed, once, and its search is run as it is, by Node.
"""

from __future__ import annotations

import html
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
NODE = shutil.which("node")
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_node = pytest.mark.skipif(NODE is None, reason="there is no Node on this machine")
# What somebody types to the page that has to come first.
FIRST = {
    "pydantic": "howto/tools howto/typed-answers",
    "dataclass": "howto/typed-answers",
    "litellm": "howto/coming-from",
    "openai": "howto/coming-from tutorial/first-call",
    "langchain": "howto/coming-from",
    "retry": "howto/failures",
    "timeout": "howto/failures",
    "error": "howto/failures",
    "429": "howto/failures howto/limits",
    "rate limit": "howto/limits",
    "cache": "howto/caching",
    "tools": "howto/tools",
    "function calling": "howto/tools",
    "structured output": "howto/typed-answers",
    "response_format": "howto/typed-answers",
    "streaming": "howto/streams",
    "embeddings": "howto/joining",
    "image": "howto/pictures-and-sound",
    "whisper": "howto/pictures-and-sound",
    "fallback": "howto/fallbacks",
    "batch": "howto/batches",
    "key": "howto/keys",
    "proxy": "howto/proxies",
    "opentelemetry": "howto/telemetry",
    "mock": "howto/testing",
    "middleware": "howto/middleware",
    "s3": "howto/objects",
    "install": "tutorial/first-call",
    "ollama": "howto/coming-from tutorial/local-models",
    "jupyter": "howto/notebooks",
    # the very name of something
    "RetryConfig": "_generated/reference/configuration",
    "ChatOptions": "_generated/reference/types",
    "BackendContract": "_generated/reference/testing",
    "SSEDecoder": "_generated/reference/wire",
    "ipfs_accel.wire.openai": "_generated/reference/dialect",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for name in ("sphinx", "furo", "myst_parser"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed; make docs installs it")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--quiet", str(DOCS), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "NO_COLOR": "1"})
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.mark.peer
@needs_node
def test_the_search_finds_the_how_to_before_the_reference(site: Path) -> None:
    command = [str(NODE), str(Path(__file__).with_name("search.js")), str(site), *FIRST]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    first = {query: [each[0] for each in results[: len(FIRST[query].split())]] for query, results in found.items()}
    assert {query: " ".join(sorted(pages)) for query, pages in first.items()} == FIRST
    lower = {
        query: [each[0] for each in results]
        for query, results in found.items()
        if FIRST[query].startswith("howto") and any(each[0].startswith("howto") for each in results)
    }
    for query, pages in lower.items():
        ranks = {
            part: [n for n, page in enumerate(pages) if page.startswith(part)]
            for part in ("howto/", "_generated/reference/")
        }
        named = [n for n in ranks["_generated/reference/"] if n < min(ranks["howto/"])]
        assert named == [], (query, pages)


@pytest.mark.peer
def test_every_page_has_the_script_that_copies_and_the_first_one_its_keywords(site: Path) -> None:
    first = (site / "index.html").read_text()
    metas = {name: html.unescape(text) for text, name in re.findall(r'<meta content="([^"]*)" name="([^"]*)"', first)}
    assert {"pydantic", "dataclass", "openai", "litellm"} <= set(metas["keywords"].split(", "))
    assert "backend is a plugin" in metas["description"]
    assert 'pip install "ipfs-accel[openai]"' in re.sub(r"<[^>]+>", "", html.unescape(first))
    for page in site.rglob("*.html"):
        assert "_static/copy.js" in page.read_text(), page


@pytest.mark.peer
@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium on this machine; Debian's package chromium is one")
def test_in_a_browser_each_block_of_code_is_copied_by_its_button(site: Path, tmp_path: Path) -> None:
    page = (site / "index.html").read_text()
    taken = "const taken = []; Object.defineProperty(navigator, 'clipboard', {value: {writeText: async (t) => taken.push(t)}});"
    press = """
        addEventListener("load", async () => {
            const buttons = [...document.querySelectorAll("button.copy")];
            for (const each of buttons) { each.click(); await null; }
            document.title = JSON.stringify([taken, buttons.map((each) => each.textContent), document.querySelectorAll("pre").length]);
        });
    """
    changed = site / "pressed.html"
    changed.write_text(page.replace("<head>", f"<head><script>{taken}{press}</script>", 1))
    command = [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=9000"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", changed.as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout
    changed.unlink()
    texts, words, blocks = json.loads(html.unescape(dom.partition("<title>")[2].partition("</title>")[0]))
    assert texts[0] == 'pip install "ipfs-accel[openai]"\n'
    assert texts[1].startswith("from ipfs_accel import Client\n")
    assert (len(texts), set(words)) == (blocks, {"Copied"})


@needs_node
def test_the_scorer_raises_what_somebody_wants_to_do() -> None:
    results: list[Any] = [
        ["howto/caching", "Keep answers", "", None, 5, "", "text"],
        ["explanation/costs", "Costs", "", None, 5, "", "text"],
        ["_generated/backends/openai", "openai", "", None, 5, "", "text"],
        ["_generated/reference/types", "Values > Timeout", "#timeout", None, 15, "", "title"],
        ["_generated/reference/types", "Values > ChatOptions", "#chatoptions", None, 15, "", "title"],
        ["_generated/reference/types", "Values > ChatOptions", "#chatoptions", None, 9, "", "title"],
        ["howto/index", "How-to guides", "", None, 5, "", "text"],
    ]
    source = (DOCS / "search_scorer.js").read_text()
    script = f"{source}\nconsole.log(JSON.stringify({json.dumps(results)}.map((each) => Scorer.score(each))))"
    scores = json.loads(subprocess.run([str(NODE), "-e", script], capture_output=True, text=True, check=True).stdout)
    assert scores == [17, 13, 9, 15, 35, 9, 5]


def test_every_guide_has_words_to_be_found_by() -> None:
    without = [
        path.name
        for folder in ("howto", "tutorial")
        for path in (DOCS / folder).glob("*.md")
        if path.stem != "index"
        and not re.match(r"---\nmyst:\n  html_meta:\n    keywords: \w.+\n---\n\n# ", path.read_text())
    ]
    assert without == []
