"""The pages of the reference that are about public modules: what each has, by the groups that its package names."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from types import ModuleType
from typing import Any

import attrs
from docstrings import cell, code, described, page, prose, section, table
from ipfs_accel import testing

__all__ = ["dialect_page", "fenced", "further_page", "member", "testing_page", "wire_page"]

PACKAGE = "ipfs_accel"
_GROUP = re.compile(r"^- (.+?):((?:\s+`\w+`,?)+)$", re.MULTILINE)


@cache
def public_modules() -> dict[str, ModuleType]:
    """Return every module of the package that anybody may import, by its name."""
    root = importlib.import_module(PACKAGE)
    found = {PACKAGE: root}
    pending = [(PACKAGE, root.__path__)]
    while pending:
        above, path = pending.pop()
        for info in pkgutil.iter_modules(path, f"{above}."):
            if info.name.rpartition(".")[2].startswith("_"):
                continue
            found[info.name] = importlib.import_module(info.name)
            if info.ispkg:
                pending.append((info.name, found[info.name].__path__))
    return dict(sorted(found.items()))


def groups(package: ModuleType) -> dict[str, list[str]]:
    """Return the groups of a package's modules; its docstring has them as lines such as "- Frames: `sse`, `ndjson`"."""
    return {name: re.findall(r"`(\w+)`", names) for name, names in _GROUP.findall(inspect.getdoc(package) or "")}


def _parts(name: str, *only: str) -> list[str]:
    """Return the sections of a package's groups, or of some, with a section for each module in them."""
    parts: list[str] = []
    for group, modules in groups(public_modules()[name]).items():
        if not only or group in only:
            parts += [f"## {group}", *[each for module in modules for each in members(f"{name}.{module}")]]
    return parts


def members(name: str, *, level: int = 3) -> Iterator[str]:
    """Return a section on a module, and one on each of its public names."""
    module = public_modules()[name]
    public = getattr(module, "__all__", None) or _defined(module)
    yield f"{'#' * level} {name}\n\n{fenced(inspect.getdoc(module) or '')}"
    for each in public:
        yield member(name, each, level=level + 1)


def member(name: str, of_it: str, *, level: int = 3) -> str:
    """Return a section on a public name of a module, or of a package whose private modules have it."""
    module = public_modules()[name]
    value = getattr(module, of_it)
    heading = f"{'#' * level} {of_it}"
    home = getattr(value, "__module__", None) if isinstance(value, type) or inspect.isfunction(value) else None
    if home in public_modules() and home != name:
        return f"{heading}\n\nThe one of `{home}`."
    if isinstance(value, type) and value.__name__ == of_it:
        return _class(value, level)
    if isinstance(value, type):
        return f"{heading}\n\n`{value.__module__}.{value.__name__}`"
    if inspect.isfunction(value):
        return f"{heading}\n\n{_called(of_it, value)}\n\n{_explained(value)}"
    return f"{heading}\n\n{_values(module).get(of_it, '')}"


def _defined(module: ModuleType) -> list[str]:
    """Return the public names that a module without `__all__` defines, in its order."""
    found: list[str] = []
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found.append(node.name)
        found += _assigned(node)
    return [name for name in found if not name.startswith("_")]


def _assigned(node: ast.stmt) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [target.id for target in targets if isinstance(target, ast.Name)]


_SHOWN = 200  # characters of a value
_QUOTES = "'"  # around an alias of names that are not loaded


@cache
def _values(module: ModuleType) -> dict[str, str]:
    """Return each constant and type alias to its value as the source has it, if that is short, and the text below it.

    Those of a package stand in its private modules.
    """
    inner = [info.name for info in pkgutil.iter_modules(getattr(module, "__path__", ()))]
    private = [importlib.import_module(f"{module.__name__}.{name}") for name in inner if name.startswith("_")]
    found: dict[str, str] = {}
    for each in (*private, module):
        body = ast.parse(inspect.getsource(each)).body
        for node, below in zip(body, [*body[1:], None], strict=True):
            value = getattr(node, "value", None)
            parts = [ast.unparse(value)] if isinstance(value, ast.expr) else []
            parts = [f"`{part.strip(_QUOTES)}`" for part in parts if len(part) <= _SHOWN]
            if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
                parts.append(inspect.cleandoc(str(below.value.value)))
            found |= dict.fromkeys(_assigned(node), "\n\n".join(parts))
    return found


def _class(kind: type[Any], level: int) -> str:
    public = public_modules()
    heading, _, about = described(kind, level=level).partition("\n\n")
    parts = [heading, about]
    if not attrs.has(kind) and "__init__" in vars(kind):
        parts = [heading, _called(kind.__name__, kind.__init__), about, _arguments(kind.__init__)]
    bases = [f"`{base.__name__}`" for base in kind.__bases__ if base.__module__ in public]
    if bases:
        parts.append(f"A kind of {', '.join(bases)}.")
    methods = {name: method for base in reversed(_own(kind)) for name, method in _methods(base).items()}
    rows = [(code(name + _shape(method)), cell(_brief(method))) for name, method in methods.items()]
    if rows:
        parts.append(table(("member", "what it does"), rows))
    return "\n\n".join([part.strip() for part in parts if part.strip()])


def _is_ours(kind: type[Any]) -> bool:
    return kind.__module__.startswith(PACKAGE)


