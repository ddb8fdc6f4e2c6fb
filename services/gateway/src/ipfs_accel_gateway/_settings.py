"""What the configuration's table `gateway` says."""

from __future__ import annotations

import math
import re
import sys
import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import attrs
import cattrs
from ipfs_accel.errors import ConfigError

from ._origins import is_loopback

if TYPE_CHECKING:
    from ipfs_accel import Config

__all__ = ["BudgetSettings", "KeySettings", "Settings", "read_keys", "read_settings", "settings_of"]

_HASH = re.compile(r"sha256:[0-9a-f]{64}")
_IN_BRACKETS = re.compile(r"\['?([^]']*)'?\]")
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


def _is_zone(_instance: object, _attribute: object, value: str) -> None:
    if value == "UTC":
        return
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - few name another one

    try:
        ZoneInfo(value)
    except (ValueError, OSError, KeyError):  # what is not there, a path, a folder
        raise ValueError(f"budget_zone: {value!r} is no time zone that is known here, such as UTC") from None


@attrs.frozen(kw_only=True)
class BudgetSettings:
    """What may be spent, by a key or by all keys of a group: a table `gateway.groups.NAME`.

    Attributes:
        budget_per_day: US dollars from one midnight to the next.
        budget_per_month: US dollars from the first of a month to the next.
        tokens_per_day: Likewise tokens, in and out.
        tokens_per_month: Likewise.
    """

    budget_per_day: float | None = attrs.field(default=None, validator=_positive)
    budget_per_month: float | None = attrs.field(default=None, validator=_positive)
    tokens_per_day: int | None = attrs.field(default=None, validator=_positive)
    tokens_per_month: int | None = attrs.field(default=None, validator=_positive)


@attrs.frozen(kw_only=True)
class KeySettings(BudgetSettings):
    """A key of the gateway's own, in a table `gateway.keys.NAME`.

    Attributes:
        hash: `sha256:` and the hash of the key in hexadecimal digits.
        owner: Whose it is, for people.
        models: Names of models that may be used with it; `*` stands for anything in them. None means all.
        requests_per_minute: How many requests may come, evenly, and so many at once after a pause.
        tokens_per_minute: Likewise for tokens, in and out.
        concurrency: How many requests may be under way at once.
        expires: Until when it is good; a date is the beginning of that day, in UTC.
        group: Name of a group of `gateway.groups` whose budget it shares, beside its own.
    """

    hash: str = attrs.field(default="", validator=_is_hash, repr=False)
    owner: str = ""
    models: tuple[str, ...] | None = None
    requests_per_minute: float | None = attrs.field(default=None, validator=_positive)
    tokens_per_minute: float | None = attrs.field(default=None, validator=_positive)
    concurrency: int | None = attrs.field(default=None, validator=_positive)
    expires: datetime | None = None
    group: str | None = None


