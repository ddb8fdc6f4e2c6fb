"""What the configuration's table `gateway` says."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any, Literal

import attrs
import cattrs
from ipfs_accel.errors import ConfigError

from ._origins import is_loopback

__all__ = ["KeySettings", "Settings", "read_settings"]

_HASH = re.compile(r"sha256:[0-9a-f]{64}")
_PORTS = 65_536


def _positive(_instance: object, attribute: Any, value: float | None) -> None:
    if value is not None and not 0 < value < math.inf:  # TOML knows inf and nan, by which no limit would hold
        raise ValueError(f"{attribute.name}: expected a number above 0, got {value}")


def _is_hash(_instance: object, _attribute: object, value: str) -> None:
    if value and not _HASH.fullmatch(value):
        raise ValueError("hash: expected sha256: and 64 hexadecimal digits, as `ipfs-accel serve keys new` prints it")


def _is_port(_instance: object, attribute: Any, value: int | None) -> None:
    if value is not None and not 0 <= value < _PORTS:
        raise ValueError(f"{attribute.name}: expected 0 to 65535, got {value}")


@attrs.frozen(kw_only=True)
class KeySettings:
    """A key of the gateway's own, in a table `gateway.keys.NAME`.

    Attributes:
        hash: `sha256:` and the hash of the key in hexadecimal digits.
        owner: Whose it is, for people.
        models: Names of models that may be used with it; `*` stands for anything in them. None means all.
        requests_per_minute: How many requests may come, evenly, and so many at once after a pause.
        tokens_per_minute: Likewise for tokens, in and out.
        concurrency: How many requests may be under way at once.
        expires: Until when it is good; a date is the beginning of that day, in UTC.
    """

    hash: str = attrs.field(default="", validator=_is_hash, repr=False)
    owner: str = ""
    models: tuple[str, ...] | None = None
    requests_per_minute: float | None = attrs.field(default=None, validator=_positive)
    tokens_per_minute: float | None = attrs.field(default=None, validator=_positive)
    concurrency: int | None = attrs.field(default=None, validator=_positive)
    expires: datetime | None = None


@attrs.frozen(kw_only=True)
class Settings:
    """The table `gateway`.

    Attributes:
        host: Address to listen at. Beyond this machine's own it wants keys.
        port: Port to listen at; 0 takes a free one.
        models: Names under which models are served, of what is configured: aliases, routes and endpoint/model; `*`
            stands for anything. None means all that is configured.
        keys: Name to key.
        unsupported: What becomes of what a target cannot honour: `refuse` the request, or `leave_out` what it cannot.
        max_body: Bytes that the body of a request may have, compressed and unpacked.
        head_timeout: Seconds within which the head of a request has to come.
        body_timeout: Seconds that may pass without more of a body.
        idle_timeout: Seconds after which a connection without a request is closed.
        write_timeout: Seconds after which an answer is cut of which nothing more is taken, and the call for it ends.
        heartbeat: Seconds of silence after which a stream shows that it is alive.
        cors: Origins whose pages may ask, such as `http://localhost:3000`.
        access_log: File to which each request adds a line of JSON; `-` is stderr, None no log.
        metrics_port: Port at which Prometheus finds what is counted, as `/metrics`; 0 takes a free one, None is none.
        metrics_host: Address of that port. Whoever reaches it reads who uses what, and needs no key.
    """

    host: str = "127.0.0.1"
    port: int = attrs.field(default=4242, validator=_is_port)
    models: tuple[str, ...] | None = None
    keys: Mapping[str, KeySettings] = attrs.field(factory=dict)
    unsupported: Literal["refuse", "leave_out"] = "refuse"
    max_body: int = attrs.field(default=32 * 1024 * 1024, validator=_positive)
    head_timeout: float = attrs.field(default=15.0, validator=_positive)
    body_timeout: float = attrs.field(default=30.0, validator=_positive)
    idle_timeout: float = attrs.field(default=75.0, validator=_positive)
    write_timeout: float = attrs.field(default=60.0, validator=_positive)
    heartbeat: float = attrs.field(default=15.0, validator=_positive)
    cors: tuple[str, ...] = ()
    access_log: str | None = None
    metrics_port: int | None = attrs.field(default=None, validator=_is_port)
    metrics_host: str = "127.0.0.1"

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)


def read_settings(table: Mapping[str, Any], source: str = "the configuration") -> Settings:
    """Return the settings of a table.

    Raises:
        ConfigError: Something in it is unknown or wrong; the message names it.
    """
    try:
        settings: Settings = _converter.structure(table, Settings)
    except Exception as error:  # noqa: BLE001 - cattrs wraps whatever a converter raises
        said = "; ".join(cattrs.transform_error(error, "gateway", format_exception=_told))
        raise ConfigError(f"{source}: {said}") from None
    for name, key in settings.keys.items():
        if not key.hash:
            raise ConfigError(
                f"{source}: gateway.keys.{name}: hash is missing",
                hint="`ipfs-accel serve keys new` prints a key and it",
            )
    hashes = [key.hash for key in settings.keys.values()]
    if len(set(hashes)) < len(hashes):
        raise ConfigError(f"{source}: gateway.keys: two of them have the same hash")
    if not settings.is_local and not settings.keys:
        raise ConfigError(
            f"{source}: gateway.host: {settings.host!r} can be reached from other machines, and there are no keys",
            hint="make one with `ipfs-accel serve keys new`, or listen at 127.0.0.1",
        )
    return settings


def _told(error: BaseException, kind: type[Any] | None) -> str:
    """Return what is wrong with a setting, in the words of what checks it."""
    if isinstance(error, cattrs.ForbiddenExtraKeysError):
        return f"unknown setting {', '.join(sorted(error.extra_fields))}"
    said = str(error)
    return said if isinstance(error, TypeError | ValueError) and said else cattrs.v.format_exception(error, kind)


def _moment(value: Any, _kind: Any) -> datetime:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    raise TypeError(f"expected a date, got {type(value).__name__}")


def _strict(expected: type[Any], name: str) -> Any:
    def hook(value: Any, _kind: Any) -> Any:
        if expected is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
            raise TypeError(f"expected {name}, got {value!r}")
        return value

    return hook


def _names(value: Any, _kind: Any) -> tuple[str, ...]:
    if isinstance(value, str) or not all(isinstance(each, str) for each in value):
        raise TypeError(f"expected a list of strings, got {value!r}")
    return tuple(value)


_converter = cattrs.Converter(forbid_extra_keys=True)
_converter.register_structure_hook(datetime, _moment)
_converter.register_structure_hook_func(lambda kind: kind == tuple[str, ...], _names)
for _kind, _name in ((str, "a string"), (int, "a whole number"), (float, "a number")):
    _converter.register_structure_hook(_kind, _strict(_kind, _name))
