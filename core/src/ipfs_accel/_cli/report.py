"""The report that `ipfs-accel capabilities --html` writes: one page that needs nothing but itself."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from importlib import metadata, resources
from typing import Any

from .markup import Markup, element, join

__all__ = ["render"]

_MARKS = {"yes": "✓", "no": "·", "unknown": "?"}
_NUMBERS = {"context", "most output", "input $", "output $"}
_OPEN_UP_TO = 20
"""Models of all endpoints together that are shown without being asked for."""


def render(document: Mapping[str, Any], now: float) -> str:
    """Return the page.

    Args:
        document: What `ipfs-accel capabilities --models --json` writes.
        now: The time that it is of, in seconds since 1970.
    """
    version = metadata.version("ipfs-accel")
    day = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M} UTC"
    style, script = _file("report.css"), _file("report.js")
    head = element(
        "head",
        Markup('<meta charset="utf-8">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{_policy(style, script)}">'),
        element("title", f"Capabilities, {day}"),
        element("style", style),
    )
    sections = [
        ("endpoints", "Endpoints", _endpoints(document)),
        ("operations", "Operations", _operations(document["capabilities"])),
        ("models", "Models", _models(document["models"])),
    ]
    links = [element("li", element("a", title, href=f"#{name}")) for name, title, _ in sections]
    body = element(
        "body",
        element("a", "Skip to the endpoints", href="#endpoints", class_="skip"),
        element(
            "header",
            element("h1", "Capabilities"),
            element("p", f"What is installed and configured, as of {day}. ipfs-accel {version}.", class_="soft"),
            element("nav", element("ul", *links), aria_label="Sections"),
        ),
        element("main", *[_section(name, title, content) for name, title, content in sections]),
        element("script", script) if any(each["models"] for each in document["models"].values()) else None,
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


def _file(name: str) -> Markup:
    return Markup((resources.files("ipfs_accel._cli") / name).read_text(encoding="utf-8"))


def _policy(style: str, script: str) -> str:
    """Return what a browser is told to do: to load nothing, and to take these two texts alone, by their hashes."""
    style_hash, script_hash = [b64encode(sha256(each.encode()).digest()).decode() for each in (style, script)]
    return (
        f"default-src 'none'; style-src 'sha256-{style_hash}'; script-src 'sha256-{script_hash}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _section(name: str, title: str, content: Markup) -> Markup:
    heading = element("h2", title, id=f"{name}-title")
    return element("section", heading, content, id=name, aria_labelledby=f"{name}-title")


def _endpoints(document: Mapping[str, Any]) -> Markup:
    cards = [_card(name, facts, document) for name, facts in document["endpoints"].items()]
    return element("ul", *cards, class_="cards") if cards else element("p", "No backend is installed.")


def _card(name: str, facts: Mapping[str, Any], document: Mapping[str, Any]) -> Markup:
    known = document["capabilities"].get(name)
    operations = known and [each for each, support in known["operations"].items() if support["value"] == "yes"]
    models = document["models"].get(name)
    rows = [
        ("backend", facts["backend"] if facts["backend"] != name else None),
        ("plugin", _origin(facts)),
        ("address", facts["base_url"] and _sourced(element("code", facts["base_url"]), facts["base_url_source"])),
        ("key", facts["key"] and _sourced(facts["key"], facts["key_source"])),
        ("operations", operations and str(len(operations))),
        ("own calls", known and known["calls"] and _folded(known["calls"])),
        ("models", models and _told_by(models)),
        ("trouble", document["skipped"].get(name)),
    ]
    listed = [part for label, value in rows if value for part in (element("dt", label), element("dd", value))]
    title = facts["title"]
    return element("li", element("h3", name), title and element("p", title, class_="soft"), element("dl", *listed))


def _folded(names: Sequence[str]) -> Markup:
    return element("details", element("summary", str(len(names))), ", ".join(names))


def _origin(facts: Mapping[str, Any]) -> Markup | str:
    if not facts["distribution"]:
        return facts["state"] or "given as an object"
    entry_point = element("code", facts["entry_point"])
    return join([f"{facts['distribution']} {facts['version']}, ", entry_point, f", {facts['state']}"])


def _sourced(value: str, source: str | None) -> Markup:
    return join([value, source and element("span", f" ({source})", class_="soft")])


def _told_by(models: Mapping[str, Any]) -> str:
    count = len(models["models"])
    if models["source"] == "catalogue":
        return f"{count} in the catalogue of {models['catalogue_date']}; server: {models['reason']}"
    if models["source"] is None:
        return f"not known; server: {models['reason']}"
    dated = f", catalogue of {models['catalogue_date']}" if models["catalogue_date"] else ""
    return f"{count} listed by the server{dated}"


def _operations(capabilities: Mapping[str, Any]) -> Markup:
    names = list(dict.fromkeys([name for each in capabilities.values() for name in each["operations"]]))
    if not names:
        return element("p", "Nothing is known of any endpoint.")
    columns = [element("th", title, scope="col", role="columnheader") for title in ("operation", *capabilities)]
    rows = [
        _row(
            [
                element("th", element("code", name), scope="row", role="rowheader"),
                *[_mark(each["operations"].get(name)) for each in capabilities.values()],
            ]
        )
        for name in names
    ]
    caption = "✓ yes, · no, ? unknown. Who says so is the plugin's code, unless a cell names another source."
    return _table("operations-title", "matrix", caption, _row(columns), rows)


def _mark(support: Mapping[str, str] | None) -> Markup:
    value, source = (support["value"], support["source"]) if support else ("unknown", "nobody")
    mark = element("span", _MARKS[value], aria_hidden="true")
    word = element("span", value, class_="hidden")
    other = None if source in {"hook", "nobody"} else element("small", f" {source}")
    return element("td", mark, word, other, class_=value, role="cell")


def _models(models: Mapping[str, Any]) -> Markup:
    listed = [(name, each) for name, each in models.items() if each["models"]]
    if not listed:
        return element("p", "No server and no catalogue told of any model.")
    is_open = sum(len(each["models"]) for _, each in listed) <= _OPEN_UP_TO
    known = [_endpoint_models(name, each, f"models-{n}", is_open=is_open) for n, (name, each) in enumerate(listed)]
    nothing = element("p", "No model has all of these words.", class_="none", hidden="", role="status")
    return join([_filter(), *known, nothing])


def _filter() -> Markup:
    """Return what the script shows and serves: without it, there is nothing that does nothing."""
    name, hint, told = "filter-models", "filter-hint", "filter-count"
    return element(
        "div",
        element("label", "Filter the models", for_=name),
        Markup(
            f'<input id="{name}" type="search" autocomplete="off" autocapitalize="off" spellcheck="false" '
            f'aria-describedby="{hint}" aria-controls="models">'
        ),
        element("output", id=told, for_=name),
        element("p", "Words of a name or endpoint, features such as tools, or what it takes.", id=hint, class_="soft"),
        class_="filter",
        role="search",
        hidden="",
    )


def _endpoint_models(name: str, each: Mapping[str, Any], identity: str, *, is_open: bool) -> Markup:
    summary = element("summary", element("h3", name, id=identity), element("span", f" {_told_by(each)}", class_="soft"))
    rows = [_model(model) for model in each["models"]]
    found = [_words(name, model) for model in each["models"]]
    told = [title for title in rows[0] if any(row[title] for row in rows)]
    table = _table(
        identity,
        "models",
        "Tokens, and US dollars per million of them; after features, who says so. What is empty, nobody told.",
        _row([element("th", title, scope="col", role="columnheader") for title in told]),
        [
            _row([_model_cell(title, row[title]) for title in told], data_find=words)
            for row, words in zip(rows, found, strict=True)
        ],
    )
    return element("details", summary, table, class_="endpoint", open="" if is_open else None)


def _words(endpoint: str, model: Mapping[str, Any]) -> str:
    """Return what the filter looks into: names, and what the model can do for certain."""
    features = [name for name, support in model["features"].items() if support["value"] == "yes"]
    kinds = [*(model["input_modalities"] or ()), *(model["output_modalities"] or ())]
    return " ".join(dict.fromkeys([endpoint, model["id"], *sorted(features), *kinds])).lower()


def _model(model: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the cells of a model by their titles."""
    ends, successor = model["retired"], model["replacement"]
    return {
        "model": model["id"],
        "context": _number(model["context_window"], ","),
        "most output": _number(model["max_output_tokens"], ","),
        "input $": _number(model["input_price"], "g"),
        "output $": _number(model["output_price"], "g"),
        "features": _features(model["features"]),
        "takes": ", ".join(model["input_modalities"] or ()),
        "gives": ", ".join(model["output_modalities"] or ()),
        "ends": f"{ends}, then {successor}" if ends and successor else ends,
    }


