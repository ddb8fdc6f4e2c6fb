"""The documentation and the READMEs: every block runs, every link leads somewhere, everything is documented.

Python blocks of a page run in order and share their names, in a folder with the files that they read, against the
proxy of `everyone.py`. A TOML block is loaded, and is the configuration of the blocks below it. Of shell blocks,
`export` lines hold below and every `ipfs-accel` command has to parse. A block that cannot take part has above it
`<!-- not run: REASON -->`.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import importlib.util
import inspect
import os
import re
import shlex
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import attrs
import click
import pytest
import yaml
from ipfs_accel import Client, UnsupportedParameterWarning, errors, hookspecs, load_config
from ipfs_accel._cli.app import app
from ipfs_accel._cli.command import State
from ipfs_accel.hookspecs._middleware import MIDDLEWARE_HOOKS

from .everyone import PIXEL, Everyone, everyone

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
KEYS = ("OPENAI", "ANTHROPIC", "GROQ", "GEMINI", "AZURE_OPENAI", "ACME", "DEEPSEEK")
PAGES = sorted(
    [path for path in DOCS.rglob("*.md") if not {"_build", "_generated"} & set(path.parts)]
    + [ROOT / "README.md", *(path for path in ROOT.glob("plugins/**/README.md") if ".venv" not in path.parts)]
    + [*ROOT.glob("examples/*/README.md")]
)
FENCE = re.compile(
    r"^(?:<!-- not run: (?P<reason>.+) -->\n+)?```(?P<language>\w+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)


def load_script(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


reference = load_script("make_reference")


class Block(NamedTuple):
    language: str
    code: str
    line: int
    reason: str | None


def blocks(path: Path) -> Iterator[Block]:
    text = path.read_text()
    for found in FENCE.finditer(text):
        line = text.count("\n", 0, found.start("code")) + 1
        yield Block(found["language"], found["code"], line, found["reason"])


@pytest.fixture(scope="module")
def proxy(llama: Any) -> Iterator[Everyone]:
    from moto.server import ThreadedMotoServer

    store = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    store.start()
    host, port = store.get_host_and_port()
    with everyone(llama.url, f"http://{host}:{port}") as found:
        yield found
    store.stop()


@pytest.fixture
def folder(
    proxy: Everyone, tiny_gguf: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any
) -> Path:
    """A folder with the files that examples read, in an environment where the proxy answers for everyone."""
    import base64

    home = tmp_path_factory.mktemp("home")
    for variable in [name for name in os.environ if name.startswith("IPFS_ACCEL_")]:
        monkeypatch.delenv(variable)
    for variable in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.setenv(variable, str(home))
    for name in KEYS:
        monkeypatch.setenv(f"{name}_API_KEY", "key-of-the-docs")
    monkeypatch.setenv("HF_TOKEN", "hf_of-the-docs")
    monkeypatch.setenv("IPFS_ACCEL_PROXY", proxy.url)
    monkeypatch.setenv("IPFS_ACCEL_CA_FILE", str(proxy.authority))
    for module in (
        "_http.base",
        "_endpoints.resolve",
        "_endpoints.target",
    ):  # it answers for the servers of this machine too
        monkeypatch.setattr(f"ipfs_accel.{module}.is_here", lambda _url: False)
    monkeypatch.setattr("ipfs_accel._http.base._targets", {})
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://minio:9000")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "MINIO_ID", "MINIO_SECRET"):
        monkeypatch.setenv(name, "of-the-docs")
    ask = urllib.request.build_opener(urllib.request.ProxyHandler({"http": proxy.url}))
    for method, path in (("POST", "moto-api/reset"), ("PUT", "models"), ("PUT", "models/bert/config.json")):
        ask.open(urllib.request.Request(f"http://minio:9000/{path}", b"", method=method)).close()
    shutil.copy(tiny_gguf, tmp_path / "model.gguf")
    shutil.copy(tiny_gguf, tmp_path / "weights.gguf")
    for name in ("cat.png", "photo.jpg", "cat.jpg", "a.png"):
        (tmp_path / name).write_bytes(base64.b64decode(PIXEL))
    for name in ("contract.pdf", "talk.pdf"):
        (tmp_path / name).write_bytes(b"%PDF-1.7 " + bytes(32))
    (tmp_path / "talk.mp3").write_bytes(b"ID3" + bytes(32))
    (tmp_path / "notes.txt").write_text("Notes.")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_block_runs(path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(path):
        if block.reason is None:
            at = f"{path.relative_to(ROOT)}:{block.line}"
            if block.language == "python":
                run_python(block, path, names)
            elif block.language == "toml":
                configure(block, folder, at, monkeypatch)
            elif block.language == "sh":
                read_shell(block, at, monkeypatch)
            elif block.language == "yaml":
                assert yaml.safe_load(block.code), at
            else:
                assert block.language == "text", at


def run_python(block: Block, path: Path, names: dict[str, Any]) -> None:
    source = "\n" * (block.line - 1) + block.code  # so that a traceback shows the line of the page
    code = compile(source, str(path), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    warns = 'on_unsupported="warn"' in block.code
    with pytest.warns(UnsupportedParameterWarning) if warns else contextlib.nullcontext():
        if code.co_flags & inspect.CO_COROUTINE:
            asyncio.run(eval(code, names))  # noqa: S307 - our own documentation
        else:
            exec(code, names)  # noqa: S102 - as above


def configure(block: Block, folder: Path, at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file = folder / "config.toml"
    file.write_text(block.code)
    config = load_config(file)
    with Client(config) as client:
        for endpoint in config.endpoints:
            assert client.capabilities(endpoint).endpoint == endpoint, at
    monkeypatch.setenv("IPFS_ACCEL_CONFIG", str(file))


def read_shell(block: Block, at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for line in block.code.replace("\\\n", " ").splitlines():
        exported = re.match(r"export (\w+)=([^\s…]+)(?:\s|$)", line)
        if exported:
            monkeypatch.setenv(exported[1], exported[2])
        for words in command_lines(line):
            try:
                parse(words)
            except click.exceptions.Exit:
                pass  # --help
            except Exception as error:
                raise AssertionError(f"{at}: {shlex.join(words)}: {error}") from error


def command_lines(line: str) -> Iterator[list[str]]:
    """Return the arguments of each `ipfs-accel` in a line of shell."""
    for inner in re.findall(r"\$\((.*?)\)", line):
        yield from command_lines(inner)
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.wordchars += "[]{}=,:@%+…$"
    words: list[str] = []
    for token in [*lexer, ";"]:
        if token[0] in "|&;<>()":
            if words[:1] == ["ipfs-accel"]:
                yield words[1:]
            words = []
        else:
            words.append(token)


def parse(words: list[str]) -> None:
    """Read a command line as the real command does, without running it."""
    command: click.Command = app
    context = app.make_context("ipfs-accel", list(words), obj=State())
    while isinstance(command, click.Group):
        left = [*context._protected_args, *context.args]
        if not left and command.invoke_without_command:
            return
        name, found, rest = command.resolve_command(context, left)
        assert found is not None
        command, context = found, found.make_context(name, rest, parent=context)


# links


def anchors(text: str) -> set[str]:
    """Return the anchors of a page: its headings, as GitHub and MyST write them."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return {
        re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }


