"""Ask servers with a model of random weights which constructs of JSON Schema they enforce, and write it down.

    python scripts/schema_keywords.py                    # llama.cpp, in a process of its own
    python scripts/schema_keywords.py --ollama PROGRAM   # Ollama, built as its plugin's tests do it
    python scripts/schema_keywords.py --tgi              # what makes TGI's grammars: outlines_core 0.1.26

A random model breaks whatever it may: if one of its answers breaks a construct, the server does not enforce it. Results
go into `core/src/ipfs_accel/wire/schema_servers.json`; what other servers do stands there by hand, with its source.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema

HERE = Path(__file__).parent
TABLES = HERE.parent / "core/src/ipfs_accel/wire/schema_servers.json"
ANSWERS = 60
Schema = dict[str, Any]


def of(part: Any) -> Schema:
    """Return a closed object with one member."""
    return {"type": "object", "properties": {"p": part}, "required": ["p"], "additionalProperties": False}


FLAG: Schema = {"type": "boolean"}
SMALL: Schema = {"enum": [1, 2, 3]}
NUMBER, LIST = {"type": "number"}, {"type": "array", "items": {"enum": [1, 2]}}
LOOSE: Schema = {"type": "object", "additionalProperties": SMALL}


def words(pattern: str) -> Schema:
    """Return an object with a text of this pattern."""
    return of({"type": "string", "pattern": pattern})


def called(name: str) -> Schema:
    """Return an object with a text of this format."""
    return of({"type": "string", "format": name})


ONE = of({"const": 1})
TWO: Schema = {"type": "object", "properties": {"p": ONE, "q": ONE}, "additionalProperties": False}
EXAMPLES: dict[str, Schema] = {
    "bounds of a number": of({**NUMBER, "minimum": 0, "maximum": 1}),
    "bounds of an integer": of({"type": "integer", "minimum": 17, "exclusiveMaximum": 23}),
    "bounds without type": of({"minimum": 5, "maximum": 6, "description": "a number"}),
    "multipleOf of a number": of({**NUMBER, "multipleOf": 0.5}),
    "multipleOf of an integer": of({"type": "integer", "multipleOf": 7}),
    "multipleOf without type": of({"multipleOf": 7}),
    "lengths of a string": of({"type": "string", "minLength": 2, "maxLength": 3}),
    "lengths without type": of({"maxLength": 2}),
    "lengths beside pattern": of({"type": "string", "pattern": "^[a-c]{1,6}$", "maxLength": 2}),
    "lengths beside format": of({"type": "string", "format": "date-time", "maxLength": 20}),
    "pattern": words("^[a-c]{2}$"),
    "pattern that is not anchored": words("[a-c]{2}"),
    "pattern with \\d, \\w or \\s": words(r"^\d{3}$"),
    "pattern with \\p": words(r"^\p{L}{2}$"),
    "pattern with a quote or a backslash": words(r'^["a]{1,4}$'),
    "pattern that looks around": words("^(?!a)[a-c]{2}$"),
    **{f"format {name}": called(name) for name in ("email", "uri", "ipv4", "date", "date-time", "time", "uuid")},
    "uniqueItems": of({**LIST, "minItems": 2, "maxItems": 3, "uniqueItems": True}),
    "contains": of({**LIST, "minItems": 2, "maxItems": 3, "contains": {"const": 1}}),
    "minItems": of({**LIST, "minItems": 2}),
    "maxItems": of({**LIST, "maxItems": 2}),
    "items as a schema": of(LIST | {"maxItems": 3}),
    "items as a list": of({"type": "array", "items": [{"const": 1}, {"const": 2}], "minItems": 2, "maxItems": 2}),
    "items false": of({"type": "array", "prefixItems": [{"const": 1}], "items": False, "minItems": 1}),
    "prefixItems": of({"type": "array", "prefixItems": [{"const": 1}, {"const": 2}], "minItems": 2, "maxItems": 2}),
    "unevaluatedItems": of({"type": "array", "prefixItems": [{"const": 1}], "minItems": 1, "unevaluatedItems": False}),
    "not": of({"type": "boolean", "not": {"const": True}}),
    "if": of({"enum": [1, 2, 3], "if": {"const": 1}, "then": {"const": 2}}),
    "propertyNames": {**LOOSE, "propertyNames": {"enum": ["a"]}, "minProperties": 1},
    "dependentRequired": {**TWO, "required": ["p"], "dependentRequired": {"p": ["q"]}},
    "dependentSchemas": {**TWO, "required": ["p"], "dependentSchemas": {"p": {"required": ["q"]}}},
    "minProperties": {**TWO, "minProperties": 1},
    "maxProperties": {
        "type": "object",
        "properties": dict.fromkeys("pqrs", FLAG),
        "additionalProperties": False,
        "maxProperties": 1,
    },
    "patternProperties": {
        "type": "object",
        "patternProperties": {"^[a-c]$": {"const": 1}},
        "additionalProperties": False,
        "minProperties": 1,
    },
    "unevaluatedProperties": {"type": "object", "properties": {"p": {"const": 1}}, "unevaluatedProperties": False},
    "additionalProperties false": ONE,
    "additionalProperties as a schema": {"type": "object", "additionalProperties": {"enum": [1, 2]}},
    "required": of({"enum": [1, 2]}),
    "required of an unknown name": {"type": "object", "properties": {"p": {"const": 1}}, "required": ["q"]},
    "const": of({"const": 1}),
    "enum": of({"enum": [1, "a", None]}),
    "keywords beside enum": of({"enum": [1, 2], "maximum": 1}),
    "type that contradicts enum": of({"type": "string", "enum": ["a", 1]}),
    "anyOf": of({"anyOf": [FLAG, SMALL]}),
    "oneOf": of({"oneOf": [FLAG, {"type": "null"}]}),
    "oneOf that overlaps": of({"oneOf": [{"enum": [1, 2]}, {"enum": [2, 3]}]}),
    "keywords beside anyOf": {**TWO, "anyOf": [{"required": ["p"]}, {"required": ["q"]}]},
    "keywords beside $ref": {**of({"$ref": "#/$defs/one", "maximum": 1}), "$defs": {"one": {"enum": [1, 2]}}},
    "allOf of objects": {"allOf": [of({"const": 1}) | {"additionalProperties": True}, {"properties": {"q": FLAG}}]},
    "allOf of others": of({"allOf": [{"type": "integer", "minimum": 3}, {"type": "integer", "maximum": 5}]}),
    "$ref": {**of({"$ref": "#/$defs/one"}), "$defs": {"one": {"enum": [1, 2]}}},
    "$ref to another place": of({"$ref": "https://schemas.example/one.json"}),
    "$anchor": {**of({"$ref": "#one"}), "$defs": {"one": {"$anchor": "one", "enum": [1, 2]}}},
    "a schema that is false": {"type": "object", "properties": {"p": {"const": 1}, "q": False}, "required": ["p"]},
    "a schema that is true": of(True),
}
"""Each construct in a schema that says little else. What holds beside it is `of`'s and does everywhere."""

