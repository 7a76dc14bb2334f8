#!/usr/bin/env python3
"""Gathers schemas for kubeconform into WORK/schemas: `schemas.py WORK PACKAGE_VERSION OPERATOR_MODULE KUBERNETES_VERSION…`.

Kubernetes' own, strict, come from the Python package `kubernetes-validate`; the Prometheus operator's from the definitions
in its Go module, closed here where they do not say otherwise.
"""
import json
import subprocess
import sys
import zipfile
from pathlib import Path


def closed(schema):
    """The same schema, without properties that it does not name."""
    if isinstance(schema, list):
        return [closed(found) for found in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: closed(value) for key, value in schema.items()}
    if "properties" in schema and isinstance(schema["properties"], dict):
        schema.setdefault("additionalProperties", False)
    return schema


def main():
    work, version, operator, *kubernetes = sys.argv[1:]
    out = Path(work, "schemas")
    fetch = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", work, f"kubernetes-validate=={version}"]
    subprocess.run(fetch, check=True)
    wheel = zipfile.ZipFile(next(Path(work).glob("kubernetes_validate-*.whl")))
    for name in wheel.namelist():
        folder, file = Path(name).parent.name, Path(name).name
        if folder in {f"v{wanted}-local-strict" for wanted in kubernetes}:
            (out / folder).mkdir(parents=True, exist_ok=True)
            # Without an address, and with relative references, they hold wherever the folder is.
            schema = json.loads(wheel.read(name).replace(b'"/api/_definitions.json', b'"_definitions.json'))
            schema.pop("$id", None)
            (out / folder / file).write_text(json.dumps(schema))
    (out / "crd").mkdir()
    for kind in ("servicemonitor", "prometheusrule"):
        definition = json.loads(Path(operator, f"jsonnet/prometheus-operator/{kind}s-crd.json").read_text())
        schema = closed(definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
        schema["properties"]["metadata"] = {"type": "object"}
        (out / "crd" / f"{kind}.json").write_text(json.dumps(schema))


main()
