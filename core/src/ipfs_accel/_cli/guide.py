"""The small model that answers where no model is named: it comes along with the embedded engine of the llvm backend."""

from __future__ import annotations

from importlib.util import find_spec

from ipfs_accel._client.clients import Client
from ipfs_accel._config.keys import KeyFile
from ipfs_accel._endpoints.resolve import resolve
from ipfs_accel._plugins.registry import Registry
from ipfs_accel.errors import AccelError

from .command import State
from .output import note

__all__ = ["or_guide"]

ENDPOINT = "llvm"
GUIDE = f"{ENDPOINT}/guide"


def or_guide(model: str | None, client: Client, state: State) -> str | None:
    """Return the model to chat with; where none is named or configured, the guide if it can run here, and say so."""
    if model is not None or client.config.default_model is not None or not _can_run(client, state):
        return model
    note(
        state,
        f"note: no model is named, so that {GUIDE} answers: a small model that only knows ipfs-accel. "
        "-m ENDPOINT/MODEL, or default_model in the configuration, names another.",
    )
    return GUIDE


def _can_run(client: Client, state: State) -> bool:
    """Whether the engine is installed, and the endpoint is not what the user made of it."""
    config = client.config
    if ENDPOINT in config.endpoints or find_spec("xllamacpp") is None:
        return False
    try:
        backend = Registry(config.plugins, state.plugins).load(ENDPOINT)
        return resolve(ENDPOINT, backend, config, KeyFile.default()).endpoint.at_default_url
    except AccelError:  # absent, refused or broken: nobody asked for it
        return False
