"""Which middleware there is, and loading it: what is named is needed, so that no call goes out without it."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import attrs
import pluggy

from ipfs_accel import hookspecs
from ipfs_accel._config.config import PluginPolicy, structure
from ipfs_accel._suggest import did_you_mean
from ipfs_accel.errors import AccelError, ConfigError, PluginError
from ipfs_accel.hookspecs import PROJECT
from ipfs_accel.hookspecs import _middleware as middleware_hooks
from ipfs_accel.hookspecs import _objects as object_hooks

from .adapters import IncompatibleError, adapt
from .distributions import installed
from .entry_points import EntryPoint, Installed
from .records import PluginRecord, State

__all__ = ["Loading", "Middleware", "check_options", "load_all", "needed", "records_of"]

GROUP = "ipfs_accel.middleware"


class Middleware:
    """A loaded one.

    Attributes:
        name: As the configuration has it; of one that was given as an object, that of its class.
        plugin: The object itself.
        hooks: Which hooks it implements.
        caller: Calls its hooks and nobody else's.
    """

    __slots__ = ("caller", "hooks", "name", "plugin")

    def __init__(self, *, name: str, plugin: Any, hooks: frozenset[str], caller: Any) -> None:
        self.name = name
        self.plugin = plugin
        self.hooks = hooks
        self.caller = caller


class Loading:
    """What became of one; without `middleware` if it is not to be used, or cannot be."""

    __slots__ = ("middleware", "record")

    def __init__(self, record: PluginRecord, middleware: Middleware | None = None) -> None:
        self.record = record
        self.middleware = middleware


def check_options(policy: PluginPolicy) -> None:
    """Refuse settings of middleware that nobody names."""
    for name in policy.options:
        if name not in policy.middleware:
            hint = did_you_mean(name, policy.middleware) or f"name it: middleware = [{name!r}]"
            raise ConfigError(f"plugins.options.{name}: plugins.middleware does not name {name!r}", hint=hint)


def load_all(policy: PluginPolicy, objects: Sequence[Any]) -> list[Loading]:
    """Load all that is to be active, outermost first: the objects, then what the policy names."""
    given = [_loaded(_object_record(each), each) for each in objects]
    return [*given, *[_load(policy, name) for name in policy.middleware]]


def needed(loadings: Sequence[Loading]) -> tuple[Middleware, ...]:
    """Return what is active.

    Raises:
        PluginError: One cannot be loaded: a call without it would not be what was configured.
    """
    for record in (each.record for each in loadings):
        if record.state not in {"loaded", "blocked"}:
            origin = f" (from {record.distribution} {record.version})" if record.distribution else ""
            raise PluginError(
                f"the middleware {record.name!r}{origin} is {record.state}: {record.reason}",
                hint="calls need all that plugins.middleware names; run: ipfs-accel doctor",
            )
    return tuple([each.middleware for each in loadings if each.middleware is not None])


def records_of(policy: PluginPolicy, objects: Sequence[Any], loadings: Sequence[Loading] | None) -> list[PluginRecord]:
    """Return what is active or to be, outermost first, then what is installed and not named; loads none."""
    if loadings is not None:
        records = [each.record for each in loadings]
    else:
        records = [*map(_object_record, objects), *[_find(policy, name)[0] for name in policy.middleware]]
    others = {name: each for each in installed(GROUP) if (name := each.entry_point.name) not in policy.middleware}
    reason = "plugins.middleware does not name it"
    return [*records, *[_record(each, reason) for _, each in sorted(others.items())]]


def _object_record(plugin: Any) -> PluginRecord:
    if isinstance(plugin, ModuleType):
        return PluginRecord(name=plugin.__name__, state="available", entry_point=plugin.__name__)
    kind = type(plugin)
    return PluginRecord(name=kind.__name__, state="available", entry_point=f"{kind.__module__}:{kind.__qualname__}")


def _record(found: Installed, reason: str | None) -> PluginRecord:
    return PluginRecord(
        name=found.entry_point.name,
        state="blocked" if reason else "available",
        reason=reason,
        distribution=found.distribution,
        version=found.version,
        entry_point=found.entry_point.value,
    )


def _find(policy: PluginPolicy, name: str) -> tuple[PluginRecord, EntryPoint | None]:
    found = [each for each in installed(GROUP) if each.entry_point.name == name]
    if not found:
        reason = "the configuration names it, but it is not installed"
        return PluginRecord(name=name, state="broken", reason=reason), None
    record = _record(found[0], None)
    if {name, record.distribution} & set(policy.deny):
        reason = "plugins.deny or IPFS_ACCEL_DISABLE_PLUGINS names it"
        return attrs.evolve(record, state="blocked", reason=reason), None
    if len(found) > 1:
        names = " and ".join(sorted(each.distribution for each in found))
        reason = f"the distributions {names} both register it: uninstall one of them"
        return attrs.evolve(record, state="duplicate", reason=reason), None
    return record, found[0].entry_point


def _load(policy: PluginPolicy, name: str) -> Loading:
    record, entry_point = _find(policy, name)
    if entry_point is None:
        return Loading(record)
    try:
        plugin = entry_point.load()
        options = policy.options.get(name, {})
        if isinstance(plugin, type):
            plugin = structure(options, plugin, f"plugins.options.{name}") if attrs.has(plugin) else plugin(**options)
        elif options:
            raise ConfigError(f"plugins.options.{name}: it takes no settings")
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin may raise anything
        return Loading(_broken(record, error))
    return _loaded(record, plugin)


def _loaded(record: PluginRecord, plugin: Any) -> Loading:
    try:
        if isinstance(plugin, type):
            raise TypeError(f"it is a class; give an instance: {plugin.__name__}()")
        plugin = adapt(plugin)
        manager = pluggy.PluginManager(PROJECT)
        for specs in (hookspecs, object_hooks, middleware_hooks):
            manager.add_hookspecs(specs)
        manager.register(plugin)
        manager.check_pending()
        hooks = frozenset([hook.name for hook in manager.get_hookcallers(plugin) or ()])
        if not hooks or "describe" in hooks:
            what = "describes a backend" if hooks else "implements no hook; are they marked @hookimpl?"
            raise TypeError(f"it {what}")
    except Exception as error:  # noqa: BLE001 - as above
        return Loading(_broken(record, error))
    middleware = Middleware(name=record.name, plugin=plugin, hooks=hooks, caller=manager.hook)
    return Loading(attrs.evolve(record, state="loaded"), middleware)


def _broken(record: PluginRecord, error: BaseException) -> PluginRecord:
    state: State = "incompatible" if isinstance(error, IncompatibleError) else "broken"
    is_own = isinstance(error, AccelError | IncompatibleError)
    reason = str(error) if is_own else f"{type(error).__name__}: {error}"
    return attrs.evolve(record, state=state, reason=reason)
