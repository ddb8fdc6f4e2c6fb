"""What holds for one endpoint: code, environment, file and the backend's defaults brought together.

A key is bound to an origin. One from the provider's usual variable belongs to the provider's usual place (or to the
place that its own base-URL variable names), one from the key file to the origin that it was stored for; only a key
that was named for this very endpoint goes wherever the endpoint points. Where a provider has no usual place, since
every customer has another, its usual variable speaks of the endpoint of the backend's own name, wherever that is.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any, TypeAlias

import attrs

from ipfs_accel._config.config import Config, EndpointConfig, structure
from ipfs_accel._config.keys import KeyFile
from ipfs_accel._config.secrets import as_secret
from ipfs_accel._plugins.registry import Backend
from ipfs_accel._resilience.clock import Clock
from ipfs_accel._resilience.guard import Guard, GuardSettings
from ipfs_accel._resilience.settings import BreakerConfig, RetryConfig
from ipfs_accel._secret import KeySource, Secret
from ipfs_accel._url import is_here, origin_of, site_of
from ipfs_accel.errors import ConfigError, MissingKeyError
from ipfs_accel.hookspecs import KeyHeader
from ipfs_accel.plans import Endpoint
from ipfs_accel.types import Timeout

from .target import Target
from .urls import checked_url, filled, usual_place

__all__ = ["resolve"]

_Keys: TypeAlias = tuple[tuple[KeySource, ...], MissingKeyError | None]
_STAND_IN = Secret("none")
"""Where a recording answers: plugins that ask whether there is a key did so when it was made."""
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def resolve(
    name: str,
    backend: Backend,
    config: Config,
    key_file: KeyFile,
    clock: Clock | None = None,
    *,
    is_replay: bool = False,
) -> Target:
    """Bring together what holds for the endpoint `name`; without a clock, by the real one.

    A recording that is replayed needs no key, so that none is looked for.

    Raises:
        ConfigError: A URL, header, option or key is wrong; says which and where it is from.
    """
    return _Resolver(name, backend, config, key_file).target(clock or Clock(), is_replay=is_replay)


class _Resolver:
    def __init__(self, name: str, backend: Backend, config: Config, key_file: KeyFile) -> None:
        self.name = name
        self.info = backend.info
        self.backend = backend
        self.config = config
        self.given = config.endpoints.get(name, EndpointConfig())
        self.environ = config.environ
        self.key_file = key_file
        self.prefix = "IPFS_ACCEL_" + re.sub(r"\W", "_", name).upper()
        self.sources: dict[str, tuple[str, str]] = {"backend": (backend.name, self._file_source("backend", "its name"))}
        self.is_token = False
        self.in_url: set[str] = set()

    def _propagates(self) -> bool:
        telemetry = self.config.telemetry
        return telemetry is not None and telemetry.otel and self.name in telemetry.propagate

    def target(self, clock: Clock, *, is_replay: bool) -> Target:
        base_url = self._base_url()
        keys, missing = self._use((_STAND_IN,), "none", "recording") if is_replay else self._key(origin_of(base_url))
        options = self._options()
        timeout = self._timeout()
        endpoint = Endpoint(
            name=self.name,
            backend=self.backend.name,
            base_url=base_url,
            at_default_url=self.sources["base_url"][1] == "default",
            options=options,
            has_key=bool(keys),
        )
        return Target(
            backend=self.backend,
            endpoint=endpoint,
            origin=origin_of(base_url),
            headers=self._headers(options),
            timeout=timeout,
            is_own=self._is_own(base_url),
            proxy=None if is_here(base_url) else self.config.proxy,
            environ=self.environ,
            ca_file=self.config.ca_file,
            models=self.given.models,
            schemas=self.given.schemas or "warn",
            propagates=self._propagates(),
            key_header=self._key_header(options),
            sources=self.sources,
            guard=Guard(self._guard_settings(), keys, clock),
            keys=keys,
            missing=missing,
        )

    def _is_own(self, base_url: str) -> bool:
        """Whether the endpoint is a server of one's own: a kind that people run, or not at the provider's own site.

        Where every customer has another place, none tells that it is not the provider's.
        """
        info = self.info
        if info.is_own or info.local is not None:
            return not info.key_url or site_of(base_url) != site_of(info.key_url)
        site = site_of(info.base_url)
        return bool(site) and "{" not in site and site_of(base_url) != site

    def _key_header(self, options: Any) -> KeyHeader:
        said = KeyHeader() if self.is_token else self.info.key_header
        return said if isinstance(said, KeyHeader) else said(options)

    def _guard_settings(self) -> GuardSettings:
        given, config = self.given, self.config
        return GuardSettings(
            retry=given.retry or config.retry or RetryConfig(),
            breaker=given.breaker or config.breaker or BreakerConfig(),
            limits=given.limits or config.limits,
            batching=given.batching,
            key_policy=given.key_policy or "round_robin",
        )

    def _file_source(self, setting: str, otherwise: str) -> str:
        known = self.config.sources
        dotted = f"endpoints.{self.name}.{setting}"
        if dotted in known:
            return known[dotted]
        return "code" if getattr(self.given, setting, None) not in (None, {}) else otherwise

    def _variable(self, *names: str) -> tuple[str, str] | None:
        """Find the first variable that is set; `A:B` stands for the values of both, joined likewise."""
        for name in names:
            values = [self.environ.get(each, "") for each in name.split(":")]
            if all(values):
                return ":".join(values), name
        return None

    def _own_variables(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The provider's usual variables speak of the endpoint that has the backend's own name."""
        return names if self.name == self.backend.name else ()

    def _base_url(self) -> str:
        from_file = self._file_source("base_url", "")
        found = self._variable(f"{self.prefix}_BASE_URL", *self._own_variables(self.info.base_url_env))
        if self.given.base_url is not None and (from_file == "code" or found is None):
            value, source = self.given.base_url, from_file
        elif found is not None:
            value, source = found
        else:
            value, source = self.info.base_url, "default"
        value = self._filled(self._as_url(value))
        self.sources["base_url"] = (value, source)
        return checked_url(value, f"endpoint {self.name!r}: base_url (from {source})")

    def _filled(self, url: str) -> str:
        """Put in what stands in braces in a URL: an account, a workspace."""
        return filled(url, self._in_braces, f"endpoint {self.name!r}") if "{" in url else url

    def _in_braces(self, name: str) -> str:
        self.in_url.add(name)
        variables = (f"{self.prefix}_{name.upper()}", *self.info.url_env.get(name, ()))
        found = self._variable(*variables)
        value = self.given.options.get(name)
        if value is not None:
            found = (str(value), self._file_source(f"options.{name}", "code"))
        if found is None:
            raise ConfigError(
                f"endpoint {self.name!r}: its base URL has a place for {name!r}, which neither options.{name} nor the "
                f"environment variable {variables[-1]} says",
                endpoint=self.name,
                hint=f"export {variables[-1]}=…, or in the configuration, below [endpoints.{self.name}]: "
                f'options = {{ {name} = "…" }}',
            )
        self.sources[f"options.{name}"] = found
        return found[0]

    def _as_url(self, value: str) -> str:
        return self.info.read_base_url(value) if self.info.read_base_url is not None else value

    def _key(self, origin: str) -> _Keys:
        given = self.given
        if given.key == "" or given.key_env == "":
            return self._use((), "none", "configuration")
        if given.key is not None:
            keys: Any = given.key if isinstance(given.key, tuple) else (given.key,)
            return self._use(keys, "set", "code")
        own = self._variable(f"{self.prefix}_API_KEY")
        if own is not None:
            return self._use((as_secret(own[0], f"the variable {own[1]}"),), "set", own[1])
        if given.key_env:
            return self._named_keys((given.key_env,) if isinstance(given.key_env, str) else given.key_env)
        return self._shared_key(origin)

    def _named_keys(self, variables: tuple[str, ...]) -> _Keys:
        found = {name: self._variable(name) for name in variables}
        unset = [name for name in variables if found[name] is None]
        if len(unset) == len(variables):
            return self._none(variables)
        if unset:
            raise ConfigError(
                f"endpoint {self.name!r}: key_env names {', '.join(unset)}, which is not set", endpoint=self.name
            )
        if len({name in self.info.token_env for name in variables}) > 1:
            raise ConfigError(
                f"endpoint {self.name!r}: key_env names keys and tokens, which are sent in different ways: "
                f"{', '.join(variables)}",
                endpoint=self.name,
                hint="name only keys, or only tokens",
            )
        keys = tuple([as_secret(each[0], f"the variable {each[1]}") for each in found.values() if each is not None])
        return self._use(keys, "set", *variables)

    def _shared_key(self, origin: str) -> _Keys:
        """Find a key that was not named for this endpoint in code or file.

        The provider's usual variable speaks of the endpoint of the backend's own name; another endpoint gets that key
        only if it points to the same place.
        """
        stored = self.key_file.get(self.name)
        if self.backend.borrowed and stored is None:
            self._refuse_borrowed()
        usual = self._variable(*self.info.key_env)
        is_own = self.name == self.backend.name
        usual_origin = origin_of(self.info.key_url or self._usual_url()) or (origin if is_own else "")
        if usual is not None and usual_origin == origin:
            return self._use((as_secret(usual[0], f"the variable {usual[1]}"),), "set", usual[1])
        if stored is not None:
            self._bind(str(self.key_file.path), origin_of(stored.origin), origin)
            return self._use((stored.key,), "set", str(self.key_file.path))
        if usual is not None and is_own and not self.info.key_url:
            self._bind(usual[1], usual_origin, origin)
        # A backend without a place of its own needs a key anywhere, and its usual one is no other endpoint's.
        home = self.info.key_url or usual_place(self.info.base_url, self._usual_in_braces)
        if self.info.needs_key and (not home or origin == origin_of(home)):
            return self._none(self.info.key_env if home or is_own else ())
        return self._use((), "none", "default")

    def _refuse_borrowed(self) -> None:
        """Give no key of others to a host of somebody else's that names its variable."""
        variable, owner = next(iter(self.backend.borrowed.items()))
        raise ConfigError(
            f"endpoint {self.name!r}: the host {self.backend.name!r} wants the key in {variable}, "
            f"which belongs to {owner!r}",
            endpoint=self.name,
            hint=f'if it is to have that key, say so: [endpoints.{self.name}] key_env = "{variable}"; '
            f"else give it its own: ipfs-accel keys set {self.name}",
        )

    def _usual_url(self) -> str:
        """Return the provider's own place, as the environment says it; empty where every customer has another.

        What is no address in a variable is told where it is the endpoint's own, and is nobody's place.
        """
        found = self._variable(*self.info.base_url_env)
        if found is not None:
            with suppress(ConfigError):
                return checked_url(self._as_url(found[0]), found[1])
        return usual_place(self.info.base_url, self._usual_in_braces)

    def _usual_in_braces(self, name: str) -> str | None:
        found = self._variable(*self.info.url_env.get(name, ()))
        return None if found is None else found[0]

    def _bind(self, source: str, belongs_to: str, origin: str) -> None:
        if belongs_to != origin:
            raise ConfigError(
                f"endpoint {self.name!r} points to {origin}, but the key in {source} belongs to {belongs_to}",
                endpoint=self.name,
                hint=f'give the endpoint its own key (key_env = "…", or: ipfs-accel keys set {self.name}), '
                'or key_env = "" to send none',
            )

    def _use(self, keys: tuple[KeySource, ...], state: str, *sources: str) -> _Keys:
        self.sources["key"] = (state, ", ".join(sources))
        self.is_token = bool(keys) and sources[0] in self.info.token_env
        return keys, None

    def _none(self, variables: tuple[str, ...]) -> _Keys:
        wanted = " or ".join(variables) or f"{self.prefix}_API_KEY"
        self.sources["key"] = ("missing", wanted)
        return (), MissingKeyError(
            f"endpoint {self.name!r} needs a key and none is set",
            endpoint=self.name,
            backend=self.backend.name,
            hint=f"set the environment variable {wanted}, or run: ipfs-accel keys set {self.name}",
        )

    def _options(self) -> Any:
        kind = self.info.options
        given = {name: value for name, value in self.given.options.items() if name not in self.in_url}
        if kind is None:
            if given:
                names = ", ".join(sorted(given))
                raise ConfigError(f"endpoint {self.name!r}: the backend {self.backend.name!r} has no options ({names})")
            return None
        values = dict(given)
        for field, variable in self.info.options_env.items():
            from_code = field in values and self._file_source(f"options.{field}", "code") == "code"
            if self.environ.get(variable) and not from_code:
                values[field] = self.environ[variable]
                self.sources[f"options.{field}"] = (str(values[field]), variable)
        for field in given:
            self.sources.setdefault(
                f"options.{field}", (_shown(values[field]), self._file_source(f"options.{field}", "code"))
            )
        presets = self.info.presets
        for field in presets:
            self.sources.setdefault(f"options.{field}", (_shown(presets[field]), f"the host {self.backend.name}"))
        # What comes with a host needs no reading, which would cost more than the call.
        return structure({**presets, **values}, kind, f"endpoint {self.name!r}, options") if values else kind(**presets)

    def _headers(self, options: Any) -> tuple[tuple[str, str], ...]:
        headers = dict(self.info.headers(options)) if self.info.headers else {}
        headers.update(self.given.headers)
        for header, value in headers.items():
            if not _HEADER_NAME.fullmatch(header) or not value.isascii() or not value.isprintable():
                raise ConfigError(
                    f"endpoint {self.name!r}: the header {header!r} has a name or value that HTTP does not allow",
                    endpoint=self.name,
                    hint="line breaks, control characters and non-ASCII are not allowed",
                )
        return tuple(headers.items())

    def _timeout(self) -> Timeout:
        usual = self.info.timeout or Timeout()
        for value, source in (
            (self.given.timeout, self._file_source("timeout", "code")),
            (self.config.timeout, self.config.sources.get("timeout", "code")),
        ):
            if value is not None:
                self.sources["timeout"] = (str(value), source)
                return value if isinstance(value, Timeout) else attrs.evolve(usual, total=value)
        return usual


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
