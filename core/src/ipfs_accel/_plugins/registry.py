"""Which plugins there are, and loading them one at a time, each in its own guard.

Names come from the metadata of installed distributions, so looking imports nothing. A plugin is imported when its
backend is first used. Whatever goes wrong with one is a state with a reason and touches no other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import attrs
import pluggy

from ipfs_accel import hookspecs
from ipfs_accel._config.config import PluginPolicy
from ipfs_accel._fork import Importing, renewed_after_fork
from ipfs_accel._invalid import InvalidValueError
from ipfs_accel.errors import AccelError, InvalidRequestError, PluginError
from ipfs_accel.hookspecs import OPERATIONS, PROJECT, BackendInfo
from ipfs_accel.hookspecs import _middleware as middleware_hooks
from ipfs_accel.hookspecs import _objects as object_hooks
from ipfs_accel.hookspecs import _raw as raw_hooks

from .adapters import IncompatibleError, adapt
from .distributions import installed
from .entry_points import EntryPoint, Installed
from .judging import blocked, judge
from .middleware_loading import Loading, Middleware, load_all, needed, records_of
from .names import RESERVED, reserved
from .records import PluginRecord, State

if TYPE_CHECKING:
    from ipfs_accel.plans import Endpoint
    from ipfs_accel.types import CallRecord, RelayRequest

    from .hosts import Host

__all__ = ["Backend", "PluginRecord", "Registry"]

BACKENDS = "ipfs_accel.backends"
HOSTS = "ipfs_accel.hosts"
CUT = (
    "this process was forked while another thread imported it, which cannot be ended here; "
    "make the first call before forking, or fork before it"
)


class Backend:
    """A loaded plugin, or a host that one carries out.

    Attributes:
        name: Of the plugin or the host.
        info: What `describe` said, at the host's place.
        operations: The operations whose hooks it implements.
        calls: Its own calls beyond them.
        listeners: What is told of each call that is over.
        borrowed: Variables that a host names for its key and that belong to others, to whose they are.
    """

    __slots__ = ("_hooks", "_manager", "borrowed", "calls", "info", "listeners", "name", "operations")

    def __init__(
        self,
        *,
        name: str,
        info: BackendInfo,
        operations: frozenset[str],
        calls: Mapping[str, Callable[..., Any]],
        listeners: tuple[Callable[[CallRecord], object], ...] = (),
        manager: pluggy.PluginManager,
        borrowed: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.name = name
        self.info = info
        self.operations = operations
        self.calls = calls
        self.listeners = listeners
        self.borrowed = borrowed
        self._manager = manager
        self._hooks: dict[str, Callable[..., Any]] = {}

    def at(self, host: Host) -> Backend:
        """Return the same hooks for a host's place, key and settings.

        Raises:
            PluginError: The host sets an option that there is not.
        """
        from .hosts import info_of  # noqa: PLC0415 - most calls go to no host

        return Backend(
            name=host.name,
            info=info_of(host, self.info),
            operations=self.operations,
            calls=self.calls,
            listeners=self.listeners,
            manager=self._manager,
            borrowed=host.borrowed,
        )

    def plan(self, operation: str, **arguments: Any) -> Any:
        """Call one hook; returns its plan.

        Raises:
            PluginError: The hook raised something that is not an `AccelError`, or returned no plan.
        """
        plan = self._ask(operation, arguments)
        if plan is None:
            raise PluginError(f"the backend {self.name!r} returned no plan for {operation!r}", backend=self.name)
        return plan

    def relay(self, endpoint: Endpoint, request: RelayRequest) -> Any:
        """Return how the backend would pass a request on, None if it would not; raises as `plan` does."""
        return self._ask("relay", {"endpoint": endpoint, "request": request})

    def _ask(self, name: str, arguments: dict[str, Any]) -> Any:
        try:
            hook = self._hooks.get(name)
            if hook is None:
                hook = self._hooks[name] = _hook_of(self._manager, name)
            return hook(**arguments)
        except AccelError:
            raise
        except Exception as error:
            raise self.failure(f"while planning {name!r}", error) from error

    def failure(self, when: str, error: Exception) -> AccelError:
        """Say whose fault an error of the plugin is: the caller's, if no value could be made of what was given."""
        if isinstance(error, InvalidValueError):
            return InvalidRequestError(str(error), hint=error.hint, backend=self.name)
        return PluginError(
            f"the backend {self.name!r} failed {when}: {type(error).__name__}: {error}",
            backend=self.name,
            hint="this is a defect of the plugin; please report it to its authors",
        )


def _hook_of(manager: pluggy.PluginManager, name: str) -> Callable[..., Any]:
    """Return what calls a hook; without pluggy's detour where the plugin's own function is all there is to call."""
    caller: Callable[..., Any] = getattr(manager.hook, name)
    found = manager.hook.__dict__[name].get_hookimpls()
    if not found:
        return lambda **_: None
    (*others, impl) = found
    if others or impl.wrapper or impl.hookwrapper:
        return caller
    function: Callable[..., Any] = impl.function
    names = impl.argnames
    spec = caller.spec  # type: ignore[attr-defined]
    only_by_place = getattr(getattr(function, "__code__", None), "co_posonlyargcount", 1)
    if spec is not None and {*names} == {*spec.argnames} and not only_by_place:
        return function

    def call(**arguments: Any) -> Any:
        return function(*[arguments[each] for each in names])

    return call


