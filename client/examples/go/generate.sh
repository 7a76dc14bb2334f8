#!/usr/bin/env bash
# Makes signalboxv1 from the contract. It takes protoc, or what PROTOC names: "python3 -m grpc_tools.protoc" is one too.
set -euo pipefail
cd "$(dirname "$0")"
proto=../../../proto package=signalbox.example/route/signalboxv1
GOBIN=$PWD/.bin go install tool
options=(--go_opt=module=$package --go-grpc_opt=module=$package)
# The contract leaves it to its users how they name its package.
for file in "$proto"/signalbox/v1/*.proto; do
    options+=("--go_opt=M${file#"$proto"/}=$package" "--go-grpc_opt=M${file#"$proto"/}=$package")
done
mkdir -p signalboxv1
# PROTOC may be several words.
PATH=$PWD/.bin:$PATH ${PROTOC:-protoc} -I "$proto" --go_out=signalboxv1 --go-grpc_out=signalboxv1 "${options[@]}" \
    "$proto"/signalbox/v1/*.proto
