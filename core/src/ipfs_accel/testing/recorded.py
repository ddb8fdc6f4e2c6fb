"""Real exchanges, recorded once and replayed ever after, without any key in the file."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ipfs_accel.errors import InvalidValueError

from ._hidden import Hiding
from ._tape import Tape, read_exchanges
from ._taping import AsyncRecorder, AsyncReplayer, Recorder, Replayer

if TYPE_CHECKING:
    from ipfs_accel._http import AsyncTransport, Transport

__all__ = ["RecordMode", "Recorded"]

RecordMode: TypeAlias = Literal["once", "never", "all"]


class Recorded:
    """A file of real exchanges with servers, for `Client(recording=...)` and `AsyncClient(recording=...)`.

        with Client(recording=Recorded("tests/greeting.json")) as client:
            client.chat("openai/gpt-5.4-mini", "Greet me.")

    The first run sends what the program asks and writes the file; each one after it answers from the file: nothing is
    sent, no key is needed, and no time is waited before a retry. The file is JSON, to be read in a diff and kept beside
    the test: of each exchange the method, the URL and the body of the request, and the status, the headers and the body
    of the answer, that of a stream in the pieces in which it came.

    It has no header of a request, so that no key can be in one; cookies and other secrets are left out of an answer's
    headers, and a key that a URL or a body repeats is replaced by `***`.

    A request is answered by the first exchange with the same method, URL and body that was not used yet, so that the
    order in which different requests come does not matter. One that fits none raises `UnexpectedCallError`, which says
    what differs from the nearest. What a library sends by itself (as boto3 does) is not recorded.

    Attributes:
        path: The file.
        replays: Whether it answers from the file; set when it is made.
    """

    def __init__(self, path: str | os.PathLike[str], *, record: RecordMode = "once", hide: Iterable[str] = ()) -> None:
        """Read the file, if it is to be replayed.

        Args:
            path: The file; folders are made when it is written.
            record: `once` replays a file that is there and otherwise records; `never` replays only, as in a CI; `all`
                records anew.
            hide: Other texts that must not be in the file, such as the name of an organization.

        Raises:
            InvalidValueError: The mode is none of these, or the file is not there or no recording.
        """
        if record not in {"once", "never", "all"}:
            raise InvalidValueError(f"record: {record!r} is not one of once, never, all")
        self.path = Path(path)
        self.replays = record == "never" or (record == "once" and self.path.exists())
        self._tape = Tape(self.path, read_exchanges(self.path) if self.replays else [], Hiding(hide))

    @property
    def left(self) -> int:
        """How many of the recorded exchanges no request has come for yet."""
        return len(self._tape.unused)

    def key_goes_into(self, header: str, /) -> None:
        """Hear of a header that holds a key; for the client."""
        self._tape.hiding.header(header)

    def around(self, transport: Transport, /) -> Any:
        """Return what takes the place of a transport; for the client."""
        return Replayer(transport, self._tape) if self.replays else Recorder(transport, self._tape)

    def around_async(self, transport: AsyncTransport, /) -> Any:
        """Likewise, awaited."""
        return AsyncReplayer(transport, self._tape) if self.replays else AsyncRecorder(transport, self._tape)
