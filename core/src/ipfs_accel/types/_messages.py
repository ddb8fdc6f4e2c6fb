"""Messages and their typed parts."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import IO, Any, ClassVar, Literal, Self, TypeAlias

import attrs

from ipfs_accel._invalid import InvalidValueError
from ipfs_accel._values import frozen

Role: TypeAlias = Literal["system", "developer", "user", "assistant", "tool"]
ROLES: tuple[Role, ...] = ("system", "developer", "user", "assistant", "tool")

FileSource: TypeAlias = PathLike[str] | bytes | IO[bytes]
"""A file by its path, its bytes, or open in binary mode; what it is, is told by its first bytes, else by its name."""

# First bytes by which a file tells its own media type; RIFF files say the rest at offset 8.
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"fLaC", "audio/flac"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"\xff\xfb", "audio/mpeg"),
    (b"\xff\xf3", "audio/mpeg"),
)
_RIFF: dict[bytes, str] = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}


def sniff_media_type(data: bytes) -> str | None:
    """Return the media type that the first bytes of `data` tell, or None."""
    if data[:4] == b"RIFF":
        return _RIFF.get(data[8:12])
    return next((kind for magic, kind in _MAGIC if data.startswith(magic)), None)


# Of the characters below the blank, text has tabs, ends of lines and pages, and what colours a log.
_NOT_IN_TEXT = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b") | {127})


def is_text(data: bytes) -> bool:
    """Whether bytes are a text: UTF-8, and without control characters that text files do not have."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return len(data.translate(None, _NOT_IN_TEXT)) == len(data)


@frozen(kw_only=True)
class Text:
    """Plain text.

    Attributes:
        text: The text itself.
        annotations: Citations and the like in the provider's own form; only in answers.
        extra: What else the provider said of the text; it goes back with it.
    """

    text: str
    annotations: tuple[Mapping[str, Any], ...] = ()
    extra: Mapping[str, Any] = attrs.field(factory=dict, eq=False, repr=False)


@frozen(kw_only=True)
class Reasoning:
    """What a model thought before it answered.

    Attributes:
        text: The visible part; empty where the provider hides it.
        signature: The provider's proof of origin, to be sent back unchanged with the message.
        field: Where the provider said it, if its kind has several places, such as `reasoning_content`; it goes back
            to there.
    """

    text: str
    signature: str | None = None
    field: str | None = attrs.field(default=None, eq=False, repr=False)


@frozen(kw_only=True)
class Refusal:
    """A model's own words for declining, where the provider keeps them apart from the answer.

    Attributes:
        text: What the model said instead.
    """

    text: str


@frozen(kw_only=True)
class ToolCall:
    """A model's wish to have a tool called.

    Attributes:
        id: The provider's id of the call; the result names it.
        name: The tool's name.
        arguments: JSON text exactly as the model wrote it; it may be invalid or empty.
        extra: What else the provider said of the call, such as a signature; it goes back with it.
    """

    id: str
    name: str
    arguments: str = ""
    extra: Mapping[str, Any] = attrs.field(factory=dict, eq=False, repr=False)

    def parse_arguments(self) -> dict[str, Any]:
        """Return the arguments as a dict; empty text means no arguments.

        Raises:
            ValueError: The model wrote something that is not a JSON object.
        """
        import json  # noqa: PLC0415 - only callers of tools pay for it

        try:
            value = json.loads(self.arguments) if self.arguments.strip() else {}
        except RecursionError:
            raise ValueError(f"the arguments of tool call {self.name!r} are nested too deeply") from None
        if not isinstance(value, dict):
            raise ValueError(f"the arguments of tool call {self.name!r} are not a JSON object")  # noqa: TRY004
        return value


