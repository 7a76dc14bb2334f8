#!/usr/bin/env python3
"""Two real replicas on one real Redis or Valkey, one of them over TLS, under load: `shared.py DIR`, DIR being where the binary
signalbox is.

While requests come in, the store is paused (SIGSTOP), goes on, is killed (SIGKILL) and started anew, empty. No request fails and no
decision is wrong, whatever the store does; while it works, both replicas hold conversations alike and ask the language model once;
they come back by themselves; and neither the store nor a log has a word of a prompt. Where there is no store it is installed, if
this is Debian's root; else that is said loudly and nothing is checked.
"""
import http.client
import http.server
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from pathlib import Path

from debian import installed

POLICY = """
schema: 1
default: small
models: [{id: small}, {id: large}]
routes:
  - {name: code, description: writing programs, models: [large]}
  - {name: poems, description: writing verse, models: [small]}
llm: {mode: always, timeout_ms: 5000}
sessions: {enabled: true}
"""
PASSWORD = "hunter2"
SECRET = "0123456789abcdef" * 2
# Between two turns of a conversation, in seconds: a model speaks meanwhile.
TURN = 0.2
WORKERS = 32


def store_program():
    """The store's program."""
    return next(filter(None, map(shutil.which, ("redis-server", "valkey-server"))), None)


def until(what, done, seconds=60):
    """Waits until something is so."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise AssertionError(f"after {seconds} s: {what} is not so")
        time.sleep(0.02)


def certificates(folder):
    """An authority, ca.crt, and what it signed for localhost: tls.crt and tls.key."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
    openssl(*new, "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.crt")
    openssl(*new, "-subj", "/CN=store", "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:false",
            "-CA", "ca.crt", "-CAkey", "ca.key", "-keyout", "tls.key", "-out", "tls.crt")


