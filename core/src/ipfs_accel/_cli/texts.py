"""`ipfs-accel rerank`, `tokenize`, `count` and `classify`: what models make of texts beside answers and vectors."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.types import CallOptions, ChatOptions, ClassifyResponse, RerankResponse

from . import arguments
from .chat import conversation
from .command import Command, State, pass_state
from .live import show_usage
from .output import cut, emit, is_terminal, note, table, write_line
from .values import plain

__all__ = ["classify", "count", "rerank", "tokenize"]

_SHOWN_TEXT = 60
_OPTIONS = f"The options for -o are {', '.join(arguments.option_names(CallOptions))}."


@click.command(
    cls=Command,
    short_help="Order texts by how well they fit a question.",
    help="Order texts by how well they fit QUERY, the best first: each DOCUMENT, or each line that is piped in. Rows "
    f"have the place of the text among those that were given, from 0, its score and the text.\n\n{_OPTIONS}",
    examples=(
        'ipfs-accel rerank -m tei/ "capital of France" "Paris is." "Berlin is not."',
        'ipfs-accel rerank -m vllm/bge-reranker "how to log in" --top 3 < questions.txt',
        "ipfs-accel rerank -m tei/ cats --json < lines.txt | jq -r '.results[0].document'",
    ),
)
@click.argument("query")
@click.argument("documents", nargs=-1, metavar="[DOCUMENT]...")
@arguments.model_option
@click.option("--top", type=click.IntRange(1), metavar="N", help="Only the best so many.")
@arguments.settings_option(CallOptions)
@arguments.extra_option
@arguments.usage_option
@arguments.raw_option
@pass_state
def rerank(
    state: State,
    query: str,
    documents: tuple[str, ...],
    *,
    model: str | None,
    top: int | None,
    settings: tuple[str, ...],
    extra: tuple[str, ...],
    usage: bool,
    raw: bool,
) -> None:
    """Order texts."""
    options = arguments.parse_options(CallOptions, settings, extra)
    with state.client() as client:
        arguments.check_model(model, client.config.default_model, "rerank")
        answer = client.rerank(model, query, arguments.texts_or_lines(documents), top_n=top, **options)
    emit(state, plain(answer, raw=raw), lambda: _show_order(state, answer))
    if usage and not state.json:
        show_usage(answer)


def _show_order(state: State, answer: RerankResponse) -> None:
    rows = [(each.index, f"{each.score:.4f}", _shown(each.document)) for each in answer.results]
    table(state, ("place", "score", "document"), rows)


def _shown(text: str) -> str:
    """Return a text for a cell: whole where it is piped on."""
    return cut(text, _SHOWN_TEXT) if is_terminal() else text


@click.command(
    cls=Command,
    short_help="Split a text into a model's tokens.",
    help="Write the ids of the tokens that a model makes of TEXT, or of what is piped in.\n\n" + _OPTIONS,
    examples=(
        'ipfs-accel tokenize -m llvm/ "Why is the sky blue?"',
        "ipfs-accel tokenize -m vllm/ --json < notes.txt | jq '.tokens | length'",
    ),
)
@click.argument("text", nargs=-1)
@arguments.model_option
@click.option("--special", is_flag=True, help="With the tokens that begin and end a text.")
@arguments.settings_option(CallOptions)
@arguments.extra_option
@arguments.raw_option
@pass_state
def tokenize(
    state: State,
    text: tuple[str, ...],
    *,
    model: str | None,
    special: bool,
    settings: tuple[str, ...],
    extra: tuple[str, ...],
    raw: bool,
) -> None:
    """Split a text into tokens."""
    options = arguments.parse_options(CallOptions, settings, extra)
    with state.client() as client:
        arguments.check_model(model, client.config.default_model, "tokenize")
        given = arguments.with_stdin(text)
        if not given:
            raise InvalidRequestError("there is no text", hint='give it as an argument ("…") or pipe it in')
        answer = client.tokenize(model, given, add_special=special, **options)
    emit(state, plain(answer, raw=raw), lambda: write_line(" ".join(map(str, answer.tokens))))


@click.command(
    cls=Command,
    short_help="Count the tokens that a chat would send.",
    help="Count the input tokens that a chat with the same arguments would have. What is piped in stands before "
    f"PROMPT.\n\nThe options for -o are {', '.join(arguments.option_names(ChatOptions))}.",
    examples=(
        "ipfs-accel count -m claude/claude-sonnet-5 < notes.txt",
        'ipfs-accel count -m llvm/ -s "Be brief." "Why is the sky blue?" --json | jq .input_tokens',
    ),
)
@click.argument("prompt", nargs=-1)
@arguments.model_option
@arguments.system_option
@arguments.settings_option(ChatOptions)
@arguments.extra_option
@arguments.attach_option
@arguments.offline_option
@arguments.raw_option
@pass_state
def count(
    state: State,
    prompt: tuple[str, ...],
    *,
    model: str | None,
    system: str | None,
    settings: tuple[str, ...],
    extra: tuple[str, ...],
    attach: tuple[str, ...],
    offline: bool,
    raw: bool,
) -> None:
    """Count tokens."""
    options = arguments.parse_options(ChatOptions, settings, extra)
    with state.client() as client:
        arguments.check_model(model, client.config.default_model, "count")
        messages = conversation(prompt, system, attach, 'give it as an argument ("…") or pipe it in')
        answer = client.count_tokens(model, messages, offline=offline, **options)
    emit(state, plain(answer, raw=raw), lambda: write_line(str(answer.input_tokens)))
    if not answer.exact:
        between = f", between {answer.low} and {answer.high}" if answer.high is not None else ""
        note(state, f"note: this is no exact count ({answer.method or 'it is not told how it was made'}{between})")


@click.command(
    cls=Command,
    short_help="Label texts.",
    help="Label texts, such as by their mood: each TEXT, or each line that is piped in. Rows have the text, the "
    f"likeliest label, its score, and the other labels.\n\n{_OPTIONS}",
    examples=(
        'ipfs-accel classify -m tei/ "What a lovely day."',
        "ipfs-accel classify -m vllm/ < reviews.txt | cut -f 2 | sort | uniq -c",
    ),
)
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@arguments.model_option
@arguments.settings_option(CallOptions)
@arguments.extra_option
@arguments.usage_option
@arguments.raw_option
@pass_state
def classify(
    state: State,
    texts: tuple[str, ...],
    *,
    model: str | None,
    settings: tuple[str, ...],
    extra: tuple[str, ...],
    usage: bool,
    raw: bool,
) -> None:
    """Label texts."""
    options = arguments.parse_options(CallOptions, settings, extra)
    with state.client() as client:
        arguments.check_model(model, client.config.default_model, "classify")
        inputs = arguments.texts_or_lines(texts)
        answer = client.classify(model, inputs, **options)
    emit(state, plain(answer, raw=raw), lambda: _show_labels(state, inputs, answer))
    if usage and not state.json:
        show_usage(answer)


def _show_labels(state: State, inputs: Sequence[str], answer: ClassifyResponse) -> None:
    rows = []
    for text, labels in zip(inputs, answer.results, strict=False):
        named = [(each.label, f"{each.score:.4f}") for each in labels]
        first = named[0] if named else (None, None)
        rows.append((_shown(text), *first, ", ".join([" ".join(each) for each in named[1:]])))
    table(state, ("text", "label", "score", "others"), rows)
