"""The main job on the embedded engine: no key, no network, no server.

    python examples/demo.py                       # the guide, a small model that only knows ipfs-accel
    python examples/demo.py path/to/model.gguf    # another model

Everything that it prints was computed by the model in this process.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ipfs_accel import Client
from ipfs_accel.types import TextDelta


def title(text: str) -> None:
    """Print a heading."""
    print(f"\n== {text}")


def through_python(model: str) -> None:
    """Use the public API."""
    with Client(timeout=120) as client:
        title("Discovery: what is installed, from metadata, without importing any of it")
        for plugin in client.plugins():
            print(f"{plugin.name:8} {plugin.state:10} {plugin.distribution} {plugin.version}")

        title("Capabilities: what the endpoint and this model can do, and who says so")
        capabilities = client.capabilities(model)
        for operation in ("chat", "stream", "embed", "rerank", "tools", "vision"):
            print(f"{operation:8} {capabilities.supports(operation)}")
        if capabilities.model is not None:
            print(f"context  {capabilities.model.context_window} tokens")

        title("Chat")
        reply = client.chat(model, "How do I add Groq?", max_tokens=100, seed=1)
        print(reply.text)
        usage = reply.usage
        print(f"-- {usage.input_tokens} tokens in, {usage.output_tokens} out, finished by {reply.finish_reason}")

        title("Stream")
        with client.stream(model, "Where do my API keys go?", max_tokens=100, seed=2) as stream:
            for event in stream:
                if isinstance(event, TextDelta):
                    print(event.text, end="", flush=True)
        print(f"\n-- the assembled answer has {len(stream.response.text)} characters")

        title("Embeddings")
        vectors = client.embed(model, ["the sky is blue", "the sea is deep"]).vectors
        print(f"{len(vectors)} vectors of {len(vectors[0])} floats, the first begins {vectors[0][0]:.4f}")

        title("Health")
        health = client.healthcheck("llvm")
        print(f"llvm: {health.status}; {health.detail or health.server}")


def through_the_command_line(model: str) -> None:
    """Use the command that a shell user has."""
    title("The same from a shell")
    for arguments in (
        ["backends"],
        ["chat", "-m", model, "-o", "max_tokens=100", "-o", "seed=3", "--usage", "What is ipfs-accel?"],
        ["embed", "-m", model, "--json", "hello"],
        ["capabilities", "llvm"],
    ):
        print(f"\n$ ipfs-accel {' '.join(arguments)}", flush=True)
        done = subprocess.run(
            [sys.executable, "-m", "ipfs_accel", *arguments],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        print(done.stdout if len(done.stdout) < 2000 else f"{done.stdout[:160].rstrip()} …")  # noqa: PLR2004


def main() -> None:
    """Show everything with the guide, or the model that the command line names."""
    if len(sys.argv) > 2:  # noqa: PLR2004
        sys.exit(f"usage: {sys.argv[0]} [path/to/model.gguf]")
    model = f"llvm/{Path(sys.argv[1]).resolve()}" if sys.argv[1:] else "llvm/guide"
    through_python(model)
    through_the_command_line(model)


if __name__ == "__main__":
    main()
