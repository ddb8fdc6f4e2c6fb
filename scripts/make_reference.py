"""Writes the reference pages of the documentation from the code: usage `python scripts/make_reference.py FOLDER`.

What is written by hand there would be a second truth. The pages say what docstrings, signatures, attrs fields, hooks
and the command line say; `docs/conf.py` makes them for each build.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
import sys
import textwrap
import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

import attrs
import click
from ipfs_accel import Client, Config, capabilities, errors, hookspecs, middleware, plans, types
from ipfs_accel._calls.core import CHECK_SECONDS
from ipfs_accel._cli.app import app
from ipfs_accel._client.find import QueryOptions
from ipfs_accel._config.config import EndpointConfig, PluginPolicy
from ipfs_accel._config.keys import KeyFile
from ipfs_accel._endpoints.resolve import resolve
from ipfs_accel._plugins.registry import Registry
from ipfs_accel._resilience import optional
from ipfs_accel.hookspecs import _middleware as middleware_hooks
from ipfs_accel.hookspecs import _objects as object_hooks
from ipfs_accel.hookspecs import _raw as raw_hooks
from ipfs_accel.wire import schema_keywords

sys.path.insert(0, str(Path(__file__).parent))
from docstrings import SECTIONS, cell, code, described, page, prose, section, signature, table

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
    return page("Client methods", *parts)


def _arguments(function: Callable[..., Any]) -> str:
    rows = [(code(name), cell(_linked(text))) for name, text in section(function, "Args").items() if name != "options"]
    options = re.search(r"Unpack\[(\w+)\]", str(inspect.signature(function)))
    if options is not None:
        rows.append(("`**options`", f"[{options[1]}](types.md#{options[1].lower()})"))
    return prose(function) + ("\n\n" + table(("argument", "meaning"), rows) if rows else "")


def _linked(text: str) -> str:
    return re.sub(r"`(\w+(?:Options|Request))`", lambda found: f"[`{found[1]}`](types.md#{found[1].lower()})", text)


def types_page() -> str:
    """Return the page of all values."""
    classes = [getattr(types, name) for name in types.__all__ if isinstance(getattr(types, name), type)]
    parts = [_typed(kind) if not attrs.has(kind) else described(kind) for kind in classes]
    further = [described(kind) for kind in (QueryOptions, capabilities.Support)]
    return page("Values", "All are frozen, with keyword arguments.", *parts, *further)


def _typed(kind: type[Any]) -> str:
    """Return a section on a dict of options, whose meanings stand at the request of the same operation."""
    if not hasattr(kind, "__total__"):
        return described(kind)
    said: dict[str, str] = {}
    for name in types.__all__:
        value = getattr(types, name)
        # The options of a request that a caller writes are no fields of it, and stand at their dict.
        if isinstance(value, type) and issubclass(value, types.Request) and value is not types.RawRequest:
            said |= section(value, "Attributes")
    bases = [base for base in getattr(kind, "__orig_bases__", ()) if hasattr(base, "__total__")]
    for each in (*bases, kind, types.CallOptions):
        said |= section(each, "Keys")
    rows = [(code(name), code(str(hint)), cell(said.get(name, ""))) for name, hint in _hints(kind).items()]
    return f"## {kind.__name__}\n\n{prose(kind)}\n\n" + table(("option", "type", "meaning"), rows)


def _hints(kind: type[Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for base in (*getattr(kind, "__orig_bases__", ()), kind):
        if hasattr(base, "__total__") and base is not kind:
            found |= _hints(base)
    return found | {name: getattr(hint, "__forward_arg__", str(hint)) for name, hint in kind.__annotations__.items()}


def errors_page() -> str:
    """Return the page of all errors."""
    tree = re.search(r"(?ms)^    AccelError.*?(?=^\S)", errors.__doc__ or "")
    assert tree is not None  # noqa: S101 - the tree stands at the head of the module
    classes = [getattr(errors, name) for name in errors.__all__ if isinstance(getattr(errors, name), type)]
    classes.sort(key=lambda kind: [base.__name__ for base in reversed(kind.__mro__)])
    parts = [f"## {kind.__name__}\n\n{_plain(kind)}{_kind_of(kind)}" for kind in classes]
    intro = "All can be pickled, hold no live object and never a key. `raise` them, catch them by their class."
    return page("Errors", intro, f"```text\n{textwrap.dedent(tree[0]).rstrip()}\n```", *parts)


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


@cache
def backends() -> dict[str, Any]:
    """Return backend name to the loaded plugin, for the distributions of this repository."""
    registry = Registry(PluginPolicy())
    known = {name for folder in distributions() for name in entry_points(folder)}
    return {name: registry.load(name) for name in sorted(known)}


def distributions() -> list[Path]:
    """Return the folders of the plugin distributions."""
    return [path.parent for path in sorted((ROOT / "plugins").glob("**/pyproject.toml"))]


def entry_points(folder: Path) -> list[str]:
    """Return the names of the backends of a distribution."""
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return sorted(project["entry-points"].get("ipfs_accel.backends", ()))


@cache
def hosts() -> dict[str, Any]:
    """Return the rows of the hosts by their names."""
    rows = ROOT / "plugins" / "hosts" / "src" / "ipfs_accel_hosts" / "rows"
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(rows.glob("*.json"))}


def operations_page() -> str:
    """Return the page of all operations and the backends that have them."""
    rows = []
    for name in hookspecs.OPERATIONS:
        having = [
            f"[{backend}](../backends/{_home(backend)}.md)" for backend, b in backends().items() if name in b.operations
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


def _home(backend: str) -> str:
    return next(folder.name for folder in distributions() if backend in entry_points(folder))


def hooks_page() -> str:
    """Return the page of all hooks and plans."""
    parts = []
    for name, hook in hooks().items():
        returns = inspect.signature(hook).return_annotation
        parts.append(f"### {name}{signature(hook)}\n\n{prose(hook)}\n\nReturns `{returns}`.")
    about = (hookspecs.__doc__ or "").split("\n\n", 1)[1]
    values = [getattr(plans, name) for name in plans.__all__ if isinstance(getattr(plans, name), type)]
    functions = [getattr(plans, name) for name in plans.__all__ if inspect.isfunction(getattr(plans, name))]
    return page(
        "Hooks and plans",
        _fenced(about),
        "## Hooks",
        *parts,
        "## What a backend says of itself",
        *[described(kind, level=3) for kind in (hookspecs.BackendInfo, hookspecs.KeyHeader, hookspecs.LocalServer)],
        "## Plans",
        (plans.__doc__ or "").split("\n\n", 1)[1],
        *[described(kind, level=3) for kind in values],
        *[f"### {each.__name__}{signature(each)}\n\n{_arguments(each)}" for each in functions],
        "## Middleware",
        _fenced((middleware.__doc__ or "").split("\n\n", 1)[1]),
        *[described(kind, level=3) for kind in (middleware.CallContext, middleware.Ask)],
        *[
            f"### {each.__name__}{signature(each)}\n\n{_arguments(each)}"
            for each in (middleware.map_texts, middleware.texts_of)
        ],
    )


def _fenced(text: str) -> str:
    """Return a docstring's text with its indented code fenced."""
    return re.sub(
        r"(?m)((?:^    .*\n|^\n(?=    ))+)",
        lambda found: f"```python\n{textwrap.dedent(found[0]).strip()}\n```\n",
        text,
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


def backend_page(folder: Path) -> str:
    """Return the page of one distribution: its README, then what its code says."""
    text = (folder / "README.md").read_text(encoding="utf-8").strip()
    parts = [text.partition("\n")[2].replace("\nLicence: Apache-2.0.", "")]
    for name in entry_points(folder):
        backend = backends()[name]
        info = backend.info
        rows = [(code(each), "yes" if each in backend.operations else "no") for each in hookspecs.OPERATIONS]
        facts = [
            ("base URL", code(info.base_url)),
            ("key from", ", ".join(map(code, info.key_env))),
            ("key needed", "yes, for the provider's own place" if info.needs_key else "no"),
            ("own calls", ", ".join(map(code, sorted(backend.calls)))),
        ]
        parts += [f"## The backend `{name}`", table(("fact", "value"), [row for row in facts if row[1]])]
        if info.options:
            parts.append(described(info.options, level=3, name=f"Options of {name}"))
        parts += [f"### Operations of {name}", table(("operation", "supported"), rows)]
    catalogue = folder / "src" / f"ipfs_accel_{folder.name}" / "catalogue.json"
    if catalogue.exists():
        parts.append(
            _catalogue(importlib.import_module("ipfs_accel.catalogue").Catalogue.load(f"ipfs_accel_{folder.name}"))
        )
    if not entry_points(folder):
        return page(folder.name, *parts, *_hosts())
    return page(f"{folder.name}: {', '.join(entry_points(folder))}", *parts)


def _hosts() -> Iterator[str]:
    """Return a table of the hosts, then what is known of each, with its sources."""
    rows = [
        (f"[`{name}`](#{name})", row["title"], code(_said(row["base_url"])), _key(row)) for name, row in hosts().items()
    ]
    count = sum(len(list(_cells(row))) for row in hosts().values())
    yield "## The hosts"
    yield f"{len(rows)} hosts, {count} cells that have a source. What is not there is as the dialect is published."
    yield table(("host", "who", "base URL", "key from"), rows)
    for name, row in hosts().items():
        facts = [(what, code(_said(cell)), f"[source]({cell['source']}), {cell['date']}") for what, cell in _cells(row)]
        yield f"### {name}\n\n{row['title']}: [documentation]({row['documentation']})."
        yield table(("cell", "value", "from"), facts)


def _key(row: Mapping[str, Any]) -> str:
    names = ", ".join(map(code, row.get("key_env", {}).get("value", ())))
    is_needed = row.get("needs_key", {}).get("value", bool(names))
    return names if is_needed and names else f"{names or 'one of your own'}{'' if is_needed else ', if it wants one'}"


def _said(cell: Mapping[str, Any]) -> str:
    value = cell.get("value", {key: each for key, each in cell.items() if key not in {"source", "date"}})
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def _cells(row: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Return the cells of a row that have a source, by their names."""
    for name, said in row.items():
        if name == "options":
            yield from ((code(option), each) for option, each in said.items())
        elif name == "lacks":
            yield from ((f"lacks {', '.join(map(code, each['operations']))}", each) for each in said)
        elif isinstance(said, dict):
            yield code(name), said


def _catalogue(catalogue: Any) -> str:
    rows = [
        (
            code(name),
            str(fields.get("context_window", "")),
            str(fields.get("max_output_tokens", "")),
            _prices(fields),
            ", ".join(sorted(feature for feature, value in fields.get("features", {}).items() if value == "yes")),
        )
        for name, fields in sorted(catalogue.models.items())
    ]
    head = ("model", "context", "most output", "US dollars per million tokens, in / out", "features")
    intro = f"What the package knows beforehand, of {catalogue.date}; what the server says goes before it.\n\n"
    return "## Catalogue of models\n\n" + intro + table(head, rows)


def _prices(fields: Mapping[str, Any]) -> str:
    known = [fields.get("input_price"), fields.get("output_price")]
    return " / ".join("?" if each is None else f"{each:g}" for each in known) if known != [None, None] else ""


def schemas_page() -> str:
    """Return the page of what servers of one's own do with each construct of a JSON Schema."""
    tables = schema_keywords.tables()
    names = list(dict.fromkeys([name for each in tables.values() for kind in _KINDS for name in each[kind]]))
    marks = {server: {name: kind for kind in _KINDS for name in each[kind]} for server, each in tables.items()}
    rows = [(code(name), *[_KINDS.get(marks[server].get(name, ""), "") for server in tables]) for name in sorted(names)]
    sources = [(server, each["version"], each["source"]) for server, each in tables.items()]
    intro = (
        "What servers of one's own do with a schema, by what they answered. *No*: it is taken and has no effect, or "
        "not all of it, which calls warn of or refuse ([how](../../howto/typed-answers.md)). *Refused*: the server "
        "says so. Empty: not seen. Of other servers nothing is known."
    )
    versions = table(("server", "version", "seen by"), sources)
    return page("JSON Schema by server", intro, table(("construct", *tables), rows), "## Versions", versions)


_KINDS = {"lost": "**no**", "kept": "yes", "refused": "refused"}


def templates_page() -> str:
    """Return the page of what llama.cpp makes of chat templates."""
    known = importlib.import_module("ipfs_accel_llvm._templates")
    differ = [(each.name, each.instead, code(each.example.replace("|", "\\|"))) for each in known.DIFFER]
    stop = [(each.name, code(each.example.replace("|", "\\|"))) for each in known.REFUSED]
    return page(
        "Chat templates by llama.cpp",
        "llama.cpp, in process and as a server, renders a model's chat template by an engine of its own. Loading a "
        "GGUF file whose template uses one of these warns of it. What the model gets, at a server too, is shown by "
        '`client.call("llvm", "render", messages=…)`. Seen with llama.cpp b11549 and transformers 5.24.0.',
        "## Rendered otherwise",
        table(("construct", "with llama.cpp", "example"), differ),
        "## Refused",
        "A file with one of these does not load.",
        table(("construct", "example"), stop),
    )


def timeouts_page() -> str:
    """Return the page of the time limits that hold where nobody sets others, by backend."""
    rows = []
    for name, backend in backends().items():
        link, hosted = f"[`{name}`](../backends/{_home(name)}.md)", backend.info.key_url
        rows.append((link, *_limits(resolved(name))))
        rows += [(f"{link} at {hosted}", *_limits(resolved(name, hosted)))] if hosted else []
    presets: dict[tuple[str, ...], list[str]] = {}
    for name in hosts():
        presets.setdefault(_limits(resolved(name)), []).append(f"[`{name}`](../backends/hosts.md#{name})")
    rows += [("hosts: " + ", ".join(names), *limits) for limits, names in presets.items()]
    elsewhere = [name for name in backends() if resolved(name, ELSEWHERE).is_own and not resolved(name).is_own]
    intro = f"""
    In seconds, where neither a call nor the configuration sets others ([how](../../howto/failures.md)).
    *Connect*: until the connection stands. *First event* and *between events*: of silence in a stream; before the first
    event a heartbeat is no silence. *Whole call*: with queue, attempts, waits and fallbacks. *Asked again*: whether a
    server that took the request and was silent for too long is asked once more.

    A server of one's own may read a long prompt for minutes, and anew for whoever asks again. So it may be silent
    as long as the call may take, also if a call or the configuration gives that another limit, and is asked once. The
    same holds for the endpoints of {", ".join(map(code, elsewhere))}, and of the hosts, whose base URL leads to
    another site than the provider's own; and, but for the last column, for a call that names a `reasoning_effort`.
    """
    head = ("backend", "connect", "first event", "between events", "whole call", "asked again")
    having = [name for name, backend in backends().items() if "pull_model" in backend.operations]
    silence = ", ".join([f"{name} {resolved(name).timeout.idle:g} s" for name in having])
    further = f"""
    Pulling, pushing and creating models have no limit for the whole: silence ends them ({silence}).
    A health check has {CHECK_SECONDS:g} s for all.
    """
    return page("Time limits by backend", textwrap.dedent(intro), table(head, rows), textwrap.dedent(further))


ELSEWHERE = "https://models.example.org/v1"


@cache
def resolved(name: str, base_url: str | None = None) -> Any:
    """Return what holds for the endpoint of a backend or host, in an environment where nothing is set."""
    registry = Registry(PluginPolicy())
    said = dict.fromkeys(re.findall(r"{(\w+)}", registry.load(name).info.base_url), "x")
    endpoint = EndpointConfig(base_url=base_url, key="", options={} if base_url else said)
    config = Config(environ={}, endpoints={name: endpoint})
    return resolve(name, registry.load(name), config, KeyFile.default())


def _limits(target: Any) -> tuple[str, ...]:
    limits = target.patience if target.is_own else target.timeout
    seconds = (limits.connect, limits.first_event, limits.idle, limits.total)
    return (*["none" if each is None else f"{each:g}" for each in seconds], "no" if target.is_own else "once")


def pages() -> dict[str, str]:
    """Return every generated page by its path."""
    found = {
        "reference/client.md": client_page(),
        "reference/types.md": types_page(),
        "reference/errors.md": errors_page(),
        "reference/operations.md": operations_page(),
        "reference/hooks.md": hooks_page(),
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