# Whether a day is of its month is no server's grammar's business, and random answers would tell it by chance.
FORMS = {
    "date": r"\d{4}-\d\d-\d\d",
    "date-time": r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)",
    "time": r"\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)?",
}


class Refused(Exception):  # noqa: N818 - not an error of this script
    """The server says that it cannot."""


class Place(NamedTuple):
    """A route of a server: `ask` is given a schema and a seed, and returns the text of a whole answer, or None."""

    name: str
    version: str
    ask: Callable[[Schema, int], str | None]


def follows(text: str, name: str, schema: Schema) -> bool:
    """Whether an answer follows its schema."""
    try:
        value = json.loads(text)
    except ValueError:
        return False
    part = str(value.get("p")) if isinstance(value, dict) else ""
    own: dict[str, Callable[[], bool]] = {
        "lengths beside format": lambda: len(part) <= 20 and re.fullmatch(FORMS["date-time"], part) is not None,
        "$ref to another place": lambda: False,  # nothing can be known of it
        "pattern with \\p": lambda: re.fullmatch(r"[^\W\d_]{2}", part) is not None,
        **{f"format {each}": lambda form=form: re.fullmatch(form, part) is not None for each, form in FORMS.items()},
    }
    if name in own:
        return own[name]()
    kind = jsonschema.Draft7Validator if name == "items as a list" else jsonschema.Draft202012Validator
    try:
        return not list(kind(schema, format_checker=kind.FORMAT_CHECKER).iter_errors(value))
    except OverflowError:  # a number beyond all floats, which is a multiple of nothing
        return False


