"""How Sphinx builds the documentation: `make docs`."""

from __future__ import annotations

import importlib.util
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes

HERE = Path(__file__).parent

project = "ipfs-accel"
copyright = "the authors of ipfs-accel"  # noqa: A001 - Sphinx's name
version = release = version_of("ipfs-accel")
extensions = ["myst_parser"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["copy.css"]
html_js_files = ["copy.js"]
html_search_scorer = str(HERE / "search_scorer.js")
html_title = f"{project} {release}"
html_show_copyright = False
suppress_warnings = [
    "myst.header"
]  # the help of a command, or the README of a plugin, may begin below the second level


def index_keywords(_app: Any, tree: Any) -> None:
    """Put the keywords of a page into the index, whose entries the search puts above what merely mentions a word."""
    for meta in list(tree.findall(nodes.meta)):  # a list, as the tree grows
        if meta.get("name") == "keywords":
            words = [word.strip() for word in meta["content"].split(",")]
            tree.insert(0, addnodes.index(entries=[("single", word, "", "main", None) for word in words]))


def setup(app: Any) -> None:
    """Write the pages that are made from the code."""
    app.connect("doctree-read", index_keywords)
    script = HERE.parent / "scripts" / "make_reference.py"
    spec = importlib.util.spec_from_file_location("make_reference", script)
    assert spec is not None  # noqa: S101 - the script is there
    assert spec.loader is not None  # noqa: S101 - as above
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.write(HERE / "_generated")
