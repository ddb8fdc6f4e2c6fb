"""llvm's embedded engine: a GGUF file served in this process by llama.cpp, through the package xllamacpp.

The engine is llama.cpp's own server on native threads. It listens on loopback with a random key, so that other users of
the machine cannot use it, and is then spoken to like any other llama.cpp.
"""

from __future__ import annotations

import atexit
import ctypes
import http.client
import importlib
import os
import secrets
import struct
import threading
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import attrs
from ipfs_accel import UnsupportedParameterWarning
from ipfs_accel.errors import ConfigError, InvalidRequestError
from ipfs_accel.installing import install_command

from ._templates import differing, refused

if TYPE_CHECKING:
    from ._options import Options

__all__ = ["Engine", "start", "stop_all"]

# Bounds the memory of the caches where a file names a context of 100,000 tokens and more.
_MAX_CONTEXT = 8192
# Tokens that are computed together, where no vector needs more: llama.cpp's own measure.
_PIECE = 512
_ERRORS_ONLY = 1
_READY_SECONDS = 60.0


@attrs.frozen(kw_only=True, eq=False)
class Engine:
    """A running engine.

    Attributes:
        url: Where it listens, on loopback.
        key: What it wants to be asked with; made for this engine alone.
        pid: The process that it runs in; a forked child has the object, but not its threads.
    """

    url: str
    key: str = attrs.field(repr=False)
    pid: int
    _server: Any = attrs.field(alias="server", repr=False)


# Engines belong to the process, not to a client: the weights are in memory once, whoever asks.
_engines: dict[tuple[Any, ...], Engine] = {}
_lock = threading.Lock()


def start(path: Path, options: Options, *, embeds: bool = False) -> Engine:
    """Return the engine of that file and these settings; starts it unless it runs already. Blocks while it loads.

    llama.cpp makes the vector of a text in one piece, and reserves memory for the longest: the piece's length times the
    size of the vocabulary, gigabytes at some. So an engine takes pieces as long as the context only if it is started
    to embed or to rank, and then serves everything else too.

    Raises:
        ConfigError: The package xllamacpp is not installed.
        InvalidRequestError: There is no such file, or llama.cpp cannot load it.
    """
    path = path.expanduser().resolve()
    identity = (str(path), options.context, options.parallel, options.threads, options.gpu_layers, options.pooling)
    with _lock:
        if any(engine.pid != os.getpid() for engine in _engines.values()):
            # llama.cpp's threads and locks do not survive a fork: a new engine would hang in the child.
            raise ConfigError(
                "a model cannot run in a forked child of a process that runs one",
                hint="start the child with the method 'spawn', or load models only in the children",
            )
        for can_embed in [True] if embeds else [False, True]:
            if (*identity, can_embed) in _engines:
                return _engines[*identity, can_embed]
        context = options.context or min(_context_of(path) or _MAX_CONTEXT, _MAX_CONTEXT)
        embeds = embeds or context <= _PIECE
        engine = _load(path, options, (context, context if embeds else _PIECE))
        _engines[*identity, embeds] = engine
        return engine


def stop_all() -> None:
    """Stop every engine of this process."""
    if all(engine.pid == os.getpid() for engine in _engines.values()):
        _engines.clear()


def _leave_to_parent() -> None:
    # In a forked child the engines' threads are missing, and stopping one would wait for them for ever, at the latest
    # when the interpreter ends. A reference that nobody gives back keeps them from being stopped.
    for engine in _engines.values():
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(engine._server))  # noqa: SLF001 - this module's own
    # The library's own tidying at the very end waits for those threads too: leave before it, with the same status.
    libc = ctypes.CDLL(None)
    if _engines and hasattr(libc, "on_exit"):
        libc.on_exit(libc._exit, None)  # noqa: SLF001 - its name in C


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)


