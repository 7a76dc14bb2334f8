"""Real servers on free ports of this host, for check.py and for errors_test.py."""
import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request


def until(what, done, seconds=30):
    """Waits until something is so, and gives it."""
    end = time.monotonic() + seconds
    while not (found := done()):
        if time.monotonic() > end:
            raise AssertionError(f"after {seconds} s: {what} is not so")
        time.sleep(0.02)
    return found


class Server:
    """One replica, ready for calls. Settings are written as in the environment: `TLS__CERT`."""

    def __init__(self, binaries, *arguments, listen="127.0.0.1:0", **settings):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SIGNALBOX")}
        environment |= {f"SIGNALBOX__{name}": str(value) for name, value in settings.items()}
        command = [f"{binaries}/signalbox", "--listen", listen, "--metrics", "127.0.0.1:0", *arguments]
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        ready = self.process.stdout.readline()
        found = re.match(r"signalbox ready grpc=(\S+) metrics=(\S+) ", ready)
        if not found:
            raise AssertionError(f"{command} did not start")
        self.address, self.metrics = found.groups()
        self.port = self.address.rpartition(":")[2]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def get(self, path):
        """What the listener for metrics and probes answers: status and text."""
        try:
            with urllib.request.urlopen(f"http://{self.metrics}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def routed(self):
        """How many Route calls it answered, whatever with."""
        lines = re.findall(r'^signalbox_rpcs_total\{(.*)\} (\d+)$', self.get("/metrics")[1], re.M)
        return sum(int(count) for labels, count in lines if 'method="Route"' in labels)

    def signal(self, number):
        """Sends a signal to this server alone."""
        self.process.send_signal(number)

    def kill(self):
        """Ends it at once, as a lost machine does."""
        if self.process.poll() is None:
            self.signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()


def route(binaries, prompt):
    """What the binary itself decides, without a server."""
    command = [f"{binaries}/signalbox", "route", "--json", "--", prompt]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def certificates(folder):
    """An authority, ca.crt, and what it signed for localhost: tls.crt and tls.key. Another authority: other.crt."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
    for name in ("ca", "other"):
        openssl(*new, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.crt")
    openssl(*new, "-subj", "/CN=signalbox", "-addext", "subjectAltName=DNS:localhost", "-addext",
            "basicConstraints=critical,CA:false", "-CA", "ca.crt", "-CAkey", "ca.key", "-keyout", "tls.key", "-out", "tls.crt")
