"""One Python interface to every AI backend, hosted or local, where each backend is a plugin.

    from ipfs_accel import Client

    with Client() as client:
        print(client.chat("openai/gpt-5.4-mini", "Why is the sky blue?").text)

Names are loaded when they are first used, so that importing this package costs next to nothing.
"""

from typing import TYPE_CHECKING

from ._lazy import lazy

if TYPE_CHECKING:
    from ._calls.call import UnsupportedParameterWarning as UnsupportedParameterWarning
    from ._calls.run_streams import AsyncRunStream as AsyncRunStream
    from ._calls.run_streams import RunStream as RunStream
    from ._calls.streams import AsyncStream as AsyncStream
    from ._calls.streams import Stream as Stream
    from ._client.batch_runs import AsyncBatchRun as AsyncBatchRun
    from ._client.batch_runs import BatchRun as BatchRun
    from ._client.clients import AsyncClient as AsyncClient
    from ._client.clients import Client as Client
    from ._config.config import Config as Config
    from ._config.config import EndpointConfig as EndpointConfig
    from ._config.config import ModelOverride as ModelOverride
    from ._config.config import PluginPolicy as PluginPolicy
    from ._config.config import load_config as load_config
    from ._plugins.registry import PluginRecord as PluginRecord
    from ._resilience.optional import BatchingConfig as BatchingConfig
    from ._resilience.optional import CacheConfig as CacheConfig
    from ._resilience.optional import LimitsConfig as LimitsConfig
    from ._resilience.optional import RouteConfig as RouteConfig
    from ._resilience.optional import SemanticConfig as SemanticConfig
    from ._resilience.optional import StoreConfig as StoreConfig
    from ._resilience.optional import TelemetryConfig as TelemetryConfig
    from ._resilience.settings import BreakerConfig as BreakerConfig
    from ._resilience.settings import RetryConfig as RetryConfig
    from ._secret import Secret as Secret
    from ._telemetry.states import BreakerState as BreakerState
    from ._telemetry.states import EndpointState as EndpointState
    from ._telemetry.usage import UsageTotal as UsageTotal
    from ._version import __version__ as __version__
    from .capabilities import Support as Support
    from .errors import AccelError as AccelError
    from .errors import APIError as APIError
    from .hookspecs import BackendInfo as BackendInfo
    from .hookspecs import KeyHeader as KeyHeader
    from .hookspecs import hookimpl as hookimpl
    from .types import Audio as Audio
    from .types import Capabilities as Capabilities
    from .types import Document as Document
    from .types import Found as Found
    from .types import Image as Image
    from .types import JsonSchema as JsonSchema
    from .types import Match as Match
    from .types import Message as Message
    from .types import Timeout as Timeout
    from .types import Tool as Tool

_HOMES: dict[str, tuple[str, ...]] = {
    "._calls.call": ("UnsupportedParameterWarning",),
    "._client.batch_runs": ("AsyncBatchRun", "BatchRun"),
    "._client.clients": ("AsyncClient", "Client"),
    "._config.config": ("Config", "EndpointConfig", "ModelOverride", "PluginPolicy", "load_config"),
    "._plugins.registry": ("PluginRecord",),
    "._resilience.optional": (
        "BatchingConfig",
        "CacheConfig",
        "LimitsConfig",
        "RouteConfig",
        "SemanticConfig",
        "StoreConfig",
        "TelemetryConfig",
    ),
    "._resilience.settings": ("BreakerConfig", "RetryConfig"),
    "._secret": ("Secret",),
    "._telemetry.states": ("BreakerState", "EndpointState"),
    "._calls.run_streams": ("AsyncRunStream", "RunStream"),
    "._calls.streams": ("AsyncStream", "Stream"),
    "._telemetry.usage": ("UsageTotal",),
    "._version": ("__version__",),
    ".capabilities": ("Support",),
    ".errors": ("APIError", "AccelError"),
    ".hookspecs": ("BackendInfo", "KeyHeader", "hookimpl"),
    ".types": (
        "Audio",
        "Capabilities",
        "Document",
        "Found",
        "Image",
        "JsonSchema",
        "Match",
        "Message",
        "Timeout",
        "Tool",
    ),
}

__all__ = [
    "APIError",
    "AccelError",
    "AsyncBatchRun",
    "AsyncClient",
    "AsyncRunStream",
    "AsyncStream",
    "Audio",
    "BackendInfo",
    "BatchRun",
    "BatchingConfig",
    "BreakerConfig",
    "BreakerState",
    "CacheConfig",
    "Capabilities",
    "Client",
    "Config",
    "Document",
    "EndpointConfig",
    "EndpointState",
    "Found",
    "Image",
    "JsonSchema",
    "KeyHeader",
    "LimitsConfig",
    "Match",
    "Message",
    "ModelOverride",
    "PluginPolicy",
    "PluginRecord",
    "RetryConfig",
    "RouteConfig",
    "RunStream",
    "Secret",
    "SemanticConfig",
    "StoreConfig",
    "Stream",
    "Support",
    "TelemetryConfig",
    "Timeout",
    "Tool",
    "UnsupportedParameterWarning",
    "UsageTotal",
    "hookimpl",
    "load_config",
]


__getattr__ = lazy(__name__, _HOMES)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