def judged(place: Place, name: str, schema: Schema) -> str:
    """Return lost, kept, refused or unknown."""
    whole = 0
    for seed in range(ANSWERS):
        try:
            text = place.ask(schema, seed)
        except Refused:
            return "refused"
        except OSError:  # some schemas end or stop Ollama's runner
            return "unknown"
        if text is None:
            continue
        whole += 1
        if not follows(text, name, schema):
            return "lost"
    return "kept" if whole >= ANSWERS // 4 else "unknown"


def post(url: str, body: dict[str, Any], seconds: float = 120) -> Any:
    """Send JSON and return JSON."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:  # noqa: S310
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise Refused(error.read().decode()[:300]) from None


def llama_places(url: str) -> list[Place]:
    """Return llama.cpp's two routes that take schemas."""
    build = f"b{version('xllamacpp').rpartition('.')[2]} (xllamacpp {version('xllamacpp')})"

    def chat(schema: Schema, seed: int) -> str | None:
        form = {"type": "json_schema", "json_schema": {"name": "one", "schema": schema, "strict": True}}
        body = {"max_tokens": 250, "temperature": 2, "seed": seed, "response_format": form}
        messages = [{"role": "user", "content": "Go."}]
        choice = post(f"{url}/v1/chat/completions", {**body, "messages": messages})["choices"][0]
        return choice["message"]["content"] if choice["finish_reason"] == "stop" else None

    def native(schema: Schema, seed: int) -> str | None:
        body = {"prompt": "Go.", "n_predict": 250, "temperature": 2, "seed": seed, "json_schema": schema}
        answer = post(f"{url}/completion", body)
        return answer["content"] if answer["stop_type"] == "eos" or not _is_json(answer["content"]) else None

    return [Place("llama.cpp's chat completions", build, chat), Place("llama.cpp's completions", build, native)]


def _is_json(text: str) -> bool:
    """Whether a text is JSON or the beginning of some."""
    return text.lstrip()[:1] in set('{["-0123456789tfn')


class Ollama:
    """A server with the model `tiny`, which is started anew whenever a schema has ended or stopped it."""

    def __init__(self, program: str, model: bytes, home: str) -> None:
        self._program, self._model, self._home = program, model, home
        self._process: subprocess.Popen[bytes] | None = None
        self._start()

    def _start(self) -> None:
        self.stop()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            place = f"127.0.0.1:{free.getsockname()[1]}"
        own = {"OLLAMA_HOST": place, "OLLAMA_MODELS": self._home, "HOME": self._home, "OLLAMA_NO_CLOUD": "1"}
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(
            [self._program, "serve"], env={**os.environ, **own}, stderr=quiet, stdout=quiet
        )
        self._url = f"http://{place}"
        _await(f"{self._url}/api/version")
        digest = f"sha256:{sha256(self._model).hexdigest()}"
        blob = urllib.request.Request(f"{self._url}/api/blobs/{digest}", self._model, method="POST")  # noqa: S310
        urllib.request.urlopen(blob).close()  # noqa: S310
        post(f"{self._url}/api/create", {"model": "tiny", "files": {"tiny.gguf": digest}, "stream": False})

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def place(self) -> Place:
        """Return its route that takes schemas."""
        with urllib.request.urlopen(f"{self._url}/api/version") as answer:  # noqa: S310
            found = json.load(answer)["version"]
        # One that `go install` built does not know its number.
        return Place("Ollama", "0.24.0" if found == "0.0.0" else found, self._chat)

    def _chat(self, schema: Schema, seed: int) -> str | None:
        options = {"num_predict": 250, "temperature": 2, "seed": seed, "num_thread": 1}
        body = {"model": "tiny", "messages": [{"role": "user", "content": "Go."}], "stream": False}
        try:
            found = post(f"{self._url}/api/chat", {**body, "format": schema, "options": options}, 20)
        except OSError:
            self._start()
            raise
        return found["message"]["content"] if found["done_reason"] == "stop" else None


