#!/usr/bin/env bash
# Makes signalbox/v1 from the contract: `generate.sh [PYTHON]`, with a Python that has what requirements.txt names.
set -euo pipefail
cd "$(dirname "$0")"
proto=../../../proto
"${1:-python3}" -m grpc_tools.protoc -I "$proto" --python_out=. --pyi_out=. --grpc_python_out=. "$proto"/signalbox/v1/*.proto
