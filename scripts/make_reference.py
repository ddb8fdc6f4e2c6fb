"""Writes the reference pages of the documentation from the code: usage `python scripts/make_reference.py FOLDER`.

What is written by hand there would be a second truth. The pages say what docstrings, signatures, attrs fields, hooks
and the command line say; `docs/conf.py` makes them for each build.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_overloads, get_type_hints

import attrs
import click
from ipfs_accel import AsyncClient, Client, Config, capabilities, errors, hookspecs, middleware, plans, types
from ipfs_accel._cli.app import app
from ipfs_accel._client.find import QueryOptions
from ipfs_accel._resilience import optional
from ipfs_accel.hookspecs import _middleware as middleware_hooks
from ipfs_accel.hookspecs import _objects as object_hooks
from ipfs_accel.hookspecs import _raw as raw_hooks
from ipfs_accel.hookspecs._middleware import MIDDLEWARE_HOOKS

sys.path.insert(0, str(Path(__file__).parent))
from backend_pages import (
    backend_page,
    backends,
    distributions,
    home,
    hosts,
    schemas_page,
    templates_page,
    timeouts_page,
)
from docstrings import SECTIONS, cell, code, described, page, prose, section, signature, table
from module_pages import dialect_page, fenced, further_page, member, testing_page, wire_page

ROOT = Path(__file__).parent.parent
_BOTH_CLIENTS = """\
`Client` and `AsyncClient` have the same methods with the same arguments. Those of `AsyncClient` are awaited, except the
ones that return a stream, which is entered with `async with`.
"""


def client_page() -> str:
    """Return the page of all client methods."""
    parts = [
        _BOTH_CLIENTS,
        described(Client, name="Client"),
        "### Client(config=None, *, endpoints=None, plugins=(), timeout=None, middleware=())\n\n"
        + _arguments(Client.__init__),
    ]
    for name in sorted(dir(Client)):
        value = inspect.getattr_static(Client, name)
        if name.startswith("_"):
            continue
        if isinstance(value, property):
            parts.append(f"### {name}\n\n{prose(value)}")
            continue
        returns = inspect.signature(value).return_annotation
        parts.append(f"### {name}{signature(value)}\n\n{_arguments(value)}\n\nReturns `{returns}`.")
    return page("Client methods", *parts, described(AsyncClient))


def returned_page() -> str:
    """Return the page of what clients return beside values."""
    streams = ("Stream", "AsyncStream", "RunStream", "AsyncRunStream", "BatchRun", "AsyncBatchRun")
    states = ("UsageTotal", "EndpointState", "BreakerState", "PluginRecord")
    others = ("load_config", "Secret", "UnsupportedParameterWarning", "__version__")
    return page(
        "Streams and states",
        "What clients return beside [values](types.md), and what else `ipfs_accel` has.",
        *[member("ipfs_accel", name, level=2) for name in (*streams, *states, *others)],
    )


def _arguments(function: Callable[..., Any]) -> str:
    said = section(function, "Args")
    options = _options(function)
    rows = [(code(name), cell(_linked(text))) for name, text in said.items() if name != "options"]
    if options:
        about = said.get("options", "")
        about = about if f"`{options}`" in about else f"`{options}`: {about}".removesuffix(": ")
        rows.append(("`**options`", cell(_linked(about))))
    return prose(function) + ("\n\n" + table(("argument", "meaning"), rows) if rows else "")


def _options(function: Callable[..., Any]) -> str:
    """Return the dict of a method's options; of several, which its overloads have, the one with the most keys."""
    shapes = [str(inspect.signature(each)) for each in (function, *get_overloads(function))]
    names = [name for shape in shapes for name in re.findall(r"Unpack\[(\w+)\]", shape)]
    return max(names, key=lambda name: len(getattr(types, name, QueryOptions).__annotations__), default="")


def _linked(text: str) -> str:
    return re.sub(r"`(\w+(?:Options|Request))`", lambda found: f"[`{found[1]}`](types.md#{found[1].lower()})", text)