def _load(path: Path, options: Options, sizes: tuple[int, int]) -> Engine:
    """Start an engine, given the tokens of its context and of what it computes together."""
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise InvalidRequestError(f"model: cannot read {path}: {error.strerror}") from None
    if magic != b"GGUF":
        raise InvalidRequestError(
            f"model: {path} is not a GGUF file", hint="convert it with llama.cpp's convert_hf_to_gguf.py"
        )
    try:
        # A hundred megabytes that only an embedded model needs.
        xllamacpp: Any = importlib.import_module("xllamacpp")
    except ImportError:
        raise ConfigError(
            "running a model in this process needs the package xllamacpp",
            hint=f"run: {install_command('ipfs-accel-llvm[embedded]')}",
        ) from None
    key = secrets.token_urlsafe(32)
    try:
        server = xllamacpp.Server(_parameters(xllamacpp, path, options, sizes, key))
    except Exception as error:  # noqa: BLE001 - the native code raises bare RuntimeErrors
        raise InvalidRequestError(f"model: llama.cpp cannot load {path}: {error}", hint=_unreadable(path)) from None
    _warn_of_template(path)
    engine = Engine(url=server.listening_address, key=key, pid=os.getpid(), server=server)
    _await_first_answer(engine)
    atexit.unregister(stop_all)
    atexit.register(stop_all)
    return engine


def _parameters(xllamacpp: Any, path: Path, options: Options, sizes: tuple[int, int], key: str) -> Any:
    context, piece = sizes
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(path)
    parameters.port = 0
    parameters.api_keys = [key]
    parameters.verbosity = _ERRORS_ONLY
    parameters.warmup = False
    parameters.n_parallel = options.parallel
    parameters.n_ctx = options.parallel * context
    parameters.endpoint_slots = True
    parameters.endpoint_metrics = True
    # Chat works beside embeddings, so both are always on.
    parameters.embedding = True
    parameters.n_batch = parameters.n_ubatch = piece
    pooling = f"LLAMA_POOLING_TYPE_{options.pooling.upper()}"
    parameters.pooling_type = getattr(xllamacpp.llama_pooling_type, pooling)
    if options.threads is not None:
        parameters.cpuparams.n_threads = options.threads
        parameters.cpuparams_batch.n_threads = options.threads
    if options.gpu_layers is not None:
        parameters.n_gpu_layers = options.gpu_layers
    return parameters


def _template_of(path: Path) -> str:
    from ._gguf import metadata  # noqa: PLC0415 - as below

    try:
        return str(metadata(path).get("tokenizer.chat_template") or "")
    except (OSError, ValueError, struct.error):
        return ""


def _unreadable(path: Path) -> str | None:
    """Return what in the chat template may keep llama.cpp from loading a file; its own reason is only in its log."""
    names = [each.name for each in refused(_template_of(path))]
    return f"its chat template uses what llama.cpp does not take: {'; '.join(names)}" if names else None


def _warn_of_template(path: Path) -> None:
    """Tell of what llama.cpp renders otherwise than the library that the template was written for."""
    is_ours = path.parent == Path(__file__).resolve().parent  # made for this engine
    found = () if is_ours else differing(_template_of(path))
    if found:
        said = "; ".join([f"{each.name} ({each.instead})" for each in found])
        warnings.warn(
            f"the chat template of {path.name} uses what llama.cpp renders otherwise than Hugging Face's transformers: "
            f'{said}. client.call("llvm", "render", model=…, messages=…) shows what the model gets',
            UnsupportedParameterWarning,
            stacklevel=2,
        )


def _context_of(path: Path) -> int | None:
    from ._gguf import context_length  # noqa: PLC0415 - read only when an engine starts

    return context_length(path)


def _await_first_answer(engine: Engine) -> None:
    # llama.cpp's server can hang for ever when it is stopped before its loop has begun. One answer shows that it has.
    address = urlsplit(engine.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=_READY_SECONDS)
    try:
        connection.request("GET", "/health")
        connection.getresponse().read()
    finally:
        connection.close()
