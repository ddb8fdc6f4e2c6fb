"""Files that are sent, and what a provider knows of files that it keeps."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path, PurePath
from typing import Any, Self, TypeAlias

import attrs

from ipfs_accel._invalid import InvalidValueError
from ipfs_accel._values import frozen

from ._answers import Answer
from ._messages import Audio, Document, FileSource, Image, sniff_media_type
from ._requests import Request
from ._sources import SUFFIXES, is_file, opened

_MEDIA = (Image, Audio, Document)
_EXTENSIONS: dict[str, str] = {kind: suffix for suffix, kind in reversed(SUFFIXES.items())}
_HEAD_BYTES = 16

UploadSource: TypeAlias = "str | FileSource | Image | Audio | Document | Upload"


@frozen(kw_only=True)
class Upload:
    """A file to send: bytes in memory, a path that is read while it is sent, or a URL that the provider fetches.

    Attributes:
        name: The file name to tell; providers derive the format from its extension.
        media_type: As the content or the name tells; None if neither does.
        size: In bytes; None for a URL.
        data: The bytes, if they are in memory.
        path: The file, if they are not.
        offset: Where in the file to begin, in bytes; for one that is sent in parts.
        url: Where the provider finds it.
    """

    name: str
    media_type: str | None = None
    size: int | None = None
    data: bytes | None = attrs.field(default=None, repr=False)
    path: Path | None = None
    offset: int = 0
    url: str | None = None

    @classmethod
    def of(cls, source: UploadSource, field: str = "file", name: str | None = None) -> Self:
        """Accept a path, bytes, an open file or a media part.

        Of a path nothing but the first bytes is read now, and of an open file all from where it stands.

        Args:
            source: What to send; a string is a path.
            field: How errors call it.
            name: Another file name.
        """
        if isinstance(source, Upload):
            return source if name is None else attrs.evolve(source, name=name)  # type: ignore[return-value]
        if isinstance(source, str | PathLike):
            return cls._of_path(Path(source), field, name)
        if isinstance(source, bytes | bytearray | memoryview):
            return cls._of_data(bytes(source), None, name)
        if isinstance(source, _MEDIA):
            if source.data is not None:
                return cls._of_data(source.data, source.media_type, name or getattr(source, "name", None))
            if source.url is not None:
                return cls(name=name or PurePath(source.url).name, media_type=source.media_type, url=source.url)
        if is_file(source):
            data, its_name = opened(source, field)
            return cls._of_data(data, None, name or its_name)
        raise InvalidValueError(
            f"{field}: expected a path, bytes, an open file or a media part, got {type(source).__name__}"
        )

    @classmethod
    def _of_path(cls, path: Path, field: str, name: str | None) -> Self:
        try:
            size = path.stat().st_size
            with path.open("rb") as file:
                head = file.read(_HEAD_BYTES)
        except OSError as error:
            raise InvalidValueError(f"{field}: cannot read {path}: {error.strerror}") from None
        except ValueError:  # a null byte, or half a character
            raise InvalidValueError(f"{field}: {str(path)!a} is no path of a file") from None
        media_type = SUFFIXES.get(path.suffix.lower()) or sniff_media_type(head)
        return cls(name=name or path.name, media_type=media_type, size=size, path=path)

    @classmethod
    def _of_data(cls, data: bytes, media_type: str | None, name: str | None) -> Self:
        media_type = media_type or sniff_media_type(data)
        name = name or f"file{_EXTENSIONS.get(media_type or '', '')}"
        return cls(name=name, media_type=media_type or SUFFIXES.get(PurePath(name).suffix), size=len(data), data=data)

    def read(self) -> bytes:
        """Return all bytes; for providers that want them inside JSON."""
        if self.data is not None:
            return self.data
        if self.path is None:
            raise InvalidValueError(f"{self.name}: it is given as a URL, and this backend needs the bytes")
        return self.path.read_bytes()


@frozen(kw_only=True)
class UploadRequest(Request):
    """A file for the provider to keep.

    Attributes:
        file: The file.
        purpose: What it is for, in the provider's words; None where it has no such field.
        expires_after: Seconds until the provider deletes it; None leaves its default.
    """

    file: Upload
    purpose: str | None = None
    expires_after: int | None = None


@frozen(kw_only=True)
class FileInfo(Answer):
    """A file that a provider keeps.

    Attributes:
        id: By which it is used in requests.
        name: As it was uploaded.
        size: In bytes.
        media_type: As the provider tells.
        purpose: What it is for, in the provider's words.
        status: In the provider's words, such as processed.
        created: Seconds since 1970.
        expires: Seconds since 1970.
        url: How some providers want it named in messages.
    """

    id: str
    name: str | None = None
    size: int | None = None
    media_type: str | None = None
    purpose: str | None = None
    status: str | None = None
    created: float | None = None
    expires: float | None = None
    url: str | None = None


@frozen(kw_only=True)
class Transfer(Answer):
    """A download that is complete; its bytes came as `DataDelta` events.

    Attributes:
        size: In bytes.
        headers: What the provider told of it, such as its type.
    """

    size: int
    headers: Mapping[str, Any] = attrs.field(factory=dict, eq=False, repr=False)
