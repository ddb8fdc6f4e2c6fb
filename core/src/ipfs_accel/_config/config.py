"""Configuration: a TOML file, the environment and arguments, the later ones winning.

This module reads and checks; `endpoints` decides what holds for one endpoint.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import attrs

from ipfs_accel._resilience.settings import BreakerConfig, RetryConfig, as_tuple, is_a, number, one_of, table_of
from ipfs_accel._secret import KeySource, Secret
from ipfs_accel._suggest import did_you_mean, short
from ipfs_accel._url import masked_url
from ipfs_accel._values import frozen
from ipfs_accel.errors import ConfigError
from ipfs_accel.types import Timeout
from ipfs_accel.types._requests import OnUnsupported

from .paths import config_dir, is_there
from .seconds import is_seconds, wrong_limit
from .secrets import as_secret

if TYPE_CHECKING:
    from ipfs_accel._resilience.optional import (
        BatchingConfig,
        CacheConfig,
        LimitsConfig,
        RouteConfig,
        StoreConfig,
        TelemetryConfig,
    )

__all__ = [
    "Config",
    "EndpointConfig",
    "ModelOverride",
    "PluginPolicy",
    "load_config",
    "structure",
    "with_code",
]


def _as_key(value: Any) -> Any:
    """Make secrets of texts; nothing of what is no key is shown."""
    if isinstance(value, list | tuple):
        if not value:
            raise ConfigError("key: the list is empty", hint='key = "" sends none')
        return tuple([_as_source(each) for each in value])
    return value if value is None or value == "" else _as_source(value)


def _shown_url(url: str | None) -> str:
    return repr(url and masked_url(url))


def _as_source(value: Any) -> KeySource:
    if isinstance(value, str):
        return as_secret(value, "key")
    if isinstance(value, Secret) or callable(value):
        return value  # type: ignore[no-any-return]
    raise ConfigError(f"key: expected a key or a function that gives one, got {type(value).__name__}")


@frozen(kw_only=True)
class ModelOverride:
    """The user's word on a model; it wins over what servers and catalogues say.

    Attributes:
        context_window: Tokens of input and output together.
        max_output_tokens: Most tokens of an answer.
        input_price: US dollars per million input tokens.
        output_price: US dollars per million output tokens.
        cached_input_price: US dollars per million input tokens that were read from a cache.
        features: Feature, such as tools or vision, to yes, no or unknown.
    """

    context_window: int | None = attrs.field(default=None, validator=number(1, whole=True))
    max_output_tokens: int | None = attrs.field(default=None, validator=number(1, whole=True))
    input_price: float | None = attrs.field(default=None, validator=number(0))
    output_price: float | None = attrs.field(default=None, validator=number(0))
    cached_input_price: float | None = attrs.field(default=None, validator=number(0))
    features: Mapping[str, Literal["yes", "no", "unknown"]] = attrs.field(factory=dict, validator=table_of(str))


def _check_seconds(_instance: Any, attribute: Any, value: Any) -> None:
    if isinstance(value, Timeout):
        wrong = wrong_limit(value)
        if wrong is not None:
            raise ConfigError(f"{attribute.name}.{wrong}")
    elif value is not None and not is_seconds(value):
        raise ConfigError(f"{attribute.name}: expected seconds above 0 or a Timeout, got {short(value)}")


@frozen(kw_only=True)
class EndpointConfig:
    """A use of a backend, from code or from the file's `[endpoints.NAME]`.

    Attributes:
        backend: Name of the plugin; None means the endpoint's own name.
        base_url: Where it is; None means the backend's usual place.
        key: The key, or a function that gives it for each call and may be async in an `AsyncClient`, or several of
            them; only from code; "" means that no key is sent.
        key_env: The environment variable with the key, or a list of several; "" means that no key is sent.
        key_policy: Which of several keys is next: round_robin or least_loaded (fewest calls under way).
        headers: Further headers of every request.
        options: The backend's own settings.
        timeout: Seconds for a whole call, or a `Timeout`.
        models: Model id to what the user says of it.
        schemas: What becomes of a JSON Schema that the server is known not to enforce in all. warn, the default, sends
            it, warns once of what is not enforced, and checks the answer if jsonschema (the extra `schema`) is
            installed; check checks answers to all schemas, and wants it installed; refuse sends none that is not
            enforced in all; trust neither warns nor checks.
        retry: How failures are tried again.
        limits: How much it is asked at most; None means no limit of ours.
        breaker: When a model of it counts as down.
        batching: How small embeddings are joined; None means not at all.
    """

    backend: str | None = attrs.field(default=None, validator=is_a(str))
    base_url: str | None = attrs.field(default=None, validator=is_a(str), repr=_shown_url)
    key: KeySource | str | Sequence[KeySource | str] | None = attrs.field(default=None, converter=_as_key, repr=False)
    key_env: str | tuple[str, ...] | None = attrs.field(default=None, converter=as_tuple, validator=is_a(str, tuple))
    key_policy: Literal["round_robin", "least_loaded"] | None = attrs.field(
        default=None, validator=attrs.validators.optional(one_of("round_robin", "least_loaded"))
    )
    headers: Mapping[str, str] = attrs.field(
        factory=dict, validator=table_of(str), repr=lambda headers: repr(sorted(headers))
    )
    options: Mapping[str, Any] = attrs.field(factory=dict, validator=table_of(object))
    timeout: float | Timeout | None = attrs.field(default=None, validator=_check_seconds)
    models: Mapping[str, ModelOverride] = attrs.field(factory=dict, validator=table_of(ModelOverride))
    schemas: Literal["warn", "check", "refuse", "trust"] | None = attrs.field(
        default=None, validator=attrs.validators.optional(one_of("warn", "check", "refuse", "trust"))
    )
    retry: RetryConfig | None = attrs.field(default=None, validator=is_a(RetryConfig))
    limits: LimitsConfig | None = attrs.field(default=None, validator=is_a("LimitsConfig"))
    breaker: BreakerConfig | None = attrs.field(default=None, validator=is_a(BreakerConfig))
    batching: BatchingConfig | None = attrs.field(default=None, validator=is_a("BatchingConfig"))


@frozen(kw_only=True)
class PluginPolicy:
    """Which plugins may load.

    Attributes:
        allow: Distributions or backend names; None means all that are installed.
        deny: Likewise, and stronger; names of middleware too.
        middleware: Names of middleware plugins to load, outermost first.
        options: Name of a middleware plugin to its settings.
    """

    allow: tuple[str, ...] | None = attrs.field(default=None, converter=as_tuple, validator=is_a(tuple))
    deny: tuple[str, ...] = attrs.field(default=(), converter=as_tuple, validator=is_a(tuple))
    middleware: tuple[str, ...] = attrs.field(default=(), converter=as_tuple, validator=is_a(tuple))
    options: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict, validator=table_of(Mapping))


@frozen(kw_only=True)
class Config:
    """Everything that is configured.

    Attributes:
        path: The file that was read, if there was one.
        default_model: What is used where no model is named.
        on_unsupported: raise or warn, for options that a backend cannot honour.
        timeout: For all endpoints.
        proxy: URL of a proxy for all requests but those to this machine.
        ca_file: PEM file of certificate authorities to trust instead of the usual ones.
        retry: How failures are tried again, for endpoints without one of their own.
        limits: Likewise, how much an endpoint is asked at most.
        breaker: Likewise, when a model counts as down.
        routes: Name to several targets that share it.
        cache: Which answers are kept; None means none but those whose calls ask for it.
        telemetry: Who is told of calls.
        usage_log: File to which every call adds a line with its tokens and cost; None means none.
        aliases: Short name to `endpoint/model`.
        plugins: Which plugins may load.
        endpoints: Name to endpoint.
        stores: Name to endpoints that hold the same objects.
        gateway: Settings of the gateway, which the distribution ipfs-accel-gateway reads and checks.
        environ: The environment; a test or a server may give its own.
        sources: Dotted setting name to where its value is from.
    """

    path: Path | None = None
    default_model: str | None = attrs.field(default=None, validator=is_a(str))
    on_unsupported: OnUnsupported = "raise"
    timeout: float | Timeout | None = attrs.field(default=None, validator=_check_seconds)
    proxy: str | None = attrs.field(default=None, repr=False)
    ca_file: str | None = None
    retry: RetryConfig | None = attrs.field(default=None, validator=is_a(RetryConfig))
    limits: LimitsConfig | None = attrs.field(default=None, validator=is_a("LimitsConfig"))
    breaker: BreakerConfig | None = attrs.field(default=None, validator=is_a(BreakerConfig))
    routes: Mapping[str, RouteConfig] = attrs.field(factory=dict, validator=table_of("RouteConfig"))
    cache: CacheConfig | None = attrs.field(default=None, validator=is_a("CacheConfig"))
    telemetry: TelemetryConfig | None = attrs.field(default=None, validator=is_a("TelemetryConfig"))
    usage_log: str | None = None
    aliases: Mapping[str, str] = attrs.field(factory=dict, validator=table_of(str))
    plugins: PluginPolicy = attrs.field(default=PluginPolicy(), validator=is_a(PluginPolicy))
    endpoints: Mapping[str, EndpointConfig] = attrs.field(factory=dict, validator=table_of(EndpointConfig))
    stores: Mapping[str, StoreConfig] = attrs.field(factory=dict, validator=table_of("StoreConfig"))
    gateway: Mapping[str, Any] = attrs.field(factory=dict, validator=table_of(object), repr=False)
    environ: Mapping[str, str] = attrs.field(factory=lambda: os.environ, repr=False)
    sources: Mapping[str, str] = attrs.field(factory=dict, repr=False)


_NOT_IN_FILE = {"Config.path", "Config.environ", "Config.sources", "EndpointConfig.key"}


def load_config(path: str | Path | None = None, environ: Mapping[str, str] | None = None) -> Config:
    """Read the file and the environment.

    Args:
        path: The file; None means `IPFS_ACCEL_CONFIG`, or config.toml in the user's configuration folder.
        environ: The environment; None means the process's own.

    Raises:
        ConfigError: A file that was named is missing, or a file is wrong; says line, key and what to do.
    """
    environ = os.environ if environ is None else environ
    if path is not None and not isinstance(path, str | Path):
        raise ConfigError(f"config: expected a Config, a path or None, got {type(path).__name__}")
    named = path or environ.get("IPFS_ACCEL_CONFIG")
    file = Path(named).expanduser() if named else config_dir() / "config.toml"
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        if named and isinstance(error, FileNotFoundError):
            raise ConfigError(f"the configuration file {file} does not exist") from None
        if named or is_there(file):
            raise ConfigError(f"cannot read the configuration file {file}: {error}") from None
        config = Config(environ=environ)
    else:
        config = _parse(text, file, environ)
    return _with_environment(config, environ)


def _parse(text: str, file: Path, environ: Mapping[str, str]) -> Config:
    import tomllib  # noqa: PLC0415 - there may be no file

    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: not valid TOML: {error}") from None
    config: Config = structure(values, Config, str(file), text)
    lines = {".".join(name): f"{file}:{_line(text, name)}" for name in _leaves(values)}
    return attrs.evolve(config, path=file, environ=environ, sources=lines)


def _with_environment(config: Config, environ: Mapping[str, str]) -> Config:
    values: dict[str, Any] = {}
    sources = dict(config.sources)
    for field in ("default_model", "on_unsupported", "timeout", "proxy", "ca_file", "usage_log"):
        variable = f"IPFS_ACCEL_{field.upper()}"
        if environ.get(variable):
            values[field] = structure({field: environ[variable]}, Config, f"environment variable {variable}")
            values[field] = getattr(values[field], field)
            sources[field] = variable
    attempts = environ.get("IPFS_ACCEL_RETRY_ATTEMPTS")
    if attempts:
        if not attempts.isdecimal() or int(attempts) < 1:
            raise ConfigError(f"environment variable IPFS_ACCEL_RETRY_ATTEMPTS: {attempts!r} is no number of attempts")
        values["retry"] = attrs.evolve(config.retry or RetryConfig(), attempts=int(attempts))
        sources["retry.attempts"] = "IPFS_ACCEL_RETRY_ATTEMPTS"
    policy = config.plugins
    if "IPFS_ACCEL_PLUGINS" in environ:
        policy = attrs.evolve(policy, allow=_names(environ["IPFS_ACCEL_PLUGINS"]))
        sources["plugins.allow"] = "IPFS_ACCEL_PLUGINS"
    if environ.get("IPFS_ACCEL_DISABLE_PLUGINS"):
        policy = attrs.evolve(policy, deny=policy.deny + _names(environ["IPFS_ACCEL_DISABLE_PLUGINS"]))
        sources["plugins.deny"] = "IPFS_ACCEL_DISABLE_PLUGINS"
    if not values and policy is config.plugins:
        return config
    return attrs.evolve(config, plugins=policy, sources=sources, **values)


def with_code(config: Config, endpoints: object, timeout: float | Timeout | None) -> Config:
    """Put what code says over what file and environment say.

    Raises:
        ConfigError: An endpoint is neither an `EndpointConfig` nor a mapping with the settings of one.
    """
    if not isinstance(endpoints, Mapping):
        raise ConfigError(f"endpoints: expected a mapping of names, got {type(endpoints).__name__}")
    if not endpoints and timeout is None:
        return config
    merged = dict(config.endpoints)
    sources = dict(config.sources)
    for name, written in endpoints.items():
        given = _endpoint(name, written)
        below = merged.get(name, EndpointConfig())
        changes = {
            field.name: getattr(given, field.name)
            for field in attrs.fields(EndpointConfig)
            if getattr(given, field.name) not in (None, {})
        }
        merged[name] = attrs.evolve(below, **changes)
        for field in changes:
            for setting in [key for key in sources if key.startswith(f"endpoints.{name}.{field}")]:
                del sources[setting]
    if timeout is not None:
        sources.pop("timeout", None)
    return attrs.evolve(
        config, endpoints=merged, sources=sources, timeout=timeout if timeout is not None else config.timeout
    )


def _endpoint(name: str, given: object) -> EndpointConfig:
    """Return the settings of an endpoint, which code may write as the file does, with the key beside them."""
    if isinstance(given, EndpointConfig):
        return given
    if not isinstance(given, Mapping):
        wanted = "expected an EndpointConfig or a mapping"
        raise ConfigError(f"endpoint {name!r}: {wanted}, got {type(given).__name__}", endpoint=name)
    made: EndpointConfig = structure(
        {field: value for field, value in given.items() if field != "key"}, EndpointConfig, f"endpoint {name!r}"
    )
    try:
        return attrs.evolve(made, key=given.get("key"))
    except ConfigError as error:
        raise ConfigError(f"endpoint {name!r}: {error.message}", endpoint=name, hint=error.hint) from None


def _names(text: str) -> tuple[str, ...]:
    return tuple([name.strip() for name in text.split(",") if name.strip()])


def structure(values: Mapping[str, Any], kind: type[Any], where: str, text: str = "") -> Any:
    """Make an instance of an attrs class from plain values.

    Raises:
        ConfigError: An unknown or wrong value; names it, its line in `text`, and near names.
    """
    # Costs tens of milliseconds; a process without a file and options never needs it.
    from . import structure  # noqa: PLC0415

    try:
        return structure.structure(values, kind, _NOT_IN_FILE)
    except Exception as error:  # noqa: BLE001 - cattrs wraps whatever a converter raises
        path, message, known = structure.problems(error)[0]
        known = [each for each in known if each not in {"environ", "sources", "key"}]
        name = ".".join(path)
        line = f":{_line(text, path)}" if text else ""
        raise ConfigError(
            f"{where}{line}: {f'{name}: ' if name else ''}{message}", hint=did_you_mean(name.rpartition(".")[2], known)
        ) from None


def _leaves(values: Mapping[str, Any], prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*prefix, name))
        else:
            yield (*prefix, name)


def _line(text: str, path: tuple[str, ...]) -> int:
    """Find the line of a setting: the last line that names its end below the tables that lead to it."""
    position = 0
    for name in path:
        word = re.escape(name)
        pattern = rf"(?m)^[^#\n]*(?<![\w-])[\"']?{word}[\"']?(?![\w-])"
        found = re.compile(pattern).search(text, position)
        if found is not None:
            line_start = text.rfind("\n", 0, found.end()) + 1
            position = max(position, line_start)
    return text.count("\n", 0, position) + 1
