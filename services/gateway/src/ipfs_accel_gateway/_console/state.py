"""How a gateway is now, as the page reads it: put together when the page asks, from what is counted anyway."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import attrs

from ipfs_accel_gateway._budgets import DOLLAR
from ipfs_accel_gateway._process import resident_bytes

if TYPE_CHECKING:
    from ipfs_accel_gateway._ledger import Ledger
    from ipfs_accel_gateway._metrics import Metrics

    from .view import View

__all__ = ["state_of"]

_MOST_PLOTTED = 30
"""Models that have plots of their own; all have a share in those of all."""
_SUMS = ("requests", "input", "cached", "output", "cost", "unpriced")


def state_of(view: View) -> dict[str, Any]:
    """Return what the page shows, as values of JSON."""
    counted = [(dict(zip(_LABELS, key, strict=True)), each) for key, each in view.metrics.counted()]
    return {
        "time": time.time(),
        "started": view.started,
        "version": _version(),
        "address": "{}:{}".format(*view.address),
        "connections": view.connections,
        "memory": resident_bytes(),
        "active": sum(view.app.callers.active().values()),
        "totals": _sums(each for _, each in counted),
        "statuses": _by(counted, "status"),
        "served": list(_served(view, counted)),
        "endpoints": [_endpoint(view, name) for name in sorted({*view.config.endpoints, *view.states})],
        "keys": _keys(view, counted),
        "times": _times(view.metrics),
        "playground": None if view.player is None else view.player.id,
    }


_LABELS = ("key", "dialect", "model", "endpoint", "lane", "status")


def _sums(series: Iterable[Any]) -> dict[str, float]:
    sums = dict.fromkeys(_SUMS, 0.0)
    for each in series:
        for name in _SUMS:
            sums[name] += getattr(each, name)
    return sums


def _by(counted: Iterable[tuple[dict[str, str], Any]], label: str) -> dict[str, int]:
    found: Counter[str] = Counter()
    for labels, each in counted:
        if labels[label]:
            found[labels[label]] += each.requests
    return dict(found)


def _served(view: View, counted: list[tuple[dict[str, str], Any]]) -> Iterator[dict[str, Any]]:
    config, patterns = view.config, view.settings.models
    rows: list[tuple[str, str, tuple[str, ...]]] = [(name, "built in", (of,)) for name, of in view.names.items()]
    rows += [(name, f"route, {each.policy}", each.targets) for name, each in config.routes.items()]
    rows += [(name, "alias", (of,)) for name, of in config.aliases.items()]
    rows = [row for row in rows if patterns is None or any(fnmatchcase(row[0], each) for each in patterns)]
    wanted = ("*",) if patterns is None else patterns
    for endpoint in config.endpoints:
        below = [each for each in wanted if each == "*" or fnmatchcase(endpoint, each.partition("/")[0])]
        rows += [(f"{endpoint}/*" if each == "*" else each, "endpoint", (endpoint,)) for each in below]
    named = {name for name, kind, _ in rows if kind != "endpoint"}
    for name, kind, targets in rows:
        if kind == "endpoint":
            mine = [each for each in counted if each[0]["model"] not in named and _is_of(each[0]["model"], name)]
        else:
            mine = [each for each in counted if each[0]["model"] == name]
        yield {
            "name": name,
            "kind": kind,
            "targets": list(targets),
            "lanes": _by(mine, "lane"),
            "requests": sum([each.requests for _, each in mine]),
            "failed": sum([each.requests for labels, each in mine if labels["status"] in _FAILED]),
        }


_FAILED = frozenset({"5xx", "broken"})


def _is_of(model: str, pattern: str) -> bool:
    return fnmatchcase(model, pattern) or model == f"{pattern.partition('/')[0]}/*"


def _endpoint(view: View, name: str) -> dict[str, Any]:
    config, state = view.config.endpoints.get(name), view.states.get(name)
    told: dict[str, Any] = {"name": name, "backend": name, "host": "", "used": state is not None}
    if config is not None:
        told |= {"backend": config.backend or name, "host": _host(config.base_url)}
    if state is None:
        return told
    waiting = 0 if state.queue is None else sum(state.queue.waiting.values())
    return told | {
        "isolated": state.is_isolated,
        "active": state.active,
        "waiting": waiting,
        "breakers": [{"model": model, **attrs.asdict(each)} for model, each in state.breakers.items()],
        "keys": [{"id": each.id, "state": each.state} for each in state.keys],
        "answered": sum([each.calls for each in state.usage]),
        "failed": sum([each.failed for each in state.usage]),
        "cached": sum([each.cached for each in state.usage]),
    }


def _host(url: str | None) -> str:
    """Return host and port; all else of a URL may be somebody's secret."""
    try:
        return urlsplit(url or "").netloc.rpartition("@")[2]
    except ValueError:
        return ""


def _keys(view: View, counted: list[tuple[dict[str, str], Any]]) -> list[dict[str, Any]]:
    callers = view.app.callers.by_name()
    active = view.app.callers.active()
    found = []
    for name in active:
        settings, caller = view.settings.keys.get(name), callers.get(name)
        told: dict[str, Any] = {"name": name, "active": active[name]}
        told |= _sums(each for labels, each in counted if labels["key"] == name)
        if settings is not None and caller is not None:
            told |= {
                "owner": settings.owner,
                "models": None if settings.models is None else list(settings.models),
                "concurrency": settings.concurrency,
                "expires": None if settings.expires is None else settings.expires.timestamp(),
                "limits": [{"name": limit, "most": most, "left": left} for limit, most, left in caller.levels()],
                "budgets": [] if view.ledger is None else list(_budgets(view.ledger, name)),
            }
        found.append(told)
    return found


def _budgets(ledger: Ledger, key: str) -> Iterator[dict[str, Any]]:
    for limit, count in ledger.levels(key):
        unit = DOLLAR if limit.unit == "dollars" else 1
        yield {
            "name": limit.name,
            "group": limit.scope.partition(":")[2] if limit.scope.startswith("group:") else None,
            "unit": limit.unit,
            "most": limit.most / unit,
            "spent": count.spent / unit,
            "reserved": count.reserved / unit,
        }


def _times(metrics: Metrics) -> dict[str, Any]:
    """Return the histograms of all requests, and those of the models that are asked most, by the names of these."""
    models: dict[str, dict[str, list[int]]] = {"": {}}
    bounds: dict[str, tuple[float, ...]] = {}
    for (model, _), times in metrics.timed():
        if not any(times.duration.counts):
            continue  # it was asked for, and nobody was asked
        for name in times.__slots__:
            histogram = getattr(times, name)
            bounds[name] = histogram.bounds
            for of in {"", model}:
                counts = models.setdefault(of, {}).setdefault(name, [0] * len(histogram.counts))
                counts[:] = [one + other for one, other in zip(counts, histogram.counts, strict=True)]
    most = sorted(models, key=lambda model: (model != "", -sum(models[model].get("duration", ()))))
    return {"bounds": bounds, "models": {model: models[model] for model in most[: _MOST_PLOTTED + 1]}}


@cache
def _version() -> str:
    return version("ipfs-accel-gateway")
