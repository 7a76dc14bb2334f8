#!/usr/bin/env python3
"""Holds values.yaml, its schema and the tests together: `values.py CHART`, with helm-unittest on the PATH.

1. The schema has the values of values.yaml and no others, and is closed at every level that has values of the chart.
2. Every value counts and is tested: it is taken out of each test that sets it, and at least one of them must then fail.
"""
import copy
import json
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml
from pathlib import Path

import yaml


def leaves(schema, values, definitions, at=""):
    """The paths of all values, by the schema's closed objects; with what is wrong between the two on the way."""
    schema = definitions.get(schema.get("$ref", "").rpartition("/")[2], schema)
    if "properties" not in schema or not isinstance(values, dict):
        return [at], []
    problems = [] if schema.get("additionalProperties") is False else [f"{at}: the schema is open here"]
    known = set(schema["properties"]) - {"global"}
    problems += [f"{at}.{key}: in the schema alone" for key in sorted(known - set(values))]
    problems += [f"{at}.{key}: in the values alone" for key in sorted(set(values) - known)]
    found = []
    for key in values.keys() & known:
        below = leaves(schema["properties"][key], values[key], definitions, f"{at}.{key}".lstrip("."))
        found, problems = found + below[0], problems + below[1]
    return sorted(found), problems


def nested(sets):
    """What a test sets, dots in its first keys taken apart."""
    tree = {}
    for path, value in sets.items():
        at = tree
        *sections, last = path.split(".")
        for section in sections:
            at = at.setdefault(section, {})
        at[last] = value
    return tree


def without(tree, path):
    """The tree without one value; None where it is not set."""
    tree = copy.deepcopy(tree)
    at = tree
    *sections, last = path.split(".")
    for section in sections:
        at = at.get(section) if isinstance(at, dict) else None
    return tree if isinstance(at, dict) and at.pop(last, at) is not at else None


def mutants(chart, paths, folder):
    """Writes every test once for each value that it sets, without that value."""
    for file in sorted((chart / "tests").glob("*_test.yaml")):
        if file.stem == "refused_test":
            continue
        suite = yaml.safe_load(file.read_text())
        tests = []
        for test in suite["tests"]:
            tree = nested(test.get("set", {}))
            for path in paths:
                less = without(tree, path)
                if less is not None:
                    tests.append({**test, "set": less, "it": path})
        if tests:
            (folder / file.name).write_text(yaml.safe_dump({**suite, "tests": tests}))


def proven(chart, paths):
    """The values without which a test fails."""
    with tempfile.TemporaryDirectory() as folder:
        copied, report = Path(folder, "chart"), Path(folder, "report.xml")
        shutil.copytree(chart, copied, ignore=shutil.ignore_patterns("*_test.yaml"))
        mutants(chart, paths, copied / "tests")
        command = ["helm-unittest", "-t", "JUnit", "-o", report, copied]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
        cases = list(xml.parse(report).getroot().iter("testcase"))
        assert cases, "no test was run"
        return {case.get("name") for case in cases if len(case)}


def main():
    chart = Path(sys.argv[1]).resolve()
    schema = json.loads((chart / "values.schema.json").read_text())
    values = yaml.safe_load((chart / "values.yaml").read_text())
    paths, problems = leaves(schema, values, schema["definitions"])
    problems += [f"{path}: no test fails without it" for path in sorted(set(paths) - proven(chart, paths))]
    print("\n".join(problems) or f"{len(paths)} values, each in the schema and needed by a test")
    return 1 if problems else 0


sys.exit(main())
