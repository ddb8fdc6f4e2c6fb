"""The ids of tool calls as the API takes them: of letters, digits, `_` and `-`, and each of them once."""

from __future__ import annotations

import re

__all__ = ["CallIds"]

_NO_ID = re.compile(r"[^A-Za-z0-9_-]")


class CallIds:
    """The ids of one conversation.

    Other providers have dots and colons in theirs, or the same ids again in each answer, or none at all. Claude's own
    stay as they are.
    """

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._numbers: dict[str, int] = {}
        self._last: dict[str, str] = {}
        self._waiting: dict[str, list[str]] = {}

    def of_call(self, given: str) -> str:
        """Return the id of a call that has not been written yet."""
        plain = found = _plain(given)
        number = self._numbers.get(plain, 1)
        while found in self._used:
            number += 1
            found = f"{plain}_{number}"
        self._numbers[plain] = number
        self._used.add(found)
        self._last[given] = found
        self._waiting.setdefault(given, []).append(found)
        return found

    def of_result(self, given: str) -> str:
        """Return the id of the call that a result answers: the first of that id that has none yet."""
        for name in (given, _plain(given)):
            waiting = self._waiting.get(name)
            if waiting:
                return waiting.pop(0)
        return self.last(given)

    def last(self, given: str) -> str:
        """Return how the last call of that id was written."""
        return self._last.get(given) or _plain(given)


def _plain(given: str) -> str:
    return _NO_ID.sub("_", given) or "call"
