"""Paths, bytes and open files, wherever a call takes a message, a medium or a file to send."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any

import anyio
import attrs
import pytest
from ipfs_accel import AsyncClient, Audio, Client, Document, Image, Message
from ipfs_accel import errors as e
from ipfs_accel._convert import media as convert
from ipfs_accel._convert.messages import checked_messages
from ipfs_accel.testing import Scripted
from ipfs_accel.types import Text, ToolResult, Upload

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 8
WAV = b"RIFF\x00\x00\x00\x00WAVEfmt "
PDF = b"%PDF-1.7"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, data in {"a.png": PNG, "a.wav": WAV, "a.pdf": PDF, "a.m4a": b"....ftyp", "notes.txt": b"Notes."}.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


@attrs.frozen
class Named:
    """A path of somebody else's library."""

    path: Path

    def __fspath__(self) -> str:
        return str(self.path)


@pytest.mark.parametrize("way", ["path", "like", "bytes", "buffer", "file", "memory", "temporary"])
def test_a_file_in_a_message_is_read_and_told_by_its_content(folder: Path, way: str) -> None:
    path = folder / "a.png"
    with path.open("rb") as file, tempfile.NamedTemporaryFile() as temporary:
        temporary.write(PNG)
        temporary.seek(0)
        given: dict[str, Any] = {
            "path": path,
            "like": Named(path),
            "bytes": PNG,
            "buffer": bytearray(PNG),
            "file": file,
            "memory": io.BytesIO(PNG),
            "temporary": temporary,
        }
        message = Message.user("What is this?", given[way])
    assert message.content == (Text(text="What is this?"), Image(data=PNG))


def test_each_kind_becomes_its_part(folder: Path) -> None:
    content = [folder / "a.wav", folder / "a.m4a", folder / "a.pdf", folder / "notes.txt"]
    assert Message(role="user", content=content).content == (  # type: ignore[arg-type]
        Audio(data=WAV),
        Audio(data=b"....ftyp", media_type="audio/mp4"),
        Document(data=PDF, name="a.pdf"),
        Document(data=b"Notes.", media_type="text/plain", name="notes.txt"),
    )
    assert Message(role="user", content=folder / "a.png").content == (Image(data=PNG),)  # type: ignore[arg-type]
    assert Message(role="user", content=PNG).content == (Image(data=PNG),)  # type: ignore[arg-type]
    result = Message.tool("c1", ["The plot:", folder / "a.png"]).content
    assert result == (ToolResult(tool_call_id="c1", content=("The plot:", Image(data=PNG))),)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"def f():\n\treturn 1\r\n", "text/plain"),
        ("\ufeffgrün".encode(), "text/plain"),
        (b"\x1b[31mred\x1b[0m", "text/plain"),
        (b"", "text/plain"),
        (b"a\0b", None),
        (b"a\x07b", None),
        (b"gr\xfcn", None),
        (b"a\x7f", None),
        (b"PK\3\4", None),
    ],
)
def test_what_is_text_is_told_by_its_content(data: bytes, expected: str | None, tmp_path: Path) -> None:
    path = tmp_path / "module.unknown"
    path.write_bytes(data)
    made = Document(data=data, media_type=expected, name="module.unknown")
    assert Message.user(path).content == (made,)
    assert Document.from_path(path).media_type == expected


def turns(given: Any) -> list[tuple[Any, ...]]:
    return [tuple([getattr(part, "text", part) for part in each.content]) for each in checked_messages(given)]


def test_files_make_one_turn_with_the_strings_beside_them(folder: Path) -> None:
    picture, path = Image(data=PNG), folder / "a.png"
    assert turns(["What is this?", path]) == [("What is this?", picture)]
    assert turns([path, PNG, "Compare them."]) == [(picture, picture, "Compare them.")]
    assert turns(["Hi.", Message.assistant("Ho."), "Look:", picture]) == [("Hi.",), ("Ho.",), ("Look:", picture)]
    assert turns(iter(["a", path, {"role": "assistant", "content": "b"}, "c", "d"])) == [
        ("a", picture),
        ("b",),
        ("c",),
        ("d",),
    ]
    assert turns(["two", "turns"]) == [("two",), ("turns",)]
    assert turns(path) == turns(picture) == turns(PNG) == turns(io.BytesIO(PNG)) == [(picture,)]
    assert turns([{"role": "user", "content": ["What?", path]}]) == [("What?", picture)]


