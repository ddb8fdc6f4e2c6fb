"""`ipfs-accel complete`."""

from __future__ import annotations

from typing import Any

import click

from ipfs_accel._client.clients import Client
from ipfs_accel.errors import InvalidRequestError, UnsupportedOperationError
from ipfs_accel.types import CompleteOptions, CompletionResponse, Message

from . import arguments
from .command import Command, State, pass_state
from .live import Printer, show_usage
from .output import write_json, write_line
from .values import plain

__all__ = ["complete"]


@click.command(
    cls=Command,
    short_help="Let a model continue a text.",
    help="Let a model continue a text; what is piped in stands before PROMPT.\n\n"
    f"The options for -o are {', '.join(arguments.option_names(CompleteOptions))}.",
    examples=(
        'ipfs-accel complete -m llvm/ "Once upon a time" -o max_tokens=50',
        "head -20 module.py | ipfs-accel complete -o stop='[\"\\n\\n\"]'",
    ),
)
@click.argument("prompt", nargs=-1)
@arguments.model_option
@arguments.settings_option(CompleteOptions)
@arguments.extra_option
@click.option("--no-stream", is_flag=True, help="Wait for the whole answer.")
@click.option("--usage", is_flag=True, help="Write tokens and times to stderr afterwards.")
@click.option("--raw", is_flag=True, help="With --json: add what the provider itself answered.")
@pass_state
def complete(
    state: State,
    prompt: tuple[str, ...],
    *,
    model: str | None,
    settings: tuple[str, ...],
    extra: tuple[str, ...],
    no_stream: bool,
    usage: bool,
    raw: bool,
) -> None:
    """Let a model continue a text."""
    options = arguments.parse_options(CompleteOptions, settings, extra)
    with state.client() as client:
        arguments.check_model(model, client.config.default_model, "complete")
        text = "\n".join([each for each in (arguments.read_stdin(), " ".join(prompt)) if each])
        if not text:
            raise InvalidRequestError("there is no text to continue", hint='give it as an argument ("…") or pipe it in')
        if state.json:
            answer = client.complete(model, text, **options)
            write_json({"text": answer.text, "finish_reason": answer.finish_reason} | plain(answer, raw=raw))
            return
        wants_stream = not no_stream and options.get("n", 1) == 1
        streamed = _streamed(client, model, text, options, state) if wants_stream else None
        answer = streamed or _whole(client, model, text, options, state)
        if usage:
            show_usage(answer)


def _streamed(
    client: Client, model: str | None, text: str, options: dict[str, Any], state: State
) -> CompletionResponse | None:
    stream = client.stream_complete(model, text, **options)
    try:
        stream.__enter__()
    except UnsupportedOperationError:
        return None
    with stream:
        Printer(state).show(stream)
        return stream.response


def _whole(client: Client, model: str | None, text: str, options: dict[str, Any], state: State) -> CompletionResponse:
    answer = client.complete(model, text, **options)
    for index, choice in enumerate(answer.choices):
        if index:
            write_line("")
        Printer(state).message(Message.assistant(choice.text))
    return answer
