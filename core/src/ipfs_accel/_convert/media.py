"""As `texts`, for pictures, sound, judgements, files and batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias, cast

import attrs

from ipfs_accel._suggest import short
from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.types import (
    BatchItem,
    BatchRequest,
    ChatRequest,
    ClassifyRequest,
    CompletionRequest,
    EditImageRequest,
    EmbedRequest,
    FileSource,
    GenerateImageRequest,
    Image,
    ModerateRequest,
    Request,
    SpeakRequest,
    TranscribeRequest,
    UploadRequest,
    VaryImageRequest,
)
from ipfs_accel.types._sources import holds, is_source

from .files import upload
from .messages import checked_media
from .texts import chat_request, check, checked, checked_chat

__all__ = [
    "BatchSource",
    "ImageSource",
    "batch_request",
    "classify_request",
    "edit_image_request",
    "generate_image_request",
    "moderate_request",
    "speak_request",
    "transcribe_request",
    "upload_request",
    "vary_image_request",
]

ImageSource: TypeAlias = Image | str | FileSource
BatchSource: TypeAlias = Mapping[str, Any] | Iterable[BatchItem]

_BATCHED = (ChatRequest, CompletionRequest, EmbedRequest)


def _text(name: str, value: Any) -> str:
    check(name, value, (str,))
    if not value.strip():
        raise InvalidRequestError(f"{name}: it is empty")
    return value  # type: ignore[no-any-return]


def _image(value: Any, field: str) -> Image:
    """Accept an `Image`, a path, bytes, an open file, or a URL (with its scheme)."""
    if isinstance(value, str) and value.startswith(("https://", "http://", "data:")):
        value = Image(url=value)
    elif isinstance(value, str):
        value = Image.from_path(value)
    elif is_source(value):
        value = Image(data=holds(value, field)[0])
    if not isinstance(value, Image):
        kind = type(value).__name__
        raise InvalidRequestError(f"{field}: expected an Image, a path, bytes, an open file or a URL, got {kind}")
    return checked_media(value, field)


def generate_image_request(model: str, prompt: Any, options: dict[str, Any]) -> GenerateImageRequest:
    """Make the request of `generate_image` and `stream_image`."""
    return GenerateImageRequest(model=model, prompt=_text("prompt", prompt), **checked(GenerateImageRequest, options))


def edit_image_request(model: str, value: Any, options: dict[str, Any]) -> EditImageRequest:
    """Make the request of `edit_image` and `stream_image_edit` from (images, prompt, mask)."""
    images, prompt, mask = value
    several = images if isinstance(images, Sequence) and not isinstance(images, str | bytes | bytearray) else (images,)
    if not several:
        raise InvalidRequestError("images: there is none")
    return EditImageRequest(
        model=model,
        images=tuple([_image(image, f"images[{index}]") for index, image in enumerate(several)]),
        prompt=_text("prompt", prompt),
        mask=None if mask is None else _image(mask, "mask"),
        **checked(EditImageRequest, options),
    )


def vary_image_request(model: str, image: Any, options: dict[str, Any]) -> VaryImageRequest:
    """Make the request of `vary_image`."""
    return VaryImageRequest(model=model, image=_image(image, "image"), **checked(VaryImageRequest, options))


def transcribe_request(model: str, audio: Any, options: dict[str, Any]) -> TranscribeRequest:
    """Make the request of `transcribe`, `stream_transcribe` and `translate`."""
    sound = upload(audio, "audio")
    if sound.size == 0:
        raise InvalidRequestError(f"audio: {sound.name} is empty")
    return TranscribeRequest(model=model, audio=sound, **checked(TranscribeRequest, options))


def speak_request(model: str, text: Any, options: dict[str, Any]) -> SpeakRequest:
    """Make the request of `speak` and `stream_speak`."""
    return SpeakRequest(model=model, text=_text("text", text), **checked(SpeakRequest, options))


def _inputs(value: Any, read: Callable[[Any, str], Any]) -> tuple[Any, ...]:
    several = value if isinstance(value, list) else [value]
    if not several:
        raise InvalidRequestError("inputs: there is none")
    return tuple([read(item, f"inputs[{index}]") for index, item in enumerate(several)])


def moderate_request(model: str, inputs: Any, options: dict[str, Any]) -> ModerateRequest:
    """Make the request of `moderate` from one input or a list of them."""

    def read(item: Any, where: str) -> Any:
        if isinstance(item, tuple) and item:
            return tuple([read(part, where) for part in item])
        if not isinstance(item, str | Image):
            raise InvalidRequestError(f"{where}: expected a string, an Image or a tuple of them, got {short(item)}")
        return checked_media(item, where)

    return ModerateRequest(model=model, inputs=_inputs(inputs, read), **checked(ModerateRequest, options))


def classify_request(model: str, inputs: Any, options: dict[str, Any]) -> ClassifyRequest:
    """Make the request of `classify` from one input or a list of them."""

    def read(item: Any, where: str) -> Any:
        is_pair = isinstance(item, tuple) and len(item) == 2 and all(isinstance(text, str) for text in item)  # noqa: PLR2004
        if not is_pair and not isinstance(item, str):
            raise InvalidRequestError(f"{where}: expected a string or a pair of strings, got {short(item)}")
        return item

    return ClassifyRequest(model=model, inputs=_inputs(inputs, read), **checked(ClassifyRequest, options))


def upload_request(_model: str, value: Any, options: dict[str, Any]) -> UploadRequest:
    """Make the request of `upload_file` from (source, name)."""
    source, name = value
    file = upload(source, "file", name)
    if file.url is not None:
        raise InvalidRequestError("file: it is a URL; give a path or bytes")
    return UploadRequest(file=file, **checked(UploadRequest, options))


def batch_request(model: str, items: Any, options: dict[str, Any]) -> BatchRequest:
    """Make the request of `create_batch`; items may be `BatchItem`s, or a mapping of ids to chats or requests."""
    own: dict[str, Any] = {
        name: options.pop(name) for name in ("completion_window", "metadata", "extra") if name in options
    }
    if isinstance(items, Mapping):
        chats = cast("Mapping[str, Any]", items)
        found = [BatchItem(id=name, request=_batched(model, value, options, name)) for name, value in chats.items()]
    elif isinstance(items, str) or not isinstance(items, Iterable):
        raise InvalidRequestError(f"items: expected a mapping of ids or BatchItems, got {type(items).__name__}")
    else:
        found = [_item(item, index, model) for index, item in enumerate(items)]
        if options:
            raise InvalidRequestError(f"{next(iter(options))}: options go with a mapping of ids to chats")
    if not found:
        raise InvalidRequestError("items: there is none")
    ids = [item.id for item in found]
    if len(set(ids)) < len(ids):
        twice = next(name for name in ids if ids.count(name) > 1)
        raise InvalidRequestError(f"items: the id {twice!r} is there twice")
    kinds = {type(item.request).__name__ for item in found}
    if len(kinds) > 1:
        raise InvalidRequestError(f"items: all have to be of one kind, these are {' and '.join(sorted(kinds))}")
    return BatchRequest(model=model, items=tuple(found), **checked(BatchRequest, own))


def _batched(model: str, value: Any, options: dict[str, Any], where: str) -> Any:
    if isinstance(value, _BATCHED):
        return _with_model(value, model, f"items[{where!r}]")
    if isinstance(value, Request):
        raise InvalidRequestError(f"items[{where!r}]: {type(value).__name__} cannot be batched")
    try:
        return chat_request(model, value, dict(options))
    except InvalidRequestError as error:
        raise InvalidRequestError(f"items[{where!r}].{error.message}", hint=error.hint) from None


def _item(item: Any, index: int, model: str) -> BatchItem:
    if not isinstance(item, BatchItem):
        raise InvalidRequestError(f"items[{index}]: expected a BatchItem, got {type(item).__name__}")
    return attrs.evolve(item, request=_with_model(item.request, model, f"items[{index}].request"))


def _with_model(request: Any, model: str, where: str) -> Any:
    try:
        checked_one = checked_chat(request) if isinstance(request, ChatRequest) else request
    except InvalidRequestError as error:
        raise InvalidRequestError(f"{where}.{error.message}", hint=error.hint) from None
    return checked_one if checked_one.model else attrs.evolve(checked_one, model=model)
