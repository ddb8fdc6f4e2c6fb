"""The clients' calls for pictures, sound and judgements, in both worlds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ipfs_accel._calls import operations as ops
from ipfs_accel._calls.streams import AsyncStream, Stream

from .base import AsyncBase, SyncBase

if TYPE_CHECKING:
    from typing import Unpack

    from ipfs_accel._convert.media import ImageSource
    from ipfs_accel.types import (
        CallOptions,
        ClassifyResponse,
        DataDelta,
        Image,
        ImageOptions,
        ImageResponse,
        Model,
        ModerateResponse,
        PartialImage,
        Segment,
        SpeakOptions,
        SpeakResponse,
        TextDelta,
        TranscribeOptions,
        TranscribeResponse,
        UploadSource,
    )

__all__ = ["AsyncMediaCalls", "MediaCalls"]


class MediaCalls(SyncBase):
    """Pictures, sound and judgements; models are named as for chats."""

    def generate_image(self, model: Model, prompt: str, **options: Unpack[ImageOptions]) -> ImageResponse:
        """Make pictures from words; options: see `ImageOptions`."""
        return self._run(self._core.whole(ops.GENERATE_IMAGE, model, prompt, dict(options)))

    def stream_image(
        self, model: Model, prompt: str, **options: Unpack[ImageOptions]
    ) -> Stream[PartialImage, ImageResponse]:
        """Make pictures and see unfinished versions of them, as `PartialImage` events; arguments as before."""
        return Stream(self._core.opening(ops.STREAM_IMAGE, model, prompt, dict(options)), self._world)

    def edit_image(
        self,
        model: Model,
        images: ImageSource | Sequence[ImageSource],
        prompt: str,
        *,
        mask: ImageSource | None = None,
        **options: Unpack[ImageOptions],
    ) -> ImageResponse:
        """Make pictures from pictures.

        Args:
            model: `endpoint/model`, an alias or a route; a list is a fallback chain; None means the configured default.
            images: An `Image`, path, bytes, open file or URL, or several of them.
            prompt: What to change.
            mask: A PNG whose transparent parts say where.
            options: See `ImageOptions`.
        """
        value = (images, prompt, mask)
        return self._run(self._core.whole(ops.EDIT_IMAGE, model, value, dict(options)))

    def stream_image_edit(
        self,
        model: Model,
        images: ImageSource | Sequence[ImageSource],
        prompt: str,
        *,
        mask: ImageSource | None = None,
        **options: Unpack[ImageOptions],
    ) -> Stream[PartialImage, ImageResponse]:
        """Make pictures from pictures and see unfinished versions; arguments as for `edit_image`."""
        value = (images, prompt, mask)
        return Stream(self._core.opening(ops.STREAM_IMAGE_EDIT, model, value, dict(options)), self._world)

    def vary_image(self, model: Model, image: ImageSource, **options: Unpack[ImageOptions]) -> ImageResponse:
        """Make variations of a picture."""
        return self._run(self._core.whole(ops.VARY_IMAGE, model, image, dict(options)))

    def transcribe(self, model: Model, audio: UploadSource, **options: Unpack[TranscribeOptions]) -> TranscribeResponse:
        """Write down what is said, in its own language.

        Args:
            model: `endpoint/model`, an alias or a route; a list is a fallback chain; None means the configured default.
            audio: A path, whose file is read while it is sent, bytes, a file open in binary mode, or an `Audio`.
            options: See `TranscribeOptions`.
        """
        return self._run(self._core.whole(ops.TRANSCRIBE, model, audio, dict(options)))

    def stream_transcribe(
        self, model: Model, audio: UploadSource, **options: Unpack[TranscribeOptions]
    ) -> Stream[TextDelta | Segment, TranscribeResponse]:
        """Write down what is said and read it while it comes; arguments as for `transcribe`."""
        return Stream(self._core.opening(ops.STREAM_TRANSCRIBE, model, audio, dict(options)), self._world)

    def translate(self, model: Model, audio: UploadSource, **options: Unpack[TranscribeOptions]) -> TranscribeResponse:
        """Write down in English what is said in any language; arguments as for `transcribe`."""
        return self._run(self._core.whole(ops.TRANSLATE, model, audio, dict(options)))

    def speak(self, model: Model, text: str, **options: Unpack[SpeakOptions]) -> SpeakResponse:
        """Read a text aloud; options: see `SpeakOptions`."""
        return self._run(self._core.whole(ops.SPEAK, model, text, dict(options)))

    def stream_speak(
        self, model: Model, text: str, **options: Unpack[SpeakOptions]
    ) -> Stream[DataDelta, SpeakResponse]:
        """Read a text aloud and hear it while it comes, as `DataDelta` events; arguments as for `speak`."""
        return Stream(self._core.opening(ops.STREAM_SPEAK, model, text, dict(options)), self._world)

    def moderate(
        self,
        model: Model,
        inputs: str | Image | list[str | Image | tuple[str | Image, ...]],
        **options: Unpack[CallOptions],
    ) -> ModerateResponse:
        """Judge whether texts and pictures are harmful; one judgement per input, a tuple being one input."""
        return self._run(self._core.whole(ops.MODERATE, model, inputs, dict(options)))

    def classify(
        self, model: Model, inputs: str | tuple[str, str] | list[Any], **options: Unpack[CallOptions]
    ) -> ClassifyResponse:
        """Label texts, or pairs of texts; one tuple of labels per input."""
        return self._run(self._core.whole(ops.CLASSIFY, model, inputs, dict(options)))


class AsyncMediaCalls(AsyncBase):
    """The same, awaited."""

    async def generate_image(self, model: Model, prompt: str, **options: Unpack[ImageOptions]) -> ImageResponse:
        """As `Client.generate_image`."""
        return await self._run(self._core.whole(ops.GENERATE_IMAGE, model, prompt, dict(options)))

    def stream_image(
        self, model: Model, prompt: str, **options: Unpack[ImageOptions]
    ) -> AsyncStream[PartialImage, ImageResponse]:
        """As `Client.stream_image`; not awaited itself."""
        return AsyncStream(self._core.opening(ops.STREAM_IMAGE, model, prompt, dict(options)), self._world)

    async def edit_image(
        self,
        model: Model,
        images: ImageSource | Sequence[ImageSource],
        prompt: str,
        *,
        mask: ImageSource | None = None,
        **options: Unpack[ImageOptions],
    ) -> ImageResponse:
        """As `Client.edit_image`."""
        value = (images, prompt, mask)
        return await self._run(self._core.whole(ops.EDIT_IMAGE, model, value, dict(options)))

    def stream_image_edit(
        self,
        model: Model,
        images: ImageSource | Sequence[ImageSource],
        prompt: str,
        *,
        mask: ImageSource | None = None,
        **options: Unpack[ImageOptions],
    ) -> AsyncStream[PartialImage, ImageResponse]:
        """As `Client.stream_image_edit`; not awaited itself."""
        value = (images, prompt, mask)
        return AsyncStream(self._core.opening(ops.STREAM_IMAGE_EDIT, model, value, dict(options)), self._world)

    async def vary_image(self, model: Model, image: ImageSource, **options: Unpack[ImageOptions]) -> ImageResponse:
        """As `Client.vary_image`."""
        return await self._run(self._core.whole(ops.VARY_IMAGE, model, image, dict(options)))

    async def transcribe(
        self, model: Model, audio: UploadSource, **options: Unpack[TranscribeOptions]
    ) -> TranscribeResponse:
        """As `Client.transcribe`."""
        return await self._run(self._core.whole(ops.TRANSCRIBE, model, audio, dict(options)))

    def stream_transcribe(
        self, model: Model, audio: UploadSource, **options: Unpack[TranscribeOptions]
    ) -> AsyncStream[TextDelta | Segment, TranscribeResponse]:
        """As `Client.stream_transcribe`; not awaited itself."""
        return AsyncStream(self._core.opening(ops.STREAM_TRANSCRIBE, model, audio, dict(options)), self._world)

    async def translate(
        self, model: Model, audio: UploadSource, **options: Unpack[TranscribeOptions]
    ) -> TranscribeResponse:
        """As `Client.translate`."""
        return await self._run(self._core.whole(ops.TRANSLATE, model, audio, dict(options)))

    async def speak(self, model: Model, text: str, **options: Unpack[SpeakOptions]) -> SpeakResponse:
        """As `Client.speak`."""
        return await self._run(self._core.whole(ops.SPEAK, model, text, dict(options)))

    def stream_speak(
        self, model: Model, text: str, **options: Unpack[SpeakOptions]
    ) -> AsyncStream[DataDelta, SpeakResponse]:
        """As `Client.stream_speak`; not awaited itself."""
        return AsyncStream(self._core.opening(ops.STREAM_SPEAK, model, text, dict(options)), self._world)

    async def moderate(
        self,
        model: Model,
        inputs: str | Image | list[str | Image | tuple[str | Image, ...]],
        **options: Unpack[CallOptions],
    ) -> ModerateResponse:
        """As `Client.moderate`."""
        return await self._run(self._core.whole(ops.MODERATE, model, inputs, dict(options)))

    async def classify(
        self, model: Model, inputs: str | tuple[str, str] | list[Any], **options: Unpack[CallOptions]
    ) -> ClassifyResponse:
        """As `Client.classify`."""
        return await self._run(self._core.whole(ops.CLASSIFY, model, inputs, dict(options)))