@attrs.frozen(kw_only=True)
class Settings:
    """The table `gateway`.

    Attributes:
        host: Address to listen at. Beyond this machine's own it wants keys.
        port: Port to listen at; 0 takes a free one.
        workers: Processes that serve; with several, one more holds what they share, such as limits and budgets.
        models: Names under which models are served, of what is configured: aliases, routes and endpoint/model; `*`
            stands for anything. None means all that is configured.
        keys: Name to key; those of `keys_file` are among them.
        keys_file: TOML file with further keys, a table `NAME` each; beside the configuration, unless its path is
            absolute. With it nobody is served without a key, even while it has none.
        unsupported: What becomes of what a target cannot honour: `refuse` the request, or `leave_out` what it cannot.
        max_body: Bytes that the body of a request may have, compressed and unpacked.
        head_timeout: Seconds within which the head of a request has to come.
        body_timeout: Seconds that may pass without more of a body.
        idle_timeout: Seconds after which a connection without a request is closed.
        write_timeout: Seconds after which an answer is cut of which nothing more is taken, and the call for it ends.
        drain_timeout: Seconds for which what is being answered may go on once the end was asked for.
        heartbeat: Seconds of silence after which a stream shows that it is alive.
        cors: Origins whose pages may ask, such as `http://localhost:3000`.
        access_log: File to which each request adds a line of JSON; `-` is stderr, None no log.
        audit: File to which each request adds a line of JSON with what was asked and answered, as it is left by the
            middleware that `plugins.middleware` names before `audit`; None means that nothing that was said is kept.
        audit_raw: Whether that is kept as it is, with nothing taken out.
        audit_max_record: Letters of what was said that a line has at most.
        audit_max_file: Bytes after which the file is moved to its name with `.1`, and begun anew.
        metrics_port: Port at which Prometheus finds what is counted, as `/metrics`; 0 takes a free one, None is none.
        metrics_host: Address of that port. Whoever reaches it reads who uses what, and needs no key.
        console_port: Port of this machine at which browsers find a page about the gateway, by a link that is printed; 0
            takes a free one, None is none.
        console_key: Name of the key under which that page's playground asks models; None means that it has none.
        groups: Name to the budget that several keys share.
        budget_zone: Time zone in which days and months begin, such as Europe/Berlin.
        spend_file: File in which what was spent is kept. None means `gateway/spend.sqlite3` in the folder of data where
            there is a budget, and no file where there is none. One gateway has it at a time.
        unknown_price: What becomes of requests with a budget in dollars to a model without a known price: `refuse`, or
            `count_tokens`, which lets those in that a limit of tokens by day or month counts.
        assumed_output_tokens: How long an answer is taken to be that neither the request nor the model limits.
    """

    host: str = "127.0.0.1"
    port: int = attrs.field(default=4242, validator=_is_port)
    workers: int = attrs.field(default=1, validator=_positive)
    models: tuple[str, ...] | None = None
    keys: Mapping[str, KeySettings] = attrs.field(factory=dict)
    keys_file: str | None = None
    unsupported: Literal["refuse", "leave_out"] = "refuse"
    max_body: int = attrs.field(default=32 * 1024 * 1024, validator=_positive)
    head_timeout: float = attrs.field(default=15.0, validator=_positive)
    body_timeout: float = attrs.field(default=30.0, validator=_positive)
    idle_timeout: float = attrs.field(default=75.0, validator=_positive)
    write_timeout: float = attrs.field(default=60.0, validator=_positive)
    drain_timeout: float = attrs.field(default=30.0, validator=_positive)
    heartbeat: float = attrs.field(default=15.0, validator=_positive)
    cors: tuple[str, ...] = ()
    access_log: str | None = None
    audit: str | None = None
    audit_raw: bool = False
    audit_max_record: int = attrs.field(default=256 * 1024, validator=_positive)
    audit_max_file: int = attrs.field(default=256 * 1024 * 1024, validator=_positive)
    metrics_port: int | None = attrs.field(default=None, validator=_is_port)
    metrics_host: str = "127.0.0.1"
    console_port: int | None = attrs.field(default=None, validator=_is_port)
    console_key: str | None = None
    groups: Mapping[str, BudgetSettings] = attrs.field(factory=dict)
    budget_zone: str = attrs.field(default="UTC", validator=_is_zone)
    spend_file: str | None = None
    unknown_price: Literal["refuse", "count_tokens"] = "refuse"
    assumed_output_tokens: int = attrs.field(default=16_384, validator=_positive)

    @property
    def has_budgets(self) -> bool:
        """Whether anything limits what may be spent."""
        tables = (*self.keys.values(), *self.groups.values())
        return any(getattr(table, each.name) is not None for table in tables for each in attrs.fields(BudgetSettings))

    @property
    def is_counting(self) -> bool:
        """Whether anybody may ask what was counted."""
        return self.metrics_port is not None or self.console_port is not None

    @property
    def wants_keys(self) -> bool:
        """Whether nobody is served without a key."""
        return bool(self.keys) or self.keys_file is not None

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)


def settings_of(config: Config, over: Mapping[str, Any] | None = None) -> Settings:
    """Return the settings of a configuration; `over` are those that the command line has.

    Raises:
        ConfigError: Something in them is unknown or wrong; the message names it and its line.
    """
    table = {**config.gateway, **(over or {})}
    folder = None if config.path is None else config.path.parent
    return read_settings(table, str(config.path or "the configuration"), folder, config.sources)


