"""`ipfs-accel predict`: tensors in, tensors out."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.types import PredictOptions, PredictResponse, Tensor

from . import arguments, kinds
from .command import Command, State, pass_state
from .output import cut, emit, is_terminal, table, write_line
from .values import plain

__all__ = ["predict"]

_SHOWN_VALUES = 60


@click.command(
    cls=Command,
    short_help="Let a model make tensors of tensors.",
    help="Let a model make tensors of tensors. An INPUT is NAME=JSON, a number or lists of them; NAME=@FILE has the "
    "JSON in a file. One that is JSON alone is the model's only input, or an object of inputs by their names, which "
    "may be piped in too. Piped on, each output is a line of its name, datatype, shape and values, between tabs.\n\n"
    f"The options for -o are {', '.join(arguments.option_names(PredictOptions))}.",
    examples=(
        "ipfs-accel predict -m ovms/digits 'image=[[0.1, 0.9]]'",
        "ipfs-accel predict -m ovms/digits image=@digit.json -o outputs=scores",
        "ipfs-accel predict -m ovms/digits --json < inputs.json | jq '.outputs[0].values'",
    ),
)
@click.argument("inputs", nargs=-1, metavar="[INPUT]...", type=kinds.FIELD)
@arguments.model_option
@arguments.settings_option(PredictOptions)
@arguments.extra_option
@arguments.raw_option
@pass_state
def predict(
    state: State,
    inputs: tuple[str, ...],
    *,
    model: str | None,
    settings: tuple[str, ...],
    extra: tuple[str, ...],
    raw: bool,
) -> None:
    """Let a model make tensors."""
    options = arguments.parse_options(PredictOptions, settings, extra)
    with state.client() as client:
        arguments.check_model(model, client.config.default_model, "predict")
        given = _inputs(inputs)
        answer = client.predict(model, given, **options)
    document = plain(answer, raw=raw) | {"outputs": [_described(each) for each in answer.outputs]}
    emit(state, document, lambda: _show(state, answer))


def _inputs(given: Iterable[str]) -> Any:
    texts = list(given)
    if not texts:
        piped = arguments.read_stdin()
        if not piped.strip():
            raise InvalidRequestError("there is no input", hint="give it as NAME=JSON, or pipe JSON in")
        return _json(piped, "stdin")
    if len(texts) == 1 and texts[0].lstrip()[:1] in {*'[{"-0123456789'}:
        return _json(texts[0], "INPUT")
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InvalidRequestError(f"INPUT {text!r}: expected NAME=JSON or NAME=@FILE")
        found[name] = _json(_file(value[1:], name) if value.startswith("@") else value, name)
    return found


def _file(name: str, whose: str) -> str:
    try:
        return Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise InvalidRequestError(f"{whose}: cannot read {name}: {reason}") from None


def _json(text: str, whose: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise InvalidRequestError(f"{whose}: not valid JSON: {error}") from None


def _described(tensor: Tensor) -> dict[str, Any]:
    return {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape), "values": _values(tensor)}


def _values(tensor: Tensor) -> Any:
    """Return the elements nested by shape; strings of bytes that are no text in base64."""
    return plain(_as_texts(tensor.to_list()))


def _as_texts(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_texts(each) for each in value]
    try:
        return value.decode() if isinstance(value, bytes) else value
    except UnicodeDecodeError:
        return value


def _show(state: State, answer: PredictResponse) -> None:
    for_people = is_terminal()
    rows = []
    for each in answer.outputs:
        values = json.dumps(_values(each), ensure_ascii=False)
        shown = cut(values, _SHOWN_VALUES) if for_people else values
        rows.append((each.name, each.datatype, json.dumps(list(each.shape)), shown))
    if for_people:
        table(state, ("output", "datatype", "shape", "values"), rows)
        return
    for row in rows:
        write_line("\t".join(row))
