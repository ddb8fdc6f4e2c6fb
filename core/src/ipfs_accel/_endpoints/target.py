"""An endpoint as the core sees it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import attrs

from ipfs_accel._config.config import ModelOverride
from ipfs_accel._config.secrets import reveal
from ipfs_accel._plugins.local import advice
from ipfs_accel._plugins.registry import Backend
from ipfs_accel._resilience.guard import Guard
from ipfs_accel._secret import KeySource, secrets_in
from ipfs_accel._url import is_here
from ipfs_accel.errors import (
    AccelError,
    APIConnectionError,
    DeadlineExceededError,
    MissingKeyError,
    ModelNotFoundError,
)
from ipfs_accel.hookspecs import RAW_OPERATIONS, KeyHeader
from ipfs_accel.plans import Endpoint
from ipfs_accel.types import Origin, Timeout

from .proxies import unread_proxy

if TYPE_CHECKING:
    from ipfs_accel.types import Capabilities, ModelInfo

__all__ = ["Target"]

_SLOW = (
    "a server of one's own may need longer than that to read a long prompt: pass timeout=SECONDS, or set timeout below "
    "[endpoints.{}]"
)


class Target:
    """An endpoint as the core sees it.

    Attributes:
        backend: The loaded plugin.
        endpoint: What its hooks see.
        origin: Scheme, host and port that the key is bound to.
        headers: Fixed headers of every request.
        timeout: For calls that do not bring their own.
        is_own: Whether it is a server of one's own: one that people run themselves, or not the provider's own place.
        proxy: URL of the proxy that its requests go through.
        environ: The environment; of its proxies hints tell.
        ca_file: PEM file of certificate authorities to trust instead of the usual ones.
        models: The user's word on models.
        key_header: How the key is sent.
        sources: Setting to (value as text, where it is from), for people; keys only as set or missing.
        guard: What stands before it: retries, limits, keys, breakers.
        known: What is known beforehand of models that were used, such as their prices.
        abilities: What is known beforehand of what they can do.
        schemas: What becomes of schemas that are not enforced; see `EndpointConfig`.
        propagates: Whether the server is told which trace a request belongs to.
        told_schemas: Schemas that were sent, to what of them is not enforced.
    """

    def __init__(
        self,
        *,
        backend: Backend,
        endpoint: Endpoint,
        origin: str,
        headers: tuple[tuple[str, str], ...],
        timeout: Timeout,
        is_own: bool = False,
        proxy: str | None = None,
        environ: Mapping[str, str] | None = None,
        ca_file: str | None = None,
        models: Mapping[str, ModelOverride],
        key_header: KeyHeader,
        sources: Mapping[str, tuple[str, str]],
        guard: Guard,
        known: dict[str, ModelInfo] | None = None,
        schemas: str = "warn",
        propagates: bool = False,
        keys: tuple[KeySource, ...] = (),
        missing: MissingKeyError | None = None,
    ) -> None:
        self.backend = backend
        self.endpoint = endpoint
        self.origin = origin
        self.headers = headers
        self.timeout = timeout
        self.is_own = is_own
        self.proxy = proxy
        self.environ = environ or {}
        self.ca_file = ca_file
        self.models = models
        self.key_header = key_header
        self.sources = sources
        self.guard = guard
        self.known = {} if known is None else known
        self.abilities: dict[str, Capabilities] = {}
        self.schemas = schemas
        self.propagates = propagates
        self.told_schemas: dict[tuple[str, str, bytes], tuple[str, ...]] = {}
        self._keys = keys
        self._missing = missing
        self._said: Origin | None = None

    @cached_property
    def patience(self) -> Timeout:
        """The limits for calls that may be silent for as long as they may last."""
        return self.patient(self.timeout)

    def patient(self, limits: Timeout) -> Timeout:
        """Let a server work without a word for as long as a call may take, unless somebody set limits on silence."""
        usual = (Timeout(), self.backend.info.timeout or Timeout())
        if (limits.first_event, limits.idle) not in [(each.first_event, each.idle) for each in usual]:
            return limits
        return attrs.evolve(limits, first_event=limits.total, idle=limits.total)

    @cached_property
    def lacks(self) -> Mapping[str, str]:
        """The operations that the backend implements and this endpoint has not, with reasons."""
        known = self.backend.info.lacks
        return {} if known is None else known(self.endpoint)

    @property
    def is_untouched(self) -> bool:
        """Whether nobody has set its address, a key or an option of it: it is there because its plugin is."""
        _, url_source = self.sources["base_url"]
        state, key_source = self.sources["key"]
        has_key = state == "set" or (state == "none" and key_source != "default")
        return url_source == "default" and not has_key and not any(name.startswith("options.") for name in self.sources)

    @cached_property
    def max_inputs(self) -> int:
        """Of how many inputs one request makes vectors."""
        known = self.backend.info.max_inputs
        found = known(self.endpoint) if callable(known) else known
        return sys.maxsize if found is None else found

    def as_origin(self, model: str) -> Origin:
        """Return whose words the answers of a model are."""
        found = self._said
        if found is None or found.model != model:  # most programs ask one model
            found = self._said = Origin(backend=self.endpoint.backend, host=self.origin, model=model)
        return found

    def is_origin(self, origin: Origin, model: str) -> bool:
        """Whether words are a model's own."""
        return origin.model == model and origin.host == self.origin and origin.backend == self.endpoint.backend

    @cached_property
    def sent_headers(self) -> tuple[tuple[str, str], ...]:
        """The fixed headers of every request, and who sends it unless they say so."""
        if any(name.lower() == "user-agent" for name, _ in self.headers):
            return self.headers
        from ipfs_accel._version import __version__  # noqa: PLC0415 - reading metadata takes a moment

        return (*self.headers, ("user-agent", f"ipfs-accel/{__version__}"))

    def headers_beside(self, operation: str, given: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        """Return the fixed headers; what a caller says of a request of their own holds where both say something."""
        if operation not in RAW_OPERATIONS:
            return self.sent_headers
        said = {name.lower() for name, _ in given}
        return tuple([pair for pair in self.sent_headers if pair[0].lower() not in said])

    @cached_property
    def header_secrets(self) -> tuple[str, ...]:
        """What of the fixed headers no error, record or log may repeat, though a server does."""
        return tuple(secrets_in((), self.headers))

    def way_out(self, error: AccelError, operation: str) -> str | None:
        """Say what to do about a model that is not there, or a server of one's own that is not, or that is slow."""
        if isinstance(error, ModelNotFoundError):
            gets = "pull_model" in self.backend.operations and operation not in {"pull_model", "push_model"}
            return f"get it with: ipfs-accel pull {self.endpoint.name}/{error.model}" if gets and error.model else None
        if isinstance(error, DeadlineExceededError):
            is_slow = self.is_own and error.sent and operation != "healthcheck"
            return _SLOW.format(self.endpoint.name) if is_slow else None
        if not isinstance(error, APIConnectionError) or error.phase != "connect":
            return None
        url, local = self.endpoint.base_url, self.backend.info.local
        if is_here(url):
            return None if local is None else advice(local)
        return unread_proxy(self.environ, url) if self.proxy is None else None

    @property
    def lacks_key(self) -> bool:
        """Whether it needs a key and none is set."""
        return self._missing is not None

    def key_headers(self, origin: str, key: str | None = None) -> tuple[tuple[str, str], ...]:
        """Return the header with a key, by default the endpoint's own, if the request goes to the origin it is for.

        Raises:
            MissingKeyError: The provider needs one and none is set.
        """
        if origin != self.origin:
            return ()
        key = key or self.single_key()
        return () if key is None else ((self.key_header.name, self.key_header.prefix + key),)

    def single_source(self) -> KeySource | None:
        """Return the key, or the function that gives it; None if there is none.

        Raises:
            MissingKeyError: The provider needs one and none is set.
        """
        if self._missing is not None:
            raise self._missing
        return self._keys[0] if self._keys else None

    def single_key(self) -> str | None:
        """Return the key itself, as it goes over the wire."""
        source = self.single_source()
        return None if source is None else reveal(source, self.endpoint.name)
