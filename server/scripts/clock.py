#!/usr/bin/env python3
"""The machine's clock is set while the server works: `clock.py DIR`, DIR being where the binaries are.

libfaketime stands between the server and the time of day; what only runs (CLOCK_MONOTONIC) stays as it is. The clock jumps a day
ahead, two days back, and to 1980. No call fails; what is in the cache stays there as long as it was to and no longer; a model
that cools down does so for as long as it was told; ids stay unique and every decision has its line in the audit log. Where there is
no libfaketime it is installed, if this is Debian's root; else that is said loudly and nothing is checked.
"""
import glob
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from debian import installed

# Seconds that an answer is kept and a model cools down, and for what is done meanwhile.
KEPT, DONE = 8, 4
POLICY = f"""
schema: 1
default: small
models: [{{id: small}}, {{id: large}}]
routes:
  - {{name: code, description: writing programs, models: [large, small]}}
cache: {{ttl_s: {KEPT}}}
health: {{enabled: true, cooldown_s: {KEPT}}}
"""
CODE = "write a python function that parses dates"
DAY = 86400
JUMPS = {"a day ahead": DAY, "two days back": -DAY, "to 1980": int(time.mktime((1980, 1, 2, 0, 0, 0, 0, 0, 0)) - time.time())}


def library():
    """libfaketime for programs of many threads."""
    return next(iter(glob.glob("/usr/lib*/*/faketime/libfaketimeMT.so.1") + glob.glob("/usr/lib*/faketime/libfaketimeMT.so.1")), None)


class Server:
    """The server under a clock of its own."""

    def __init__(self, binaries, folder, preload):
        self.binaries, self.folder = Path(binaries), Path(folder)
        (self.folder / "policy.yaml").write_text(POLICY, encoding="utf-8")
        self.jump(0)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SIGNALBOX")} | {
            "SIGNALBOX__HTTP__LISTEN": "127.0.0.1:0", "SIGNALBOX__METRICS": "off", "SIGNALBOX__POLICY": str(self.folder / "policy.yaml"),
            "SIGNALBOX__AUDIT__PATH": str(self.folder / "audit.jsonl"), "LD_PRELOAD": preload, "FAKETIME_NO_CACHE": "1",
            "FAKETIME_TIMESTAMP_FILE": str(self.folder / "offset"), "DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        command = [str(self.binaries / "signalbox"), "--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        ready = self.process.stdout.readline()
        found = re.search(r"grpc=(\S+) .*http=(\S+)", ready)
        if not found:
            raise AssertionError(f"the server did not start: {ready!r}")
        self.grpc, self.http = found.groups()
        self.ids, self.lock = [], threading.Lock()

    def jump(self, seconds):
        """Sets the server's clock so far from the machine's, in one step."""
        fresh = self.folder / "offset.new"
        fresh.write_text(f"{seconds:+d}\n", encoding="utf-8")
        fresh.rename(self.folder / "offset")

    def route(self, text):
        """A decision."""
        connection = http.client.HTTPConnection(self.http, timeout=10)
        body = json.dumps({"messages": [{"role": "ROLE_USER", "content": text}]})
        connection.request("POST", "/v1/route", body, {"content-type": "application/json"})
        answer = connection.getresponse()
        said = json.loads(answer.read())
        connection.close()
        if answer.status != 200:
            raise AssertionError(f"{answer.status}: {said}")
        with self.lock:
            self.ids.append(said["decisionId"])
        return said

    def rate_limited(self, model, key):
        """Reports that a provider refused for now."""
        command = [str(self.binaries / "signalboxctl"), "--endpoint", f"http://{self.grpc}", "outcome", "--model", model,
                   "--outcome", "rate-limited", "--idempotency-key", key]
        subprocess.run(command, check=True, capture_output=True)


def same(what, found, wanted):
    """Fails loudly."""
    if found != wanted:
        raise AssertionError(f"{what}: {found!r}, not {wanted!r}")


def jumps(server):
    """Every jump and the way back, with what must not be moved by them."""
    for number, (name, seconds) in enumerate(JUMPS.items()):
        status = lambda text: server.route(text)["cacheStatus"]  # noqa: E731
        known = f"thanks a lot, bye for now, {number}"
        same(f"before the jump {name}", [status(known), status(known)], ["CACHE_STATUS_MISS", "CACHE_STATUS_EXACT_HIT"])
        begun = time.monotonic()
        server.jump(seconds)
        same(f"a kept decision after the jump {name}", status(known), "CACHE_STATUS_EXACT_HIT")
        server.rate_limited("large", f"key {number}")
        same(f"a model that cools down, after the jump {name}", server.route(CODE)["modelId"], "small")
        server.jump(0)
        same(f"a model that cools down, after the way back from {name}", server.route(CODE)["modelId"], "small")
        if time.monotonic() - begun > DONE:
            raise AssertionError("this machine is too slow for this test")
        time.sleep(KEPT + DONE + 1 - (time.monotonic() - begun))
        same(f"the cool-down is over after the jump {name}", server.route(CODE)["modelId"], "large")
        same(f"nothing is kept for longer, after the jump {name}", status(known), "CACHE_STATUS_MISS")


def main():
    """Jumps under load."""
    preload = installed(library, "libfaketime")
    if not preload:
        print("WARNING: libfaketime IS NOT INSTALLED: SKIPPED the clock that is set under load", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as folder:
        server = Server(sys.argv[1], folder, preload)
        done, failed = threading.Event(), []

        def load(caller):
            count = 0
            while not done.is_set():
                count += 1
                try:
                    server.route(f"summarize chapter {count} of book {caller}")
                except Exception as error:  # pylint: disable=broad-except
                    failed.append(error)

        callers = [threading.Thread(target=load, args=(caller,)) for caller in range(2)]
        for caller in callers:
            caller.start()
        try:
            jumps(server)
        finally:
            done.set()
            for caller in callers:
                caller.join()
            server.process.terminate()
            server.process.wait(timeout=30)
        same("calls that failed", failed[:3], [])
        same("ids that came twice", len(server.ids) - len(set(server.ids)), 0)
        lines = [json.loads(line) for log in sorted(Path(folder).glob("audit.jsonl*")) for line in log.read_text("utf-8").splitlines()]
        audited = {line["decision_id"] for line in lines if "decision_id" in line}
        same("decisions without a line in the audit log", len(set(server.ids) - audited), 0)
        years = {line["time"][:4] for line in lines if "time" in line}
        same("the log has the time of day as it was set", "1980" in years, True)
        print(f"clock: {len(JUMPS)} jumps, {len(server.ids)} decisions, none failed")


if __name__ == "__main__":
    main()
