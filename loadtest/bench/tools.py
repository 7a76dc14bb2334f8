"""What the test needs beside Python: found, built or installed outside of the clone, or said in one line what to do."""
import os
import platform
import re
import shutil
import subprocess
import sys
import zlib

from . import ghz

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CLONE = os.path.dirname(ROOT)
CACHE = os.environ.get("SIGNALBOX_TOOLS") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "signalbox", "tools")


def venv(requirements, name):
    """A Python with the packages of a requirements file, made once; the path of its interpreter."""
    with open(requirements, "rb") as file:
        home = os.path.join(CACHE, f"{name}-{zlib.crc32(file.read())}")
    python = os.path.join(home, "bin", "python")
    if not os.path.exists(os.path.join(home, "whole")):
        print(f"installing {os.path.relpath(requirements, CLONE)} into {home}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--requirement", requirements], check=True)
        open(os.path.join(home, "whole"), "w").close()
    return python


def cargo(manifest, target, *args):
    command = ["cargo", "build", "--release", "--locked", "--manifest-path", manifest, "--target-dir", target, *args]
    print("$ " + " ".join(command), file=sys.stderr)
    subprocess.run(command, check=True, cwd=CLONE)


def binaries():
    """The server and the bare echo: `SIGNALBOX_BIN` and `ECHO_BIN`, or built."""
    target = os.environ.get("CARGO_TARGET_DIR") or os.path.join(CLONE, "target")
    signalbox, echo = os.environ.get("SIGNALBOX_BIN"), os.environ.get("ECHO_BIN")
    if not signalbox:
        cargo(os.path.join(CLONE, "Cargo.toml"), target, "--bin", "signalbox")
        signalbox = os.path.join(target, "release", "signalbox")
    if not echo:
        target = os.path.join(target, "echo")
        cargo(os.path.join(ROOT, "echo", "Cargo.toml"), target)
        echo = os.path.join(target, "release", "signalbox-echo")
    return os.path.abspath(signalbox), os.path.abspath(echo)


def ghz_binary():
    found = os.environ.get("GHZ_BIN") or shutil.which("ghz")
    home = os.path.join(CACHE, "bin")
    for path in (found, os.path.join(home, "ghz"), os.path.expanduser("~/go/bin/ghz")):
        if path and os.path.exists(path):
            return path
    if not shutil.which("go"):
        raise SystemExit(f"ghz is missing: install {ghz.VERSION} from https://github.com/bojand/ghz, or Go to have it built")
    package = f"github.com/bojand/ghz/cmd/ghz@{ghz.VERSION}"
    subprocess.run(["go", "install", package], check=True, env={**os.environ, "GOBIN": home})
    return os.path.join(home, "ghz")


def needed(name, package):
    if not shutil.which(name):
        raise SystemExit(f"{name} is missing: apt-get install {package}")


def said(*command):
    try:
        out = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        return ""
    lines = (out.stdout.strip() or out.stderr.strip()).splitlines()
    return lines[0] if out.returncode == 0 and lines else ""


def revision():
    """The commit, marked where files differ from it; results do not count, this run writes them."""
    changed = said("git", "-C", CLONE, "status", "--porcelain", "--", ".", ":!loadtest/results")
    return said("git", "-C", CLONE, "rev-parse", "--short", "HEAD") + ("-dirty" if changed else "")


def machine(signalbox, ghz_path):
    """What a reader must know to compare: processor, memory, kernel and versions. No names of hosts or paths."""
    with open("/proc/cpuinfo") as file:
        text = file.read()
    model = re.search(r"model name\s*: (.+)", text)
    with open("/proc/meminfo") as file:
        memory = int(re.search(r"MemTotal:\s+(\d+)", file.read()).group(1)) // 2**20
    version = re.search(r"\bmod\s+github.com/bojand/ghz\s+(\S+)", "\n".join(subprocess.run(
        ["go", "version", "-m", ghz_path], capture_output=True, text=True).stdout.splitlines())) if shutil.which("go") else None
    return {
        "cpu": model.group(1) if model else platform.machine(), "cpus": os.cpu_count(), "memory_gib": memory,
        "kernel": platform.system() + " " + platform.release().split("-")[0], "signalbox": said(signalbox, "--version"),
        "revision": revision(), "rustc": said("rustc", "--version"),
        "ghz": version.group(1) if version else said(ghz_path, "--version"), "h2load": said("h2load", "--version"),
        "python": platform.python_version(),
    }