def read_settings(
    table: Mapping[str, Any],
    source: str = "the configuration",
    folder: Path | None = None,
    lines: Mapping[str, str] | None = None,
) -> Settings:
    """Return the settings of a table, with the keys of the file that it names.

    Args:
        table: As the configuration has it.
        source: Where it stands, for errors.
        folder: Where the file of keys is looked for; None means the current one.
        lines: Dotted name of a setting to where exactly it stands.

    Raises:
        ConfigError: Something in it is unknown or wrong; the message names it.
    """
    settings: Settings = _structured(table, Settings, source, "gateway", lines or {})
    where = dict.fromkeys(settings.keys, f"{source}: gateway.keys.")
    if settings.keys_file is not None:
        path = Path(folder or "", settings.keys_file).absolute()
        found = read_keys(path)
        twice = sorted(set(found) & set(settings.keys))
        if twice:
            raise ConfigError(f"{path}: {twice[0]}: {source} has a key of this name, too", hint="rename one of them")
        where |= dict.fromkeys(found, f"{path}: ")
        settings = attrs.evolve(settings, keys={**settings.keys, **found}, keys_file=str(path))
    _check_hashes(settings.keys, where)
    _check_groups(settings, where)
    _check_workers(settings, source)
    if settings.console_key is not None and settings.console_key not in settings.keys:
        raise ConfigError(
            f"{source}: gateway.console_key: there is no key {settings.console_key!r}",
            hint="it names one of the gateway's keys; without it the console has no playground",
        )
    if not settings.is_local and not settings.wants_keys:
        raise ConfigError(
            f"{source}: gateway.host: {settings.host!r} can be reached from other machines, and there are no keys",
            hint="make one with `ipfs-accel serve keys new`, or listen at 127.0.0.1",
        )
    return settings


def read_keys(path: Path) -> dict[str, KeySettings]:
    """Return the keys of a file of keys.

    Raises:
        ConfigError: It cannot be read, or something in it is unknown or wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        hint = "`ipfs-accel serve keys new --owner …` makes it"
        raise ConfigError(f"gateway.keys_file: there is no file {path}", hint=hint) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"gateway.keys_file: cannot read {path}: {error}") from None
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    found: dict[str, KeySettings] = _structured(tables, dict[str, KeySettings], str(path), "", {})
    return found


def _structured(values: Mapping[str, Any], kind: Any, source: str, name: str, lines: Mapping[str, str]) -> Any:
    try:
        return _converter.structure(values, kind)
    except Exception as error:  # noqa: BLE001 - cattrs wraps whatever a converter raises
        told = [each.rpartition(" @ ") for each in cattrs.transform_error(error, name, format_exception=_told)]
        faults = [(_IN_BRACKETS.sub(r".\1", path).lstrip("."), message) for message, _, path in told]
        said = [f"{_place(path, message, lines) or source}: {path}{path and ': '}{message}" for path, message in faults]
        raise ConfigError("; ".join(said)) from None


def _place(path: str, message: str, lines: Mapping[str, str]) -> str | None:
    """Return where a setting stands; what a class finds wrong begins with the field's name."""
    return lines.get(path) or lines.get(f"{path}.{message.partition(':')[0]}")


def _check_groups(settings: Settings, where: Mapping[str, str]) -> None:
    for name, key in settings.keys.items():
        if key.group is not None and key.group not in settings.groups:
            raise ConfigError(
                f"{where[name]}{name}: group: there is no gateway.groups.{key.group}",
                hint="the table holds what its keys may spend together",
            )


def _check_workers(settings: Settings, source: str) -> None:
    """Refuse what wants one process where there are to be several."""
    if settings.workers == 1:
        return
    if sys.platform == "win32":
        raise ConfigError(
            f"{source}: gateway.workers: Windows lets no processes share a port in this way", hint="leave it at 1"
        )
    hint = "leave it out, or gateway.workers at 1"
    if settings.console_port is not None:
        said = "gateway.console_port: the console shows one process, and there are to be several"
        raise ConfigError(f"{source}: {said}", hint=hint)
    if settings.audit is not None:
        said = "gateway.audit: its file has one writer, and there are to be several workers"
        raise ConfigError(f"{source}: {said}", hint=hint)


def _check_hashes(keys: Mapping[str, KeySettings], where: Mapping[str, str]) -> None:
    seen: dict[str, str] = {}
    for name, key in keys.items():
        if not key.hash:
            raise ConfigError(
                f"{where[name]}{name}: hash is missing", hint="`ipfs-accel serve keys new` prints a key and it"
            )
        other = seen.setdefault(key.hash, name)
        if other != name:
            raise ConfigError(f"{where[name]}{name}: it has the same hash as {other}", hint="each key has its own")


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
for _kind, _name in ((str, "a string"), (int, "a whole number"), (float, "a number"), (bool, "true or false")):
    _converter.register_structure_hook(_kind, _strict(_kind, _name))
