"""From what a provider streams to what a caller reads, with the stream contract kept in one place.

A provider's decoder tells an `Assembler` what a frame means (`text`, `tool_call`, `usage`, `finish`, `done` …). The
assembler numbers the blocks, emits the events in their promised order, and builds the answer that the same call
without streaming would have given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ipfs_accel import types
from ipfs_accel.errors import StreamIncomplete
from ipfs_accel.types import (
    AudioDelta,
    BlockEnd,
    BlockStart,
    ChatResponse,
    Choice,
    FinishEvent,
    Image,
    Message,
    Opaque,
    ReasoningDelta,
    RefusalDelta,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageEvent,
)

from ._blocks import Block, ChoiceState
from ._outbox import Outbox
from ._settled import choice_index, settle_finish_reason, sound, tool_call_id
from .halves import ALONE
from .pieces import add

if TYPE_CHECKING:
    from ipfs_accel.types import CompletionResponse, TokenLogprob
    from ipfs_accel.types._events import BlockType

__all__ = [
    "Assembler",
    "build_chat",
    "build_completion",
    "chat_assembler",
    "completion_assembler",
    "settle_finish_reason",
    "sound",
    "tool_call_id",
]

T = TypeVar("T")

_DELTAS: dict[str, Callable[[str, int, int], StreamEvent]] = {
    "text": TextDelta,
    "reasoning": ReasoningDelta,
    "refusal": RefusalDelta,
    "tool_call": ToolCallDelta,
    "audio": lambda transcript, choice, block: AudioDelta(b"", transcript, choice, block),
}


class Assembler(Outbox[StreamEvent], Generic[T]):
    """Collects one stream; made anew for each attempt.

    Attributes:
        final: The whole answer in the provider's form, where its stream ends with one.
        max_bytes: Of a stream that is kept whole in memory; a longer one is given up.

    The methods up to `done` are for decoders, the others for the core.
    """

    max_bytes = 64 * 1024 * 1024

    def __init__(
        self, build: Callable[[Assembler[T]], T], *, eof_after_finish: bool = True, merge: bool = False
    ) -> None:
        """Make an empty one.

        Args:
            build: Makes the answer from the collected choices.
            eof_after_finish: Whether a stream that ends after every choice's finish reason, but without `done`,
                counts as complete; otherwise only `done` completes it.
            merge: Whether a whole answer of this provider has at most one text and one reasoning, before the calls.
        """
        super().__init__()
        self._build = build
        self._eof_after_finish = eof_after_finish
        self.merge = merge
        self.choices: dict[int, ChoiceState] = {}
        self.id: str | None = None
        self.model: str | None = None
        self.usage: Usage | None = None
        self.extra: dict[str, Any] = {}
        self.final: Any = None

    # for decoders

    def start(self, id: str | None = None, model: str | None = None) -> None:  # noqa: A002 - the field's own name
        """Note who answers; later calls do not overwrite what is known."""
        self.id = self.id or id
        self.model = self.model or model

    def text(self, piece: str, choice: int = 0) -> None:
        """Add to the answer's text; an empty piece only says that the choice exists."""
        self._add("text", piece, choice)

    def reasoning(self, piece: str, choice: int = 0, signature: str | None = None, *, field: str | None = None) -> None:
        """Add to the visible reasoning, or set its signature; an empty one only says that the model thought.

        `field` is where the provider says it, if there are several such places.
        """
        self._add("reasoning", piece, choice)
        if signature is None and not (piece and field):
            return
        state = self._choice(choice)
        current = state.current
        block = current if current and current.type == "reasoning" else self._begin(state, "reasoning")
        if signature is not None:
            block.signature = signature
        block.field = block.field or field

    def refusal(self, piece: str, choice: int = 0) -> None:
        """Add to a refusal."""
        self._add("refusal", piece, choice)

    def tool_call(
        self,
        key: int | str,
        choice: int = 0,
        *,
        id: str | None = None,  # noqa: A002 - the field's own name
        name: str | None = None,
        arguments: str = "",
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """Begin a tool call or add to its arguments.

        Args:
            key: What tells this call from the others of its choice, such as the provider's index.
            choice: Which answer it belongs to.
            id: The provider's id; the first one counts, with whatever piece it comes.
            name: The tool's name, likewise.
            arguments: The next piece of JSON text.
            extra: What else the provider says of the call, or a piece of it.
        """
        state = self._choice(choice)
        block = state.tools.get(key)
        if block is None:
            block = self._begin_call(state, key, id, name)
        elif not (block.has_id and block.name):
            block.name = block.name or name
            if id and not block.has_id:
                block.id, block.has_id = _own_id(id, state, block), True
            if state.held is block and block.name:
                self._announce(state)
        if extra:
            add(block.extra, extra)
        if block.cut or not arguments.isascii():
            arguments = block.whole(arguments)
        if arguments:
            block.pieces.append(arguments)
            if state.held is not block:
                self._events.append(ToolCallDelta(arguments, choice, block.number))

    def _begin_call(self, state: ChoiceState, key: int | str, given: str | None, name: str | None) -> Block:
        """Begin a tool call, and tell of it once it has a name and an id; the id may come with its second piece."""
        self._end_current(state)
        self._announce(state)
        block = Block(len(state.blocks), "tool_call")
        block.id, block.has_id, block.name = _own_id(given, state, block), bool(given), name
        state.tools[key] = block
        state.blocks.append(block)
        state.held = block
        if given and name:
            self._announce(state)
        return block

    def _announce(self, state: ChoiceState) -> None:
        """Tell of a tool call that waited for its name or its id, and of what of its arguments has come."""
        block, state.held = state.held, None
        if block is None:
            return
        start = BlockStart(choice=state.index, block=block.number, type="tool_call", id=block.id, name=block.name)
        self._events.append(start)
        if block.pieces:
            self._events.append(ToolCallDelta("".join(block.pieces), state.index, block.number))

    def beside(self, extra: Mapping[str, Any], choice: int = 0) -> None:
        """Add what else the provider says in a message, or a piece of it."""
        add(self._choice(choice).beside, extra)

    def about(self, extra: Mapping[str, Any], choice: int = 0) -> None:
        """Add what else it says of a choice, or a piece of it."""
        add(self._choice(choice).extra, extra)

    def annotation(self, annotation: Any, choice: int = 0) -> None:
        """Add a citation or the like, in the provider's form, to the text that is coming."""
        state = self._choice(choice)
        current = state.current
        block = current if current and current.type == "text" else self._begin(state, "text")
        block.annotations.append(annotation)

    def about_text(self, extra: Mapping[str, Any], choice: int = 0) -> None:
        """Add what else the provider says of the text that is coming."""
        current = self._choice(choice).current
        if current is not None and current.type == "text":
            add(current.extra, extra)

    def audio(self, data: bytes, transcript: str = "", choice: int = 0, *, id: str | None = None) -> None:  # noqa: A002
        """Add sound and what is said in it; `id` is the provider's, by which it is referred to later."""
        state = self._choice(choice)
        block = state.current
        if block is None or block.type != "audio":
            block = self._begin(state, "audio")
        block.id = block.id or id
        if block.cut or not transcript.isascii():
            transcript = block.whole(transcript)
        if data or transcript:
            block.sound.append(data)
            block.pieces.append(transcript)
            self._events.append(AudioDelta(data, transcript, choice, block.number))

    def opaque(self, backend: str, data: Any, choice: int = 0) -> None:
        """Add a part that only its provider understands; it comes whole."""
        self._whole_part("opaque", Opaque(backend=backend, data=data), choice)

    def image(self, picture: Image, choice: int = 0) -> None:
        """Add a picture; it comes whole, and once more is no other."""
        blocks = self._choice(choice).blocks
        if not any(block.whole_part == picture for block in blocks if block.type == "image"):
            self._whole_part("image", picture, choice)

    def end_block(self, choice: int = 0, key: int | str | None = None) -> None:
        """End the tool call of that key, or the current block, where the provider says so itself."""
        state = self._choice(choice)
        if key is not None and key in state.tools:
            self._end(state, state.tools[key])
        else:
            self._end_current(state)

    def logprobs(self, tokens: Iterable[TokenLogprob], choice: int = 0) -> None:
        """Add log probabilities."""
        self._choice(choice).logprobs.extend(tokens)

    def finish(self, reason: str, choice: int = 0) -> None:
        """Note why a choice ended and end its open blocks."""
        state = self._choice(choice)
        state.finish_reason = reason
        self._end_all(state)

    # for the core

    def conclude(self) -> T:
        """End the stream: emit what is due and return the answer.

        Raises:
            StreamIncomplete: The terminal signal is missing; `partial` has what came.
        """
        finished = bool(self.choices) and all(state.finish_reason for state in self.choices.values())
        if not self.is_done and not (self._eof_after_finish and finished):
            error = StreamIncomplete("the stream ended without its terminal signal, so the answer may be cut")
            error.partial = self.partial()  # type: ignore[assignment]
            raise error
        for state in self.choices.values():
            self._end_all(state)
        answer = self._build(self)
        reasons = tuple([choice.finish_reason for choice in answer.choices])  # type: ignore[attr-defined]
        self._events.append(UsageEvent(usage=self.usage or Usage()))
        self._events.append(FinishEvent(finish_reason=reasons[0] if reasons else None, finish_reasons=reasons))
        return answer

    def partial(self) -> T | None:
        """Return the answer as far as it has come, or None if nothing has."""
        has_come = any(state.blocks or state.finish_reason for state in self.choices.values())
        return self._build(self) if has_come else None

    def _choice(self, index: int) -> ChoiceState:
        state = self.choices.get(index)
        if state is None:
            state = self.choices[choice_index(index)] = ChoiceState(index)
        return state

    def _add(self, kind: BlockType, piece: str, choice: int) -> None:
        state = self.choices.get(choice) or self._choice(choice)
        if not piece:
            return
        block = state.current
        if block is None or block.type != kind:
            block = self._begin(state, kind)
        if block.cut or not piece.isascii():
            piece = block.whole(piece)
            if not piece:
                return
        block.pieces.append(piece)
        self._events.append(_DELTAS[kind](piece, choice, block.number))

    def _whole_part(self, kind: BlockType, part: Opaque | Image, choice: int) -> None:
        state = self._choice(choice)
        self._begin(state, kind).whole_part = part
        self._end_current(state)

    def _begin(self, state: ChoiceState, kind: BlockType) -> Block:
        self._end_current(state)
        if state.held is not None:
            self._announce(state)
        block = state.current = Block(len(state.blocks), kind)
        state.blocks.append(block)
        self._events.append(BlockStart(choice=state.index, block=block.number, type=kind))
        return block

    def _end(self, state: ChoiceState, block: Block) -> None:
        if block.is_open:
            if state.held is block:
                self._announce(state)
            block.is_open = False
            if block.cut:  # its other half has not come
                block.cut = ""
                block.pieces.append(ALONE)
                self._events.append(_DELTAS[block.type](ALONE, state.index, block.number))
            self._events.append(BlockEnd(choice=state.index, block=block.number, part=block.part()))

    def _end_current(self, state: ChoiceState) -> None:
        if state.current is not None:
            self._end(state, state.current)
            state.current = None

    def _end_all(self, state: ChoiceState) -> None:
        state.current = None
        for block in state.blocks:
            self._end(state, block)


def _own_id(given: str | None, state: ChoiceState, block: Block) -> str:
    taken = [str(each.id) for each in state.tools.values() if each is not block]
    return tool_call_id(given, len(taken), taken)


def _in_order(out: Assembler[Any]) -> list[ChoiceState]:
    return [out.choices[index] for index in sorted(out.choices)]


def build_chat(out: Assembler[ChatResponse]) -> ChatResponse:
    """Make the answer to a chat from what was collected."""
    choices = []
    for state in _in_order(out):
        reason = settle_finish_reason(state.finish_reason, has_tool_calls=bool(state.tools))
        message = Message(role="assistant", content=state.parts(merge=out.merge), extra=state.beside)
        logprobs = tuple(state.logprobs) or None
        choices.append(
            Choice(index=state.index, message=message, finish_reason=reason, logprobs=logprobs, extra=state.extra)
        )
    usage = out.usage or Usage()
    return ChatResponse(id=out.id or None, model=out.model, choices=tuple(choices), usage=usage, extra=out.extra)


def build_completion(out: Assembler[CompletionResponse]) -> CompletionResponse:
    """Make the answer to a text completion from what was collected."""
    choices = []
    for state in _in_order(out):
        text = "".join([piece for block in state.blocks if block.type == "text" for piece in block.pieces])
        logprobs = tuple(state.logprobs) or None
        choices.append(
            types.CompletionChoice(
                index=state.index,
                text=text,
                finish_reason=state.finish_reason,
                logprobs=logprobs,
                extra=state.extra,
            )
        )
    usage = out.usage or Usage()
    return types.CompletionResponse(
        id=out.id or None, model=out.model, choices=tuple(choices), usage=usage, extra=out.extra
    )


def chat_assembler(*, eof_after_finish: bool = True, merge: bool = False) -> Assembler[ChatResponse]:
    """Make an assembler whose answer is a `ChatResponse`."""
    return Assembler(build_chat, eof_after_finish=eof_after_finish, merge=merge)


def completion_assembler(*, eof_after_finish: bool = True) -> Assembler[CompletionResponse]:
    """Make an assembler whose answer is a `CompletionResponse`."""
    return Assembler(build_completion, eof_after_finish=eof_after_finish)