def _own(kind: type[Any]) -> list[type[Any]]:
    """Return the class and those of its bases that nobody else can read about: private ones."""
    public = public_modules()
    return [base for base in kind.__mro__ if base is kind or (_is_ours(base) and base.__module__ not in public)]


def _methods(kind: type[Any]) -> dict[str, Any]:
    return {
        name: value.__func__ if isinstance(value, classmethod | staticmethod) else value
        for name, value in vars(kind).items()
        if not name.startswith("_")
        and (isinstance(value, property | classmethod | staticmethod) or inspect.isfunction(value))
    }


def _shape(method: Any) -> str:
    return "" if isinstance(method, property) else _signature(method, annotated=False)


def _brief(method: Any) -> str:
    """Return what a method's docstring says, on one line, with its arguments and errors."""
    parts = [prose(method).replace("\n\n", " ")]
    parts += [f"`{name}`: {text}" for name, text in section(method, "Args").items()]
    parts += [f"Raises `{name}`: {text}" for name, text in section(method, "Raises").items()]
    return " ".join([part for part in parts if part])


def _called(name: str, function: Callable[..., Any]) -> str:
    """Return how something is called, with annotations, over several lines if it is long."""
    text = name + _signature(function)
    if len(text) > _LINE:
        inner, _, returns = text.removeprefix(f"{name}(").rpartition(")")
        parts = [f"    {part},\n" for part in _split(inner)]
        text = f"{name}(\n{''.join(parts)}){returns}"
    return f"```text\n{text}\n```"


_LINE = 100


def _split(text: str) -> list[str]:
    """Split arguments at the commas that stand in no brackets and no string."""
    parts, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        depth += (character in "([{") - (character in ")]}") if not quote else 0
        if character == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]


class _Plain(str):
    """An annotation that shows without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _signature(function: Callable[..., Any], *, annotated: bool = True) -> str:
    signature = inspect.signature(function)
    kept = [_shown(each, annotated=annotated) for each in signature.parameters.values() if each.name not in _BOUND]
    returns = signature.return_annotation if annotated and function.__name__ != "__init__" else inspect.Signature.empty
    return str(inspect.Signature(kept, return_annotation=_plain(returns)))


_BOUND = {"self", "cls"}


def _shown(parameter: inspect.Parameter, *, annotated: bool) -> inspect.Parameter:
    default = parameter.default
    if callable(default) and default is not inspect.Parameter.empty:
        default = _Plain(getattr(default, "__name__", "…"))
    annotation = _plain(parameter.annotation) if annotated else inspect.Parameter.empty
    return parameter.replace(default=default, annotation=annotation)


def _plain(annotation: Any) -> Any:
    return _Plain(annotation) if isinstance(annotation, str) else annotation


def _explained(function: Callable[..., Any]) -> str:
    return "\n\n".join([part for part in (fenced(prose(function)), _arguments(function)) if part])


def _arguments(function: Callable[..., Any]) -> str:
    rows = [(code(name), cell(text)) for name, text in section(function, "Args").items()]
    raised = [f"Raises `{name}`: {text}" for name, text in section(function, "Raises").items()]
    return "\n\n".join([*([table(("argument", "meaning"), rows)] if rows else []), *raised])


def fenced(text: str) -> str:
    """Return a docstring's text with its indented code fenced, and its groups of modules as they stand."""
    return re.sub(
        r"(?m)((?:^    .*(?:\n|\Z)|^\n(?=    ))+)",
        lambda found: f"\n```python\n{textwrap.dedent(found[0]).strip()}\n```\n",
        text,
    )


# pages


def wire_page() -> str:
    """Return the page of what several providers speak, but for OpenAI's dialect."""
    about = (
        "What most plans are made of. [OpenAI's dialect](dialect.md), which these parts serve too, has its own page."
    )
    return page("Wire formats", about, *_parts("ipfs_accel.wire", *_wire(dialect=False)))


def dialect_page() -> str:
    """Return the page of OpenAI's dialect."""
    about = (
        "Most servers speak it. A plugin for one [inherits](../../tutorial/write-a-backend.md) from the first of these "
        "classes, and uses the others where its server differs."
    )
    return page("OpenAI's dialect", about, *_parts("ipfs_accel.wire", *_wire(dialect=True)))


def _wire(*, dialect: bool) -> list[str]:
    return [group for group in groups(public_modules()["ipfs_accel.wire"]) if ("dialect" in group) is dialect]


def testing_page() -> str:
    """Return the page of what plugins and applications are tested with."""
    about, _, _ = inspect.cleandoc(testing.__doc__ or "").partition("\n\nIts modules:")
    names = f"`from ipfs_accel.testing import …` has {', '.join(map(code, testing.__all__))}."
    how = "How applications are tested: [the guide](../../howto/testing.md)."
    return page("Testing", about, names, how, *_parts("ipfs_accel.testing"))


def further_page() -> str:
    """Return the page of the small modules beside these."""
    about = "What plugins may use beside the [hooks and plans](hooks.md) and the [wire formats](wire.md)."
    names = [
        f"ipfs_accel.{name}" for name in ("catalogue", "commands", "hints", "strict_json", "capabilities", "installing")
    ]
    return page("Other modules", about, *[each for name in names for each in members(name, level=2)])
