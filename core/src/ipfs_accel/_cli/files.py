"""`ipfs-accel files` and `ipfs-accel batches`: what providers keep, and what they work off later."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from ipfs_accel._convert.texts import chat_request
from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.types import Batch, BatchItem, ChatOptions, FileInfo

from . import arguments, kinds
from .command import Group, State, pass_state
from .failures import describe
from .output import emit, note, table, when, write_line
from .progress import Bar, size_text
from .values import plain

__all__ = ["batches", "files"]

_endpoint = click.argument("endpoint", type=kinds.ENDPOINT)
_limit = click.option("--limit", type=click.IntRange(1), metavar="N", help="At most so many.")


@click.group(
    cls=Group,
    short_help="Files that a provider keeps.",
    help="Send, list, fetch and delete the files that a provider keeps.",
    examples=(
        "ipfs-accel files upload openai requests.jsonl --purpose batch",
        "ipfs-accel files list openai",
        "ipfs-accel files download openai file-abc result.jsonl",
    ),
)
def files() -> None:
    """Files that a provider keeps."""


@files.command("upload", short_help="Send a file.", help="Send a file; writes its id.")
@_endpoint
@click.argument("file", type=kinds.FILE)
@click.option("--purpose", metavar="WORD", help="What it is for, in the provider's words.")
@click.option("--name", metavar="NAME", help="Another name than the file's own.")
@click.option("--expires-after", type=click.IntRange(1), metavar="SECONDS", help="When the provider deletes it.")
@arguments.extra_option
@pass_state
def upload(
    state: State,
    endpoint: str,
    file: str,
    *,
    purpose: str | None,
    name: str | None,
    expires_after: int | None,
    extra: tuple[str, ...],
) -> None:
    """Send a file."""
    own = arguments.parse_pairs(extra, "-O")
    with state.client() as client, Bar(state, "sending") as bar:
        info = client.upload_file(
            endpoint, file, name=name, purpose=purpose, expires_after=expires_after, extra=own, on_upload=bar.bytes
        )
    emit(state, plain(info), lambda: write_line(info.id))


@files.command("list", short_help="List the files.", help="List the files that a provider keeps.")
@_endpoint
@_limit
@pass_state
def list_files(state: State, endpoint: str, limit: int | None) -> None:
    """List the files."""
    with state.client() as client:
        found = client.list_files(endpoint, limit=limit)
    rows = [_file_row(file) for file in found]
    titles = ("id", "name", "size", "purpose", "status", "created")
    emit(state, {"files": plain(found)}, lambda: table(state, titles, rows))


def _file_row(file: FileInfo) -> tuple[Any, ...]:
    size = None if file.size is None else size_text(file.size)
    return (file.id, file.name, size, file.purpose, file.status, when(file.created))


@files.command("download", short_help="Fetch a file.", help="Fetch the content of a file into TO.")
@_endpoint
@click.argument("file")
@click.argument("to", type=kinds.FILE)
@pass_state
def download(state: State, endpoint: str, file: str, to: str) -> None:
    """Fetch a file."""
    with state.client() as client:
        done = client.download_file(endpoint, file, to)
    emit(state, {"file": to, "bytes": done.size}, lambda: write_line(to))


@files.command("delete", short_help="Delete a file.", help="Delete a file that a provider keeps.")
@_endpoint
@click.argument("file")
@pass_state
def delete(state: State, endpoint: str, file: str) -> None:
    """Delete a file."""
    with state.client() as client:
        client.delete_file(endpoint, file)
    emit(state, {"deleted": file}, lambda: note(state, f"{file} is deleted"))


@click.group(
    cls=Group,
    short_help="Many chats, worked off later for less money.",
    help="Hand in many chats at once, to be worked off within hours for less money.\n\n"
    'The file has a line for each: {"id": "a", "messages": "Why is the sky blue?", "max_tokens": 100}; messages and '
    "options are those of a chat.",
    examples=(
        "ipfs-accel batches create -m openai/gpt-5.4-mini questions.jsonl",
        "ipfs-accel batches show openai batch_abc",
        "ipfs-accel batches results openai batch_abc > answers.jsonl",
    ),
)
def batches() -> None:
    """Many chats, worked off later."""


@batches.command("create", short_help="Hand in chats.", help="Hand in the chats of FILE; writes the batch's id.")
@click.argument("file", type=kinds.FILE)
@arguments.model_option
@click.option("--window", metavar="TIME", help="How long it may take, in the provider's words, such as 24h.")
@pass_state
def create(state: State, file: str, *, model: str | None, window: str | None) -> None:
    """Hand in chats."""
    items = list(_items(file))
    with state.client() as client:
        arguments.check_model(model, client.config.default_model, "batches create")
        batch = client.create_batch(model, items, completion_window=window)
    emit(state, plain(batch), lambda: write_line(batch.id))


def _items(file: str) -> Iterator[BatchItem]:
    """Read a file of chats, one a line."""
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequestError(f"cannot read {file}: {getattr(error, 'strerror', None) or error}") from None
    names = set(ChatOptions.__annotations__)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{file}:{number}"
        try:
            value = json.loads(line)
        except ValueError as error:
            raise InvalidRequestError(f"{where}: not valid JSON: {error}") from None
        if not isinstance(value, dict) or "messages" not in value:
            raise InvalidRequestError(f"{where}: expected an object with messages")
        name, messages = str(value.pop("id", number)), value.pop("messages")
        try:
            yield BatchItem(id=name, request=chat_request(str(value.pop("model", "")), messages, value))
        except InvalidRequestError as error:
            hint = error.hint or f"options are {', '.join(sorted(names))}"
            raise InvalidRequestError(f"{where}: {error.message}", hint=hint) from None


@batches.command("list", short_help="List the batches.", help="List the batches of an endpoint.")
@_endpoint
@_limit
@pass_state
def list_batches(state: State, endpoint: str, limit: int | None) -> None:
    """List the batches."""
    with state.client() as client:
        found = client.list_batches(endpoint, limit=limit)
    _show(state, found, {"batches": plain(found)})


def _show(state: State, found: tuple[Batch, ...], document: Any) -> None:
    rows = [
        (each.id, each.status, each.total, each.succeeded, each.failed, when(each.created), "; ".join(each.errors))
        for each in found
    ]
    titles = ("id", "status", "requests", "succeeded", "failed", "created", "errors")
    emit(state, document, lambda: table(state, titles, rows))


@batches.command("show", short_help="Tell where a batch is.", help="Tell where a batch is.")
@_endpoint
@click.argument("batch")
@pass_state
def show(state: State, endpoint: str, batch: str) -> None:
    """Tell where a batch is."""
    with state.client() as client:
        found = client.get_batch(endpoint, batch)
    _show(state, (found,), plain(found))


@batches.command("results", short_help="Fetch a batch's results.", help="Fetch a batch's results: JSON, one a line.")
@_endpoint
@click.argument("batch")
@pass_state
def results(state: State, endpoint: str, batch: str) -> None:
    """Fetch a batch's results."""
    with state.client() as client, client.batch_results(endpoint, batch) as stream:
        for result in stream:
            error = None if result.error is None else describe(result.error)
            value = {"id": result.id, "response": plain(result.response), "error": error}
            text = getattr(result.response, "text", None)
            write_line(json.dumps(value | ({} if text is None else {"text": text}), ensure_ascii=False))
    note(state, f"{stream.response.succeeded} succeeded, {stream.response.failed} failed")


@batches.command("cancel", short_help="End the work on a batch.", help="End the work on a batch; what is done stays.")
@_endpoint
@click.argument("batch")
@pass_state
def cancel(state: State, endpoint: str, batch: str) -> None:
    """End the work on a batch."""
    with state.client() as client:
        found = client.cancel_batch(endpoint, batch)
    _show(state, (found,), plain(found))
