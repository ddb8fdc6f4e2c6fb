"""Answers that have to fit a type: checked when they come, asked for once more with their faults, and made values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from ipfs_accel._suggest import short
from ipfs_accel._typed.faults import Fault, MisfitError, listed
from ipfs_accel._typed.form import VALUE, Form, form_of
from ipfs_accel._typed.partial import PartialJson
from ipfs_accel._worlds.effects import Steps
from ipfs_accel.errors import AnswerFormatError, InvalidRequestError
from ipfs_accel.types import ChatResponse, JsonSchema, Message, ParsedResponse, Refusal
from ipfs_accel.wire import schema_check
from ipfs_accel.wire.several import added

from .wanted import Wanted

if TYPE_CHECKING:
    from ipfs_accel.types import ChatRequest, Choice

    from .call import Call

__all__ = ["GrowingValue", "check", "fits", "fitted", "parsed", "take"]


def take(operation: str, options: dict[str, Any]) -> Wanted | None:
    """Take the type out of the options of a chat and put in its schema; None for what is no chat.

    Raises:
        InvalidRequestError: `repair` is no number that makes sense.
        ConfigError: The type bounds values, and there is nothing here to check them.
    """
    if operation not in {"chat", "stream", "count_tokens"}:
        return None
    repairs = options.pop("repair", None) or 0
    if not isinstance(repairs, int) or isinstance(repairs, bool) or repairs < 0:
        raise InvalidRequestError(f"repair: expected a number of further attempts, got {short(repairs)}")
    if repairs and operation == "stream":
        raise InvalidRequestError("repair: what has begun to come cannot be asked for anew", hint="use chat")
    kind = options.get("response_format")
    if kind is None or isinstance(kind, str | Mapping | JsonSchema):
        if repairs:
            raise InvalidRequestError(
                "repair: only an answer that has to fit a type is mended", hint="give a class as response_format"
            )
        return None
    form = form_of(kind)
    if form.has_keywords:
        schema_check.require("response_format: to check the bounds of its values")
        schema_check.refuse_wrong(form.inner, "response_format")
    options["response_format"] = JsonSchema.of(form.kind)
    return Wanted(form, repairs)


def fitted(
    core: Any, call: Call, request: ChatRequest, settings: Mapping[str, Any], ask: Callable[[Call, Any], Steps[Any]]
) -> Steps[ChatResponse]:
    """Ask until an answer fits, as often as it may be.

    Args:
        core: The client's.
        call: The call, whose `wanted` says what fits.
        request: What is asked.
        settings: Of the call, with which another attempt of it begins.
        ask: Performs a call with a request.

    Raises:
        AnswerFormatError: No answer fits.
    """
    answer: ChatResponse = yield from ask(call, request)
    left = call.wanted.repairs if call.wanted is not None else 0
    while True:
        try:
            check(answer, call)
        except AnswerFormatError as error:
            if not left or not error.faults or len(answer.choices) > 1 or call.remaining() == 0:
                raise
            call.journey.tried.append(call.attempt(error))
            request = attrs.evolve(request, messages=(*request.messages, answer.message, _asked_again(error)))
        else:
            return answer
        left -= 1
        call = core.call(
            call.operation, call.target, request.model, request=request, **{**settings, "journey": call.journey}
        )
        answer = _with(answer, (yield from ask(call, request)))


def _asked_again(error: AnswerFormatError) -> Message:
    return Message.user(
        f"That does not fit the JSON schema that was asked for:\n{listed(error.faults)}\n"
        "Say all of it again as JSON that fits, and nothing else."
    )


def _with(before: ChatResponse, answer: ChatResponse) -> ChatResponse:
    """Return an answer with what those before it used and cost, as it took them to get it."""
    info, earlier = answer.call, before.call
    if info is not None and earlier is not None:
        known = None not in (info.cost, earlier.cost)
        info = attrs.evolve(info, cost=info.cost + earlier.cost if known else None)  # type: ignore[operator]
    return attrs.evolve(answer, usage=added([before.usage, answer.usage]), call=info)


def check(answer: ChatResponse, call: Call) -> None:
    """Raise if an answer does not fit.

    Raises:
        AnswerFormatError: It does not, or it is none.
    """
    wanted = call.wanted
    if wanted is None:
        return
    try:
        wanted.values(answer, _value)
    except AnswerFormatError as error:
        call.describe(error)
        if wanted.tells:
            error.partial = answer
        else:
            error.text = ""
            error.faults = tuple([Fault(each.path, "it does not fit") for each in error.faults])
        raise


def fits(wanted: Wanted, answer: ChatResponse) -> bool:
    """Whether an answer is one of the type that is wanted."""
    try:
        wanted.values(answer, _value)
    except AnswerFormatError:
        return False
    return True


def parsed(wanted: Wanted, steps: Steps[ChatResponse]) -> Steps[ParsedResponse[Any]]:
    """Perform a call whose answers fit, and return the answer with its values."""
    answer = yield from steps
    return valued(wanted, answer)


def valued(wanted: Wanted, answer: ChatResponse) -> ParsedResponse[Any]:
    """Return an answer with the values that its texts are.

    Raises:
        AnswerFormatError: Middleware has made of it what does not fit.
    """
    return ParsedResponse.of(answer, wanted.values(answer, _value))


def _value(form: Form, choice: Choice, answer: ChatResponse) -> Any:
    message = choice.message
    if message.tool_calls:
        return None
    refusal = next((part.text for part in message.content if isinstance(part, Refusal)), None)
    if refusal is not None:
        raise _misfit(f"the model refused to answer: {refusal}", answer, message.text)
    if choice.finish_reason in {"length", "content_filter"}:
        why, hint = {
            "length": ("it was cut at the limit of its length", "raise max_tokens"),
            "content_filter": ("the provider's filter took it back", None),
        }[choice.finish_reason]
        raise _misfit(f"the answer is not whole: {why}", answer, message.text, hint=hint)
    try:
        plain = form.plain(message.text)
        value = form.value(plain)
        faults = schema_check.faults(plain, form.inner) if form.has_keywords else ()
        if faults:
            raise MisfitError(faults)
    except schema_check.UncheckableError as why:
        raise InvalidRequestError(f"response_format: its bounds cannot be checked: {why}") from None
    except MisfitError as misfit:
        where = f"choice {choice.index}: " if len(answer.choices) > 1 else ""
        shown = "; ".join([str(each) for each in misfit.faults[:5]])
        more = f" and {len(misfit.faults) - 5} more" if len(misfit.faults) > 5 else ""  # noqa: PLR2004
        message_text = f"{where}the answer is no {form.name}: {shown}{more}"
        raise _misfit(
            message_text, answer, message.text, faults=misfit.faults, hint="ask again, or pass repair=1"
        ) from None
    return value


def _misfit(
    message: str, answer: ChatResponse, text: str, *, faults: tuple[Fault, ...] = (), hint: str | None = None
) -> AnswerFormatError:
    error = AnswerFormatError(message, hint=hint)
    error.faults, error.text, error.usage = faults, text, answer.usage
    return error


class GrowingValue:
    """The JSON value of a stream's text while it comes."""

    def __init__(self, form: Form | None) -> None:
        self._is_wrapped = form is not None and form.is_wrapped
        self._json = PartialJson()
        self._taken = 0

    def after(self, pieces: Sequence[str]) -> Any:
        """Return the value after these pieces, which are all of the text so far."""
        for piece in pieces[self._taken :]:
            self._json.feed(piece)
        self._taken = max(self._taken, len(pieces))
        value = self._json.value
        return value.get(VALUE) if self._is_wrapped and isinstance(value, dict) else value
