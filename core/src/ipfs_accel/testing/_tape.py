"""The exchanges of a recording: how they are noted, found again, and written to their file."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ipfs_accel.errors import InvalidValueError

from ._forms import asked, differences, told, told_pieces, written
from ._hidden import Hiding
from .unexpected import UnexpectedCallError

__all__ = ["BROKEN", "LEFT", "Tape", "Taping", "read_exchanges"]

FORMAT = "ipfs-accel recording 1"
BROKEN, LEFT = "broken", "left"
"""How an answer ended that was not read to its end: by the server or the network, or by who read it."""

_SHOWN = 3


class Tape:
    """The exchanges of one file.

    Args:
        path: The file.
        exchanges: What it has, if it is to be replayed.
        hiding: What must not be in it.
    """

    def __init__(self, path: Path, exchanges: list[dict[str, Any]], hiding: Hiding) -> None:
        self.path = path
        self.hiding = hiding
        self.unused = list(range(len(exchanges)))
        self._exchanges = exchanges
        self._complete: set[int] = set()
        self._lock = threading.Lock()

    def begin(self, method: str, url: str, headers: Iterable[tuple[str, str]], body: bytes, answer: Any) -> Taping:
        """Begin to record an exchange, the head of whose answer is there."""
        request = self._request(method, url, headers, body)  # first, as it tells what is to be hidden
        head = {"status": answer.status, "headers": self.hiding.headers(answer.headers.items())}
        exchange = {"request": request, "response": head}
        with self._lock:
            self._exchanges.append(exchange)
            return Taping(self, len(self._exchanges) - 1, head)

    def keep(self, number: int) -> None:
        """Write the exchanges that are complete; after each one, so that a test that fails leaves what it got."""
        with self._lock:
            self._complete.add(number)
            done = [each for index, each in enumerate(self._exchanges) if index in self._complete]
            self.path.parent.mkdir(parents=True, exist_ok=True)
            beside = self.path.with_name(f"{self.path.name}.{os.getpid()}.part")
            beside.write_text(written({"format": FORMAT, "exchanges": done}), encoding="utf-8")
            beside.replace(self.path)

    def find(self, method: str, url: str, headers: Iterable[tuple[str, str]], body: bytes) -> dict[str, Any]:
        """Return the recorded answer to a request.

        Raises:
            UnexpectedCallError: There is none.
        """
        request = self._request(method, url, headers, body)
        with self._lock:
            for position, index in enumerate(self.unused):
                if self._exchanges[index]["request"] == request:
                    del self.unused[position]
                    return self._exchanges[index]["response"]  # type: ignore[no-any-return]
        raise self._unknown(request)

    def _request(self, method: str, url: str, headers: Iterable[tuple[str, str]], body: bytes) -> dict[str, Any]:
        pairs = list(headers)
        self.hiding.look_at(url, pairs)
        kind = next((value for name, value in pairs if name.lower() == "content-type"), "")
        return {"method": method, "url": self.hiding.url(url), **asked(self.hiding.data(body), kind)}

    def _unknown(self, request: dict[str, Any]) -> UnexpectedCallError:
        what = f"{request['method']} {request['url']}"
        times = sum(each["request"] == request for each in self._exchanges)
        if times:
            what = f"{what} was recorded {times} {'time' if times == 1 else 'times'} and is asked once more"
        elif self._exchanges:
            what = f"{what} was not recorded; {self._nearest(request)}"
        else:
            what = f"{what} was not recorded: there is nothing"
        hint = f"if it is to be asked so, record it anew: Recorded({str(self.path)!r}, record='all')"
        return UnexpectedCallError(f"{self.path}: {what}", hint=hint)

    def _nearest(self, request: dict[str, Any]) -> str:
        """Say what differs from the exchange with the fewest differences, at the same place if there is one."""
        found = []
        for number, each in enumerate(self._exchanges, 1):
            is_elsewhere = any(each["request"][name] != request[name] for name in ("method", "url"))
            found.append((is_elsewhere, list(differences(each["request"], request)), number))
        _, places, number = min(found, key=lambda each: (each[0], len(each[1])))
        more = f"; and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
        return f"in the nearest, exchange {number}, {'; '.join(places[:_SHOWN])}{more}"


class Taping:
    """One exchange while it is recorded."""

    def __init__(self, tape: Tape, number: int, answer: dict[str, Any]) -> None:
        self._tape = tape
        self._number = number
        self._answer = answer

    def told(self, body: bytes | list[bytes], end: str = "") -> None:
        """Note the body of the answer: whole, or in pieces, and how it ended if that was not its end."""
        hiding = self._tape.hiding
        form = told(hiding.data(body)) if isinstance(body, bytes) else told_pieces(hiding.pieces(body))
        if "json" in form:
            self._answer["headers"].pop("content-length", None)  # the same value may be written in another length
        self._answer.update(form)
        if end:
            self._answer["end"] = end
        self._tape.keep(self._number)


def read_exchanges(path: Path) -> list[dict[str, Any]]:
    """Read a file.

    Raises:
        InvalidValueError: It is not there, or no recording.
    """
    try:
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise InvalidValueError(
            f"the recording {path} cannot be read: {error.strerror}", hint="let it be recorded: record='once'"
        ) from None
    except ValueError as error:
        raise InvalidValueError(f"the recording {path} is not JSON: {error}") from None
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise InvalidValueError(f"{path} is no recording: its format is not {FORMAT!r}", hint="record it anew")
    return value["exchanges"]  # type: ignore[no-any-return]