def types_page() -> str:
    """Return the page of all values."""
    classes = {name: getattr(types, name) for name in types.__all__ if isinstance(getattr(types, name), type)}
    parts = [
        _typed(kind) if hasattr(kind, "__total__") else member("ipfs_accel.types", name, level=2)
        for name, kind in classes.items()
    ]
    further = [described(kind) for kind in (QueryOptions, capabilities.Support)]
    named = [member("ipfs_accel.types", name, level=2) for name in types.__all__ if name not in classes]
    return page("Values", "All are frozen, with keyword arguments.", *parts, *further, *named)


def _typed(kind: type[Any]) -> str:
    """Return a section on a dict of options."""
    rows = [(code(name), code(hint), cell(said)) for name, hint, said in options_of(kind)]
    return f"## {kind.__name__}\n\n{prose(kind)}\n\n" + table(("option", "type", "meaning"), rows)


def options_of(kind: type[Any]) -> list[tuple[str, str, str]]:
    """Return name, type and meaning of each key of a dict of options, those of its bases last.

    A key's meaning stands in the class that has it: below Keys, or at the request that its docstring names as the one
    that says what each means. Which class has it is told by the source alone: a TypedDict forgets its bases.
    """
    node = ast.parse(inspect.getsource(kind)).body[0]
    assert isinstance(node, ast.ClassDef)  # noqa: S101 - it is the source of a class
    request = re.search(r"`(\w+)` says what each means", prose(kind))
    said = section(getattr(types, request[1]), "Attributes") if request else {}
    said |= section(kind, "Keys")
    own = {ast.unparse(each.target): each.annotation for each in node.body if isinstance(each, ast.AnnAssign)}
    rows = [(name, ast.unparse(hint), said.get(name, "")) for name, hint in own.items()]
    bases = [getattr(sys.modules[kind.__module__], ast.unparse(base)) for base in node.bases]
    further = [row for base in bases if hasattr(base, "__total__") for row in options_of(base)]
    return rows + [row for row in further if row[0] not in own]


def errors_page() -> str:
    """Return the page of all errors."""
    tree = re.search(r"(?ms)^    AccelError.*?(?=^\S)", errors.__doc__ or "")
    assert tree is not None  # noqa: S101 - the tree stands at the head of the module
    classes = [getattr(errors, name) for name in errors.__all__ if isinstance(getattr(errors, name), type)]
    classes.sort(key=lambda kind: [base.__name__ for base in reversed(kind.__mro__)])
    parts = [f"## {kind.__name__}\n\n{_plain(kind)}{_kind_of(kind)}" for kind in classes]
    intro = "All can be pickled, hold no live object and never a key. `raise` them, catch them by their class."
    functions = [member("ipfs_accel.errors", name, level=2) for name in errors.__all__ if name.islower()]
    return page("Errors", intro, f"```text\n{textwrap.dedent(tree[0]).rstrip()}\n```", *parts, *functions)


def _kind_of(kind: type[Any]) -> str:
    base = kind.__base__
    is_ours = base not in {None, Exception, ValueError}
    return f"\n\nA kind of [`{base.__name__}`](#{base.__name__.lower()})." if is_ours else ""


def _plain(kind: type[Any]) -> str:
    text = inspect.cleandoc(vars(kind).get("__doc__") or "")
    rows = [(code(n), cell(m)) for n, m in _own(kind).items()]
    return SECTIONS.sub("", text + "\n").strip() + ("\n\n" + table(("attribute", "meaning"), rows) if rows else "")


def _own(kind: type[Any]) -> dict[str, str]:
    above: dict[str, str] = {} if kind.__base__ is None else section(kind.__base__, "Attributes")
    return {name: text for name, text in section(kind, "Attributes").items() if name not in above}


def configured() -> list[type[Any]]:
    """Return `Config` and every attrs class that a setting of it may hold."""
    found: list[type[Any]] = []

    def visit(kind: Any) -> None:
        if isinstance(kind, type) and attrs.has(kind) and kind not in found:
            found.append(kind)
            for hint in get_type_hints(kind, localns=vars(optional)).values():
                visit(hint)
        for inner in get_args(kind):
            visit(inner)

    visit(Config)
    return found