@frozen(kw_only=True)
class _Media:
    """Bytes in memory, a URL that the provider itself fetches, or a file that it keeps; exactly one of the three."""

    data: bytes | None = attrs.field(default=None, repr=lambda data: "None" if data is None else f"<{len(data)} bytes>")
    url: str | None = None
    file_id: str | None = None
    media_type: str | None = None

    kind: ClassVar[str] = "media"
    family: ClassVar[tuple[str, ...]] = ()

    def __attrs_post_init__(self) -> None:
        # What does not fit together stays as it is: the call that it is given to refuses it, and says where it stands.
        found = _parse_data_url(self.url) if isinstance(self.url, str) and self.data is None else None
        if found is not None:
            self._set(data=found[1], url=None, media_type=self.media_type or found[0])
        if isinstance(self.data, bytes | bytearray) and self.media_type is None:
            self._set(media_type=self._told(self.data))

    @staticmethod
    def _told(data: bytes) -> str | None:
        return sniff_media_type(data)

    def _set(self, **values: object) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_path(cls, path: str | Path, **fields: Any) -> Self:
        """Read a file now; its type is told by its content."""
        try:
            return cls(data=Path(path).read_bytes(), **fields)
        except OSError as error:
            raise InvalidValueError(f"{cls.kind}: cannot read {path}: {error.strerror}") from None
        except ValueError:  # a null byte, or half a character
            raise InvalidValueError(f"{cls.kind}: {str(path)!a} is no path of a file") from None

    def base64(self) -> str:
        """Return the data as base64 text; only for media that carries data."""
        return base64.b64encode(self.data or b"").decode("ascii")

    def to_url(self) -> str:
        """Return the URL, or the data as a `data:` URL; not for media that a provider keeps."""
        return self.url if self.url is not None else f"data:{self.media_type};base64,{self.base64()}"


def _parse_data_url(url: str) -> tuple[str | None, bytes] | None:
    """Return the media type and the bytes of a `data:` URL; None if it is none, or not valid base64."""
    head, comma, payload = url.partition(",")
    if not comma or not head.startswith("data:") or not head.endswith(";base64"):
        return None
    try:
        return head[5:-7] or None, base64.b64decode(payload, validate=True)
    except ValueError:
        return None


@frozen(kw_only=True)
class Image(_Media):
    """A picture: `Image(url=...)`, `Image(data=...)` or `Image.from_path(...)`.

    Attributes:
        data: The bytes.
        url: Where the provider may fetch it.
        file_id: Of a file that the provider keeps.
        media_type: Such as image/png; told from the first bytes if it is not given.
        detail: How closely to look: low, high, auto, where the provider knows the option.
    """

    detail: str | None = None

    kind: ClassVar[str] = "image"
    family: ClassVar[tuple[str, ...]] = ("image/",)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:  # noqa: ARG002
        from . import _shown  # noqa: PLC0415 - only notebooks ask

        return _shown.picture(self)


@frozen(kw_only=True)
class Audio(_Media):
    """A sound, as input or as answer.

    Attributes:
        data: The bytes.
        url: Where the provider may fetch it.
        file_id: Of a file that the provider keeps.
        media_type: Such as audio/mpeg; told from the first bytes if it is not given.
        id: The provider's id of a sound that it made, to refer to it later.
        transcript: What is said in it, where the provider tells.
    """

    id: str | None = None
    transcript: str | None = None

    kind: ClassVar[str] = "audio"
    family: ClassVar[tuple[str, ...]] = ("audio/",)


@frozen(kw_only=True)
class Document(_Media):
    """A PDF or text file. What is text goes as text of the message where a server takes no documents.

    Attributes:
        data: The bytes.
        url: Where the provider may fetch it.
        file_id: Of a file that the provider keeps.
        media_type: Such as application/pdf; told by the content if it is not given: all that is UTF-8 is text/plain.
        name: The file name to tell the model.
    """

    name: str | None = None

    kind: ClassVar[str] = "document"
    family: ClassVar[tuple[str, ...]] = ("application/", "text/")

    @staticmethod
    def _told(data: bytes) -> str | None:
        return sniff_media_type(data) or ("text/plain" if is_text(data) else None)


def _as_parts(content: Any) -> tuple[Any, ...]:
    """Turn a string, a part or a sequence of both into a tuple; whether they are parts is checked by the call."""
    if isinstance(content, str):
        return (Text(text=content),) if content else ()
    if type(content) is tuple or type(content) is list:  # before the questions to abstract classes, which take long
        return tuple([_as_part(item) for item in content])
    if isinstance(content, PARTS):
        return (content,)
    part = _as_part(content)
    if part is not content or isinstance(content, Mapping) or not isinstance(content, Iterable):
        return (part,)
    return tuple([_as_part(item) for item in content])


