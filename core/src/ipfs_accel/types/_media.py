"""Pictures, sound and judgements: requests and answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from ipfs_accel._values import frozen

from ._answers import Answer
from ._files import Upload
from ._messages import Image
from ._requests import Request
from ._usage import Usage


@frozen(kw_only=True)
class ImageOptionsRequest(Request):
    """What requests for pictures have in common; None leaves the provider's default.

    Attributes:
        n: How many pictures.
        size: Such as 1024x1024, or the provider's own word.
        quality: In the provider's words, such as low or high.
        background: transparent, opaque or auto.
        style: In the provider's words.
        output_format: png, jpeg or webp.
        output_compression: 0 to 100.
        seed: Makes the picture repeatable where the provider can.
        negative_prompt: What should not be on it.
        user: An opaque id of the end user.
    """

    n: int | None = None
    size: str | None = None
    quality: str | None = None
    background: str | None = None
    style: str | None = None
    output_format: str | None = None
    output_compression: int | None = None
    seed: int | None = None
    negative_prompt: str | None = None
    user: str | None = None


@frozen(kw_only=True)
class GenerateImageRequest(ImageOptionsRequest):
    """Pictures to make from words.

    Attributes:
        prompt: What they should show.
        partial_images: How many unfinished versions to send before the last; only when streaming.
    """

    prompt: str
    partial_images: int | None = None


@frozen(kw_only=True)
class EditImageRequest(ImageOptionsRequest):
    """Pictures to make from pictures and words.

    Attributes:
        images: What to start from.
        prompt: What to change.
        mask: A PNG whose transparent parts say where.
        partial_images: As in `GenerateImageRequest`.
    """

    images: tuple[Image, ...]
    prompt: str
    mask: Image | None = None
    partial_images: int | None = None


@frozen(kw_only=True)
class VaryImageRequest(ImageOptionsRequest):
    """Variations of a picture.

    Attributes:
        image: The picture.
    """

    image: Image


@frozen(kw_only=True)
class GeneratedImage:
    """A picture that a model made; it comes as bytes or as a URL that soon expires.

    Attributes:
        data: The bytes.
        url: Where to fetch it.
        media_type: Such as image/png.
        revised_prompt: What the provider made of the prompt.
    """

    data: bytes | None = attrs.field(default=None, repr=lambda data: "None" if data is None else f"<{len(data)} bytes>")
    url: str | None = None
    media_type: str | None = None
    revised_prompt: str | None = None

    def save(self, path: str | Path) -> None:
        """Write the bytes to a file.

        Raises:
            ValueError: The picture came as a URL.
        """
        if self.data is None:
            raise ValueError(f"the picture came as a URL, which has to be fetched: {self.url}")
        Path(path).write_bytes(self.data)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:  # noqa: ARG002
        from . import _shown  # noqa: PLC0415 - only notebooks ask

        return _shown.picture(self)


@frozen(kw_only=True)
class ImageResponse(Answer):
    """Pictures.

    Attributes:
        images: In the provider's order.
        text: What the model said beside them, where it does.
        model: As the provider names it.
        usage: Tokens used, where it counts them.
    """

    images: tuple[GeneratedImage, ...]
    text: str = ""
    model: str | None = None
    usage: Usage = attrs.field(factory=Usage)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:  # noqa: ARG002
        from . import _shown  # noqa: PLC0415 - only notebooks ask

        return _shown.pictures(self)


@frozen(kw_only=True)
class TranscribeRequest(Request):
    """Speech to write down, for `transcribe` (in its own language) and `translate` (into English).

    Attributes:
        audio: The sound.
        language: ISO-639-1 code of what is spoken.
        prompt: Words that help to spell names, or how the text before ended.
        temperature: Randomness from 0.
        timestamps: Among word and segment: which times to return.
        response_format: json, verbose_json, text, srt, vtt, or the provider's own; None lets the backend choose what
            the other options need.
    """

    audio: Upload
    language: str | None = None
    prompt: str | None = None
    temperature: float | None = None
    timestamps: tuple[str, ...] | None = None
    response_format: str | None = None


@frozen(kw_only=True)
class Segment:
    """A stretch of speech.

    Attributes:
        start: Seconds from the beginning of the sound.
        end: Likewise.
        text: What is said.
        speaker: Who says it, where the provider tells speakers apart.
        raw: The provider's own JSON.
    """

    start: float
    end: float
    text: str
    speaker: str | None = None
    raw: Any = attrs.field(default=None, eq=False, repr=False)


@frozen(kw_only=True)
class TranscribeResponse(Answer):
    """What was said.

    Attributes:
        text: All of it; subtitles if `response_format` was srt or vtt.
        language: What is spoken, as the provider names it.
        duration: Of the sound in seconds.
        segments: Where the provider gives them.
        words: Likewise, one segment a word.
        model: As the provider names it.
        usage: Tokens used, where it counts them.
    """

    text: str
    language: str | None = None
    duration: float | None = None
    segments: tuple[Segment, ...] = ()
    words: tuple[Segment, ...] = ()
    model: str | None = None
    usage: Usage = attrs.field(factory=Usage)


@frozen(kw_only=True)
class SpeakRequest(Request):
    """A text to read aloud.

    Attributes:
        text: The text.
        voice: In the provider's words; None leaves its default where it has one.
        output_format: Such as mp3, wav, opus, flac, aac or pcm.
        speed: 1 is normal.
        instructions: How to say it.
        sample_rate: In hertz.
    """

    text: str
    voice: str | None = None
    output_format: str | None = None
    speed: float | None = None
    instructions: str | None = None
    sample_rate: int | None = None


@frozen(kw_only=True)
class SpeakResponse(Answer):
    """Speech.

    Attributes:
        data: The sound, in the format that was asked for.
        media_type: As the provider tells.
        usage: Tokens used, where it counts them.
    """

    data: bytes = attrs.field(repr=lambda data: f"<{len(data)} bytes>")
    media_type: str | None = None
    usage: Usage = attrs.field(factory=Usage)

    def save(self, path: str | Path) -> None:
        """Write the sound to a file."""
        Path(path).write_bytes(self.data)


@frozen(kw_only=True)
class ModerateRequest(Request):
    """Texts and pictures to judge.

    Attributes:
        inputs: Each gets a judgement; a tuple among them is one input of several parts.
    """

    inputs: tuple[str | Image | tuple[str | Image, ...], ...]


@frozen(kw_only=True)
class Moderation:
    """A judgement.

    Attributes:
        flagged: Whether the provider thinks the input harmful.
        categories: Its categories, each with whether it applies.
        scores: Likewise, with how sure it is.
    """

    flagged: bool
    categories: Mapping[str, bool] = attrs.field(factory=dict)
    scores: Mapping[str, float] = attrs.field(factory=dict)


@frozen(kw_only=True)
class ModerateResponse(Answer):
    """Judgements, one per input and in their order.

    Attributes:
        results: One for each input, in order.
        model: As the server names it.
        usage: Tokens, as far as the server tells.
    """

    results: tuple[Moderation, ...]
    model: str | None = None
    usage: Usage = attrs.field(factory=Usage)


@frozen(kw_only=True)
class ClassifyRequest(Request):
    """Texts to label.

    Attributes:
        inputs: Texts, or pairs of texts.
    """

    inputs: tuple[str | tuple[str, str], ...]


@frozen(kw_only=True)
class Label:
    """A label and how sure the model is, usually 0 to 1.

    Attributes:
        label: In the model's words.
        score: From 0 to 1.
    """

    label: str
    score: float


@frozen(kw_only=True)
class ClassifyResponse(Answer):
    """Labels, one tuple per input and in their order, the likeliest label first.

    Attributes:
        results: One for each input, in order.
        model: As the server names it.
        usage: Tokens, as far as the server tells.
    """

    results: tuple[tuple[Label, ...], ...]
    model: str | None = None
    usage: Usage = attrs.field(factory=Usage)