class Store:
    """The store, always on the same ports: one plain, one for TLS."""

    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        certificates(folder)
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            two.bind(("127.0.0.1", 0))
            self.port, self.tls = one.getsockname()[1], two.getsockname()[1]
        self.addresses = [f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0", f"rediss://:{PASSWORD}@localhost:{self.tls}/0"]
        self.start()

    def start(self):
        """Starts it, empty."""
        command = [self.program, "--port", str(self.port), "--bind", "127.0.0.1", "--requirepass", PASSWORD,
                   "--save", "", "--appendonly", "no", "--tls-port", str(self.tls), "--tls-auth-clients", "no",
                   "--tls-cert-file", "tls.crt", "--tls-key-file", "tls.key", "--tls-ca-cert-file", "ca.crt"]
        self.process = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(self):
        """Ends it at once, paused or not."""
        self.process.kill()
        self.process.wait()

    def signal(self, number):
        """Sends a signal to this store alone."""
        self.process.send_signal(number)

    def dump(self):
        """All keys with their values."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as stream, stream.makefile("rwb") as file:
            def ask(*words):
                file.write(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
                file.flush()
                return read()

            def read():
                kind, rest = (line := file.readline())[:1], line[1:-2]
                if kind == b"*":
                    return [read() for _ in range(int(rest))]
                return file.read(int(rest) + 2)[:-2] if kind == b"$" and rest != b"-1" else line

            ask(b"AUTH", PASSWORD.encode())
            return {key: ask(b"GET", key) for key in ask(b"KEYS", b"*")}


class Model(http.server.ThreadingHTTPServer):
    """A language model that says `code` to what is red, `poems` to what is blue, and nothing to the rest. Counts questions."""
    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        self.asked, self.lock = Counter(), threading.Lock()
        super().__init__(("127.0.0.1", 0), Answer)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Answer(http.server.BaseHTTPRequestHandler):
    """One connection to the model."""
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        prompt = json.loads(self.rfile.read(int(self.headers["content-length"])))["messages"][0]["content"]
        found = re.search(r"(red|blue) xyzzy \d+ \d+", prompt)
        route = {"red": "code", "blue": "poems"}[found.group(1)] if found else "other"
        with self.server.lock:
            self.server.asked[found.group() if found else "other"] += 1
        time.sleep(0.005)
        message = {"role": "assistant", "content": json.dumps({"route": route})}
        body = json.dumps({"choices": [{"index": 0, "message": message}]}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Says nothing."""


class Replica:
    """One replica, ready for calls."""

    def __init__(self, binaries, folder, name, address, model):
        settings = {
            "POLICY": folder / "policy.yaml", "LISTEN": "127.0.0.1:0", "METRICS": "127.0.0.1:0", "HTTP__LISTEN": "127.0.0.1:0",
            "LLM__REMOTE__URL": f"http://127.0.0.1:{model.server_port}/v1", "LLM__REMOTE__MODEL": "m", "LLM__REQUIRED": "true",
            "SHARED__URL_ENV": "STORE", "SHARED__SECRET_ENV": "SECRET", "SHARED__TIMEOUT_MS": "200",
        }
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SIGNALBOX")}
        environment |= {f"SIGNALBOX__{name}": str(value) for name, value in settings.items()}
        environment |= {"STORE": address, "SECRET": SECRET, "SSL_CERT_FILE": str(folder / "ca.crt")}
        self.log = folder / f"{name}.log"
        with self.log.open("w") as log:
            command = [f"{binaries}/signalbox"]
            self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
        ready = dict(re.findall(r"(\w+)=(\S+)", self.process.stdout.readline()))
        if "http" not in ready:
            raise AssertionError(f"a replica did not start: {self.log.read_text()}")
        self.address, self.metrics = ready["http"], ready["metrics"]

    def figures(self, pattern):
        """The sum of the metric's series that match."""
        with urllib.request.urlopen(f"http://{self.metrics}/metrics", timeout=10) as answer:
            return sum(map(float, re.findall(rf"^{pattern} (\S+)$", answer.read().decode(), re.M)))

    def is_up(self):
        """Whether it uses the store."""
        return self.figures("signalbox_shared_up") == 1


class Load:
    """Conversations in turns at both replicas, and what is wrong with the answers."""

    def __init__(self, replicas, model):
        self.replicas, self.model = replicas, model
        self.wrong, self.phase, self.strict, self.over = [], "", False, False
        self.lock, self.counts, self.slowest = threading.Lock(), Counter(), Counter()
        self.threads = [threading.Thread(target=self.work, args=(number,)) for number in range(WORKERS)]

    def enter(self, phase, strict):
        """A new phase; strict: both replicas must do alike."""
        with self.lock:
            self.phase, self.strict = phase, strict

    def work(self, number):
        """One conversation after the other."""
        connections = [http.client.HTTPConnection(replica.address, timeout=20) for replica in self.replicas]
        turn = 0
        while not self.over:
            turn += 1
            before = (self.phase, self.strict)
            try:
                wrong = self.converse(connections if turn % 4 < 2 else connections[::-1], number, turn)
            except Exception as error:  # Whatever it is, it is told in the end.
                wrong = ([f"{type(error).__name__}: {error}"], [])
            with self.lock:
                always, alike = wrong
                strictly = before == (self.phase, True)
                self.wrong += [f"{before[0]}: {what}" for what in always + (alike if strictly else [])]
                self.counts[before[0], "strict" if strictly else "any"] += 1
                if not strictly and alike:
                    self.counts[before[0], "apart"] += 1

    def ask(self, connection, session, text):
        """One decision."""
        caller = {"sessionId": session, "tenant": "tenant-xyzzy"}
        body = {"messages": [{"role": "ROLE_USER", "content": text}], "caller": caller}
        start = time.monotonic()
        connection.request("POST", "/v1/route", json.dumps(body), {"content-type": "application/json"})
        answer = connection.getresponse()
        text = answer.read().decode()
        took = time.monotonic() - start
        with self.lock:
            self.counts[self.phase, "decisions"] += 1
            self.slowest[self.phase] = max(self.slowest[self.phase], took)
        if answer.status != 200:
            raise AssertionError(f"{answer.status}: {text}")
        return json.loads(text)

    def converse(self, connections, number, turn):
        """What is wrong with a conversation, always and where the replicas are to do alike."""
        first, second = connections
        colour, route, model = ("red", "code", "large") if turn % 2 else ("blue", "poems", "small")
        text, session = f"{colour} xyzzy {number} {turn}", f"session-xyzzy-{number}-{turn}"
        always, alike = [], []

        def seen(decision):
            if decision.get("degraded"):
                always.append(f"{text}: degraded: {decision['degraded']}")
            about = decision.get("session", {})
            return decision["modelId"], decision.get("route", ""), about.get("status", "").rpartition("_")[2]

        def expect(found, wanted, where):
            if found != wanted:
                where.append(f"{text}: {found}, not {wanted}")

        expect(seen(self.ask(first, session, text)), (model, route, "STARTED"), always)
        time.sleep(TURN)
        held, alone = (model, "", "KEPT"), ("small", "", "STARTED")
        at_second = seen(self.ask(second, session, f"green xyzzy {number} {turn}"))
        expect(at_second, held, alike)
        if at_second not in (held, alone):
            always.append(f"{text}: {at_second} is neither {held} nor {alone}")
        time.sleep(TURN)
        # Where the second one began anew, that is the later note, if it came to the first.
        at_first = seen(self.ask(first, session, f"green xyzzy {number} {turn}"))
        expect(at_first, held, alike)
        if at_first != held and not (at_second == alone and at_first[0] == "small"):
            always.append(f"{text}: {at_first}, not {held}, after {at_second}")
        # The same question again, of another conversation, at the other replica.
        expect(seen(self.ask(second, f"other-{session}", text)), (model, route, "STARTED"), always)
        asked = self.model.asked[text]
        if not 1 <= asked <= 2:
            always.append(f"{text}: the model was asked {asked} times")
        if asked != 1:
            alike.append(f"{text}: the model was asked {asked} times")
        return always, alike


def rehearse(program, binaries, folder):
    """The whole of it; gives what is wrong."""
    (folder / "policy.yaml").write_text(POLICY)
    store, model = Store(program, folder), Model()
    replicas = []
    try:
        replicas += [Replica(binaries, folder, *one, model) for one in zip("ab", store.addresses)]
        load = Load(replicas, model)

        def all_up():
            until("both replicas use the store", lambda: all(replica.is_up() for replica in replicas))

        def none_up():
            until("both replicas do without the store", lambda: not any(replica.is_up() for replica in replicas))

        def recovered(since):
            all_up()
            print(f"  back after {time.monotonic() - since:.1f} s")

        all_up()
        load.enter("working", True)
        for thread in load.threads:
            thread.start()
        time.sleep(5)
        load.enter("paused", False)
        store.signal(signal.SIGSTOP)
        none_up()
        time.sleep(3)
        store.signal(signal.SIGCONT)
        recovered(time.monotonic())
        dump = store.dump()
        load.enter("after the pause", True)
        time.sleep(5)
        load.enter("killed", False)
        store.kill()
        none_up()
        time.sleep(3)
        store.start()
        recovered(time.monotonic())
        load.enter("after the restart", True)
        time.sleep(5)
        load.enter("killed and started at once", False)
        store.kill()
        store.start()
        time.sleep(3)
        all_up()
        load.enter("in the end", True)
        time.sleep(3)
        dump |= store.dump()
        load.over = True
        for thread in load.threads:
            thread.join()
        for phase in dict.fromkeys(phase for phase, _ in load.counts):
            count = {what: load.counts[phase, what] for what in ("decisions", "strict", "any", "apart")}
            print(f"  {phase}: {count['decisions']} decisions, {count['strict']} conversations held alike, {count['any']} others, of "
                  f"them {count['apart']} not alike; slowest {load.slowest[phase] * 1e3:.0f} ms")
        strict = [load.counts[phase, "strict"] for phase in ("working", "after the pause", "after the restart", "in the end")]
        return load.wrong + looked(replicas, dump, strict)
    finally:
        for replica in replicas:
            if replica.process.poll() is None:
                replica.process.kill()
            replica.process.wait()
        store.kill()


def looked(replicas, dump, strict):
    """What is wrong with metrics, the store's content, the logs and the end."""
    wrong = [] if all(strict) else [f"a phase without a conversation: {strict}"]
    for key, value in dump.items():
        if not re.fullmatch(rb"signalbox:1:(session|llm):[0-9a-f]{64}", key):
            wrong.append(f"the key {key}")
        if re.search(rb"xyzzy|red|blue|green|code|poems|tenant", value):
            wrong.append(f"the value {value} of {key}")
    print(f"  {len(dump)} keys looked through")
    if len(dump) < 20:
        wrong.append(f"{len(dump)} keys are not what is shared")
    for replica in replicas:
        if bad := replica.figures(r'signalbox_rpcs_total\{[^}]*code="(?!OK")\w+"[^}]*\}'):
            wrong.append(f"{bad} calls did not end with OK")
        if not replica.figures(r'signalbox_shared_reads_total\{what="session",result="hit"\}'):
            wrong.append("no conversation was found at another replica")
        if not replica.figures(r'signalbox_llm_questions_total\{result="shared"\}'):
            wrong.append("no answer was found at another replica")
        replica.process.send_signal(signal.SIGTERM)
        if replica.process.wait(timeout=30):
            wrong.append(f"a replica ended with {replica.process.returncode}")
        log = replica.log.read_text()
        went, came = len(re.findall(r"decides by what it knows", log)), len(re.findall(r"shared: connected", log))
        print(f"  its log says {went} times that the store went and {came} times that it came")
        if came < 3 or went < 2:
            wrong.append(f"the log does not say what became of the store: {log}")
        if found := re.search(rf"{PASSWORD}|{SECRET}|xyzzy", log):
            wrong.append(f"the log has `{found.group()}`: {log}")
    return wrong


def main():
    """Says what is wrong, if anything."""
    if len(sys.argv) != 2:
        sys.exit("usage: shared.py DIR, where the binary signalbox is")
    program = installed(store_program, "redis-server")
    if not program:
        print("WARNING: redis-server IS MISSING: SKIPPED the replicas that share it. Install it with: apt-get install redis-server",
              file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as folder:
        wrong = rehearse(program, Path(sys.argv[1]).resolve(), Path(folder))
    for what in wrong[:20]:
        print(what, file=sys.stderr)
    if wrong:
        sys.exit(f"{len(wrong)} problem(s)")
    print("no failed request, no wrong decision")


if __name__ == "__main__":
    main()
