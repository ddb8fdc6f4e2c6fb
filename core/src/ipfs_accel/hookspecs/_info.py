"""What a plugin says of its backend, as a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from ipfs_accel._values import frozen

if TYPE_CHECKING:
    from ipfs_accel.catalogue import Catalogue
    from ipfs_accel.plans import Endpoint, ErrorDetail, HttpResponse
    from ipfs_accel.types import Audio, Document, Image, ModelInfo, Timeout

__all__ = ["BackendInfo", "KeyHeader", "LocalServer", "TokenRules"]


@frozen(kw_only=True)
class KeyHeader:
    """The header in which a provider wants its key.

    Attributes:
        name: Of the header.
        prefix: What stands before the key; the space belongs to it.
    """

    name: str = "authorization"
    prefix: str = "Bearer "


@frozen(kw_only=True)
class LocalServer:
    """A server that people run on their own machine: how they get and start it.

    Attributes:
        program: Name of its executable.
        start: The command that starts it.
        install: URL of a page that says how to get it.
        otherwise: What else there is to do, as the rest of a sentence.
    """

    program: str
    start: str
    install: str = ""
    otherwise: str = ""


@frozen(kw_only=True)
class TokenRules:
    """What is published of how a provider counts the tokens of a model's input.

    Attributes:
        encoding: Name of the public encoding of its texts, such as o200k_base; None where there is none.
        scale: Where the tokenizer is not public: how many tokens it makes of what public ones make one of, at least and
            at most.
        media: Tells how many tokens a picture, sound or document is, at least and at most; None where nobody knows.
    """

    encoding: str | None = None
    scale: tuple[float, float] = (1.0, 1.0)
    media: Callable[[Image | Audio | Document], tuple[int, int] | None] | None = None


@frozen(kw_only=True)
class BackendInfo:
    """What the core has to know of a backend.

    Attributes:
        name: The entry point's name.
        title: For people.
        base_url: Where the provider is, or where a local server usually is.
        base_url_env: Environment variables that may name another base URL, first wins.
        url_env: Name in braces in `base_url`, such as `{account}`, to the environment variables that may say it; an
            option of that name, and `IPFS_ACCEL_<ENDPOINT>_<NAME>`, go before them.
        read_base_url: Makes a URL of what a user gives as one, where users of this server give other forms too.
        local: How to get and start the server, where people run it themselves.
        is_own: Whether people run such servers themselves, also where `local` does not say how; then questions to one
            may take it all of their time without a word, but for those to `key_url`.
        key_env: Environment variables that may hold the key, first wins.
        token_env: Those of `key_env` that hold an access token, which is sent as a bearer whatever `key_header` says.
        key_url: Where that key belongs, if it is not the base URL: a hosted service beside servers that want none.
        key_header: How the key is sent; a function of the `options` instance where that is a setting.
        needs_key: Whether calls to the provider's own place (`key_url` or else `base_url`) are pointless without a key.
        timeout: Limits of calls where nobody sets others; None means the usual ones.
        options: An attrs class of the backend's own settings, all with defaults; configuration is checked against it.
        presets: Values of `options` that hold where nobody sets others.
        options_env: Name of a field of `options` to the environment variable that may set it.
        headers: Fixed headers of every request, from the settings; given the `options` instance.
        read_error: Reads an error answer's body; None means that the status and the text are all there is.
        lacks: Names the operations of the hooks that an endpoint has not, by its address or settings, each with the
            reason and the way out; None means that every endpoint has all.
        max_inputs: Of how many inputs one request of `embed` makes vectors, or a function that says it of an endpoint;
            the core splits what is more. None means any number.
        catalogue: Reads the plugin's dated data of models, if it has any (see `ipfs_accel.catalogue`).
        describe_model: Adds what the plugin knows of a model beforehand, such as its prices.
        prices_hold: Whether an answer with this `extra` costs what the price list says; None means always.
        token_rules: Tells how an endpoint counts the input of a model, for counts without a server.
        request_id_headers: Response headers that may hold the provider's id of a request.
        idempotency_header: Request header by which the server does a repeated POST only once, if it has one.
        documentation: URL of a page for users.
    """

    name: str
    title: str = ""
    base_url: str = ""
    base_url_env: tuple[str, ...] = ()
    url_env: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    read_base_url: Callable[[str], str] | None = None
    local: LocalServer | None = None
    is_own: bool = False
    key_env: tuple[str, ...] = ()
    token_env: tuple[str, ...] = ()
    key_url: str = ""
    key_header: KeyHeader | Callable[[Any], KeyHeader] = KeyHeader()
    needs_key: bool = False
    timeout: Timeout | None = None
    options: type[Any] | None = None
    presets: Mapping[str, Any] = attrs.field(factory=dict)
    options_env: Mapping[str, str] = attrs.field(factory=dict)
    headers: Callable[[Any], Mapping[str, str]] | None = None
    read_error: Callable[[HttpResponse], ErrorDetail] | None = None
    lacks: Callable[[Endpoint], Mapping[str, str]] | None = None
    max_inputs: int | Callable[[Endpoint], int | None] | None = None
    catalogue: Callable[[], Catalogue] | None = None
    describe_model: Callable[[Endpoint, ModelInfo], ModelInfo] | None = None
    prices_hold: Callable[[Mapping[str, Any]], bool] | None = None
    token_rules: Callable[[Endpoint, str], TokenRules] | None = None
    request_id_headers: tuple[str, ...] = ("x-request-id", "request-id")
    idempotency_header: str | None = None
    documentation: str = ""
