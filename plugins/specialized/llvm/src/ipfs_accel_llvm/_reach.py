"""Where a model id leads: to a server, or to a GGUF file that runs in this process."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

from ipfs_accel.plans import Endpoint, Job, Local

from . import _engine
from ._options import Options
from ._servers import Answering, detect

__all__ = ["has_engine", "local_file", "local_models", "models_dir", "reach"]

SUFFIX = ".gguf"
# A small model that answers questions about ipfs-accel; scripts/guide of the repository trains it.
GUIDE = Path(__file__).with_name("guide.gguf")


def reach(endpoint: Endpoint, model: str, *, embeds: bool = False) -> Generator[Any, Any, Answering]:
    """Return what answers for a model id; starts the embedded engine if it names a file, and one that `embeds`."""
    known = endpoint.memo.get(("engine", model, embeds))
    if known is not None and known[0] == os.getpid():
        return known[1]  # type: ignore[no-any-return]
    if model and may_be_local(endpoint, model):
        options = endpoint.options

        def start(_job: Job) -> _engine.Engine | None:
            path = local_file(endpoint, model)
            return None if path is None else _engine.start(path, options, embeds=embeds)

        engine = yield Local(run=start)
        if engine is not None:
            key = (("authorization", f"Bearer {engine.key}"),)
            answering = Answering(kind="llama.cpp", root=engine.url, headers=key)
            endpoint.memo["engine", model, embeds] = (engine.pid, answering)
            return answering
    return (yield from detect(endpoint))


def has_engine(endpoint: Endpoint) -> bool:
    """Whether models may run in this process; an endpoint of `vllm` is a server and nothing else."""
    return isinstance(endpoint.options, Options)


def may_be_local(endpoint: Endpoint, model: str) -> bool:
    """Whether a model id can be a file's; tells without looking at the disk.

    Where the user said which server it is, ids are that server's: llama.cpp's own are names and paths of files. Only
    what the endpoint's options name is a file even then.
    """
    return has_engine(endpoint) and (endpoint.at_default_url or model in endpoint.options.models)


def local_file(endpoint: Endpoint, model: str) -> Path | None:
    """Return the GGUF file that a model id names.

    It does so by configuration, as a file of the models folder, as `guide`, or as a path.
    """
    named = endpoint.options.models.get(model)
    if named is not None:
        return Path(named)
    stored = models_dir(endpoint) / (model if model.endswith(SUFFIX) else model + SUFFIX)
    if os.sep not in model and "/" not in model and stored.is_file():
        return stored
    if model == GUIDE.stem and endpoint.backend == "llvm":
        return GUIDE
    return Path(model) if model.endswith(SUFFIX) else None


def models_dir(endpoint: Endpoint) -> Path:
    """Return the folder whose files can be called by name."""
    if endpoint.options.models_dir is not None:
        return Path(endpoint.options.models_dir).expanduser()
    from platformdirs import user_data_dir  # noqa: PLC0415 - only local models need it

    return Path(user_data_dir("ipfs-accel", appauthor=False)) / "models"


def local_models(endpoint: Endpoint) -> list[str]:
    """Return the names of the files that can be called by name."""
    if not has_engine(endpoint):
        return []
    folder = models_dir(endpoint)
    is_ours = endpoint.at_default_url and folder.is_dir()
    stored = {path.stem for path in folder.glob(f"*{SUFFIX}")} if is_ours else set()
    return sorted(stored.union(endpoint.options.models))
