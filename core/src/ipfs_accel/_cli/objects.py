"""`ipfs-accel objects`: what is in stores such as S3."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ipfs_accel.errors import APIError, InvalidRequestError
from ipfs_accel.types import ObjectInfo

from . import arguments, kinds
from .command import Group, State, pass_state
from .output import emit, note, table, when, write_line
from .progress import Bar, size_text
from .values import plain

if TYPE_CHECKING:
    from ipfs_accel._client.clients import Client

__all__ = ["objects"]

_address = click.argument("address", type=kinds.ADDRESS)
_recursive = click.option("-r", "--recursive", is_flag=True, help="All objects whose keys begin with the address.")


@click.group(
    cls=Group,
    short_help="Objects in stores such as S3.",
    help="List, fetch, store, copy and delete objects in stores such as S3.\n\nAddresses are endpoint/bucket/key.",
    examples=(
        "ipfs-accel objects ls s3/models/llama/",
        "ipfs-accel objects get s3/models/llama/model.gguf model.gguf",
        "ipfs-accel objects put model.gguf minio/models/model.gguf",
        "ipfs-accel objects presign s3/models/model.gguf --expires-in 600",
    ),
)
def objects() -> None:
    """Objects in stores."""


@objects.command("ls", short_help="List objects.", help="List the objects whose keys begin with ADDRESS, or buckets.")
@_address
@_recursive
@click.option("--limit", type=click.IntRange(1), metavar="N", help="At most so many.")
@pass_state
def ls(state: State, address: str, *, recursive: bool, limit: int | None) -> None:
    """List objects."""
    delimiter = None if recursive else "/"
    with state.client() as client, client.list_objects(address, delimiter=delimiter, limit=limit) as stream:
        found = list(stream)
    rows = [_row(each) for each in found]
    document = {"objects": plain(found), "complete": stream.response.complete}
    emit(state, document, lambda: table(state, ("name", "size", "modified"), rows))
    if not stream.response.complete:
        note(state, "there are more; raise --limit")


def _row(found: Any) -> tuple[Any, ...]:
    if isinstance(found, ObjectInfo):
        return (found.key, None if found.size is None else size_text(found.size), when(found.modified))
    return (found.prefix or f"{found.bucket}/", None, "")


@objects.command("stat", short_help="Tell of an object.", help="Tell what the store knows of an object.")
@_address
@pass_state
def stat(state: State, address: str) -> None:
    """Tell of an object."""
    with state.client() as client:
        info = client.head_object(address)
    known = [(name, value) for name, value in plain(info).items() if value not in (None, {})]
    emit(state, plain(info), lambda: table(state, ("what", "value"), known))


@objects.command("get", short_help="Fetch objects.", help="Fetch an object into TO; - writes it to stdout.")
@_address
@click.argument("to", type=kinds.FILE)
@_recursive
@click.option("--restart", is_flag=True, help="Begin anew even if an earlier try left something to go on from.")
@click.option("--skip-unnameable", is_flag=True, help="With -r: leave out keys that no file here can have as its name.")
@pass_state
def get(state: State, address: str, to: str, *, recursive: bool, restart: bool, skip_unnameable: bool) -> None:
    """Fetch objects."""
    if to == "-":
        _to_stdout(state, address)
        return
    with state.client() as client, Bar(state, "receiving") as bar:
        if recursive:
            found = client.download_objects(address, to, skip_unnameable=skip_unnameable, on_progress=bar.bytes)
        else:
            target = Path(to) / address.rpartition("/")[2] if Path(to).is_dir() else Path(to)
            found = (client.download_object(address, target, resume=not restart, on_progress=bar.bytes),)
            to = str(target)
    document = plain(found) if recursive else plain(found[0])
    emit(state, {"to": to, "objects": document} if recursive else {"to": to, **document}, lambda: write_line(to))


def _to_stdout(state: State, address: str) -> None:
    with state.client() as client, client.stream_object(address) as stream:
        for event in stream:
            sys.stdout.buffer.write(event.data)
        sys.stdout.buffer.flush()


@objects.command("put", short_help="Store an object.", help="Store FILE as an object; - reads it from stdin.")
@click.argument("file", type=kinds.FILE)
@_address
@click.option("--content-type", metavar="TYPE", help="Such as application/json; else as the file tells.")
@click.option("--metadata", multiple=True, metavar="NAME=TEXT", help="Metadata of your own; may be repeated.")
@click.option("--create-only", is_flag=True, help="Refuse to replace an object.")
@arguments.extra_option
@pass_state
def put(
    state: State,
    file: str,
    address: str,
    *,
    content_type: str | None,
    metadata: tuple[str, ...],
    create_only: bool,
    extra: tuple[str, ...],
) -> None:
    """Store an object."""
    given: dict[str, Any] = {
        "content_type": content_type,
        "metadata": _pairs(metadata),
        "if_none_match": "*" if create_only else None,
        "extra": arguments.parse_pairs(extra, "-O"),
    }
    source: Any = sys.stdin.buffer if file == "-" else file
    with state.client() as client, Bar(state, "sending") as bar:
        info = client.put_object(address, source, on_upload=bar.bytes, **given)
    emit(state, plain(info), lambda: write_line(address))


def _pairs(texts: Sequence[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    wrong = [name for name, equals, _value in pairs if not name or not equals]
    if wrong:
        raise InvalidRequestError(f"--metadata: expected NAME=TEXT, got {wrong[0]!r}")
    return {name: value for name, _equals, value in pairs}


@objects.command("cp", short_help="Copy an object.", help="Copy an object within one store.")
@click.argument("source", type=kinds.ADDRESS)
@click.argument("to", type=kinds.ADDRESS)
@pass_state
def cp(state: State, source: str, to: str) -> None:
    """Copy an object."""
    with state.client() as client, Bar(state, "copying") as bar:
        info = client.copy_object(source, to, on_upload=bar.bytes)
    emit(state, plain(info), lambda: write_line(to))


@objects.command("rm", short_help="Delete objects.", help="Delete an object.")
@_address
@_recursive
@pass_state
def rm(state: State, address: str, *, recursive: bool) -> None:
    """Delete objects."""
    with state.client() as client:
        if recursive:
            deleted, failed = _delete_all(client, address)
        else:
            client.delete_object(address)
            deleted, failed = [address.partition("/")[2].partition("/")[2]], []
    emit(
        state,
        {"deleted": deleted, "failed": plain(failed)},
        lambda: note(state, f"{len(deleted)} deleted"),
    )
    if failed:
        raise APIError(f"{len(failed)} were not deleted; the first: {failed[0].key}: {failed[0].message}")


def _delete_all(client: Client, address: str) -> tuple[list[str], list[Any]]:
    endpoint, _slash, path = address.partition("/")
    bucket, _slash, prefix = path.partition("/")
    if not prefix:
        raise InvalidRequestError("rm -r: name what the keys begin with: endpoint/bucket/prefix")
    keys = [event.key for event in client.list_objects(address) if isinstance(event, ObjectInfo)]
    done = client.delete_objects(f"{endpoint}/{bucket}", keys)
    return list(done.deleted), list(done.failed)


@objects.command(
    "presign",
    short_help="Let somebody else fetch or store an object.",
    help="Write a URL with which somebody else can fetch or store an object without credentials.",
)
@_address
@click.option("--method", type=click.Choice(["get", "head", "put", "post", "delete"]), default="get")
@click.option("--expires-in", type=click.IntRange(1), default=3600, metavar="SECONDS", help="How long it is good.")
@click.option("--content-type", metavar="TYPE", help="What has to be sent.")
@click.option("--max-size", type=click.IntRange(1), metavar="BYTES", help="Most bytes that post accepts.")
@pass_state
def presign(state: State, /, address: str, **options: Any) -> None:
    """Let somebody else fetch or store an object."""
    with state.client() as client:
        signed = client.presign_object(address, **options)
    emit(state, plain(signed), lambda: write_line(signed.url))