def _number(value: float | None, form: str) -> str | None:
    return None if value is None else format(value, form)


def _model_cell(title: str, value: str | None) -> Markup:
    if title == "model":
        return element("th", element("code", value), scope="row", role="rowheader")
    return element("td", value, class_="number" if title in _NUMBERS else None, data_label=title, role="cell")


def _features(features: Mapping[str, Mapping[str, str]]) -> Markup | None:
    """List features by whether the model has them, and by who says so."""
    groups: dict[tuple[str, str], list[str]] = {}
    for name, support in sorted(features.items()):
        groups.setdefault((support["value"], support["source"]), []).append(name)
    items = [
        element(
            "li",
            element("b", value),
            f" {', '.join(names)} ",
            element("small", f"({source})"),
            class_=value,
        )
        for (value, source), names in sorted(groups.items(), key=lambda group: list(_MARKS).index(group[0][0]))
    ]
    return element("ul", *items, class_="features") if items else None


def _row(cells: Iterable[Markup], **attributes: str) -> Markup:
    return element("tr", *cells, role="row", **attributes)


def _table(label: str, kind: str, caption: str, head: Markup, rows: Iterable[Markup]) -> Markup:
    """Return a table that scrolls within itself, by touch and by keyboard.

    It says by roles that it is a table: some browsers forget that where a style shows its rows as blocks.
    """
    table = element(
        "table",
        element("caption", element("span", caption)),
        element("thead", head, role="rowgroup"),
        element("tbody", *rows, role="rowgroup"),
        class_=kind,
        role="table",
    )
    return element("div", table, class_="scroll", role="region", tabindex="0", aria_labelledby=label)
