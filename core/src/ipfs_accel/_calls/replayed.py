"""A whole answer read as a stream: all of its events at once, and the answer at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ipfs_accel.plans import LocalStream
from ipfs_accel.types import ChatResponse
from ipfs_accel.wire._playing import play_answer
from ipfs_accel.wire.assembler import chat_assembler, completion_assembler

from .reader import Reader

if TYPE_CHECKING:
    from ipfs_accel.types import CompletionResponse

    from .call import Call

__all__ = ["as_stream"]


def as_stream(call: Call, answer: ChatResponse | CompletionResponse) -> Reader[Any]:
    """Return a stream that has been read already.

    Args:
        call: Whose answer it is; counted and told of by who has the answer.
        answer: What the stream gives at its end, as it is.
    """
    assembler = chat_assembler if isinstance(answer, ChatResponse) else completion_assembler
    stream: LocalStream[Any] = LocalStream(run=lambda out, _job: play_answer(answer, out), assembler=assembler)
    reader: Reader[Any] = Reader(call, stream, None)
    for _ in stream.run(reader.out, reader.job):
        pass
    reader.out.conclude()
    reader.events = reader.out.take()
    reader.answer = answer
    call.is_over = True
    return reader
