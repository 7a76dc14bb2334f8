#!/usr/bin/env python3
"""Rehearses rendered manifests without a cluster: `rehearse.py --bin DIR --out DIR CASE.yaml…`.

Of each case, the configuration is loaded and the policies are checked by the real binary. Then the pod is run on this host:
its mounts in a scratch directory with the links that the kubelet makes, the server with its arguments and environment, its
probes, a policy that the kubelet swaps for another and for a bad one, a renewed certificate, the command of `helm test`, and the end by SIGTERM.
What is not as in a container: paths begin with the scratch directory, and it listens on loopback, on free ports.
A case is not run where the server would need weights of a model, or where this binary LACKS something.
"""
import argparse
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import yaml

# What this binary may lack: settings that the chart writes already, and the language model. Anything else that it refuses fails.
LACKS = re.compile(r"^(?:(?:tls|admin|audit)\.\S+ .*: there is no such setting|llm\.path .*this build hosts no language model)")
# Stands for the policies of a ConfigMap that the chart does not make.
SAMPLE = {"default.yaml": "schema: 1\nversion: 1\ndefault: a\nmodels: [{id: a}]\n"}


class Failed(Exception):
    """What the rehearsal shows not to work."""


def wait(what, seconds, done):
    """Asks until it is so."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise Failed(f"after {seconds} s: {what} is not so")
        time.sleep(0.05)


def project(folder, files):
    """Writes files as the kubelet does: into a new directory, to which one rename leads all links."""
    data = folder / f"..{time.monotonic_ns()}"
    data.mkdir(parents=True)
    for name, text in files.items():
        (data / name).write_text(text)
        link = folder / name
        if not link.is_symlink():
            link.symlink_to(f"..data/{name}")
    (folder / "..data_tmp").symlink_to(data.name)
    os.replace(folder / "..data_tmp", folder / "..data")


def certificates(folder):
    """What an authority signed for server and client, as Secrets hold it. Anew each time, by the same authority."""
    folder.mkdir(exist_ok=True)

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
    if not (folder / "ca.crt").exists():
        openssl(*new, "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.crt")
    openssl(*new, "-subj", "/CN=signalbox", "-addext", "subjectAltName=DNS:localhost", "-addext",
            "basicConstraints=critical,CA:false", "-CA", "ca.crt", "-CAkey", "ca.key", "-keyout", "tls.key", "-out", "tls.crt")
    return {name: (folder / name).read_text() for name in ("ca.crt", "tls.crt", "tls.key")}


class Pod:
    """The Deployment's pod on this host."""

    def __init__(self, objects, binaries, root):
        self.objects, self.binaries, self.root = objects, binaries, root
        self.spec = self.only("Deployment")["spec"]["template"]["spec"]
        self.server = next(found for found in self.spec["containers"] if found["name"] == "signalbox")
        self.mounts = {}
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            two.bind(("127.0.0.1", 0))
            self.ports = {"grpc": one.getsockname()[1], "metrics": two.getsockname()[1]}
        self.env = {
            "PATH": str(binaries),
            "SIGNALBOX__LISTEN": f"127.0.0.1:{self.ports['grpc']}",
            "SIGNALBOX__METRICS": f"127.0.0.1:{self.ports['metrics']}",
        }
        self.secrets = {}
        self.mount(self.spec, self.server)
        for variable in self.server.get("env") or []:
            self.env[variable["name"]] = variable.get("value", "rehearsal-0")

    def only(self, kind, name=None):
        """The object of a kind, of that name."""
        for found in self.objects:
            if found["kind"] == kind and name in (None, found["metadata"]["name"]):
                return found
        return None

    def mount(self, spec, container):
        """Lays out the volumes that a container mounts."""
        volumes = {volume["name"]: volume for volume in spec.get("volumes") or []}
        places = [(volumes[mount["name"]], mount) for mount in container.get("volumeMounts") or []]
        self.mounts |= {mount["mountPath"]: self.root / mount["mountPath"].lstrip("/") for _, mount in places}
        for volume, mount in places:
            if "subPath" in mount:
                raise Failed(f"{mount['mountPath']}: subPath is never updated")
            folder = self.mounts[mount["mountPath"]]
            folder.mkdir(parents=True, exist_ok=True)
            if "configMap" in volume:
                found = self.only("ConfigMap", volume["configMap"]["name"])
                files = found["data"] if found else SAMPLE
                project(folder, {name: self.here(text) for name, text in files.items()})
            elif "secret" in volume:
                project(folder, self.secret(volume))

    def secret(self, volume):
        """What the Secret of a volume may hold."""
        if volume["name"] == "admin":
            config = json.loads(self.configured().read_text())
            return {Path(config["admin"]["tokens_file"]).name: "0123456789abcdef0123456789abcdef\n"}
        if volume["name"] == "shared":
            # Nobody answers there: the pod does without.
            shared = json.loads(self.configured().read_text())["shared"]
            texts = {"url_file": "redis://:password@127.0.0.1:1/0\n", "secret_file": "0123456789abcdef" * 2}
            return {Path(shared[key]).name: text for key, text in texts.items()}
        self.secrets = self.secrets or certificates(self.root / "pki")
        return self.secrets

    def here(self, text):
        """Text with the container's paths made this host's."""
        paths = "|".join(map(re.escape, sorted(self.mounts, key=len, reverse=True)))
        return re.sub(rf"(?<![\w/])(?:{paths})(?![\w-])", lambda found: str(self.mounts[found.group()]), text)

    def configured(self):
        """The file that the server is told to read."""
        arguments = self.server["args"]
        return Path(self.here(arguments[arguments.index("--config") + 1]))

    def run(self, command):
        """Runs a command of the image to its end."""
        command = [str(self.binaries / command[0]), *command[1:]]
        return subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=30, check=False)

    def check(self):
        """Loads the configuration and checks the policies; gives what this binary cannot run."""
        found = self.run(["signalbox", "config", "--config", str(self.configured())])
        problems = re.findall(r"^  (\S.*)$", found.stderr, re.M)
        if found.returncode and not (problems and all(map(LACKS.match, problems))):
            raise Failed(f"configuration: {found.stderr}")
        policies = self.mounts.get("/etc/signalbox/policy")
        for file in sorted(policies.glob("*.yaml")) if policies else []:
            checked = self.run(["signalbox", "policy", "check", str(file)])
            if checked.returncode:
                raise Failed(f"policy: {checked.stdout}{checked.stderr}")
        if problems:
            return f"this binary lacks {', '.join(problem.split()[0] for problem in problems)}"
        return "its weights are not here" if "/models" in self.mounts else None

    def probe(self, kind):
        """Whether a probe succeeds now."""
        probe = self.server[kind]
        seconds = probe["timeoutSeconds"]
        if "grpc" in probe:
            listening = next(port["containerPort"] for port in self.server["ports"] if port["name"] == "grpc")
            if probe["grpc"]["port"] != listening:
                raise Failed(f"{kind}: asks a port that is not the server's")
            asked = ["signalboxctl", "--endpoint", f"http://127.0.0.1:{self.ports['grpc']}", "--timeout", f"{seconds}s"]
            return self.run([*asked, "health", "--service", probe["grpc"]["service"]]).returncode == 0
        address = f"http://127.0.0.1:{self.ports[probe['httpGet']['port']]}{probe['httpGet']['path']}"
        try:
            with urllib.request.urlopen(address, timeout=seconds) as answer:
                return 200 <= answer.status < 400
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return False

    def metrics(self):
        """The page that Prometheus reads."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports['metrics']}/metrics", timeout=5) as page:
            return page.read().decode()

    def helm_test(self):
        """Runs the command of `helm test`, its address looked up in the rendered Services."""
        spec = self.only("Pod")["spec"]
        container = spec["containers"][0]
        self.mount(spec, container)
        command = [*container["command"], *container["args"]]
        at = next(number for number, word in enumerate(command) if word.startswith("--endpoint="))
        url = urllib.parse.urlsplit(command[at].removeprefix("--endpoint="))
        service = self.only("Service", url.hostname)
        target = next((port["targetPort"] for port in service["spec"]["ports"] if port["port"] == url.port), None)
        if target != "grpc":
            raise Failed(f"helm test: {url.geturl()} does not lead to the port for gRPC")
        command[at] = f"--endpoint={url.scheme}://{'localhost' if url.scheme == 'https' else '127.0.0.1'}:{self.ports['grpc']}"
        return self.run([self.here(word) for word in command])

    def swap(self):
        """Changes the policy as the kubelet does, to a new one, a bad one, and a good one again."""
        folder = self.mounts.get("/etc/signalbox/policy")
        if folder is None:
            return
        files = {found.name: found.read_text() for found in folder.glob("*.yaml")}

        def now(version, successful):
            project(folder, {**files, "default.yaml": re.sub(r"(?m)^version: .*$", f"version: {version}", files["default.yaml"])})
            wait(f"policy_reload_successful {successful}", 20,
                 lambda: f"signalbox_policy_reload_successful {successful}\n" in self.metrics())
            if not self.probe("readinessProbe"):
                raise Failed("a changed policy made the pod unready")

        now(8001, 1)
        wait("version 8001 in force", 20, lambda: "signalbox_policy_version 8001\n" in self.metrics())
        now("[bad]", 0)
        if "signalbox_policy_version 8001\n" not in self.metrics():
            raise Failed("a bad policy took the place of the last good one")
        now(8002, 1)
        wait("version 8002 in force", 20, lambda: "signalbox_policy_version 8002\n" in self.metrics())

    def renew(self):
        """Changes the certificate as the kubelet does."""
        folder = self.mounts.get("/etc/signalbox/tls")
        if folder is None:
            return
        self.secrets = certificates(self.root / "pki")
        project(folder, self.secrets)
        served = lambda: ssl.get_server_certificate(("127.0.0.1", self.ports["grpc"]), timeout=5)
        wait("the new certificate is shown", 20, lambda: served().strip() == self.secrets["tls.crt"].strip())

    def rehearse(self):
        """Runs the server from its start to its end; gives the page of metrics."""
        command = [*self.server["command"], *self.server["args"]]
        command = [str(self.binaries / command[0]), *map(self.here, command[1:])]
        log = open(self.root / "log", "w", encoding="utf-8")
        with log, subprocess.Popen(command, env=self.env, stdout=log, stderr=log) as process:
            try:
                budget = self.server["startupProbe"]["periodSeconds"] * self.server["startupProbe"]["failureThreshold"]
                wait("startupProbe", min(budget, 60), lambda: self.probe("startupProbe"))
                wait("readinessProbe", 20, lambda: self.probe("readinessProbe"))
                wait("livenessProbe", 20, lambda: self.probe("livenessProbe"))
                self.decide()
                self.swap()
                self.renew()
                page = self.metrics()
                self.end(process)
                return page
            except Failed as failed:
                raise Failed(f"{failed}\n{(self.root / 'log').read_text()[-2000:]}") from None
            finally:
                process.kill()

    def decide(self):
        """A decision, by the command of `helm test`."""
        asked = self.helm_test()
        if asked.returncode or not asked.stdout.strip():
            raise Failed(f"helm test: {asked.stdout}{asked.stderr}")

    def end(self, process):
        """SIGTERM: not ready, still deciding, then an orderly exit within the grace period. Life is not asked of a pod that ends."""
        config = json.loads(self.configured().read_text())
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        wait("not ready after SIGTERM", 5, lambda: not self.probe("readinessProbe"))
        self.decide()
        if time.monotonic() - begun > config["drain_ms"] / 1000:
            raise Failed("this host is too slow to look while the server drains; give it a longer drain")
        code = process.wait(timeout=self.spec["terminationGracePeriodSeconds"])
        if code or time.monotonic() - begun < config["drain_ms"] / 1000:
            raise Failed(f"exit code {code} {time.monotonic() - begun:.1f} s after SIGTERM")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=Path, required=True, help="directory of signalbox and signalboxctl")
    parser.add_argument("--out", type=Path, required=True, help="directory for the page of metrics that a server showed")
    parser.add_argument("cases", nargs="+", type=Path)
    arguments = parser.parse_args()
    failures = 0
    for case in arguments.cases:
        objects = [found for found in yaml.safe_load_all(case.read_text()) if found]
        with tempfile.TemporaryDirectory() as root:
            try:
                pod = Pod(objects, arguments.bin.resolve(), Path(root))
                why = pod.check()
                if why:
                    print(f"{case.stem}: configuration and policies are right; WARNING: NOT RUN, {why}")
                    continue
                (arguments.out / "metrics.txt").write_text(pod.rehearse())
                print(f"{case.stem}: loads, starts, answers probes and `helm test`, follows its policy, ends in order")
            except Failed as failed:
                failures += 1
                print(f"{case.stem}: FAILED: {failed}", file=sys.stderr)
    return 1 if failures else 0


sys.exit(main())
