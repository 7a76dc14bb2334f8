#!/usr/bin/env python3
"""CPU per request of a running Signalbox server beside the bare echo, same bytes, in alternating rounds.

usage: beside_echo.py SIGNALBOX_BINARY ECHO_BINARY [--requests 40000] [--rounds 5] [--policy FILE] [--instructions]

Starts both servers on 127.0.0.1, drives each with h2load (Debian: nghttp2-client), 8 connections x 32 streams, and
reads the server's CPU time from /proc. Cases: exact hit (one request again and again) and cache bypassed (a 300-byte
prompt). Prints the median over the rounds and the ratio. h2load takes a core for itself: on a machine of two cores the
requests a second say how fast the pair is, the CPU time per request is the server's own. With `--instructions` callgrind (Debian:
valgrind) counts the instructions of a request in user space instead, of 3,000 requests after 500.
"""
import argparse
import re
import signal
import statistics
import subprocess
import tempfile
import time

from bench.h2 import LONG, SHORT, body, drive
from bench.proc import rss_mib

CASES = (("exact hit", body(SHORT)), ("bypass, 300 bytes", body(LONG, "CACHE_MODE_BYPASS")))


def instructions(command, address, data, requests=3000):
    """Instructions of a request, with all that the process does for it."""
    with tempfile.TemporaryDirectory() as folder:
        valgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out"]
        server = subprocess.Popen([*valgrind, *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            if address:
                time.sleep(5)
            else:
                address = re.search(r"grpc=(\S+)", server.stdout.readline()).group(1)
            drive(server.pid, address, data, 500)
            subprocess.run(["callgrind_control", "-z", str(server.pid)], check=True, capture_output=True)
            drive(server.pid, address, data, requests)
            subprocess.run(["callgrind_control", "-d", str(server.pid)], check=True, capture_output=True)
        finally:
            server.kill()
            server.wait()
        read = subprocess.run(["callgrind_annotate", f"{folder}/out.1"], check=True, capture_output=True, text=True).stdout
    return int(re.search(r"([\d,]+) \(100.0%\)\s+PROGRAM TOTALS", read).group(1).replace(",", "")) // requests


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("signalbox"), parser.add_argument("echo")
    parser.add_argument("--requests", type=int, default=40000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--policy")
    parser.add_argument("--instructions", action="store_true")
    args = parser.parse_args()
    policy = ["--policy", args.policy] if args.policy else []
    ours, bare = [args.signalbox, "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", *policy], [args.echo, "127.0.0.1:50999"]
    if args.instructions:
        for name, data in CASES:
            spent, floor = instructions(ours, None, data), instructions(bare, "127.0.0.1:50999", data)
            print(f"{name:18} signalbox {spent:,} instructions  echo {floor:,}  ratio {spent / floor:.2f}", flush=True)
        return
    server = subprocess.Popen(ours, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    echo = subprocess.Popen(bare)
    try:
        address = re.search(r"grpc=(\S+)", server.stdout.readline()).group(1)
        time.sleep(0.5)
        print(f"resident after start: {rss_mib(server.pid):.0f} MiB")
        for name, data in CASES:
            ours, floor = [], []
            for _ in range(args.rounds):
                floor.append(drive(echo.pid, "127.0.0.1:50999", data, args.requests))
                ours.append(drive(server.pid, address, data, args.requests))
            cpu = [statistics.median(r[0] for r in rows) for rows in (ours, floor)]
            rate = [statistics.median(r[1] for r in rows) for rows in (ours, floor)]
            print(f"{name:18} signalbox {cpu[0]:6.1f} us  echo {cpu[1]:6.1f} us  ratio {cpu[0] / cpu[1]:.2f}   "
                  f"requests/s {rate[0]:.0f} beside {rate[1]:.0f}")
        print(f"resident at the end: {rss_mib(server.pid):.0f} MiB")
    finally:
        for process in (server, echo):
            process.send_signal(signal.SIGTERM)
            process.wait()


if __name__ == "__main__":
    main()
