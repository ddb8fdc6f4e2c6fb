"""Whose the names of backends and hosts are, and the variables with their keys; and what else people call them.

Only our own distributions may register these names, and a host of somebody else's takes none of these variables: a
key for `openai` must not reach a stranger's code or server by its name. The table holds for what is not installed too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

__all__ = ["KEYS", "OTHER_NAMES", "RESERVED", "is_set_up", "reserved"]

_OWNERS: dict[str, dict[str, tuple[str, ...]]] = {
    "ipfs-accel-openai": {
        "openai": ("OPENAI_API_KEY",),
        "azure": ("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN"),
    },
    "ipfs-accel-claude": {"claude": ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")},
    "ipfs-accel-groq": {"groq": ("GROQ_API_KEY",)},
    "ipfs-accel-ollama": {"ollama": ("OLLAMA_API_KEY",)},
    "ipfs-accel-hf": {
        "tgi": ("TGI_API_KEY",),
        "tei": ("TEI_API_KEY",),
        "hf": ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"),
    },
    "ipfs-accel-gemini": {"gemini": ("GEMINI_API_KEY", "GOOGLE_API_KEY")},
    "ipfs-accel-llvm": {"llvm": ("LLVM_API_KEY", "LLAMA_API_KEY"), "vllm": ("VLLM_API_KEY",)},
    "ipfs-accel-ovms": {"ovms": ("OVMS_API_KEY",)},
    "ipfs-accel-s3": {"s3": ("S3_ACCESS_KEY:S3_SECRET_KEY",)},
    "ipfs-accel-opea": {"opea": ("OPEA_API_KEY",)},
    "ipfs-accel-hosts": {
        "baseten": ("BASETEN_API_KEY",),
        "cerebras": ("CEREBRAS_API_KEY",),
        "cloudflare": ("CLOUDFLARE_API_TOKEN", "CLOUDFLARE_API_KEY"),
        "dashscope": ("DASHSCOPE_API_KEY",),
        "databricks": ("DATABRICKS_TOKEN",),
        "deepinfra": ("DEEPINFRA_API_KEY", "DEEPINFRA_TOKEN"),
        "deepseek": ("DEEPSEEK_API_KEY",),
        "fireworks": ("FIREWORKS_API_KEY",),
        "github-models": ("GITHUB_TOKEN",),
        "hyperbolic": ("HYPERBOLIC_API_KEY",),
        "jan": (),
        "litellm-proxy": ("LITELLM_PROXY_API_KEY",),
        "lm-studio": ("LM_API_TOKEN",),
        "localai": (),
        "minimax": ("MINIMAX_API_KEY",),
        "mistral": ("MISTRAL_API_KEY",),
        "moonshot": ("MOONSHOT_API_KEY",),
        "nebius": ("NEBIUS_API_KEY",),
        "novita": ("NOVITA_API_KEY",),
        "nvidia": ("NVIDIA_API_KEY",),
        "openrouter": ("OPENROUTER_API_KEY",),
        "ovh": ("OVH_AI_ENDPOINTS_ACCESS_TOKEN", "OVHCLOUD_API_KEY"),
        "perplexity": ("PERPLEXITY_API_KEY",),
        "sambanova": ("SAMBANOVA_API_KEY",),
        "scaleway": ("SCW_SECRET_KEY",),
        "sglang": (),
        "together": ("TOGETHER_API_KEY",),
        "vercel-gateway": ("AI_GATEWAY_API_KEY",),
        "volcengine": ("ARK_API_KEY",),
        "xai": ("XAI_API_KEY",),
        "zai": ("ZAI_API_KEY",),
    },
}

RESERVED: dict[str, str] = {name: owner for owner, names in _OWNERS.items() for name in names}
"""Name of a backend or a host to the distribution that it is of."""

KEYS: dict[str, str] = {
    part: name
    for names in _OWNERS.values()
    for name, variables in names.items()
    for variable in variables
    for part in variable.split(":")
}
"""Variable that may hold a key to the backend or the host that it belongs to."""

# People set these for other things too, so that they do not tell that somebody means to use the host.
_OF_MANY_USES = {"CLOUDFLARE_API_KEY", "CLOUDFLARE_API_TOKEN", "DATABRICKS_TOKEN", "GITHUB_TOKEN", "SCW_SECRET_KEY"}

OTHER_NAMES: dict[str, str] = {
    "aistudio": "gemini",
    "alibaba": "dashscope",
    "anthropic": "claude",
    "ark": "volcengine",
    "azure-openai": "azure",
    "bigmodel": "zai",
    "chatgpt": "openai",
    "doubao": "volcengine",
    "fireworks-ai": "fireworks",
    "github": "github-models",
    "glm": "zai",
    "google": "gemini",
    "gpt": "openai",
    "grok": "xai",
    "huggingface": "hf",
    "kimi": "moonshot",
    "litellm": "litellm-proxy",
    "llama-cpp": "llvm",
    "llamacpp": "llvm",
    "lmstudio": "lm-studio",
    "local-ai": "localai",
    "mistralai": "mistral",
    "moonshotai": "moonshot",
    "nim": "nvidia",
    "nvidia-nim": "nvidia",
    "openvino": "ovms",
    "ovhcloud": "ovh",
    "pplx": "perplexity",
    "qwen": "dashscope",
    "togetherai": "together",
    "vercel": "vercel-gateway",
    "workers-ai": "cloudflare",
    "x-ai": "xai",
    "z-ai": "zai",
    "zhipu": "zai",
    "zhipuai": "zai",
}
"""What people, and other libraries, call backends and hosts, to our name."""


def reserved(name: str) -> str:
    """Return why nobody else may register a name of ours."""
    return f"the name {name!r} is reserved for the distribution {RESERVED.get(name)}"


def is_set_up(name: str, environ: Mapping[str, str], stored: Collection[str] = ()) -> bool:
    """Whether somebody gave a host what it needs, as far as that is known without reading its row.

    Hosts of ours come by the dozen, and few are used; one of somebody else's was installed because it is.

    Args:
        name: Of the host.
        environ: The environment.
        stored: Endpoints that have a key in the key file.
    """
    if RESERVED.get(name) != "ipfs-accel-hosts" or name in stored:
        return True
    own = "IPFS_ACCEL_" + name.replace("-", "_").upper()
    variables = [each for each, owner in KEYS.items() if owner == name and each not in _OF_MANY_USES]
    return any(environ.get(each) for each in (*variables, f"{own}_API_KEY", f"{own}_BASE_URL"))
