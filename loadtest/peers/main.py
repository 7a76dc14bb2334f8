"""Routers beside each other: same machine, same prompts, one run. See README.md here for what the figures do not say."""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

from bench import check, lab as labs, proc, report, server, stats, tools

import job

HERE = os.path.dirname(os.path.abspath(__file__))
LIBRARIES = ("semantic-router", "litellm")
ROLES = {"system": "ROLE_SYSTEM", "user": "ROLE_USER", "assistant": "ROLE_ASSISTANT", "tool": "ROLE_TOOL"}


def library(name, path, rounds, cpus):
    """The routers of one library, in a process of their own on the server's processor."""
    python = tools.venv(os.path.join(HERE, f"requirements-{name}.txt"), f"peers-{name}")
    script = os.path.join(HERE, name.replace("-", "_") + "_peer.py")
    said = subprocess.run(proc.pinned(cpus, [python, script, path, rounds]), capture_output=True, text=True, cwd=HERE,
                          env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"OMP_NUM_THREADS": "1"})
    if said.returncode != 0:
        print(f"WARNING: {name} failed:\n{said.stderr[-3000:]}", file=sys.stderr)
        return {}
    return json.loads(said.stdout)


def policy(given):
    """The same as a Signalbox policy, in JSON, which is YAML."""
    routes = [{"name": r["name"], "description": r["description"], "models": ["m"], **({"examples": r["examples"]} if r["examples"] else {})}
              for r in given["routes"]]
    out = {"schema": 1, "version": 1, "default": "m", "models": [{"id": "m"}], "routes": routes}
    return out | ({"other": {"examples": given["other"]}} if given["other"] else {})


def over_grpc(lab, given, rounds):
    """Signalbox, cache bypassed, and the bare echo: one call at a time for latency, 64 in flight by ghz for the CPU of a call."""
    path = os.path.join(lab.work, "policy.yaml")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(policy(given), file, ensure_ascii=False)  # YAML has no surrogate pairs
    requests = [{"requestId": str(i), "cache": "CACHE_MODE_BYPASS", "messages": [
        {"role": ROLES[turn["role"]], "content": turn["content"]} for turn in asked["conversation"]]}
        for i, asked in enumerate(given["asked"])]
    data, out = lab.file("asked", requests), {}
    with lab.start(policy=path) as ours, server.Echo(lab.echo, lab.server_cpus) as bare:
        for name, target in (("Signalbox", ours), ("bare echo", bare)):
            client = check.Client(target.address)
            answers = [client.route(request)["route"] or "other" for request in requests] if target is ours else []
            latencies = []
            for request in requests * rounds:
                begin = time.perf_counter()
                client.route(request)
                latencies.append(time.perf_counter() - begin)
            client.close()
            load = lab.measure(f"peers/{name}", target, data, pairs=[], total=max(8_000, len(requests) * rounds))
            out[name] = {"answers": answers, "latencies": latencies, "cpu_us": load["cpu_us_per_call"], "rss_mib": load["rss_mib"],
                         "version": tools.said(lab.signalbox, "--version").removeprefix("signalbox ") if target is ours else "",
                         "setting": "over gRPC, cache bypassed, whole conversation" if target is ours else "over gRPC, a constant",
                         "routes": target is ours}
    return out


def row(name, result, given):
    right = [answer == asked["expected"] for answer, asked in zip(result["answers"], given["asked"])]
    routed = result.get("routes", True)
    summary = stats.summary(result["latencies"])
    return {"router": name, "version": result["version"], "setting": result["setting"], "set": given["set"],
            "decisions_per_core": round(1e6 / result["cpu_us"]), "cpu_us": round(result["cpu_us"], 1), "p50": summary["p50"],
            "p99": summary["p99"], "rss_mib": round(result["rss_mib"]),
            "accuracy": round(100 * sum(right) / len(right), 1) if routed else None}


def render(rows, machine, noise):
    lines = [f"# Routers beside each other\n\n{machine['cpu']}, {machine['cpus']} processors, one of them for the router; {machine['signalbox']} "
             f"({machine['revision']}), Python {machine['python']}.\n"]
    if noise > 0.15:
        lines.append(f"**Other programs used {noise:.2f} processors when this began: no figure here is to be quoted.**\n")
    for name in dict.fromkeys(r["set"] for r in rows):
        lines += [f"## {name}\n", report.table(
            ["router", "setting", "decisions/s of one core", "CPU µs", "p50 ms", "p99 ms", "memory MiB", "accuracy %"],
            [[f"{r['router']} {r['version']}".strip(), r["setting"], f"{r['decisions_per_core']:,}", r["cpu_us"], f"{r['p50']:.3f}",
              f"{r['p99']:.3f}", r["rss_mib"], "" if r["accuracy"] is None else r["accuracy"]] for r in rows if r["set"] == name])]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(prog="loadtest/peers/run", description="Routers beside each other, on labelled sets.")
    parser.add_argument("evals", help="directory with policies/, fit/ and dev/")
    parser.add_argument("--sets", default="clinc_fine,clinc_domain,tasks")
    parser.add_argument("--rounds", type=int, default=5, help="times that each prompt is asked")
    parser.add_argument("--name", default="peers", help="directory below loadtest/results")
    args = parser.parse_args()
    signalbox, echo = tools.binaries()
    ghz_path = tools.ghz_binary()
    work = tempfile.mkdtemp(prefix="signalbox-peers-")
    lab = labs.Lab(signalbox, echo, ghz_path, work, work)
    os.sched_setaffinity(0, lab.load_cpus)
    noise, machine, rows = proc.others_busy(), tools.machine(signalbox, ghz_path), []
    try:
        for name in args.sets.split(","):
            given = job.read(args.evals, name)
            path = os.path.join(work, "job.json")
            with open(path, "w") as file:
                json.dump(given, file)
            results = over_grpc(lab, given, args.rounds)
            for which in LIBRARIES:
                lab.say(f"   {name}: {which}")
                results |= library(which, path, args.rounds, lab.server_cpus)
            rows += [row(router, result, given) for router, result in results.items()]
    finally:
        shutil.rmtree(work, ignore_errors=True)
    folder = os.path.join(server.ROOT, "results", args.name)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "raw.json"), "w") as file:
        json.dump({"machine": machine, "noise_cpus": noise, "rows": rows}, file, indent=1)
        file.write("\n")
    with open(os.path.join(folder, "report.md"), "w") as file:
        file.write(render(rows, machine, noise).rstrip("\n") + "\n")
    print(os.path.join(folder, "report.md"))


if __name__ == "__main__":
    main()
