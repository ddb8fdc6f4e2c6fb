"""`ipfs-accel chat`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from ipfs_accel._client.clients import Client
from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.types import ChatOptions, FreeRunOptions, Message

from . import arguments, kinds
from .ask import Ask, judge_finish, judge_run
from .command import Command, State, pass_state
from .guide import or_guide
from .live import show_usage
from .output import write_json, write_line
from .values import plain

if TYPE_CHECKING:
    from .tools import Toolkit

__all__ = ["chat", "conversation"]


@click.command(
    cls=Command,
    short_help="Ask a model, or talk with it.",
    help="Ask a model; the answer is written while it comes. What is piped in stands before PROMPT.\n\n"
    f"The options for -o are {', '.join(arguments.option_names(ChatOptions))}.",
    examples=(
        'ipfs-accel chat -m openai/gpt-5.4-mini "Why is the sky blue?"',
        'git diff | ipfs-accel chat -s "You review code." "What could break?"',
        'ipfs-accel chat -a photo.jpg "What is this?" -o temperature=0 --usage',
        'ipfs-accel chat --schema person.schema.json "Invent a person." | jq .name',
        'ipfs-accel chat --schema "name, age int, hobbies str[]" "Invent a person."',
        'ipfs-accel chat --tools weather.py "How warm is it in Paris?"',
        "ipfs-accel chat -m llvm/ --interactive",
    ),
)
@click.argument("prompt", nargs=-1)
@arguments.model_option
@arguments.system_option
@arguments.settings_option(ChatOptions, FreeRunOptions)
@arguments.extra_option
@arguments.attach_option
@arguments.schema_option
@click.option(
    "--tools",
    metavar="FILE.py",
    type=kinds.FILE,
    help="Let the model call the functions of a file; each call is asked for.",
)
@click.option("--yes", is_flag=True, help="With --tools: make all calls without asking.")
@click.option("--no-stream", is_flag=True, help="Wait for the whole answer.")
@click.option("--jsonl", is_flag=True, help="Write each event of the stream as a line of JSON.")
@click.option("--reasoning", is_flag=True, help="Write what the model thinks to stderr.")
@click.option("--usage", is_flag=True, help="Write tokens and times to stderr afterwards.")
@click.option("--raw", is_flag=True, help="With --json: add what the provider itself answered.")
@click.option("-i", "--interactive", is_flag=True, help="Go on asking; .help lists what can be typed there.")
@pass_state
def chat(
    state: State,
    prompt: tuple[str, ...],
    *,
    model: str | None,
    system: str | None,
    settings: tuple[str, ...],
    extra: tuple[str, ...],
    attach: tuple[str, ...],
    schema: str | None,
    tools: str | None,
    yes: bool,
    no_stream: bool,
    jsonl: bool,
    reasoning: bool,
    usage: bool,
    raw: bool,
    interactive: bool,
) -> None:
    """Ask a model once, or hand over to the conversation."""
    _refuse_contradictions(state, jsonl=jsonl, no_stream=no_stream, interactive=interactive)
    options = _options(settings, extra, schema, FreeRunOptions if tools else ChatOptions)
    toolkit = _toolkit(tools, yes=yes)
    with state.client() as client:
        if not (system or attach or schema or tools):  # which the guide would not look at
            model = or_guide(model, client, state)
        ask = Ask(model=model, options=options, stream=not no_stream, usage=usage, reasoning=reasoning, tools=toolkit)
        arguments.check_model(model, client.config.default_model, "chat")
        if interactive:
            from .repl import Repl  # noqa: PLC0415 - most calls are no conversation

            attached = [(each, arguments.attachment(each)) for each in attach]
            Repl(client, ask, state, system).run(" ".join(prompt), attached)
            return
        messages = conversation(
            prompt, system, attach, 'give it as an argument ("…"), pipe it in, or talk with --interactive'
        )
        if state.json:
            _as_json(client, ask, messages, state, raw=raw)
        elif jsonl:
            _as_lines(client, ask, messages, state)
        else:
            ask.shown(client, messages, state)


def conversation(words: Iterable[str], system: str | None, attach: Iterable[str], hint: str) -> list[Message]:
    """Return what is asked, with what is piped in, and the instructions above it.

    Args:
        words: Of the command line.
        system: The instructions, or None.
        attach: Paths and URLs of what is attached.
        hint: What to do if nothing is asked.
    """
    parts = [arguments.attachment(each) for each in attach]
    text = arguments.with_stdin(words)
    if not text and not parts:
        raise InvalidRequestError("there is no prompt", hint=hint)
    return [*([Message.system(system)] if system else []), Message.user(*parts, text)]


def _refuse_contradictions(state: State, *, jsonl: bool, no_stream: bool, interactive: bool) -> None:
    given = {"--json": state.json, "--jsonl": jsonl, "--interactive": interactive}
    chosen = [flag for flag, is_given in given.items() if is_given]
    if jsonl and no_stream:
        chosen = ["--jsonl", "--no-stream"]
    if len(chosen) > 1:
        raise InvalidRequestError(f"{' and '.join(chosen)} exclude each other")


def _options(settings: Iterable[str], extra: Iterable[str], schema: str | None, kind: type[Any]) -> dict[str, Any]:
    options = arguments.parse_options(kind, settings, extra)
    if schema is not None:
        if "response_format" in options:
            raise InvalidRequestError("--schema and -o response_format exclude each other")
        options["response_format"] = arguments.parse_schema(schema)
    return options


def _toolkit(path: str | None, *, yes: bool) -> Toolkit | None:
    if path is None:
        if yes:
            raise InvalidRequestError("--yes is for the calls of --tools, which is not given")
        return None
    from .tools import load  # noqa: PLC0415 - few calls have tools

    return load(path, asks=not yes)


def _as_json(client: Client, ask: Ask, messages: list[Message], state: State, *, raw: bool) -> None:
    if ask.tools is not None:
        result = ask.tools.run(client, ask.model, messages, ask.options)
        write_json({"text": result.text} | plain(result, raw=raw))
        judge_run(state, result)
        return
    answer = client.chat(ask.model, messages, **ask.options)
    first = {
        "text": answer.text,
        "reasoning": answer.reasoning,
        "tool_calls": plain(answer.tool_calls),
        "finish_reason": answer.finish_reason,
    }
    write_json(first | plain(answer, raw=raw))
    judge_finish(state, answer)


def _as_lines(client: Client, ask: Ask, messages: list[Message], state: State) -> None:
    if ask.tools is not None:
        raise InvalidRequestError("--jsonl and --tools exclude each other", hint="--json writes the whole run")
    with client.stream(ask.model, messages, **ask.options) as stream:
        for event in stream:
            write_line(json.dumps(plain(event), ensure_ascii=False, allow_nan=False))
    if ask.usage:
        show_usage(stream.response)
    judge_finish(state, stream.response)
