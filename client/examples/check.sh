#!/usr/bin/env bash
# Holds the examples true against the real server: `client/examples/check.sh BIN [LANGUAGE...]`. BIN is the directory of the
# binary signalbox; without a LANGUAGE, all of python, go, node and java.
# A language whose tool this machine lacks is said loudly and skipped; everything else fails. Packages of pinned versions come
# from the tools' usual sources; Python's are kept in a cache outside of the repository.
set -euo pipefail
[ $# -gt 0 ] || { echo "usage: check.sh BIN [python|go|node|java]..." >&2; exit 2; }
bin=$(cd "$1" && pwd)
shift
[ $# -gt 0 ] || set -- python go node java
cd "$(dirname "$0")"
export PYTHONDONTWRITEBYTECODE=1

step() { printf '\n== examples: %s\n' "$1"; }
checked=()
# Whether the tools of the language are there.
have() {
    local tool
    for tool in "${@:2}"; do
        command -v "$tool" >/dev/null || { echo "WARNING: $tool IS MISSING: SKIPPED the example for $1" >&2; return 1; }
    done
    checked+=("$1")
}
# A Python with the pinned packages, among them protoc.
python() {
    local sum home
    sum=$(cksum python/requirements.txt)
    home=${SIGNALBOX_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/signalbox/tools}/examples-${sum%% *}
    if [ ! -e "$home/whole" ]; then
        python3 -m venv --clear "$home" && "$home/bin/pip" install --quiet --requirement python/requirements.txt >&2 &&
            touch "$home/whole" || return 1
    fi
    echo "$home/bin/python"
}

have "what is checked" python3 openssl || exit 0
checked=()
for language; do
    step "$language"
    case $language in
        python)
            have "$language" python3 || continue
            python=$(python)
            python/generate.sh "$python"
            ./check.py "$bin" "$python" python/route.py
            "$python" python/errors_test.py "$bin"
            "$python" python/drain_test.py "$bin"
            ;;
        go)
            have "$language" go || continue
            command -v protoc >/dev/null || PROTOC="$(python) -m grpc_tools.protoc"
            export PROTOC
            go/generate.sh
            (cd go && test -z "$(gofmt -l main.go)" && go vet . && go build -o .bin/route .)
            ./check.py "$bin" go/.bin/route
            ;;
        node)
            have "$language" node npm || continue
            (cd node && npm ci --silent --no-audit --no-fund)
            ./check.py "$bin" node node/route.js
            ;;
        java)
            have "$language" java javac mvn || continue
            mvn -q -B -Dstyle.color=never -f java compile
            ./check.py "$bin" java -cp 'java/target/classes:java/target/lib/*' signalbox.examples.RouteExample
            ;;
        *)
            echo "there is no example for $language" >&2
            exit 2
            ;;
    esac
done
printf '\n== examples: checked %s\n' "${checked[*]:-NOTHING}"
