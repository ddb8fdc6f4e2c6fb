"""The reference says of each name what its own docstring says: the pages are read as a reader would, and compared.

What a docstring says is read here by other means than the pages are made with, so that one mistake does not prove the
other.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections import Counter
from collections.abc import Iterator
from types import ModuleType
from typing import Any, NamedTuple, get_overloads

import attrs
import ipfs_accel
import pytest
from ipfs_accel import Client, errors, hookspecs, middleware, plans, types
from ipfs_accel._client.find import QueryOptions
from ipfs_accel.capabilities import Support
from markdown_it import MarkdownIt
from markdown_it.token import Token

from .test_docs import reference

OPTIONS = [getattr(types, name) for name in types.__all__ if hasattr(getattr(types, name), "__total__")]


class Section(NamedTuple):
    """A heading and what stands in the tables below it: the first cell of each row to the last, of the first table."""

    page: str
    within: tuple[str, ...]
    title: str
    text: str
    rows: dict[str, str]


def shown(token: Token) -> str:
    """The text of a line as it is read; what looks like HTML in it would be seen by no reader."""
    kinds = {"text": "content", "code_inline": "content", "softbreak": " ", "hardbreak": " "}
    parts = [
        getattr(each, "content", "") if each.type in {"text", "code_inline"} else kinds.get(each.type, "")
        for each in token.children or ()
    ]
    return "".join(parts)


def sections_of(page: str, text: str) -> Iterator[Section]:
    path: list[str] = []
    current, cells = Section(page, (), "", "", {}), []
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.type == "heading_open":
            yield current
            path = path[: int(token.tag[1]) - 1]
        elif token.type == "inline" and before is not None and before.type == "heading_open":
            path.append(shown(token))
            current = Section(page, tuple(path[:-1]), path[-1], "", {})
        elif token.type == "tr_open":
            cells = []
        elif token.type == "inline" and before is not None and before.type == "td_open":
            cells.append(shown(token))
        elif token.type == "tr_close" and len(cells) > 1:
            current.rows.setdefault(cells[0], cells[-1])
        elif token.type in {"inline", "fence"}:
            current = current._replace(
                text=f"{current.text} {token.content if token.type == 'fence' else shown(token)}"
            )
    yield current


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return reference.pages()


@pytest.fixture(scope="module")
def sections(pages: dict[str, str]) -> list[Section]:
    return [each for page, text in pages.items() for each in sections_of(page, text)]


# what docstrings say


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("`", "")).strip()


def entries(value: Any, *names: str) -> dict[str, str]:
    """What a docstring says below `Args:`, `Attributes:` or `Keys:`, line by line."""
    found: dict[str, str] = {}
    inside, last = False, ""
    for line in inspect.cleandoc(value.__doc__ or "").splitlines():
        if not line.startswith(" ") and line:
            inside = line.rstrip(":") in names and line.endswith(":")
        elif inside and re.match(r" {4}\S", line):
            last, _, text = line.strip().partition(": ")
            found[last] = text
        elif inside and line:
            found[last] += f" {line.strip()}"
    return {name: plain(text) for name, text in found.items()}


def fields_of(kind: type[Any]) -> dict[str, str]:
    """What is said of each field of an attrs class, by the nearest class that says it."""
    names = [field.name for field in attrs.fields(kind) if not field.name.startswith("_")]
    found: dict[str, str] = {}
    for owner in kind.__mro__:
        found = entries(owner, "Attributes") | found if "__doc__" in vars(owner) else found
    only = [name for name in names if name not in {"call", "raw"}]
    if len(only) == 1 and only[0] not in found:
        found[only[0]] = plain(inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0])
    return {name: found.get(name, f"nothing is said of {kind.__name__}.{name}") for name in names}


def takes(options: type[Any], others: type[Any]) -> bool:
    return options.__annotations__.keys() >= others.__annotations__.keys()


def requests_of(options: type[Any]) -> list[type[Any]]:
    """The requests of the operations that take these options, or these and more."""
    found = []
    for name, method in inspect.getmembers(Client, inspect.isfunction):
        forms = [method, *get_overloads(method)]
        taken = {each for form in forms for each in re.findall(r"Unpack\[(\w+)\]", str(inspect.signature(form)))}
        hook = {"run": "chat", "batch_run": "chat", "stream_run": "stream", "iter_objects": "list_objects"}.get(
            name, name
        )
        wider = [kind for kind in OPTIONS if kind.__name__ in taken and takes(kind, options)]
        if wider and hook in reference.hooks():
            request = inspect.signature(reference.hooks()[hook]).parameters["request"].annotation
            found.append(getattr(types, request))
    return found


def meanings(options: type[Any], name: str) -> set[str]:
    """What may be said of an option: what its dict says, else the smallest one with that key, else the request."""
    narrower = [each for each in OPTIONS if takes(options, each)]
    for each in sorted(narrower, key=lambda kind: -len(kind.__annotations__)):
        said = entries(each, "Keys")
        if name in said:
            return {said[name]}
    return {fields_of(kind)[name] for kind in requests_of(options) if name in fields_of(kind)}


# which class a section is about


def documented(sections: list[Section]) -> Iterator[tuple[Section, type[Any]]]:
    """Every section that is about a class, with the class."""
    settings = {kind.__name__: kind for kind in reference.configured()}
    spaces: dict[str, list[Any]] = {
        "reference/types.md": [types],
        "reference/returned.md": [ipfs_accel],
        "reference/errors.md": [errors],
        "reference/hooks.md": [hookspecs, plans],
        "reference/middleware.md": [middleware],
    }
    for each in sections:
        if not each.within:
            continue  # the title of a page
        found: Any = None
        module = next((name for name in each.within if name.startswith("ipfs_accel.")), None)
        if module is not None:
            found = getattr(importlib.import_module(module), each.title, None)
        elif each.page == "reference/configuration.md":
            found = settings.get(each.title)
        elif each.title.startswith("Options of "):
            found = reference.backends()[each.title.removeprefix("Options of ")].info.options
        elif each.title in {"QueryOptions", "Support"}:
            found = {"QueryOptions": QueryOptions, "Support": Support}[each.title]
        for space in spaces.get(each.page, ()) if found is None and each.title.isidentifier() else ():
            found = getattr(space, each.title, found)
        if isinstance(found, type) and found.__module__.startswith("ipfs_accel") and "The one of" not in each.text:
            yield each, found


def test_every_field_has_the_text_of_its_own_class(sections: list[Section]) -> None:
    wrong, compared = [], Counter[str]()
    for each, kind in documented(sections):
        if not attrs.has(kind):
            continue
        for name, meaning in fields_of(kind).items():
            compared[each.page] += 1
            if each.rows.get(name) != meaning:
                wrong.append(f"{each.page} {kind.__name__}.{name}: {each.rows.get(name)!r} for {meaning!r}")
    assert wrong == []
    assert compared["reference/types.md"] == sum(
        not field.name.startswith("_")
        for kind in {getattr(types, name) for name in types.__all__} | {Support}
        if isinstance(kind, type) and attrs.has(kind)
        for field in attrs.fields(kind)
    )
    assert compared.keys() >= {
        "reference/configuration.md",
        "reference/hooks.md",
        "reference/testing.md",
        "reference/wire.md",
    }


def test_every_option_has_the_text_of_its_own_operation(sections: list[Section]) -> None:
    found = {kind: each.rows for each, kind in documented(sections) if kind in OPTIONS}
    assert list(found) == OPTIONS
    wrong = []
    for kind, rows in found.items():
        assert rows.keys() == kind.__annotations__.keys()
        for name in kind.__annotations__:
            allowed = meanings(kind, name)
            assert allowed, f"nothing says what {kind.__name__}.{name} means"
            if rows[name] not in allowed:
                wrong.append(f"{kind.__name__}.{name}: {rows[name]!r} for {allowed}")
    assert wrong == []
    assert found[types.ChatOptions]["n"] == "How many answers to generate."
    assert found[types.ImageOptions]["n"] == "How many pictures."
    assert found[types.ObjectOptions]["key"].startswith("A key for this call")


def test_every_other_class_has_what_its_docstring_says(sections: list[Section]) -> None:
    wrong, compared = [], 0
    for each, kind in documented(sections):
        if attrs.has(kind) or kind in OPTIONS:
            continue
        own = entries(kind, "Attributes", "Keys")
        compared += len(own)
        wrong += [f"{each.page} {kind.__name__}.{name}" for name, text in own.items() if each.rows.get(name) != text]
        summary = plain(inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0])
        if summary not in plain(each.text):
            wrong.append(f"{each.page} {kind.__name__}: {summary!r}")
    assert wrong == []
    assert compared > 50


def test_every_argument_of_a_client_method_has_its_own_text(sections: list[Section]) -> None:
    methods = {each.title.partition("(")[0]: each.rows for each in sections if each.page == "reference/client.md"}
    wrong = [
        f"{name}.{argument}"
        for name, method in inspect.getmembers(Client, inspect.isfunction)
        if not name.startswith("_")
        for argument, text in entries(method, "Args").items()
        if (text not in methods[name]["**options"] if argument == "options" else methods[name].get(argument) != text)
    ]
    assert wrong == []


# completeness


def public_modules() -> Iterator[ModuleType]:
    yield ipfs_accel
    for info in pkgutil.walk_packages(ipfs_accel.__path__, "ipfs_accel.", onerror=print):
        if not any(part.startswith("_") for part in info.name.split(".")):
            yield importlib.import_module(info.name)


def names_of(module: ModuleType) -> list[str]:
    own = [name for name, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__]
    return list(getattr(module, "__all__", [name for name in own if not name.startswith("_")]))


def test_every_public_name_is_in_the_reference(sections: list[Section]) -> None:
    titles = {re.sub(r"\W.*", "", each.title) for each in sections}
    by_module = {(name, each.title) for each in sections for name in each.within if name.startswith("ipfs_accel.")}
    missing = []
    for module in public_modules():
        inner = module.__name__.startswith(("ipfs_accel.wire.", "ipfs_accel.testing."))
        for name in names_of(module):
            if (module.__name__, name) not in by_module if inner else name not in titles:
                missing.append(f"{module.__name__}.{name}")
    assert missing == []


@pytest.mark.parametrize("name", ["wire", "testing"])
def test_every_public_module_is_in_one_group(name: str) -> None:
    package = importlib.import_module(f"ipfs_accel.{name}")
    grouped = re.findall(r"^- [^`\n]+:((?:\s+`\w+`,?)+)$", inspect.getdoc(package) or "", re.MULTILINE)
    listed = sorted(re.findall(r"`(\w+)`", "".join(grouped)))
    assert listed == sorted(info.name for info in pkgutil.iter_modules(package.__path__) if info.name[0] != "_")


def test_no_module_whose_name_begins_with_an_underscore_has_a_section(sections: list[Section]) -> None:
    modules = {each.title for each in sections if each.title.startswith("ipfs_accel.")}
    assert "ipfs_accel.wire.sse" in modules
    assert not any("._" in name for name in modules)


def test_functions_are_shown_as_they_are_called(sections: list[Section]) -> None:
    by_title = {each.title: each.text for each in sections if each.page == "reference/wire.md"}
    assert "content_of(upload: Upload) -> Body" in by_title["content_of"]
    assert "    headers: Pairs = (),\n" in by_title["post_multipart"]
    assert "Raises InvalidRequestError: It is given as a URL." in by_title["content_of"]
    assert "4 * 1024 * 1024" in by_title["MAX_EVENT_BYTES"]