@pytest.mark.parametrize(
    ("given", "message", "hint"),
    [
        (["a", b"?\0?"], r"messages\[0\]\.content\[1\]: the data of document is of an unknown type", "media_type="),
        (
            [{"role": "user", "content": [b"?\0?"]}],
            r"messages\[0\]\.content\[0\]: the data of document is of an",
            "Image",
        ),
        (
            ["a", Message.assistant("b"), Path("none.png")],
            r"messages\[2\]\.content: cannot read none\.png: No such",
            "",
        ),
        (
            [Message.assistant("a"), "b", b"?\0?"],
            r"messages\[1\]\.content\[1\]: the data of document is",
            "media_type=",
        ),
        (Path("none.png"), r"messages\.content: cannot read none\.png: No such file", ""),
        (
            io.StringIO("text"),
            r"messages\.content: the file gives text, not bytes",
            'open it in binary mode: open(…, "rb")',
        ),
        (
            ["a", io.BytesIO(PNG), {"role": "nobody", "content": "b"}],
            r"messages\[2\]\.role: 'nobody' is not one of",
            "",
        ),
    ],
    ids=["bytes", "dict", "absent", "later", "alone", "text", "place"],
)
def test_what_cannot_be_told_is_refused_with_its_place(given: Any, message: str, hint: str) -> None:
    with pytest.raises(e.InvalidRequestError, match=f"^{message}") as caught:
        checked_messages(given)
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["film.mp4", "film.webm"])
def test_what_may_be_a_film_is_not_taken_for_sound_in_a_message(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\0\0\0\x18ftyp")
    with pytest.raises(e.InvalidRequestError, match="unknown type"):
        checked_messages(["What is said?", tmp_path / name])
    assert (Upload.of(tmp_path / name).media_type or "").startswith("audio/")  # here nothing else can be meant


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_calls_take_open_files(folder: Path, kind: Any) -> None:
    scripted = Scripted(["a cat", "hello", "hello"])
    with (folder / "a.wav").open("rb") as sound, (folder / "a.wav").open("rb") as late:
        late.seek(4)
        calls = [
            ("chat", ["What is this?", folder / "a.png"]),
            ("transcribe", sound),
            ("transcribe", late),
        ]
        if kind is Client:
            with Client(plugins=[scripted]) as client:
                for name, value in calls:
                    getattr(client, name)("scripted/any", value)
        else:

            async def run() -> None:
                async with AsyncClient(plugins=[scripted]) as client:
                    for name, value in calls:
                        await getattr(client, name)("scripted/any", value)

            anyio.run(run)
    chat, whole, rest = scripted.requests
    assert chat.messages == (Message.user("What is this?", Image(data=PNG)),)
    assert (whole.audio.data, whole.audio.name, whole.audio.media_type) == (WAV, "a.wav", "audio/wav")
    assert (rest.audio.data, rest.audio.media_type) == (WAV[4:], "audio/wav")


def test_pictures_to_edit_and_uploads_may_be_open_files(folder: Path) -> None:
    with (folder / "a.png").open("rb") as file:
        request = convert.edit_image_request("m", ([file, folder / "a.png", PNG], "more", io.BytesIO(PNG)), {})
    assert [*request.images, request.mask] == [Image(data=PNG)] * 4
    assert convert.edit_image_request("m", (io.BytesIO(PNG), "more", None), {}).images == (Image(data=PNG),)
    with (folder / "a.pdf").open("rb") as file:
        assert Upload.of(file) == Upload(name="a.pdf", media_type="application/pdf", size=8, data=PDF)
    assert Upload.of(io.BytesIO(PDF), name="b.pdf").name == "b.pdf"
    assert Upload.of(Named(folder / "a.pdf")).path == folder / "a.pdf"


class Awaited:
    async def read(self) -> bytes:
        return PNG


@pytest.mark.parametrize(
    ("make", "message", "hint"),
    [
        (lambda path: path.open(), "audio: the file gives text, not bytes", 'open it in binary mode: open(…, "rb")'),
        (lambda path: path.open("wb"), "audio: the file cannot be read: ", None),
        (lambda _: Awaited(), "audio: the file is read by await", "pass what it gives: await file.read()"),
        (lambda _: Path, "audio: expected a path, bytes, an open file or a media part, got type", None),
    ],
    ids=["text", "writing", "awaited", "class"],
)
def test_a_file_that_gives_no_bytes_is_refused(tmp_path: Path, make: Any, message: str, hint: str | None) -> None:
    path = tmp_path / "a.txt"
    path.write_text("text")
    file = make(path)
    with pytest.raises(e.InvalidValueError) as caught:
        Upload.of(file, "audio")
    assert (str(caught.value).startswith(message), caught.value.hint) == (True, hint)
    if isinstance(file, io.IOBase):
        file.close()


def test_a_closed_file_is_refused(folder: Path) -> None:
    file = (folder / "a.png").open("rb")
    file.close()
    with pytest.raises(e.InvalidRequestError, match="content: the file cannot be read: read of closed file"):
        checked_messages(["What is this?", file])
