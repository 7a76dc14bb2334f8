"""One run of ghz: its command, and its report read into latencies, statuses and the span it really sent in."""
import calendar
import json
import os
import subprocess
import time

from . import proc, stats

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CLONE = os.path.dirname(ROOT)
VERSION = "v0.120.0"
# Go's garbage collector runs in ghz only when it has taken this much: on its one processor it otherwise holds calls up for
# many milliseconds, which ghz counts as the server's (loadtest/README.md).
NO_COLLECTING = {"GOGC": "off", "GOMEMLIMIT": "2GiB"}
# ghz keeps no more calls than this one by one: a longer run is to be split.
MOST_CALLS = 1_000_000


def command(binary, config, address, data, out, total, rate=None, connections=None, concurrency=None):
    """What a reader can repeat by hand: a configuration of `loadtest/ghz` and what this run has of its own."""
    call = [binary, "--config", f"loadtest/ghz/{config}.json", "--binary-file", data, "--total", total, "--format", "json",
            "--output", out]
    for flag, value in (("--rps", rate), ("--connections", connections), ("--concurrency", concurrency)):
        call += [flag, value] if value else []
    return [str(part) for part in call + [address]]


def seconds_of(stamp, known={}):
    """Unix time of Go's RFC 3339 in UTC, nanoseconds kept."""
    second = known.get(stamp[:19])
    if second is None:
        second = known[stamp[:19]] = calendar.timegm(time.strptime(stamp[:19], "%Y-%m-%dT%H:%M:%S"))
    return second + (float("0." + stamp[20:-1]) if stamp[19] == "." else 0.0)


def read(report, rate=None):
    """The record of one run, and its successful calls as (begin, latency).

    ghz counts the time from when it sends, and never says when a call was due; with `rate` that is put right here."""
    calls, refused = [], []
    for call in report.get("details") or []:
        latency = call["latency"] / 1e9
        begin = seconds_of(call["timestamp"]) - latency
        (refused if call["status"] == "ResourceExhausted" else calls).append((begin, latency, call["status"]))
    good = [(b, lat) for b, lat, status in calls if status == "OK"]
    everything = sorted(calls + refused)
    begin, end = (everything[0][0], max(b + lat for b, lat, _ in everything)) if everything else (0.0, 0.0)
    record = {
        "calls": report["count"], "seconds": round(end - begin, 3), "statuses": report["statusCodeDistribution"],
        "rps": round(len(good) / (end - begin), 1) if end > begin else 0.0,
        "connections": report["options"].get("connections", 1), "concurrency": report["options"].get("concurrency"),
        "errors": sum(n for status, n in report["statusCodeDistribution"].items() if status != "OK"),
        "client_ms": stats.summary([lat for _, lat in good]),
    }
    if rate:
        late = stats.lateness([b for b, _, _ in everything], rate)
        due = [lat + lag for (_, lat, status), lag in zip(everything, late) if status == "OK"]
        record |= {"rps_asked": rate, "from_due_ms": stats.summary(due), "generator_late_ms": stats.summary(late)}
    if refused:
        record["refused"] = len(refused)
        record["refused_ms"] = stats.summary([lat for _, lat, _ in refused])
    return record, good, (begin, end)


def run(binary, cpus, keep=None, watch=None, **options):
    """Runs ghz pinned to its processors; `keep` is where its own report goes, without the single calls."""
    out = options["out"]
    env = {**os.environ, **NO_COLLECTING, "TZ": "UTC", "GOMAXPROCS": str(len(cpus))}
    process = proc.start(command(binary, **options), cpus, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env,
                         cwd=CLONE)
    if watch:
        watch.add("generator", process.pid)
    said, _ = process.communicate()
    if process.returncode != 0:
        raise SystemExit(f"ghz failed: {said}")
    with open(out) as file:
        report = json.load(file)
    os.remove(out)
    record, good, span = read(report, options.get("rate"))
    if keep:
        report.pop("details", None)
        report["options"].pop("data", None)
        os.makedirs(os.path.dirname(keep), exist_ok=True)
        with open(keep, "w") as file:
            json.dump(report, file, indent=1)
            file.write("\n")
    return record, good, span
