"""Where a run over many rows reads and writes: files here, or objects in a store that are copied from and to here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ipfs_accel._batch.folder import folder_of
from ipfs_accel._batch.plan import PLAN, replaced
from ipfs_accel._calls import operations as ops
from ipfs_accel._calls import stores
from ipfs_accel.errors import InvalidRequestError, NotFoundError

from .object_calls import unhurried

if TYPE_CHECKING:
    from ipfs_accel._calls.core import Core
    from ipfs_accel._worlds.effects import Steps

__all__ = ["Places"]

_STORING, _STORED = "storing", "stored"
_SLASHES = 2


class Places:
    """The input and the output of a run.

    An object is copied into the run's folder before it is read. An output in a store is a file of the same name in the
    working directory first, and goes to the store when it is complete.

    Args:
        core: The client's.
        source: A path, or `endpoint/bucket/key`.
        output: Likewise.

    Attributes:
        source: The file that is read.
        output: The file that is written.
    """

    def __init__(self, core: Core, source: str | Path, output: str | Path) -> None:
        self._core = core
        self._to = _address(core, output)
        self.output = Path(output if self._to is None else self._to.rpartition("/")[2])
        if not self.output.name:
            raise InvalidRequestError(f"output: {output} names no file")
        self._folder = folder_of(self.output)
        self._origin = _address(core, source)
        self.source = Path(source) if self._origin is None else self._folder / f"input{Path(self._origin).suffix}"

    def fetched(self) -> Steps[None]:
        """Have the input here, and know that the output's place is free.

        Raises:
            InvalidRequestError: An object is there that this run has not written.
        """
        if self._to is not None and not (self._folder / PLAN).exists():
            try:
                yield from stores.read(self._core, ops.HEAD_OBJECT, self._to, None, {})
            except NotFoundError:
                pass
            else:
                raise InvalidRequestError(f"output: {self._to} is there already", hint="name another one")
        if self._origin is not None and not self.source.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            options = unhurried({"resume": True})
            yield from stores.read(self._core, ops.DOWNLOAD_OBJECT, self._origin, self.source, options)

    def stored(self) -> Steps[None]:
        """Have the complete output where it belongs."""
        if self._to is None or (self._folder / _STORED).exists():
            return
        # An object that is there by now is somebody else's, unless this run had begun to write it.
        is_again = (self._folder / _STORING).exists()
        replaced(self._folder / _STORING, b"")
        options = unhurried({} if is_again else {"if_none_match": "*"})
        yield from stores.write(self._core, ops.PUT_OBJECT, self._to, self.output, options)
        replaced(self._folder / _STORED, b"")


def _address(core: Core, where: str | Path) -> str | None:
    """Return the address of an object; None for a path, which what is there, or looks like one, is in any case."""
    if isinstance(where, Path) or where.count("/") < _SLASHES or where.startswith(("/", ".", "~")):
        return None
    name = where.partition("/")[0]
    is_known = name in core.config.stores or name in core.config.endpoints or core.registry.record(name) is not None
    return where if is_known and not Path(name).exists() else None