def _as_part(item: Any) -> Any:
    """Return the part that a text, a path, bytes or an open file is; anything else as it is, for the call to refuse."""
    if isinstance(item, str):
        return Text(text=item)
    if type(item) in _KINDS:
        return item
    from . import _sources  # noqa: PLC0415 - few messages have files

    if not _sources.is_source(item):
        return item
    data, name = _sources.holds(item, "content")
    media_type = sniff_media_type(data) or _sources.type_by_name(name)
    for kind in (Image, Audio):
        if media_type is not None and media_type.startswith(kind.family):
            return kind(data=data, media_type=media_type)
    return Document(data=data, media_type=media_type, name=name)  # the call refuses one of an unknown type


@frozen(kw_only=True)
class ToolResult:
    """What a called tool gave back.

    Attributes:
        tool_call_id: The `ToolCall.id` that it answers.
        content: The result, as text or as parts.
        is_error: Whether the tool failed; told to providers that know the difference.
    """

    tool_call_id: str
    content: tuple[Text | Image | Document, ...] = attrs.field(converter=_as_parts)
    is_error: bool = False


@frozen(kw_only=True)
class Opaque:
    """A part that only its provider understands, such as hidden reasoning; it is sent back there unchanged.

    Attributes:
        backend: Name of the plugin that made it; others leave it out.
        data: The provider's own JSON.
    """

    backend: str
    data: Mapping[str, Any]


Part: TypeAlias = Text | Image | Audio | Document | ToolCall | ToolResult | Reasoning | Refusal | Opaque
PARTS = (Text, Image, Audio, Document, ToolCall, ToolResult, Reasoning, Refusal, Opaque)
_KINDS = frozenset(PARTS)


@frozen(kw_only=True)
class Origin:
    """Who said a message, and so who may be given back what only its provider understands.

    Attributes:
        backend: Name of the plugin.
        host: Scheme, host and port that were asked; empty for what runs in this process.
        model: Id of the model as it was asked for.
    """

    backend: str
    host: str
    model: str


@frozen(kw_only=True)
class Message:
    """One turn of a conversation.

    Attributes:
        role: system, developer, user, assistant or tool.
        content: The parts; a string becomes one `Text`, and a file (`FileSource`) an `Image`, `Audio` or `Document`.
        name: Name of the speaker, where the provider knows such a field.
        extra: What else the provider said in a message; it goes back with it.
        origin: Who said it; set by the client. What only the provider understands goes back to the same host, and
            what is signed to the same model; to another one neither does. A message without it is sent as it is.
    """

    role: Role
    content: tuple[Part, ...] = attrs.field(converter=_as_parts)
    name: str | None = None
    extra: Mapping[str, Any] = attrs.field(factory=dict, eq=False, repr=False)
    origin: Origin | None = attrs.field(default=None, eq=False, repr=False)

    @classmethod
    def system(cls, text: str) -> Self:
        """Make an instruction that stands above the conversation."""
        return cls(role="system", content=text)

    @classmethod
    def user(cls, *content: str | Part | FileSource) -> Self:
        """Make a user's turn from texts, other parts, and files, which are read now."""
        return cls(role="user", content=content)

    @classmethod
    def assistant(cls, *content: str | Part) -> Self:
        """Make a model's turn, for examples and for histories that were stored."""
        return cls(role="assistant", content=content)

    @classmethod
    def tool(
        cls, tool_call_id: str, content: str | Iterable[str | Part | FileSource], *, is_error: bool = False
    ) -> Self:
        """Make the answer to a tool call."""
        return cls(role="tool", content=(ToolResult(tool_call_id=tool_call_id, content=content, is_error=is_error),))

    @property
    def text(self) -> str:
        """All text parts joined; tool results and reasoning are not among them."""
        return "".join([part.text for part in self.content if isinstance(part, Text)])

    @property
    def reasoning(self) -> str | None:
        """All visible reasoning joined, or None."""
        found = [part.text for part in self.content if isinstance(part, Reasoning)]
        return "".join(found) if found else None

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls among the parts."""
        return tuple([part for part in self.content if isinstance(part, ToolCall)])

    def _repr_markdown_(self) -> str:
        from . import _shown  # noqa: PLC0415 - only notebooks ask

        return _shown.message(self)