def configuration_page() -> str:
    """Return the page of all settings."""
    intro = """
    Code wins over the environment, the environment over the file. The file is TOML: `Config` is its top level, the
    other classes are the tables in it, and both have the same names. `path`, `environ`, `sources` and `key` cannot
    stand in the file. `ipfs-accel config show` tells every setting that holds and where it is from,
    `ipfs-accel config path` which file is read, and `ipfs-accel config edit` opens it, with its settings as comments if
    it is new.
    """
    return page("Configuration", textwrap.dedent(intro), *map(described, configured()))


def operations_page() -> str:
    """Return the page of all operations and the backends that have them."""
    rows = []
    for name in hookspecs.OPERATIONS:
        having = [
            f"[{backend}](../backends/{home(backend)}.md)" for backend, b in backends().items() if name in b.operations
        ]
        rows.append((f"[`{name}`](hooks.md#{_anchor(name)})", ", ".join(having)))
    intro = """
    An operation is a hook that a backend may implement; `Client` has a method of the same name for each (the content of
    a file is read with `download_file` or `stream_file`; models are kept with `stream_pull_model` and so on as well).
    What a model can do beside it is its features: see `Client.capabilities`.
    """
    return page("Operations", textwrap.dedent(intro), table(("operation", "backends"), rows))


@cache
def hooks() -> dict[str, Callable[..., Any]]:
    """Return every hook by its name: `describe`, the operations in their order, and the others."""
    found = {
        name: value
        for module in (hookspecs, object_hooks, raw_hooks, middleware_hooks)
        for name, value in vars(module).items()
        if hasattr(value, f"{hookspecs.PROJECT}_spec")
    }
    first = ("describe", *hookspecs.OPERATIONS)
    return {name: found[name] for name in (*first, *(each for each in found if each not in first))}


def _anchor(hook: str) -> str:
    return hook + "-".join(inspect.signature(hooks()[hook]).parameters)


def _hook(name: str) -> str:
    hook = hooks()[name]
    returns = inspect.signature(hook).return_annotation
    return f"### {name}{signature(hook)}\n\n{prose(hook)}\n\nReturns `{returns}`."


def hooks_page() -> str:
    """Return the page of the hooks of backends, and of all plans."""
    about = (hookspecs.__doc__ or "").split("\n\n", 1)[1]
    values = [getattr(plans, name) for name in plans.__all__ if isinstance(getattr(plans, name), type)]
    functions = [getattr(plans, name) for name in plans.__all__ if inspect.isfunction(getattr(plans, name))]
    return page(
        "Hooks and plans",
        fenced(about),
        "What plans are made of beside these is in [wire](wire.md), [OpenAI's dialect](dialect.md) and "
        "[other modules](modules.md); how a backend is tested in [testing](testing.md).",
        "## Hooks",
        *[_hook(name) for name in hooks() if name not in MIDDLEWARE_HOOKS],
        "## What a backend says of itself",
        *[described(kind, level=3) for kind in (hookspecs.BackendInfo, hookspecs.KeyHeader, hookspecs.LocalServer)],
        *[member("ipfs_accel.hookspecs", name) for name in ("TokenRules", "hookimpl", "hookspec", "API_VERSION")],
        *[member("ipfs_accel.hookspecs", name) for name in ("OPERATIONS", "RAW_OPERATIONS")],
        "## Plans",
        (plans.__doc__ or "").split("\n\n", 1)[1],
        *[described(kind, level=3) for kind in values],
        *[member("ipfs_accel.plans", name) for name in ("Plan", "StreamPlan", "Pairs")],
        *[f"### {each.__name__}{signature(each)}\n\n{_arguments(each)}" for each in functions],
    )


