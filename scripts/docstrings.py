"""What docstrings, signatures and attrs fields say, as Markdown; `make_reference.py` builds its pages of it."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import attrs

SECTIONS = re.compile(r"^(Args|Attributes|Keys|Raises|Returns|Yields):\n((?:    .*\n?|\n)*)", re.MULTILINE)


def prose(value: Any) -> str:
    """Return a docstring without its sections."""
    return SECTIONS.sub("", inspect.getdoc(value) or "").strip()


def section(value: Any, *names: str) -> dict[str, str]:
    """Return name to text of a docstring's section, such as Attributes; those of base classes included."""
    found: dict[str, str] = {}
    for owner in reversed(value.__mro__) if isinstance(value, type) else (value,):
        text = inspect.cleandoc((vars(owner).get("__doc__") if isinstance(owner, type) else owner.__doc__) or "")
        for name, body in SECTIONS.findall(text + "\n"):
            if name in names:
                entries = re.split(r"\n(?=\S)", textwrap.dedent(body).strip())
                pairs = (re.sub(r"\s+", " ", entry).partition(": ") for entry in entries)
                found |= {key: text for key, _, text in pairs}
    return found


def settings(kind: type[Any]) -> Iterator[tuple[str, str, str, str]]:
    """Return name, type, default and meaning of each field of an attrs class; an only field is the class."""
    said = section(kind, "Attributes")
    own = [field.name for field in attrs.fields(kind) if field.name not in {"call", "raw"}]
    if len(own) == 1:
        said.setdefault(own[0], prose(kind).partition("\n\n")[0])
    for field in attrs.fields(kind):
        if not field.name.startswith("_"):
            yield field.name, str(field.type), _default(field), said.get(field.name, "")


def _default(field: attrs.Attribute[Any]) -> str:
    if field.default is attrs.NOTHING:
        return "required"
    if isinstance(field.default, attrs.Factory):  # type: ignore[arg-type]
        return {dict: "{}", list: "[]"}.get(field.default.factory, "")  # type: ignore[union-attr]
    return repr(field.default)


# Markdown


def cell(text: str) -> str:
    """Return a text as it may stand in a table."""
    return text.replace("|", "\\|").replace("\n", " ")


def code(text: str) -> str:
    """Return a text as code, or nothing."""
    return f"`{cell(text)}`" if text else ""


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a table."""
    lines = [f"| {' | '.join(row)} |" for row in (head, tuple("---" for _ in head), *rows)]
    return "\n".join(lines) + "\n"


def page(title: str, *parts: str) -> str:
    """Return a page of these parts."""
    return "\n\n".join([f"# {title}", *(part.strip() for part in parts if part.strip())]) + "\n"


def described(kind: type[Any], *, level: int = 2, name: str = "") -> str:
    """Return a section on a class with its fields, if it has fields."""
    text = f"{'#' * level} {name or kind.__name__}\n\n{prose(kind)}\n\n"
    if attrs.has(kind):
        rows = [(code(n), code(kind_), code(d), cell(m)) for n, kind_, d, m in settings(kind)]
        return text + (table(("name", "type", "default", "meaning"), rows) if rows else "")
    rows = [(code(n), cell(m)) for n, m in section(kind, "Attributes", "Keys").items()]
    return text + (table(("name", "meaning"), rows) if rows else "")


def signature(function: Callable[..., Any]) -> str:
    """Return the arguments of a function without annotations."""
    parameters = inspect.signature(function).parameters.values()
    kept = [each.replace(annotation=inspect.Parameter.empty) for each in parameters if each.name != "self"]
    return str(inspect.Signature(kept))
