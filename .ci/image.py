#!/usr/bin/env python3
"""Checks server/Dockerfile where there is no engine to build it: that what it copies is in the context, what it builds is in
the workspace, what it starts is what it built, and that nothing in it runs as root or checks health behind Kubernetes' back.
"""
import fnmatch
import json
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def stages(text):
    """The instructions of each stage, by its name."""
    found, stage = {}, []
    for line in re.sub(r"\\\n", " ", re.sub(r"(?m)^#.*\n", "", text)).splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            stage = found.setdefault(name, [("FROM", base)])
        elif word:
            stage.append((word, rest.strip()))
    return found


def context(into):
    """Copies what .dockerignore lets through."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    tracked = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True)
    for name in tracked.stdout.splitlines():
        paths = [name, *map(str, Path(name).parents)]
        ignored = False
        for line in lines:
            if any(fnmatch.fnmatch(path, line.lstrip("!")) for path in paths):
                ignored = not line.startswith("!")
        if not ignored and (ROOT / name).is_file():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, into / name)


def built(command):
    """The binaries and features that a RUN instruction has cargo build."""
    words = shlex.split(command)
    after = lambda flag: [words[at + 1] for at, word in enumerate(words) if word == flag]
    return after("--bin"), [feature for features in after("--features") for feature in features.split(",")], "--locked" in words


def main():
    problems = []
    found = stages((ROOT / "server/Dockerfile").read_text())
    with tempfile.TemporaryDirectory() as folder:
        context(Path(folder))
        command = ["cargo", "metadata", "--no-deps", "--format-version", "1", "--locked", "--offline"]
        metadata = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
        if metadata.returncode:
            sys.exit(f"server/Dockerfile: the context that .dockerignore leaves is no workspace: {metadata.stderr}")
    packages = {package["name"]: package for package in json.loads(metadata.stdout)["packages"]}
    binaries = {target["name"] for package in packages.values() for target in package["targets"] if "bin" in target["kind"]}
    for name, stage in found.items():
        for word, rest in stage:
            if word == "FROM" and ":" not in rest and rest not in found:
                problems.append(f"{name}: `{rest}` has no version")
            if word == "COPY" and rest.startswith("--from=") and rest.split()[0].removeprefix("--from=") not in found:
                problems.append(f"{name}: copies from a stage that is not there: {rest}")
            if word == "HEALTHCHECK":
                problems.append(f"{name}: HEALTHCHECK; probes are the chart's")
            if word == "RUN" and "cargo build" in rest:
                wanted, features, locked = built(rest)
                problems += [f"{name}: the workspace has no binary `{binary}`" for binary in wanted if binary not in binaries]
                problems += [f"{name}: no feature `{feature}`" for feature in features
                             if feature.split("/")[1] not in packages[feature.split("/")[0]]["features"]]
                problems += [f"{name}: the build is not --locked"] if not locked else []
                problems += [f"{name}: `{binary}` is not kept" for binary in wanted if f"/target/release/{binary}" not in rest]
    for name in ("cpu", "cuda"):
        words = dict(found[name])
        if words.get("USER") != "65532:65532":
            problems.append(f"{name}: does not run as nobody")
        if json.loads(words.get("ENTRYPOINT", "[]")) != ["signalbox"]:
            problems.append(f"{name}: does not start signalbox")
        # An environment variable would go before the file that the chart mounts.
        if "ENV" in words:
            problems.append(f"{name}: sets the environment; use CMD, which the chart replaces")
    if list(found)[-1] != "cpu":
        problems.append("the last stage, which is built when none is named, is not `cpu`")
    print("\n".join(problems) or f"server/Dockerfile: {len(found)} stages are right, as far as can be seen without an engine")
    return 1 if problems else 0


sys.exit(main())