def middleware_page() -> str:
    """Return the page of what middleware is made of."""
    return page(
        "Middleware",
        fenced((middleware.__doc__ or "").split("\n\n", 1)[1]),
        "It is given in code, or found through the entry points `ipfs_accel.middleware` and named by "
        "`plugins.middleware` in the [configuration](configuration.md); [how](../../howto/middleware.md).",
        "## Its hooks",
        *map(_hook, MIDDLEWARE_HOOKS),
        "## What it works with",
        *[described(kind, level=3) for kind in (middleware.CallContext, middleware.Ask)],
        *[
            f"### {each.__name__}{signature(each)}\n\n{_arguments(each)}"
            for each in (middleware.map_texts, middleware.texts_of)
        ],
    )


def variables() -> dict[str, tuple[str, str]]:
    """Return each environment variable of the backends to (backend, meaning)."""
    found: dict[str, tuple[str, str]] = {}
    for name, backend in backends().items():
        said = section(backend.info.options, "Attributes") if backend.info.options else {}
        meant = [(variable, "key") for variable in backend.info.key_env]
        meant += [(variable, "base URL") for variable in backend.info.base_url_env]
        meant += [
            (variable, f"option `{option}`: {said.get(option, '')}")
            for option, variable in backend.info.options_env.items()
        ]
        for variable, meaning in meant:
            home, _ = found.get(variable, ("", ""))
            found[variable] = (f"{home}, {name}" if home else name, meaning)
    for name, row in hosts().items():
        found |= dict.fromkeys(row.get("key_env", {}).get("value", ()), (name, "key"))
        in_url = row.get("url_env", {}).get("value", {})
        found |= {each: (name, f"`{part}` in the URL") for part, names in in_url.items() for each in names}
    return found


def environment_page() -> str:
    """Return the page of all environment variables: the core's from a list written by hand, then the backends'."""
    core = (ROOT / "docs" / "reference" / "environment.txt").read_text(encoding="utf-8")
    rows = [(code(name), backend, cell(meaning)) for name, (backend, meaning) in sorted(variables().items())]
    intro = "Set to nothing, a variable counts as not set."
    return page(
        "Environment variables",
        intro,
        core,
        "## Of backends and hosts",
        table(("variable", "backend or host", "meaning"), rows),
    )


def commands() -> Iterator[tuple[str, click.Context]]:
    """Return every command of the command line by its full name, in its context."""

    def walk(name: str, command: click.Command, parent: click.Context | None) -> Iterator[tuple[str, click.Context]]:
        settings = {**command.context_settings, "max_content_width": 100, "terminal_width": 100}
        context = click.Context(command, parent, info_name=name.rpartition(" ")[2], **settings)
        yield name, context
        if isinstance(command, click.Group):
            for child in command.list_commands(context):
                found = command.get_command(context, child)
                if found is not None:
                    yield from walk(f"{name} {child}", found, context)

    yield from walk("ipfs-accel", app, None)


def commands_page() -> str:
    """Return the page of the command line: the help of every command."""
    parts = [f"## {name}\n\n```text\n{context.get_help()}\n```" for name, context in commands()]
    intro = "Answers go to stdout, everything else to stderr. Every command has `--json` and `--help`."
    return page("Command line", intro, *parts)


@cache
def pages() -> dict[str, str]:
    """Return every generated page by its path."""
    found = {
        "reference/client.md": client_page(),
        "reference/returned.md": returned_page(),
        "reference/types.md": types_page(),
        "reference/errors.md": errors_page(),
        "reference/operations.md": operations_page(),
        "reference/hooks.md": hooks_page(),
        "reference/middleware.md": middleware_page(),
        "reference/wire.md": wire_page(),
        "reference/dialect.md": dialect_page(),
        "reference/testing.md": testing_page(),
        "reference/modules.md": further_page(),
        "reference/configuration.md": configuration_page(),
        "reference/environment.md": environment_page(),
        "reference/commands.md": commands_page(),
        "reference/schemas.md": schemas_page(),
        "reference/templates.md": templates_page(),
        "reference/timeouts.md": timeouts_page(),
    }
    return found | {f"backends/{folder.name}.md": backend_page(folder) for folder in distributions()}


def write(folder: Path) -> None:
    """Write all pages below a folder; what has not changed is left alone, so that builds stay quick."""
    for path, text in pages().items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
