#!/usr/bin/env python3
"""CPU per request of a running Signalbox server beside the bare echo, same bytes, in alternating rounds.

usage: beside_echo.py SIGNALBOX_BINARY ECHO_BINARY [--requests 40000] [--rounds 5] [--policy FILE]

Starts both servers on 127.0.0.1, drives each with h2load (Debian: nghttp2-client), 8 connections x 32 streams, and
reads the server's CPU time from /proc. Cases: exact hit (one request again and again) and cache bypassed (a 300-byte
prompt). Prints the median over the rounds and the ratio. h2load takes a core for itself: on a machine of two cores the
requests a second say how fast the pair is, the CPU time per request is the server's own.
"""
import argparse, os, re, signal, statistics, subprocess, sys, tempfile, time

PATH = "/signalbox.v1.RouterService/Route"
SHORT = "write a python function that parses dates"
LONG = ("I have a list of customer records in a CSV file with names, e-mail addresses and signup dates. Some of the dates are "
        "written as 2024-01-31 and some as 31/01/2024. Please write a Python script that reads the file, turns all dates into "
        "one format, removes duplicates by e-mail address, and writes the result.")
LONG = (LONG + " Thank you very much in advance.")[:300]


def varint(n):
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def body(prompt, cache_mode):
    user = varint(1 << 3) + varint(2)                                   # role: ROLE_USER
    message = field(1, b"load-test") + field(2, user + field(2, prompt.encode()))
    message += varint(12 << 3) + varint(cache_mode) if cache_mode else b""   # cache
    return b"\0" + len(message).to_bytes(4, "big") + message            # gRPC frame


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mib(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{pid}/status").read()).group(1)) / 1024


def drive(pid, port, data, requests):
    before, start = cpu_seconds(pid), time.monotonic()
    with tempfile.NamedTemporaryFile() as file:
        file.write(data), file.flush()
        out = subprocess.run(["h2load", "-n", str(requests), "-c", "8", "-m", "32", "-d", file.name,
                              "-H", "content-type: application/grpc", "-H", "te: trailers",
                              f"http://127.0.0.1:{port}{PATH}"], capture_output=True, text=True, check=True).stdout
    wall = time.monotonic() - start
    if f"{requests} succeeded" not in out:
        sys.exit(out)
    return (cpu_seconds(pid) - before) / requests * 1e6, requests / wall


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("signalbox"), parser.add_argument("echo")
    parser.add_argument("--requests", type=int, default=40000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--policy")
    args = parser.parse_args()
    policy = ["--policy", args.policy] if args.policy else []
    server = subprocess.Popen([args.signalbox, "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", *policy],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    echo = subprocess.Popen([args.echo, "127.0.0.1:50999"])
    try:
        port = int(re.search(r"grpc=\S*:(\d+)", server.stdout.readline()).group(1))
        time.sleep(0.5)
        print(f"resident after start: {rss_mib(server.pid):.0f} MiB")
        for name, data in (("exact hit", body(SHORT, 0)), ("bypass, 300 bytes", body(LONG, 1))):
            ours, floor = [], []
            for _ in range(args.rounds):
                floor.append(drive(echo.pid, 50999, data, args.requests))
                ours.append(drive(server.pid, port, data, args.requests))
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
