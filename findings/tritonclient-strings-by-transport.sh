#!/usr/bin/env bash
# tritonclient gives the strings of a BYTES output as str or as bytes, by the form that the server chose
#
# Seen with: tritonclient 2.73.0, numpy 2.4.6.
# Behaviour: `InferResult.as_numpy` of the same tensor holds bytes where the answer came in the binary extension, and str
#   where it came as JSON. Both are arrays of dtype object, and nothing in the result tells which. An output asked for
#   with `binary_data=True` may come either way: servers without the extension (MLServer) ignore the wish.
# Consequence: `.decode()` works against one server and raises AttributeError against another, or compares unequal to the
#   expected text in silence. Test each element's type; do not put it off on the datatype.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install --quiet --disable-pip-version-check 'tritonclient[http]==2.73.0' numpy==2.4.6
"$python" - <<'PYTHON'
import json
import sys

from tritonclient.http import InferResult

TEXTS = ["label", "other"]


def answer(**output: object) -> bytes:
    tensor = {"name": "out", "datatype": "BYTES", "shape": [len(TEXTS)], **output}
    return json.dumps({"model_name": "m", "outputs": [tensor]}).encode()


raw = b"".join(len(text).to_bytes(4, "little") + text.encode() for text in TEXTS)
head = answer(parameters={"binary_data_size": len(raw)})
as_json = InferResult.from_response_body(answer(data=TEXTS)).as_numpy("out")
as_binary = InferResult.from_response_body(head + raw, header_length=len(head)).as_numpy("out")
print(f"JSON: {as_json.dtype} {as_json.tolist()}; binary: {as_binary.dtype} {as_binary.tolist()}")
print(f"equal: {as_json.tolist() == as_binary.tolist()}")
if as_json.tolist() != TEXTS or as_binary.tolist() != [text.encode() for text in TEXTS]:
    sys.exit("changed: both forms give the same kind of string now, or other ones")
if not as_json.dtype == as_binary.dtype == object:
    sys.exit("changed: the dtype tells which form it was")
PYTHON