def test_a_value_and_a_tool_take_seven_lines() -> None:
    page = (ROOT / "docs" / "howto" / "coming-from.md").read_text()
    section = page.partition("## Two tasks in seven lines")[2].partition("\n## ")[0]
    tasks = re.findall(r"^```python\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert ["response_format=" in task for task in tasks] == [True, False]
    assert all(len([line for line in task.splitlines() if line.strip()]) <= 7 for task in tasks)


def test_links_lead_somewhere() -> None:
    generated = {DOCS / "_generated" / path: text for path, text in reference.pages().items()}
    folders = [ROOT / name / "README.md" for name in ("benchmarks", "findings")]
    pages = {path: path.read_text() for path in [*PAGES, *ROOT.glob("*.md"), *folders]}
    readmes = {DOCS / "_generated" / "backends" / f"{each.name}.md" for each in reference.distributions()}
    broken = []
    for path, text in (pages | generated).items():
        prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", prose):
            if re.match(r"https?://", target):
                continue
            file, _, anchor = target.partition("#")
            to = (path.parent / file).resolve() if file else path
            content = generated.get(to) or (to.read_text() if to.suffix == ".md" and to.exists() else None)
            if (content is None and not to.exists()) or (anchor and anchor not in anchors(content or "")):
                broken.append(f"{path.relative_to(ROOT)}: {target}")
    assert readmes <= set(generated)
    assert broken == []


# completeness


def test_every_hook_is_documented_with_its_arguments() -> None:
    text = reference.hooks_page() + reference.middleware_page()
    assert {"describe", "calls", *hookspecs.OPERATIONS, *MIDDLEWARE_HOOKS} <= set(reference.hooks())
    for name, hook in reference.hooks().items():
        assert f"\n### {name}({', '.join(inspect.signature(hook).parameters)})\n\n{hook.__doc__[:20]}" in text


def test_every_operation_has_a_client_method_and_a_backend() -> None:
    for name in hookspecs.OPERATIONS:
        assert hasattr(Client, name), name
    without = {
        name for name in hookspecs.OPERATIONS if not any(name in b.operations for b in reference.backends().values())
    }
    assert without == set()


def test_every_client_method_says_what_it_does_and_what_its_arguments_mean() -> None:
    text = reference.client_page()
    for name, value in inspect.getmembers(Client, callable):
        if not name.startswith("_"):
            assert f"\n### {name}(" in text, name
            assert inspect.getdoc(value), name


def test_every_setting_and_every_field_of_a_value_has_a_meaning() -> None:
    from ipfs_accel import middleware, plans, types

    modules = (middleware, plans, types)
    kinds = [*reference.configured(), *(getattr(module, name) for module in modules for name in module.__all__)]
    kinds += [b.info.options for b in reference.backends().values() if b.info.options]
    missing = [
        f"{kind.__name__}.{name}"
        for kind in kinds
        if isinstance(kind, type) and hasattr(kind, "__attrs_attrs__")
        for name, _, _, meaning in load_script("docstrings").settings(kind)
        if not meaning
    ]
    assert missing == []


def test_every_error_class_is_documented() -> None:
    text = reference.errors_page()
    for name in errors.__all__:
        if isinstance(getattr(errors, name), type):
            assert f"\n## {name}\n\n{getattr(errors, name).__doc__.splitlines()[0]}" in text, name
            assert len(re.findall(rf"\b{name}\b", errors.__doc__)) == 1, f"{name} is missing in the tree"


def test_every_command_is_documented() -> None:
    text = reference.commands_page()
    names = [name for name, _ in reference.commands()]
    assert len(names) > 40
    for name in names:
        assert f"\n## {name}\n" in text


def test_every_environment_variable_is_documented() -> None:
    text = reference.environment_page()
    sources = [path.read_text() for path in (ROOT / "core" / "src").rglob("*.py")]
    used = {name for source in sources for name in re.findall(r"\b_?IPFS_ACCEL_[A-Z_]+[A-Z]", source)}
    used |= {f"IPFS_ACCEL_{field.upper()}" for field in from_environment()}
    used |= set(reference.variables())
    assert {name for name in used if f"`{name}`" not in text} == set()


def from_environment() -> list[str]:
    source = (ROOT / "core" / "src" / "ipfs_accel" / "_config" / "config.py").read_text()
    found = re.search(r"for field in (\(.*?\)):\n\s+variable =", source, re.DOTALL)
    assert found is not None
    return list(ast.literal_eval(found[1]))


def test_every_backend_has_a_page_with_its_operations() -> None:
    pages = reference.pages()
    for name, backend in reference.backends().items():
        text = pages[f"backends/{reference.home(name)}.md"]
        assert f"## The backend `{name}`" in text
        part = text.partition(f"### Operations of {name}\n")[2].partition("\n#")[0]
        assert {
            row for row, word in re.findall(r"\| `(\w+)` \| (yes|no) \|", part) if word == "yes"
        } == backend.operations


def test_every_readme_names_the_settings_of_its_backends() -> None:
    readmes = {each.name: (each / "README.md").read_text() for each in reference.distributions()}
    missing = []
    for name, backend in reference.backends().items():
        info, text = backend.info, readmes[reference.home(name)]
        variables = [part for each in (*info.base_url_env, *info.key_env) for part in each.split(":")]
        missing += [
            f"{name}: {each}" for each in variables if f"`{each}`" not in text and f"export {each}=" not in text
        ]
        for option in attrs.fields(info.options) if info.options else ():
            by = info.options_env.get(option.name, option.name)
            if not re.search(rf"`{by}`|`?\b{option.name}\b(?: =|`)", text):
                missing.append(f"{name}: {option.name}")
    assert missing == []


def test_every_page_is_in_the_navigation() -> None:
    listed = set()
    for path in DOCS.rglob("*.md"):
        for tree in re.findall(r"^```\{toctree\}\n(.*?)^```$", path.read_text(), re.MULTILINE | re.DOTALL):
            lines = [line for line in tree.splitlines() if line and not line.startswith(":")]
            listed |= {(path.parent / re.sub(r".*<(.*)>", r"\1", line)).resolve() for line in lines}
    pages = {path.with_suffix("") for path in PAGES if DOCS in path.parents} - {DOCS / "index"}
    generated = {(DOCS / "_generated" / path).with_suffix("") for path in reference.pages()}
    assert pages | generated == listed


def test_the_table_of_time_limits_has_every_backend_and_host_once() -> None:
    text = reference.timeouts_page()
    rows = {tuple(each.strip() for each in line.split("|")[1:-1]) for line in text.splitlines() if line[:3] == "| ["}
    limits = {re.match(r"\[`(.+)`\]\S+(.*)", row[0]).expand(r"\1\2"): row[1:] for row in rows}  # type: ignore[union-attr]
    assert limits.pop("ollama at https://ollama.com") == ("5", "600", "600", "3600", "once")
    assert limits.keys() == reference.backends().keys()
    assert limits["ollama"] == ("5", "3600", "3600", "3600", "no")
    own = {name for name, row in limits.items() if row == ("5", "600", "600", "600", "no")}
    assert own == {"llvm", "vllm", "tgi", "tei", "ovms", "opea"}
    assert all(text.count(f"hosts.md#{name})") == 1 for name in reference.hosts())
