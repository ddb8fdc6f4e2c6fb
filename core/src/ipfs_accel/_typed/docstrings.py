"""What docstrings say of arguments and members, in the styles of Google, NumPy and Sphinx."""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection

__all__ = ["described", "summary"]

_SPHINX = re.compile(
    r"^:(?:param|parameter|arg|argument|key|keyword|ivar|cvar|var)\s+(?:[^:]*\s)?\*{0,2}(\w+)\s*:\s*(.*)$"
)
_ANY_FIELD = re.compile(r"^:\w+[^:]*:")
_GOOGLE = re.compile(r"^\*{0,2}(\w+)\s*(?:\(.*?\))?\s*:\s*(.*)$")
_NUMPY = re.compile(r"^(\*{0,2}\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?::.*)?$")
_SECTION = re.compile(r"^(?:[A-Z][A-Za-z]*)(?: [A-Za-z]+)*:$")


def summary(doc: str | None) -> str | None:
    """Return what stands before the first section, as one text; None if that is nothing."""
    lines = inspect.cleandoc(doc or "").splitlines()
    said: list[str] = []
    for index, line in enumerate(lines):
        is_underlined = index + 1 < len(lines) and _is_rule(lines[index + 1])
        if _SECTION.match(line) or _ANY_FIELD.match(line) or is_underlined:
            break
        said.append(line.strip())
    paragraphs = [" ".join(each.split()) for each in "\n".join(said).split("\n\n")]
    return "\n\n".join([each for each in paragraphs if each]) or None


def described(doc: str | None, sections: Collection[str]) -> dict[str, str]:
    """Return what a docstring says of each name in one of these sections, or in fields such as `:param name:`."""
    lines = inspect.cleandoc(doc or "").splitlines()
    found = _fields(lines)
    for index, line in enumerate(lines):
        title = line.strip().removesuffix(":")
        if title not in {*sections, "Arguments", "Other Parameters", "Keyword Args"} or line[:1].isspace():
            continue
        if line.rstrip().endswith(":"):
            found |= _entries(lines[index + 1 :], _GOOGLE)
        elif index + 1 < len(lines) and _is_rule(lines[index + 1]):
            found |= _numpy(lines[index + 2 :])
    return found


def _is_rule(line: str) -> bool:
    return len(line.strip()) > 2 and not line.strip().strip("-")  # noqa: PLR2004 - an underline has some length


def _fields(lines: list[str]) -> dict[str, str]:
    """Read Sphinx's fields, whose texts go on in lines that are indented."""
    found: dict[str, str] = {}
    name = ""
    for line in lines:
        match = _SPHINX.match(line)
        if match is not None:
            name = match[1]
            found[name] = match[2].strip()
        elif name and line[:1].isspace() and line.strip():
            found[name] = f"{found[name]} {line.strip()}".strip()
        else:
            name = ""
    return {each: text for each, text in found.items() if text}


def _entries(lines: list[str], pattern: re.Pattern[str]) -> dict[str, str]:
    """Read entries of Google's style: `name (type): text`, and more of it further in."""
    found: dict[str, str] = {}
    depth: int | None = None
    name = ""
    for line in lines:
        if not line.strip():
            continue
        indent = len(line) - len(line.lstrip())
        if indent == 0:
            break
        depth = indent if depth is None else depth
        match = pattern.match(line.strip()) if indent <= depth else None
        if match is not None:
            name = match[1]
            found[name] = match[2].strip()
        elif name:
            found[name] = f"{found[name]} {line.strip()}".strip()
    return {each: text for each, text in found.items() if text}


def _numpy(lines: list[str]) -> dict[str, str]:
    """Read entries of NumPy's style: `name : type`, and the text further in below it."""
    found: dict[str, str] = {}
    names: list[str] = []
    for index, line in enumerate(lines):
        if index + 1 < len(lines) and line.strip() and _is_rule(lines[index + 1]):
            break  # the next section
        if not line.strip():
            continue
        if not line[:1].isspace():
            match = _NUMPY.match(line)
            names = [each.strip().lstrip("*") for each in match[1].split(",")] if match is not None else []
        else:
            for name in names:
                found[name] = f"{found.get(name, '')} {line.strip()}".strip()
    return found
