"""The models that servers keep on their own disks: `ipfs-accel pull`, `show`, `ps`, `create`, `cp`, `rm` and others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from ipfs_accel._calls.streams import Stream
from ipfs_accel.errors import AccelError, InvalidRequestError, UnsupportedOperationError
from ipfs_accel.types import ModelInfo, ModelResult, Progress, RunningModel

from . import arguments, failures, kinds
from .command import Command, State, pass_state
from .output import emit, note, table, when, write_line
from .progress import Bar, size_text
from .values import plain

__all__ = ["cp", "create", "load", "ps", "pull", "push", "rm", "show", "unload"]

_model = click.argument("model", type=kinds.MODEL)


def _watched(stream: Stream[Progress, ModelResult], bar: Bar) -> ModelResult:
    """Show how far a task is."""
    with stream:
        for event in stream:
            bar.show(event)
    return stream.response


def _tell(state: State, name: str, done: ModelResult) -> None:
    emit(state, {"name": name, **plain(done)}, lambda: write_line(name))


@click.command(
    cls=Command,
    short_help="Fetch a model to a server of models.",
    help="Have a server fetch a model from where it gets its models; writes the model's name when it is there.",
    examples=("ipfs-accel pull ollama/llama3.2", "ipfs-accel pull lab/hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF"),
)
@_model
@arguments.extra_option
@pass_state
def pull(state: State, model: str, extra: tuple[str, ...]) -> None:
    """Fetch a model."""
    own = arguments.parse_pairs(extra, "-O")
    with state.client() as client, Bar(state) as bar:
        done = _watched(client.stream_pull_model(model, extra=own), bar)
    _tell(state, model, done)


@click.command(
    cls=Command,
    short_help="Publish a model.",
    help="Have a server publish a model where it gets its models; the model's name says under which account.",
    examples=("ipfs-accel cp ollama/mine me/mine && ipfs-accel push ollama/me/mine",),
)
@_model
@arguments.extra_option
@pass_state
def push(state: State, model: str, extra: tuple[str, ...]) -> None:
    """Publish a model."""
    own = arguments.parse_pairs(extra, "-O")
    with state.client() as client, Bar(state) as bar:
        done = _watched(client.stream_push_model(model, extra=own), bar)
    _tell(state, model, done)


@click.command(
    cls=Command,
    short_help="Make a model from another one or from files.",
    help="Make a model from another one (--from), or from files of weights, which are sent to the server unless it has "
    "them.",
    examples=(
        'ipfs-accel create ollama/terse --from llama3.2 -s "Be brief." -p num_ctx=8192',
        "ipfs-accel create ollama/mine -f weights.gguf --quantize q4_K_M",
    ),
)
@_model
@click.option("--from", "base", metavar="MODEL", help="The model to begin with, by its name at the same endpoint.")
@click.option(
    "-f",
    "--file",
    "files",
    multiple=True,
    metavar="PATH",
    type=kinds.FILE,
    help="Weights, such as a GGUF file. Repeatable.",
)
@click.option(
    "--adapter",
    "adapters",
    multiple=True,
    metavar="PATH",
    type=kinds.FILE,
    help="A LoRA adapter to put on top. Repeatable.",
)
@click.option("-s", "--system", metavar="TEXT", help="System prompt of every chat.")
@click.option(
    "--template", metavar="FILE|TEXT", type=kinds.FILE, help="Prompt template: a file, or the template itself."
)
@click.option("-p", "--parameter", "pairs", multiple=True, metavar="NAME=VALUE", help="A default. Repeatable.")
@click.option("--license", "licenses", multiple=True, metavar="TEXT", help="A licence to keep with it. Repeatable.")
@click.option("--quantize", metavar="TYPE", help="What to quantize the weights to, such as q4_K_M.")
@arguments.extra_option
@pass_state
def create(
    state: State,
    model: str,
    *,
    base: str | None,
    files: tuple[str, ...],
    adapters: tuple[str, ...],
    system: str | None,
    template: str | None,
    pairs: tuple[str, ...],
    licenses: tuple[str, ...],
    quantize: str | None,
    extra: tuple[str, ...],
) -> None:
    """Make a model."""
    options: dict[str, Any] = {
        "base": base,
        "files": files,
        "adapters": adapters,
        "system": system,
        "template": None if template is None else _template(template),
        "parameters": arguments.parse_pairs(pairs, "-p"),
        "license": licenses,
        "quantize": quantize,
        "extra": arguments.parse_pairs(extra, "-O"),
    }
    with state.client() as client, Bar(state, "sending") as bar:
        done = _watched(client.stream_create_model(model, **options, on_upload=bar.bytes), bar)
    _tell(state, model, done)


def _template(text: str) -> str:
    if "{{" in text or "\n" in text:
        return text
    try:
        return Path(text).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise InvalidRequestError(f"--template {text}: cannot read the file: {reason}") from None


@click.command(
    cls=Command,
    short_help="Give a model a second name.",
    help="Give a model a second name, TO, at the same endpoint.",
    examples=("ipfs-accel cp ollama/llama3.2 mine",),
)
@_model
@click.argument("to")
@pass_state
def cp(state: State, model: str, to: str) -> None:
    """Give a model a second name."""
    with state.client() as client:
        client.copy_model(model, to)
    endpoint, slash, _ = model.partition("/")
    name = f"{endpoint}{slash}{to}" if slash else to
    emit(state, {"name": name}, lambda: write_line(name))


@click.command(
    cls=Command,
    short_help="Delete models from a server's disk.",
    help="Delete each MODEL from its server's disk.",
    examples=("ipfs-accel rm ollama/mine ollama/llama3.2:1b",),
)
@click.argument("models", nargs=-1, required=True, metavar="MODEL...", type=kinds.MODEL)
@pass_state
def rm(state: State, models: tuple[str, ...]) -> None:
    """Delete models."""
    with state.client() as client:
        for model in models:
            client.delete_model(model)
            note(state, f"{model} is deleted")
    emit(state, {"deleted": list(models)}, lambda: None)


@click.command(
    cls=Command,
    short_help="Load a model into memory.",
    help="Load a model into memory, so that the next call need not wait for that.",
    examples=("ipfs-accel load ollama/llama3.2 -O keep_alive=1h",),
)
@_model
@arguments.extra_option
@pass_state
def load(state: State, model: str, extra: tuple[str, ...]) -> None:
    """Load a model."""
    own = arguments.parse_pairs(extra, "-O")
    with state.client() as client:
        client.load_model(model, extra=own)
    emit(state, {"loaded": model}, lambda: note(state, f"{model} is loaded"))


@click.command(
    cls=Command,
    short_help="Take a model out of memory.",
    help="Take a model out of memory.",
    examples=("ipfs-accel unload ollama/llama3.2",),
)
@_model
@pass_state
def unload(state: State, model: str) -> None:
    """Unload a model."""
    with state.client() as client:
        client.unload_model(model)
    emit(state, {"unloaded": model}, lambda: note(state, f"{model} is unloaded"))


@click.command(
    cls=Command,
    short_help="List the models that are loaded.",
    help="List the models that each ENDPOINT has loaded; without one, those of all endpoints that can tell.",
    examples=("ipfs-accel ps", "ipfs-accel ps ollama --json | jq '.models[].expires'"),
)
@click.argument("endpoints", nargs=-1, metavar="[ENDPOINT]...", type=kinds.ENDPOINT)
@click.option("--raw", is_flag=True, help="With --json: add what the server itself answered.")
@pass_state
def ps(state: State, endpoints: tuple[str, ...], raw: bool) -> None:
    """List the loaded models."""
    found: list[tuple[str, RunningModel]] = []
    skipped: dict[str, str] = {}
    with state.client() as client:
        for endpoint in endpoints or client.endpoints():
            try:
                found += [(endpoint, model) for model in client.running_models(endpoint)]
            except AccelError as error:
                if endpoints and len(endpoints) == 1:
                    raise
                if endpoints or not isinstance(error, UnsupportedOperationError):
                    skipped[endpoint] = error.message
    models = [{"name": f"{endpoint}/{model.id}", **plain(model, raw=raw)} for endpoint, model in found]
    rows = [_running(endpoint, model) for endpoint, model in found]
    titles = ("model", "memory", "on GPU", "context", "until")
    emit(state, {"models": models, "skipped": skipped}, lambda: table(state, titles, rows))
    for endpoint, reason in skipped.items():
        note(state, f"skipped {endpoint}: {reason}")
    if endpoints and skipped:
        raise click.exceptions.Exit(failures.FAILURE)


def _running(endpoint: str, model: RunningModel) -> tuple[Any, ...]:
    size = None if model.size is None else size_text(model.size)
    share = None if model.gpu_size is None or not model.size else f"{model.gpu_size / model.size:.0%}"
    return f"{endpoint}/{model.id}", size, share, model.context_window, when(model.expires)


@click.command(
    cls=Command,
    short_help="Tell all about a model.",
    help="Tell all that the server and the catalogue know of a model; with --offline the catalogue alone.",
    examples=("ipfs-accel show ollama/llama3.2", "ipfs-accel show ollama/llama3.2 --json --raw | jq .raw.template"),
)
@_model
@arguments.offline_option
@click.option("--raw", is_flag=True, help="With --json: add what the server itself answered.")
@pass_state
def show(state: State, model: str, *, offline: bool, raw: bool) -> None:
    """Tell all about a model."""
    with state.client() as client:
        info = client.show_model(model, offline=offline)
    emit(state, {"name": model, **plain(info, raw=raw)}, lambda: table(state, ("", model), _facts(info)))


def _facts(info: ModelInfo) -> Iterable[tuple[str, Any]]:
    known: Mapping[str, Any] = plain(info)
    for name, value in known.items():
        if name == "features":
            yield from [
                (f"feature {each}", f"{support['value']} ({support['source']})") for each, support in value.items()
            ]
        elif isinstance(value, list):
            yield name.replace("_", " "), ", ".join(value)
        elif value is not None:
            yield name.replace("_", " "), when(value) if name == "created" else value
