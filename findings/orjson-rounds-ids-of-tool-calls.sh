#!/usr/bin/env bash
# Of the JSON parsers under the SDKs of this field, orjson alone turns a long integer into a float
#
# Seen with: orjson 3.13.0; jiter 0.19.0, pydantic_core 2.50.5 and python-rapidjson 1.25, which openai's SDK, pydantic and
#   tritonclient build on; and json of the standard library, which httpx's `json()` is.
# Behaviour: up to 2**64 - 1 all of them agree. From 2**64 on orjson.loads gives the nearest float, without an error or
#   an option against it, while orjson.dumps refuses such an integer; the others keep every digit. Below -2**63 it is
#   the same.
# Consequence: models are asked to pass ids through tool calls, and order numbers, hashes and 128-bit ids are longer. Put
#   orjson where json was, as "the same but faster", and a tool is called with another id, which then goes back into the
#   history. Parse text that users own with another parser, or fall back to one where a run of 19 digits stands in it.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install --quiet --disable-pip-version-check orjson==3.13.0 jiter==0.19.0 pydantic_core==2.50.5 python-rapidjson==1.25
"$python" - <<'PYTHON'
import json
import sys

import jiter
import orjson
import pydantic_core
import rapidjson

PARSERS = {
    "json": json.loads,
    "jiter": jiter.from_json,
    "pydantic_core": pydantic_core.from_json,
    "rapidjson": rapidjson.loads,
    "orjson": orjson.loads,
}
NUMBERS = [2**63, 2**64 - 1, 2**64, 12345678901234567890123, -(2**63), -(2**63) - 1]
changed = []
for number in NUMBERS:
    text = json.dumps({"id": number}).encode()
    found = {name: parse(text)["id"] for name, parse in PARSERS.items()}
    odd = {name: value for name, value in found.items() if type(value) is not int or value != number}
    print(f"{number}: {odd or 'the same in all'}")
    expected = {} if -(2**63) <= number < 2**64 else {"orjson": float(number)}
    changed += [number] if odd != expected else []
try:
    orjson.dumps({"id": 2**64})
except TypeError as error:
    print(f"orjson.dumps of 2**64: {error}")
else:
    changed.append("dumps")
if changed:
    sys.exit(f"changed: {changed}")
PYTHON
