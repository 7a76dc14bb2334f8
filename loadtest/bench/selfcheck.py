"""`loadtest/run --check [BINARY]`: everything of the load test that needs no load, in seconds and with Python alone.

Given the server's binary, it reads the policy too."""
import json
import os
import subprocess
import sys
import tempfile
import unittest
from xml.etree import ElementTree

from . import gates, prompts, report, wire

ROOT = prompts.ROOT
LONGEST = 300  # lines of a module
GHZ_KEYS = {"name", "call", "insecure", "proto", "import-paths", "data-file", "connections", "concurrency", "total", "timeout", "rps",
            "async", "count-errors", "disable-template-data", "disable-template-functions"}


def files(*suffixes):
    for folder, _, names in os.walk(ROOT):
        if os.path.relpath(folder, ROOT).split(os.sep)[0] not in ("results", "echo"):
            yield from (os.path.join(folder, name) for name in sorted(names) if name.endswith(suffixes))


def ghz_configurations():
    folder = os.path.join(ROOT, "ghz")
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name)) as file:
            config = json.load(file)
        unknown = set(config) - GHZ_KEYS
        if unknown:
            yield f"ghz/{name}: unknown keys {sorted(unknown)}"
        for path in (config["data-file"], config["proto"]):
            if not os.path.exists(os.path.join(os.path.dirname(ROOT), path)):
                yield f"ghz/{name}: {path} does not exist"


def request_sets():
    for name in prompts.SETS:
        for i, request in enumerate(prompts.load(name)):
            try:
                wire.encode(request)
            except (KeyError, ValueError) as error:
                yield f"requests/{name}.json: {i}: {error}"
    if prompts.load("long-document") != prompts.long_documents():
        yield "requests/long-document.json is not what `python3 -m bench.prompts` writes"


def sizes():
    for path in files(".py"):
        with open(path) as file:
            lines = file.read().count("\n")
        if lines > LONGEST:
            yield f"{os.path.relpath(path, ROOT)} has {lines} lines, more than {LONGEST}"


def sample():
    """The report of the sample, and that every threshold is about a figure that a whole run has."""
    with open(os.path.join(ROOT, "tests", "sample", "raw.json")) as file:
        raw = json.load(file)
    thresholds = gates.load()
    for name in sorted(set(thresholds) - set(gates.figures(raw))):
        yield f"thresholds.json: no run has the figure {name}"
    with tempfile.TemporaryDirectory() as folder:
        report.write(raw, gates.judge(raw, thresholds), folder)
        for name in os.listdir(folder):
            if name.endswith(".svg"):
                ElementTree.parse(os.path.join(folder, name))


def policy(binary):
    for verb in ("check", "test"):
        said = subprocess.run([binary, "policy", verb, os.path.join(ROOT, "policy.yaml")], capture_output=True, text=True)
        if said.returncode != 0:
            yield f"policy.yaml: {said.stdout}{said.stderr}"


def main():
    arguments = [a for a in sys.argv[1:] if a != "--check"]
    problems = [*ghz_configurations(), *request_sets(), *sizes(), *sample(), *(policy(arguments[0]) if arguments else ())]
    for problem in problems:
        print(problem, file=sys.stderr)
    suite = unittest.defaultTestLoader.discover(os.path.join(ROOT, "tests"), top_level_dir=ROOT)
    passed = unittest.TextTestRunner(verbosity=0).run(suite).wasSuccessful()
    return 1 if problems or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
