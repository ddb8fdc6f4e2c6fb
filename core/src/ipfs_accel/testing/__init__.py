"""What the author of a plugin tests it with: a contract to subclass, servers that fail, and replies to fail with.

- `BackendContract`: the tests that every backend passes; see `ipfs_accel.testing.contract`.
- `Exchange`, `json_reply`, `sse_reply`, `ndjson_reply`, `data_reply`: a call and what the server answers, as values.
- `openai_exchanges`: these for OpenAI's dialect.
- `Scripted`: a backend that answers by a script, for tests of applications and middleware.
- `Recorded`: real exchanges, recorded once and replayed ever after, without any key in the file.
- `RawServer`, `serve`, `FAULTS`: a server that can break every rule of HTTP, and the catalogue of how.

Contracts need pytest, nothing else does. With ipfs-accel installed, pytest also knows `--contract-report FILE`, which
writes what was proven, as JSON or, if the file's name ends in `.md`, as a table. As pytest imports this package for
that in every project of the environment, its names are loaded when they are first used.

Its modules:

- The contract: `contract`, `trials`, `number_contract`, `raw_contract`, `run_contract`, `stream_rules`, `options`
- Replies and exchanges: `replies`, `openai_dialect`, `openai_media`, `mangled`, `awkward`
- Servers that fail: `raw_server`, `faults`
- Tests of applications and middleware: `scripted`, `recorded`, `unexpected`
- Code without I/O: `purity`
"""

from typing import TYPE_CHECKING

from ipfs_accel._lazy import lazy

if TYPE_CHECKING:
    from .contract import BackendContract as BackendContract
    from .faults import FAULTS as FAULTS
    from .faults import Fault as Fault
    from .openai_dialect import openai_exchanges as openai_exchanges
    from .purity import ImpurityError as ImpurityError
    from .purity import no_io as no_io
    from .raw_server import Connection as Connection
    from .raw_server import RawServer as RawServer
    from .raw_server import serve as serve
    from .recorded import Recorded as Recorded
    from .replies import Reply as Reply
    from .replies import data_reply as data_reply
    from .replies import json_reply as json_reply
    from .replies import ndjson_reply as ndjson_reply
    from .replies import sse_reply as sse_reply
    from .scripted import Scripted as Scripted
    from .trials import Exchange as Exchange
    from .trials import Outcome as Outcome
    from .trials import Subject as Subject
    from .unexpected import UnexpectedCallError as UnexpectedCallError

_HOMES: dict[str, tuple[str, ...]] = {
    ".contract": ("BackendContract",),
    ".faults": ("FAULTS", "Fault"),
    ".openai_dialect": ("openai_exchanges",),
    ".purity": ("ImpurityError", "no_io"),
    ".raw_server": ("Connection", "RawServer", "serve"),
    ".recorded": ("Recorded",),
    ".replies": ("Reply", "data_reply", "json_reply", "ndjson_reply", "sse_reply"),
    ".scripted": ("Scripted",),
    ".trials": ("Exchange", "Outcome", "Subject"),
    ".unexpected": ("UnexpectedCallError",),
}

__all__ = [
    "FAULTS",
    "BackendContract",
    "Connection",
    "Exchange",
    "Fault",
    "ImpurityError",
    "Outcome",
    "RawServer",
    "Recorded",
    "Reply",
    "Scripted",
    "Subject",
    "UnexpectedCallError",
    "data_reply",
    "json_reply",
    "ndjson_reply",
    "no_io",
    "openai_exchanges",
    "serve",
    "sse_reply",
]


__getattr__ = lazy(__name__, _HOMES)


def __dir__() -> list[str]:
    return __all__
