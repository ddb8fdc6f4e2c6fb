"""OpenAI's dialect, inward: which pieces of a stream belong to which tool call.

By the API's reference each piece has the index of its call, and the first one its id and name. Hosts number otherwise:
all calls as 0, each piece anew, or none; their ids come late, change in each piece, or are those of another call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ipfs_accel import strict_json
from ipfs_accel._beside import beside_call

from .fields import id_of
from .openai_messages import calls_of, function_of

if TYPE_CHECKING:
    from ipfs_accel.types import ChatResponse

    from ._blocks import Block
    from .assembler import Assembler

__all__ = ["Calls"]

Json = dict[str, Any]
Key = int | str
Tools = dict[int | str, "Block"]


class Calls:
    """Tells an assembler of the pieces of tool calls; made anew for each stream."""

    def __init__(self) -> None:
        self._by_index: dict[tuple[int, Any], Key] = {}
        self._by_id: dict[tuple[int, str], Key] = {}
        self._last: dict[int, Key] = {}

    def take(self, calls: Any, out: Assembler[ChatResponse], choice: int) -> None:
        """Take what one delta has of them."""
        for position, call in enumerate(calls if type(calls) is list else calls_of({"tool_calls": calls})):
            if type(call) is not dict:
                continue
            name, arguments = function_of(call)
            index, given = call.get("index"), call.get("id")
            known = self._by_index.get((choice, index)) if index is not None else None
            if known is not None and not name and (given is None or given == ""):
                # What nearly every piece is: more arguments of the call with this index.
                out.tool_call(known, choice, arguments=arguments, extra=beside_call(call))
                continue
            given = id_of(given)
            tools = out.choices[choice].tools
            if known is not None:
                key = self._with_index(known, (choice, given or ""), name, tools)
            else:
                key = (self._without_index if index is None else self._with_new_index)(choice, given, name, tools)
            if key is not None and name and given and self._by_id.get((choice, given)) == key:
                if _text(tools[key]) == arguments and _is_whole(arguments):
                    continue  # the whole call once more
                key = None if _is_another(name, arguments, tools[key]) else key
            if key is None:
                key = position if index is None and not tools else f"#{len(tools)}"
            self._last[choice] = key
            if index is not None:
                self._by_index[choice, index] = key
            if given:
                self._by_id[choice, given] = key
            out.tool_call(key, choice, id=given, name=name, arguments=arguments, extra=beside_call(call))

    # Each returns the key of the call that a piece goes on with, or None if it begins one.

    def _without_index(self, choice: int, given: str | None, name: str | None, tools: Tools) -> Key | None:
        last = self._last.get(choice)
        if given:
            known = self._by_id.get((choice, given))
            is_late = known is None and last is not None and not name and not tools[last].has_id
            return last if is_late else known
        return None if last is None or _is_next(name, tools[last]) else last

    def _with_new_index(self, choice: int, given: str | None, name: str | None, _tools: Tools) -> Key | None:
        if name:
            return None
        # Each piece may have a number of its own.
        return self._by_id.get((choice, given)) if given else self._last.get(choice)

    def _with_index(self, known: Key, given: tuple[int, str], name: str | None, tools: Tools) -> Key | None:
        block = tools[known]
        if not given[1]:
            return None if _is_next(name, block) else known
        if given[1] == block.id or not block.has_id:
            return known
        if (other := self._by_id.get(given)) is not None:
            return other  # of calls that all have this index
        is_next = name and block.name and (name != block.name or not _is_open(block))
        return None if is_next else known


def _is_next(name: str | None, block: Block) -> bool:
    """Whether a name begins another call than that of a block, instead of repeating its own."""
    return bool(name and block.name) and (name != block.name or _is_whole(_text(block)))


def _is_another(name: str, arguments: str, block: Block) -> bool:
    """Whether a piece begins another call than that of a block, though it has its id, as all calls of some servers."""
    return bool(block.name and block.name != name) or (_is_whole(arguments) and _is_whole(_text(block)))


def _text(block: Block) -> str:
    return "".join(block.pieces)


def _is_open(block: Block) -> bool:
    """Whether the arguments of a call are begun and not complete."""
    return bool(block.pieces) and not _is_whole(_text(block))


def _is_whole(text: str) -> bool:
    """Whether arguments are complete, which are an object."""
    if not text.startswith("{"):
        return False
    try:
        strict_json.loads(text)
    except ValueError:
        return False
    return True
