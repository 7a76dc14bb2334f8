"""The service under test: started on free ports of 127.0.0.1 with the settings here, and what its metrics say."""
import math
import os
import re
import socket
import time
import urllib.request

from . import proc

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LINE = re.compile(r'^(\w+)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'(\w+)="([^"]*)"')


class Signalbox:
    """One server; `with Signalbox(...) as server`."""

    def __init__(self, binary, policy, cpus, settings=None, config=None, log=None):
        self.log = open(log or os.devnull, "a")
        env = {k: v for k, v in os.environ.items() if not k.startswith("SIGNALBOX__") and k != "RUST_LOG"}
        env |= {"SIGNALBOX__" + k.upper().replace(".", "__"): str(v) for k, v in (settings or {}).items()}
        command = [binary, "--config", config or os.path.join(ROOT, "signalbox.yaml"), "--policy", policy,
                   "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"]
        self.process = proc.start(command, cpus, stdout=-1, stderr=self.log, text=True, env=env)
        ready = self.process.stdout.readline()
        found = re.search(r"grpc=(?:http://)?(\S+) metrics=(?:http://)?(\S+)", ready)
        if not found:
            proc.stop(self.process)
            with open(self.log.name) as said:
                raise SystemExit(f"the server did not start: {ready!r}\n{said.read()[-2000:]}")
        self.address, self.metrics_address = found.group(1), found.group(2).removesuffix("/metrics")
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        proc.stop(self.process)
        self.log.close()

    def metrics(self):
        with urllib.request.urlopen(f"http://{self.metrics_address}/metrics", timeout=5) as answer:
            return parse(answer.read().decode())


class Echo:
    """The bare tonic service."""

    def __init__(self, binary, cpus):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"127.0.0.1:{port}"
        self.process = proc.start([binary, self.address], cpus)
        self.pid = self.process.pid
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.05)
        proc.stop(self.process)
        raise SystemExit("the bare service does not listen")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        proc.stop(self.process)


def parse(text):
    """{(name, ((label, value), …)): number} of Prometheus' text."""
    out = {}
    for line in text.splitlines():
        found = LINE.match(line)
        if found:
            out[found.group(1), tuple(sorted(LABEL.findall(found.group(2) or "")))] = float(found.group(3))
    return out


def total(metrics, name, **labels):
    wanted = set(labels.items())
    return sum(v for (n, have), v in metrics.items() if n == name and wanted <= set(have))


def difference(after, before):
    return {key: value - before.get(key, 0.0) for key, value in after.items()}


def by(metrics, name, label):
    out = {}
    for (n, have), value in metrics.items():
        if n == name and value:
            key = dict(have).get(label, "")
            out[key] = out.get(key, 0) + value
    return out


def buckets(metrics, name, **labels):
    """[(bound in seconds, cumulative count)] of a histogram, its other labels summed."""
    wanted, sums = set(labels.items()), {}
    for (n, have), value in metrics.items():
        if n == name + "_bucket" and wanted <= set(have):
            bound = dict(have)["le"]
            bound = math.inf if bound == "+Inf" else float(bound)
            sums[bound] = sums.get(bound, 0.0) + value
    return sorted(sums.items())
