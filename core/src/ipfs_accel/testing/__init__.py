"""What the author of a plugin tests it with: a contract to subclass, servers that fail, and replies to fail with.

- `BackendContract`: the tests that every backend passes; see `ipfs_accel.testing.contract`.
- `Exchange`, `json_reply`, `sse_reply`, `ndjson_reply`, `data_reply`: a call and what the server answers, as values.
- `openai_exchanges`: these for OpenAI's dialect.
- `Echo`: a backend that answers with what it was asked, for tests of middleware and applications.
- `RawServer`, `serve`, `FAULTS`: a server that can break every rule of HTTP, and the catalogue of how.

Needs pytest. With ipfs-accel installed, pytest also knows `--contract-report FILE`, which writes what was proven, as
JSON or, if the file's name ends in `.md`, as a table.
"""

from .contract import BackendContract
from .echo import Echo
from .faults import FAULTS, Fault
from .openai_dialect import openai_exchanges
from .purity import ImpurityError, no_io
from .raw_server import Connection, RawServer, serve
from .replies import Reply, data_reply, json_reply, ndjson_reply, sse_reply
from .trials import Exchange, Outcome, Subject

__all__ = [
    "FAULTS",
    "BackendContract",
    "Connection",
    "Echo",
    "Exchange",
    "Fault",
    "ImpurityError",
    "Outcome",
    "RawServer",
    "Reply",
    "Subject",
    "data_reply",
    "json_reply",
    "ndjson_reply",
    "no_io",
    "openai_exchanges",
    "serve",
    "sse_reply",
]
