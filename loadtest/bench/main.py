"""Runs the phases, writes what was measured, renders the report and judges it."""
import argparse
import datetime
import json
import os
import shutil
import sys
import tempfile
import time

from . import gates, proc, report, server, tools


def arguments(argv):
    parser = argparse.ArgumentParser(prog="loadtest/run", description="Measures Signalbox on this machine; loadtest/README.md says how.")
    parser.add_argument("--quick", action="store_true", help="two minutes: whether everything works, no figure to quote")
    parser.add_argument("--check", action="store_true", help="no server: configurations, sample report and the report's tests")
    parser.add_argument("--soak-minutes", type=float, default=10.0, metavar="N", help="length of the soak (default 10)")
    parser.add_argument("--name", help="directory below loadtest/results (default: today, or quick)")
    parser.add_argument("--only", metavar="PHASE,…", help="these phases alone")
    parser.add_argument("--server-cpus", metavar="0,1", help="processors of the server (default: one; the generator has the others)")
    parser.add_argument("--render", metavar="DIR", help="render and judge the raw.json of DIR again")
    return parser.parse_args(argv)


def judged(raw, results):
    verdicts = gates.judge(raw, gates.load())
    report.write(raw, verdicts, results)
    for verdict in verdicts:
        if verdict["verdict"] == "failed":
            print(f"FAILED {verdict['gate']}: {verdict['found']}, wanted {verdict['wanted']}", file=sys.stderr)
    print(os.path.join(results, "report.md"))
    return 1 if any(v["verdict"] == "failed" for v in verdicts) else 0


def main(argv=None):
    args = arguments(argv)
    if args.render:
        with open(os.path.join(args.render, "raw.json")) as file:
            return judged(json.load(file), args.render)
    from .lab import Lab
    from .phases import PHASES
    chosen = args.only.split(",") if args.only else [name for name, _ in PHASES]
    unknown = set(chosen) - {name for name, _ in PHASES}
    if unknown:
        raise SystemExit(f"no such phase: {', '.join(sorted(unknown))}; there are {', '.join(name for name, _ in PHASES)}")
    tools.needed("h2load", "nghttp2-client")
    tools.needed("taskset", "util-linux")
    signalbox, echo = tools.binaries()
    ghz_path = tools.ghz_binary()
    results = os.path.join(server.ROOT, "results", args.name or ("quick" if args.quick else datetime.date.today().isoformat()))
    shutil.rmtree(results, ignore_errors=True)
    work = tempfile.mkdtemp(prefix="signalbox-load-")
    cpus = {int(cpu) for cpu in args.server_cpus.split(",")} if args.server_cpus else None
    lab = Lab(signalbox, echo, ghz_path, work, results, args.quick, args.soak_minutes, cpus)
    os.sched_setaffinity(0, lab.load_cpus)
    noise = proc.others_busy()
    raw = {"machine": tools.machine(signalbox, ghz_path), "quick": args.quick, "noise_cpus": round(noise, 2),
           "server_cpus": len(lab.server_cpus), "generator_cpus": len(lab.load_cpus),
           "date": datetime.date.today().isoformat(), "phases": {}, "seconds": {}}
    if noise > 0.15:
        lab.say(f"WARNING: other programs use {noise:.2f} processors: these figures are not to be quoted")
    try:
        for name, phase in PHASES:
            if name in chosen:
                lab.say(f"== {name}")
                begin = time.monotonic()
                raw["phases"][name] = phase(lab)
                raw["seconds"][name] = round(time.monotonic() - begin, 1)
                lab.save(raw)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return judged(raw, results)


if __name__ == "__main__":
    sys.exit(main())
