"""Azure OpenAI: the same models and the same API, below other paths."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import attrs
from ipfs_accel import BackendInfo, KeyHeader
from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.plans import Endpoint, HttpRequest
from ipfs_accel.types import ModelInfo

from . import _limits
from ._openai import CommonOptions, OpenAI

__all__ = ["Azure", "AzureOptions", "azure"]


@attrs.frozen(kw_only=True)
class AzureOptions(CommonOptions):
    """Settings of an Azure OpenAI endpoint.

    Attributes:
        api: How chats are made: by chat completions, by the Responses API, or (auto) by the latter where it is needed.
        count: How input tokens are counted: by the server (which auto is too), or offline.
        api_version: Date of the classic API, whose URLs name the deployment; None means the newer one below
            /openai/v1, which has no version.
        token: Whether the key is an access token of Microsoft Entra ID instead of a key of the resource; one from
            AZURE_OPENAI_AD_TOKEN is known to be.
    """

    api_version: str | None = None
    token: bool = False


def _azure_key(options: AzureOptions) -> KeyHeader:
    return KeyHeader() if options.token else KeyHeader(name="api-key", prefix="")


class Azure(OpenAI):
    """OpenAI's models as Azure serves them: the model's id is the name of the deployment."""

    vary_image = None  # type: ignore[assignment]
    info = BackendInfo(
        name="azure",
        title="Azure OpenAI",
        base_url_env=("AZURE_OPENAI_ENDPOINT",),
        key_env=("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN"),
        token_env=("AZURE_OPENAI_AD_TOKEN",),
        key_header=_azure_key,
        needs_key=True,
        options=AzureOptions,
        options_env={"api_version": "OPENAI_API_VERSION"},
        max_inputs=_limits.TEXTS,
        request_id_headers=("x-request-id", "apim-request-id"),
        documentation="https://learn.microsoft.com/azure/ai-foundry/openai/reference",
    )

    def is_hosted(self, endpoint: Endpoint) -> bool:  # noqa: ARG002 - it does not matter which
        """Return True: the models are OpenAI's, whatever their deployments are called."""
        return True

    def described(self, endpoint: Endpoint, model: ModelInfo) -> ModelInfo:  # noqa: ARG002 - as above
        """Add nothing: a deployment may be called like a model that it is not, and Azure has prices of its own."""
        return model

    def path(self, endpoint: Endpoint, route: str) -> str:
        """Return where a route is: below the resource's own address, which may already say it."""
        version = endpoint.options.api_version
        base = "" if urlsplit(endpoint.base_url).path.rstrip("/").endswith("/openai/v1") else "/openai"
        if version is None:
            return f"{base}/v1{route}" if base else route
        return f"{base}{route}?api-version={version}"

    def placed(self, endpoint: Endpoint, send: HttpRequest) -> HttpRequest:
        """Return a request below /openai/v1, or below /openai with the version of the classic API."""
        base = urlsplit(endpoint.base_url).path.rstrip("/")
        version = endpoint.options.api_version
        path = send.path.removeprefix("/openai") if send.path.startswith("/openai/") else send.path
        if base.endswith("/openai/v1"):
            return attrs.evolve(send, path=path.removeprefix("/v1") if path.startswith("/v1/") else path)
        if version is None:
            return attrs.evolve(send, path=f"/openai{path if path.startswith('/v1/') else f'/v1{path}'}")
        dated = () if any(name == "api-version" for name, _ in send.query) else (("api-version", version),)
        return attrs.evolve(send, path=f"/openai{path}", query=(*dated, *send.query))

    def model_path(self, endpoint: Endpoint, route: str, model: str) -> str:
        """Return where the route of a deployment is, for the classic API."""
        if endpoint.options.api_version is None:
            return self.path(endpoint, route)
        return self.path(endpoint, f"/deployments/{_deployment(model)}{route}")


def _deployment(model: str) -> str:
    if not re.fullmatch(r"[\w.-]+", model):
        raise InvalidRequestError(f"model: {model!r} is no name of a deployment")
    return model


azure = Azure()
