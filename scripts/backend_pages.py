"""The pages of the reference that are about backends: one for each distribution, schemas, templates, time limits."""

from __future__ import annotations

import importlib
import json
import re
import textwrap
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from docstrings import code, described, page, table
from ipfs_accel import Config, hookspecs
from ipfs_accel._calls.core import CHECK_SECONDS
from ipfs_accel._config.config import EndpointConfig, PluginPolicy
from ipfs_accel._config.keys import KeyFile
from ipfs_accel._endpoints.resolve import resolve
from ipfs_accel._plugins.registry import Registry
from ipfs_accel.wire import schema_keywords

__all__ = [
    "backend_page",
    "backends",
    "distributions",
    "home",
    "hosts",
    "schemas_page",
    "templates_page",
    "timeouts_page",
]

ROOT = Path(__file__).parent.parent


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


def home(backend: str) -> str:
    """Return the name of the folder of a backend's distribution, which is that of its page."""
    return next(folder.name for folder in distributions() if backend in entry_points(folder))


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
        link, hosted = f"[`{name}`](../backends/{home(name)}.md)", backend.info.key_url
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
