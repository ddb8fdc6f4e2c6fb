#!/usr/bin/env bash
# OpenTelemetry's newest instrumentation of the openai SDK cannot be imported with what pip picks, and nobody says so
#
# Seen with: opentelemetry-instrumentation-openai-v2 2.4b0, openai 3.57.0, opentelemetry-util-genai 1.3b0,
#   opentelemetry-distro 0.66b2, on Python 3.11.
# Behaviour: pip installs the instrumentation and the SDK without a conflict. Importing it fails for want of httpx, which
#   it imports without requiring it and the SDK no longer brings (it is httpx2 there); with httpx installed by hand it
#   fails for want of opentelemetry.util.genai.instruments, which the release of util-genai that it accepts does not
#   have. Under opentelemetry-instrument the program runs, and there is no line about it on either output.
# Consequence: a service that was upgraded has no spans and no metrics of its calls, and no error. Pin all of these
#   together, and let a test look for one span of a call; opentelemetry-instrumentation-genai-openai takes its place.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
bin="$folder/venv/bin"
"$bin/python" -m pip install --quiet --disable-pip-version-check opentelemetry-instrumentation-openai-v2==2.4b0 \
    openai==3.57.0 opentelemetry-util-genai==1.3b0 opentelemetry-distro==0.66b2
missing() {
    { "$bin/python" -c 'import opentelemetry.instrumentation.openai_v2' 2>&1 || true; } | sed -n 's/^ModuleNotFoundError: //p'
}
first="$(missing)"
said="$("$bin/opentelemetry-instrument" --traces_exporter none --metrics_exporter none --logs_exporter none \
    "$bin/python" -c 'print("the program ran")' 2>&1)"
"$bin/python" -m pip install --quiet --disable-pip-version-check httpx==0.28.1
second="$(missing)"
printf 'imported as pip installs it: %s\nwith httpx: %s\nunder opentelemetry-instrument: %s\n' "$first" "$second" "$said"
[[ "$first" == *"'httpx'"* && "$second" == *"util.genai.instruments'"* && "$said" == "the program ran" ]] || {
    echo 'changed: it is imported, or it is told why not'
    exit 1
}
