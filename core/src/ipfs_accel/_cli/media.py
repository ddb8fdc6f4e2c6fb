"""`ipfs-accel image`, `edit-image`, `speak`, `transcribe`, `translate` and `moderate`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.types import CallOptions, GeneratedImage, ImageOptions, ImageResponse, SpeakOptions, TranscribeOptions

from . import arguments, kinds
from .command import Command, State, pass_state
from .live import Printer
from .output import emit, is_terminal, note, table, write_json, write_line
from .progress import Bar
from .values import plain

__all__ = ["edit_image", "image", "moderate", "speak", "transcribe", "translate"]

_file_option = click.option(
    "-f",
    "--file",
    metavar="FILE",
    type=kinds.FILE,
    help="Where to write it. Default: image with the ending of its type.",
)
_mask_option = click.option(
    "--mask", metavar="FILE", type=kinds.FILE, help="A PNG whose transparent parts say what to change."
)
_SUFFIXES = {"image/jpeg": ".jpg", "image/svg+xml": ".svg", "audio/mpeg": ".mp3"}


def _target(name: str, index: int, count: int) -> Path:
    """Return where to write one of several results: `cat.png`, or `cat-1.png` and so on."""
    path = Path(name)
    return path if count == 1 else path.with_stem(f"{path.stem}-{index + 1}")


def _write(path: Path, data: bytes, flag: str) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise InvalidRequestError(f"{flag} {path}: {error.strerror}") from None


@click.command(
    cls=Command,
    short_help="Make pictures.",
    help="Make pictures from words, or with -i from other pictures.\n\n"
    f"The options for -o are {', '.join(arguments.option_names(ImageOptions))}.",
    examples=(
        'ipfs-accel image -m openai/gpt-image-2 "a cat in the rain" -f cat.png',
        'ipfs-accel image -m openai/gpt-image-2 "give it a hat" -i cat.png -f hat.png',
        'ipfs-accel image -m openai/gpt-image-2 "a logo" -o n=4 -o size=1024x1024 -f logo.png',
    ),
)
@click.argument("prompt", nargs=-1)
@arguments.model_option
@_file_option
@click.option(
    "-i",
    "--input",
    "inputs",
    multiple=True,
    metavar="FILE",
    type=kinds.FILE,
    help="A picture to start from. Repeatable.",
)
@_mask_option
@arguments.settings_option(ImageOptions)
@arguments.extra_option
@arguments.raw_option
@pass_state
def image(
    state: State,
    prompt: tuple[str, ...],
    *,
    model: str | None,
    file: str | None,
    inputs: tuple[str, ...],
    mask: str | None,
    settings: tuple[str, ...],
    extra: tuple[str, ...],
    raw: bool,
) -> None:
    """Make pictures."""
    options = arguments.parse_options(ImageOptions, settings, extra)
    with state.client() as client:
        arguments.check_model(model, client.config.default_model, "image")
        text = _prompt(prompt)
        if mask is not None and not inputs:
            raise InvalidRequestError("--mask says where to change a picture, and none is given", hint="add -i FILE")
        if inputs:
            answer = client.edit_image(model, list(inputs), text, mask=mask, **options)
        else:
            answer = client.generate_image(model, text, **options)
    _tell(state, answer, file, raw=raw)


@click.command(
    cls=Command,
    short_help="Make pictures from pictures.",
    help="Make pictures from PICTURE, a file or URL, and from more of them with -i; PROMPT says what to change.\n\n"
    f"The options for -o are {', '.join(arguments.option_names(ImageOptions))}.",
    examples=(
        'ipfs-accel edit-image -m openai/gpt-image-2 cat.png "give it a hat" -f hat.png',
        'ipfs-accel edit-image -m openai/gpt-image-2 room.png "a plant here" --mask corner.png -f room-2.png',
    ),
)
@click.argument("picture", type=kinds.FILE)
@click.argument("prompt", nargs=-1)
@arguments.model_option
@_file_option
@click.option(
    "-i", "--input", "inputs", multiple=True, metavar="FILE", type=kinds.FILE, help="A further picture. Repeatable."
)
@_mask_option
@arguments.settings_option(ImageOptions)
@arguments.extra_option
@arguments.raw_option
@pass_state
def edit_image(
    state: State,
    picture: str,
    prompt: tuple[str, ...],
    *,
    model: str | None,
    file: str | None,
    inputs: tuple[str, ...],
    mask: str | None,
    settings: tuple[str, ...],
    extra: tuple[str, ...],
    raw: bool,
) -> None:
    """Make pictures from pictures."""
    options = arguments.parse_options(ImageOptions, settings, extra)
    with state.client() as client:
        arguments.check_model(model, client.config.default_model, "edit-image")
        text = _prompt(prompt)
        answer = client.edit_image(model, [picture, *inputs], text, mask=mask, **options)
    _tell(state, answer, file, raw=raw)


def _prompt(words: Iterable[str]) -> str:
    text = arguments.with_stdin(words)
    if not text:
        raise InvalidRequestError("there is no prompt", hint='give it as an argument ("…") or pipe it in')
    return text


def _tell(state: State, answer: ImageResponse, file: str | None, *, raw: bool) -> None:
    """Write the pictures, and say where they are."""
    count = len(answer.images)
    written = [_save(picture, file, index, count) for index, picture in enumerate(answer.images)]
    document = {"files": written, "text": answer.text, "model": answer.model, "usage": plain(answer.usage)}
    emit(state, document | ({"raw": plain(answer.raw)} if raw else {}), lambda: _list(written))


def _save(picture: GeneratedImage, name: str | None, index: int, count: int) -> str:
    """Write a picture and return its path; return the URL of one that was not sent."""
    if picture.data is None:
        return picture.url or ""
    kind = picture.media_type or "image/png"
    path = _target(name or f"image{_SUFFIXES.get(kind, '.' + kind.partition('/')[2])}", index, count)
    _write(path, picture.data, "-f")
    return str(path)


def _list(names: list[str]) -> None:
    for name in names:
        write_line(name)


@click.command(
    cls=Command,
    short_help="Read a text aloud.",
    help="Read a text aloud into a file, or onto stdout if that is piped on.\n\n"
    f"The options for -o are {', '.join(arguments.option_names(SpeakOptions))}.",
    examples=(
        'ipfs-accel speak -m openai/gpt-4o-mini-tts "Good morning." -o voice=alloy -f morning.mp3',
        "ipfs-accel speak -m groq/canopylabs/orpheus-v1-english -o voice=troy < letter.txt | aplay",
    ),
)
@click.argument("text", nargs=-1)
@arguments.model_option
@click.option("-f", "--file", metavar="FILE", type=kinds.FILE, help="Where to write it.")
@arguments.settings_option(SpeakOptions)
@arguments.extra_option
@pass_state
def speak(
    state: State,
    text: tuple[str, ...],
    *,
    model: str | None,
    file: str | None,
    settings: tuple[str, ...],
    extra: tuple[str, ...],
) -> None:
    """Read a text aloud."""
    options = arguments.parse_options(SpeakOptions, settings, extra)
    if file is None and (is_terminal() or state.json):
        raise InvalidRequestError("sound is not for terminals", hint="add -f FILE, or pipe it into a player")
    with state.client() as client:
        arguments.check_model(model, client.config.default_model, "speak")
        said = arguments.with_stdin(text)
        if not said:
            raise InvalidRequestError("there is nothing to say", hint='give it as an argument ("…") or pipe it in')
        answer = client.speak(model, said, **options)
    if file is None:
        sys.stdout.buffer.write(answer.data)
        sys.stdout.buffer.flush()
        return
    _write(Path(file), answer.data, "-f")
    document = {"file": file, "media_type": answer.media_type, "bytes": len(answer.data), "usage": plain(answer.usage)}
    emit(state, document, lambda: write_line(file))


@click.command(
    cls=Command,
    short_help="Write down what is said.",
    help="Write down what is said in a sound file.\n\n"
    f"The options for -o are {', '.join(arguments.option_names(TranscribeOptions))}.",
    examples=(
        "ipfs-accel transcribe -m groq/whisper-large-v3-turbo talk.mp3",
        "ipfs-accel transcribe -m openai/whisper-1 talk.mp3 -o response_format=srt > talk.srt",
        "ipfs-accel transcribe -m openai/gpt-transcribe talk.wav --stream",
    ),
)
@click.argument("file", type=kinds.FILE)
@arguments.model_option
@click.option("--stream", is_flag=True, help="Show it while it comes.")
@arguments.settings_option(TranscribeOptions)
@arguments.extra_option
@arguments.raw_option
@pass_state
def transcribe(
    state: State,
    file: str,
    *,
    model: str | None,
    stream: bool,
    settings: tuple[str, ...],
    extra: tuple[str, ...],
    raw: bool,
) -> None:
    """Write down what is said."""
    options = arguments.parse_options(TranscribeOptions, settings, extra)
    with state.client() as client, Bar(state, "sending") as bar:
        arguments.check_model(model, client.config.default_model, "transcribe")
        options["on_upload"] = bar.bytes
        if stream and not state.json:
            with client.stream_transcribe(model, file, **options) as pieces:
                printer = Printer(state)
                for piece in pieces.text_stream:
                    printer.text(piece)
            write_line("")
            return
        answer = client.transcribe(model, file, **options)
    emit(state, plain(answer, raw=raw), lambda: write_line(answer.text.rstrip("\n")))


@click.command(
    cls=Command,
    short_help="Write down in English what is said.",
    help="Write down in English what is said in a sound file, in whatever language.\n\n"
    f"The options for -o are {', '.join(arguments.option_names(TranscribeOptions))}.",
    examples=("ipfs-accel translate -m openai/whisper-1 rede.ogg",),
)
@click.argument("file", type=kinds.FILE)
@arguments.model_option
@arguments.settings_option(TranscribeOptions)
@arguments.extra_option
@arguments.raw_option
@pass_state
def translate(
    state: State, file: str, *, model: str | None, settings: tuple[str, ...], extra: tuple[str, ...], raw: bool
) -> None:
    """Write down in English what is said."""
    options = arguments.parse_options(TranscribeOptions, settings, extra)
    with state.client() as client, Bar(state, "sending") as bar:
        arguments.check_model(model, client.config.default_model, "translate")
        answer = client.translate(model, file, on_upload=bar.bytes, **options)
    emit(state, plain(answer, raw=raw), lambda: write_line(answer.text.rstrip("\n")))


@click.command(
    cls=Command,
    short_help="Judge whether texts are harmful.",
    help="Judge whether texts are harmful: each TEXT, or what is piped in. The exit code is 0 whatever the judgement.",
    examples=(
        'ipfs-accel moderate -m openai/omni-moderation-latest "some text"',
        "ipfs-accel moderate -m openai/omni-moderation-latest --json < letter.txt | jq '.results[0].flagged'",
    ),
)
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@arguments.model_option
@arguments.extra_option
@arguments.raw_option
@pass_state
def moderate(state: State, texts: tuple[str, ...], *, model: str | None, extra: tuple[str, ...], raw: bool) -> None:
    """Judge whether texts are harmful."""
    options: dict[str, Any] = arguments.parse_options(CallOptions, (), extra)
    with state.client() as client:
        arguments.check_model(model, client.config.default_model, "moderate")
        inputs = list(texts) or [text for text in [arguments.read_stdin()] if text]
        if not inputs:
            raise InvalidRequestError("there are no texts", hint='give them as arguments ("…") or pipe one in')
        answer = client.moderate(model, [*inputs], **options)
    if state.json:
        write_json(plain(answer, raw=raw))
        return
    rows = []
    for text, result in zip(inputs, answer.results, strict=False):
        named = ", ".join([name for name, applies in result.categories.items() if applies])
        rows.append((text[:40], "flagged" if result.flagged else "ok", named))
    table(state, ("text", "judgement", "categories"), rows)
    if not any(result.flagged for result in answer.results):
        note(state, "nothing was flagged")