def tgi_place() -> Place:
    """Return what TGI does: its router makes a regular expression of a schema, and its server follows that."""
    from hypothesis import Phase, given, settings, strategies  # noqa: PLC0415 - of this place alone
    from outlines_core.fsm.json_schema import build_regex_from_schema  # noqa: PLC0415

    made: dict[str, list[str]] = {}

    def chat(schema: Schema, seed: int) -> str | None:
        if "properties" not in schema:
            raise Refused  # by the router, before it makes anything
        asked = json.dumps(schema)
        if asked not in made:
            try:
                form = re.compile(build_regex_from_schema(asked))
            except (ValueError, re.error) as error:
                raise Refused(str(error)) from None
            texts = made[asked] = []
            quick = settings(max_examples=10 * ANSWERS, phases=[Phase.generate], database=None, derandomize=True)
            quick(given(strategies.from_regex(form, fullmatch=True))(lambda text: texts.append(text)))()  # noqa: PLW0108 - a function of Python's
        return made[asked][-1 - seed % len(made[asked])]  # the first ones are the simplest

    return Place("TGI", f"3.3.7, by outlines-core {version('outlines_core')}", chat)


@contextmanager
def llama(model: Path) -> Iterator[str]:
    """Run llama.cpp's server."""
    settings = json.dumps({"n_ctx": 2048, "n_parallel": 1})
    command = [sys.executable, str(HERE.parent / "tests/serve_llama.py"), str(model), settings]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            yield process.stdout.readline().strip()  # type: ignore[union-attr]
        finally:
            process.kill()


def _await(url: str) -> None:
    for _ in range(300):
        with suppress(OSError):
            urllib.request.urlopen(url).close()  # noqa: S310
            return
        time.sleep(0.1)


def write(places: list[Place]) -> None:
    """Ask each place for each construct, and put what it does into the tables."""
    for place in places:
        found: dict[str, list[str]] = {"lost": [], "kept": [], "refused": [], "unknown": []}
        for name, schema in EXAMPLES.items():
            found[judged(place, name, schema)].append(name)
            print(f"{place.name}: {name}: {next(kind for kind, names in found.items() if name in names)}", flush=True)
        tables = json.loads(TABLES.read_text())
        tables[place.name] = {"version": place.version, "source": "scripts/schema_keywords.py", **found}
        TABLES.write_text(json.dumps(tables, indent=1, sort_keys=True) + "\n")


def main() -> None:
    """Do what the module says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--ollama", help="Ollama's program")
    parser.add_argument("--tgi", action="store_true")
    parser.add_argument("--model", type=Path, default=HERE.parent / ".cache/tiny.gguf")
    given = parser.parse_args()
    if given.ollama:
        with tempfile.TemporaryDirectory() as home:
            server = Ollama(given.ollama, given.model.read_bytes(), home)
            try:
                write([server.place()])
            finally:
                server.stop()
        return
    if given.tgi:
        write([tgi_place()])
        return
    with llama(given.model) as url:
        write(llama_places(url))


if __name__ == "__main__":
    main()