def _strangers(found: Mapping[str, Sequence[Installed]]) -> list[tuple[str, Installed]]:
    return [
        (name, origin)
        for name, origins in found.items()
        for origin in origins
        if origin.distribution != RESERVED.get(name, origin.distribution)
    ]


def _record(name: str, origin: Installed, state: State, reason: str | None) -> PluginRecord:
    return PluginRecord(
        name=name,
        state=state,
        reason=reason,
        distribution=origin.distribution,
        version=origin.version,
        entry_point=origin.entry_point.value,
    )


class _Slot:
    """What the registry knows of one name."""

    __slots__ = ("backend", "host", "importing", "is_host", "lock", "record", "target")

    def __init__(self, record: PluginRecord, target: Any = None, *, is_host: bool = False) -> None:
        self.record = record
        self.target = target
        self.is_host = is_host
        self.host: Host | None = None
        self.backend: Backend | None = None
        self.lock = threading.Lock()
        self.importing = Importing()


class Registry:
    """The plugins that one client sees."""

    def __init__(self, policy: PluginPolicy, plugins: tuple[Any, ...] = (), middleware: Sequence[Any] = ()) -> None:
        """Look at the installed distributions' metadata.

        Args:
            policy: Which may load.
            plugins: Plugin objects to use besides, without a distribution.
            middleware: Middleware objects, outside of what the policy names.
        """
        self._policy = policy
        self._slots: dict[str, _Slot] = {}
        self._middleware_objects = tuple(middleware)
        self._middleware_lock = threading.Lock()
        self._middleware_importing = Importing()
        self._is_middleware_cut = False
        self._loadings: list[Loading] | None = None
        self.has_middleware = bool(middleware or policy.middleware)
        for plugin in plugins:
            self._add_object(plugin)
        found: dict[str, list[Installed]] = {}
        for each in sorted(installed(BACKENDS, HOSTS), key=lambda each: each.distribution):
            found.setdefault(each.entry_point.name, []).append(each)
        for name, origins in found.items():
            self._slots.setdefault(name, self._judge(name, origins))
        self._strangers = [(origin.group, self._stranger(name, origin)) for name, origin in _strangers(found)]
        renewed_after_fork(self)

    def after_fork(self) -> None:
        """Have locks that nobody holds, and give up what another thread was importing."""
        for slot in self._slots.values():
            slot.lock = threading.Lock()
            if slot.importing.is_cut:
                slot.importing = Importing()
                slot.record = attrs.evolve(slot.record, state="broken", reason=CUT)
        self._middleware_lock = threading.Lock()
        self._is_middleware_cut = self._middleware_importing.is_cut

    def records(self, group: str = BACKENDS) -> list[PluginRecord]:
        """Return all backends, or hosts, by name, without loading any; and what registers names of ours beside them."""
        records = [slot.record for slot in self._slots.values() if slot.is_host is (group == HOSTS)]
        beside = [record for of, record in self._strangers if of == group and record not in records]
        return sorted([*records, *beside], key=lambda record: record.name)

    def record(self, name: str) -> PluginRecord | None:
        """Return what is known of one name."""
        slot = self._slots.get(name)
        return slot.record if slot else None

    def loaded(self, name: str) -> Backend | None:
        """Return a backend if it is loaded already."""
        slot = self._slots.get(name)
        return slot.backend if slot else None

    def middleware(self) -> tuple[Middleware, ...]:
        """Return the active middleware, outermost first; imports it the first time.

        Raises:
            PluginError: Some of it cannot be loaded.
        """
        if not self.has_middleware:
            return ()
        return needed(self._all_middleware())

    def _all_middleware(self) -> list[Loading]:
        if self._loadings is None:
            if self._is_middleware_cut:
                raise PluginError(f"the middleware is broken: {CUT}")
            with self._middleware_lock, self._middleware_importing:
                if self._loadings is None:
                    self._loadings = load_all(self._policy, self._middleware_objects)
        return self._loadings

    def middleware_records(self) -> list[PluginRecord]:
        """Return what stands around calls, outermost first, then what is installed and not named; loads none."""
        return records_of(self._policy, self._middleware_objects, self._loadings)

    def load(self, name: str, limit: float | None = None) -> Backend:
        """Import a plugin unless it is imported already.

        Args:
            name: Of the backend.
            limit: Seconds to wait for the import; it goes on in the background, so that a later call may find it done.

        Raises:
            PluginError: It is absent, or in one of the states that do not load; says which, why, and what to do.
        """
        slot = self._slots.get(name)
        if slot is None:
            raise self._absent(name)
        self.middleware()  # what is wrong with it is not the backend's fault
        if slot.backend is not None:
            return slot.backend
        if slot.host is None and slot.record.state != "available":
            raise self._refusal(slot.record)
        if limit is None:
            self._load(slot)
        else:
            worker = threading.Thread(target=self._load, args=(slot,), name=f"ipfs-accel-load-{name}", daemon=True)
            worker.start()
            worker.join(limit)
            if worker.is_alive():
                raise PluginError(f"the plugin {name!r} is still importing after {limit:g} s", backend=name)
        backend = self.loaded(name)
        if slot.host is not None:
            backend = slot.backend = self._carrier(slot.host, limit).at(slot.host)
        if backend is None:
            raise self._refusal(slot.record)
        return backend

    def _carrier(self, host: Host, limit: float | None) -> Backend:
        """Load the backend that carries a host out."""
        slot = self._slots.get(host.backend)
        if slot is not None and slot.is_host:
            raise PluginError(f"the host {host.name!r} names the backend {host.backend!r}, which is a host itself")
        return self.load(host.backend, limit)

    def _judge(self, name: str, origins: list[Installed]) -> _Slot:
        chosen, state, reason = judge(name, origins, self._policy.allow, self._policy.deny)
        return _Slot(_record(name, chosen, state, reason), chosen.entry_point, is_host=chosen.group == HOSTS)

    def _stranger(self, name: str, origin: Installed) -> PluginRecord:
        """Return the record of what registers a name of ours, which is never used."""
        names = (name, origin.distribution)
        return _record(name, origin, "blocked", blocked(names, self._policy.allow, self._policy.deny) or reserved(name))

    def _add_object(self, plugin: Any) -> None:
        record = PluginRecord(name="?", state="available", entry_point=type(plugin).__name__)
        slot = _Slot(record, plugin)
        self._load(slot)
        if slot.backend is None:
            raise self._refusal(slot.record)
        self._slots[slot.backend.name] = slot

    def _load(self, slot: _Slot) -> None:
        with slot.lock:
            if slot.record.state != "available":
                return
            try:
                with slot.importing:
                    plugin = slot.target.load() if isinstance(slot.target, EntryPoint) else slot.target
                    if slot.is_host:
                        from .hosts import read_host  # noqa: PLC0415 - as above

                        is_ours = slot.record.distribution == RESERVED.get(slot.record.name)
                        slot.host = read_host(slot.record.name, plugin, is_ours=is_ours)
                    else:
                        slot.backend = self._register(slot.record.name, adapt(plugin))
            except IncompatibleError as error:
                slot.record = attrs.evolve(slot.record, state="incompatible", reason=str(error))
            except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin may raise anything, and only it is to suffer
                reason = f"{type(error).__name__}: {error}"
                slot.record = attrs.evolve(slot.record, state="broken", reason=reason)
            else:
                name = slot.record.name if slot.backend is None else slot.backend.name
                slot.record = attrs.evolve(slot.record, name=name, state="loaded")

    def _register(self, name: str, plugin: Any) -> Backend:
        # A manager of its own for each backend: the call of a hook then reaches this backend and no other.
        manager = pluggy.PluginManager(PROJECT)
        manager.add_hookspecs(hookspecs)
        manager.add_hookspecs(object_hooks)
        manager.add_hookspecs(raw_hooks)
        manager.add_hookspecs(middleware_hooks)
        manager.register(plugin, name)
        manager.check_pending()
        implemented = {hook.name for hook in manager.get_hookcallers(plugin) or ()}
        info = manager.hook.describe() if "describe" in implemented else None
        if not isinstance(info, BackendInfo):
            raise TypeError(
                "the plugin's describe hook is missing or returned no BackendInfo (is it marked @hookimpl?)"
            )
        if name not in {info.name, "?"}:
            raise ValueError(f"it describes itself as {info.name!r} but is registered as {name!r}")
        for loading in reversed(self._all_middleware() if self.has_middleware else ()):
            if loading.middleware is not None:
                manager.register(loading.middleware.plugin)
        own_calls = manager.hook.calls() if "calls" in implemented else {}
        operations = frozenset(implemented.intersection(OPERATIONS))
        heard = manager.hook.call_finished.get_hookimpls()
        listeners = (lambda record: manager.hook.call_finished(record=record),) if heard else ()
        return Backend(
            name=info.name,
            info=info,
            operations=operations,
            calls=own_calls,
            listeners=listeners,
            manager=manager,
        )

    def _absent(self, name: str) -> PluginError:
        from .absent import absent  # noqa: PLC0415 - needed for errors alone

        return absent(name, [each for each, slot in self._slots.items() if not slot.is_host], self._slots)

    def _refusal(self, record: PluginRecord) -> PluginError:
        origin = f" (from {record.distribution} {record.version})" if record.distribution else ""
        return PluginError(
            f"the plugin {record.name!r}{origin} is {record.state}: {record.reason}",
            backend=record.name,
            hint="run: ipfs-accel doctor",
        )
