#!/usr/bin/env python3
"""Holds one example against real servers: `check.py BIN COMMAND...`, where COMMAND starts the example. check.sh calls it."""
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

from servers import Server, certificates, route, until

# Routes of several kinds, what belongs to none, and text that is not ASCII.
PROMPTS = [
    "write a python function that parses dates",
    "thanks, that is all",
    "why does this loop never end? for (;;) {}",
    "summarize this article in three sentences",
    "schreibe ein Gedicht über München 🚋",
    "what is the integral of x squared",
]
DEADLINE = 5
TOKEN = "a-token-for-the-examples"


def same(what, found, wanted):
    """Fails loudly."""
    if found != wanted:
        raise AssertionError(f"{what}\n  found:  {found}\n  wanted: {wanted}")


def decided(decision):
    """The lines that an example prints for a decision of `signalbox route --json`."""
    confidence = decision["confidence"]
    return [
        f"model       {decision['model_id']}",
        f"route       {decision['route'] or '-'}",
        f"confidence  {'-' if confidence is None else f'{confidence:.3f}'}",
        f"fallbacks   {', '.join(decision['fallback_model_ids']) or '-'}",
        f"reason      {decision['reason']}",
    ]


def away(code):
    """The lines that it prints when it goes on alone. Each language writes the names of codes its own way."""
    reason = rf"Signalbox is away \({code}\); this is the caller's own default: .+"
    return re.compile(rf"model       openai/gpt-5-mini\nreason      {reason}", re.I | re.S)


class Example:
    """The example, running."""

    def __init__(self, command, *arguments, token=None):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SIGNALBOX")}
        if token:
            environment["SIGNALBOX_TOKEN"] = token
        self.process = subprocess.Popen([*command, "--deadline", str(DEADLINE), *arguments], env=environment, text=True,
                                        encoding="utf-8", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.blocks = queue.SimpleQueue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        """Takes answers apart: each ends with an empty line."""
        block = []
        for line in self.process.stdout:
            if line == "\n":
                self.blocks.put(block)
                block = []
            else:
                block.append(line.rstrip("\n"))
        self.blocks.put(block)

    def send(self, prompts):
        """Hands prompts over, without waiting for answers."""
        for prompt in prompts:
            self.process.stdin.write(f"{prompt}\n")
        self.process.stdin.flush()

    def answer(self):
        """The next answer."""
        return self.blocks.get(timeout=60)

    def ask(self, prompt):
        """A prompt and its answer."""
        self.send([prompt])
        return self.answer()

    def end(self):
        """No more prompts: it must end by itself and have nothing left to say. Gives what it said without an empty line."""
        self.process.stdin.close()
        same("exit code", self.process.wait(timeout=30), 0)
        return self.answer()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def decisions_and_balance(binaries, command, wanted):
    """Answers equal those of `signalbox route`, and both replicas take part."""
    with Server(binaries) as one, Server(binaries) as two:
        with Example(command, f"{one.address},{two.address}") as example:
            for prompt, decision in wanted.items():
                same(prompt, example.ask(prompt), decision)
            # A channel uses the first replica that it reaches until it has reached the other.
            until("both replicas are used", lambda: example.ask(PROMPTS[0]) and one.routed() and two.routed())
            before = one.routed(), two.routed()
            for _ in range(20):
                same(PROMPTS[0], example.ask(PROMPTS[0]), wanted[PROMPTS[0]])
            same("calls of each replica, of 20", (one.routed() - before[0], two.routed() - before[1]), (10, 10))
            same("last words", example.end(), [])


def problems(binaries, command):
    """Every problem of a bad request is printed."""
    with Server(binaries) as server:
        with Example(command, "--min-quality", "7", "--max-cost-usd", "NaN", server.address) as example:
            block = example.ask("hello")
        same("refused", block[0].startswith("refused     INVALID_REQUEST: requirements."), True)
        same("problems", sorted(line.split(": ")[0] for line in block[1:]),
             ["problem     requirements.max_cost_usd", "problem     requirements.min_quality"])
        same("what is wrong with them", all(len(line.split(": ", 1)[1]) > 10 for line in block[1:]), True)


def replicas_lost(binaries, command, wanted):
    """One replica dies with a call in its hands, and no call fails. Then the other hangs, dies, and comes back."""
    with Server(binaries) as one, Server(binaries) as two:
        with Example(command, f"{one.address},{two.address}") as example:
            until("both replicas are used", lambda: example.ask(PROMPTS[0]) and one.routed() and two.routed())
            # One of the next two calls is in the hands of the replica that has stopped, and is lost when that dies.
            one.signal(signal.SIGSTOP)
            before, prompts = two.routed(), PROMPTS * 50
            example.send(prompts)
            time.sleep(0.5)
            same("a call is in its hands", example.blocks.qsize() < 2, True)
            one.kill()
            for prompt in prompts:
                same(f"{prompt}, with one replica lost", example.answer(), wanted[prompt])
            same("the other replica goes on", two.routed() - before, len(prompts))

            two.signal(signal.SIGSTOP)
            start = time.monotonic()
            hung = "\n".join(example.ask(PROMPTS[0]))
            took = time.monotonic() - start
            same(f"its own model when no replica answers: {hung}", bool(away("deadline_?exceeded").fullmatch(hung)), True)
            same(f"the deadline of {DEADLINE} s is kept: {took:.1f} s", DEADLINE - 0.5 < took < DEADLINE + 3, True)
            two.kill()
            gone = "\n".join(example.ask(PROMPTS[0]))
            same(f"its own model when no replica is there: {gone}", bool(away("unavailable").fullmatch(gone)), True)
            with Server(binaries, listen=two.address):
                until("it comes back to a replica that came back", lambda: example.ask(PROMPTS[0]) == wanted[PROMPTS[0]], 60)
            same("last words", example.end(), [])


def tls_and_token(binaries, command, wanted):
    """TLS to a list and to a name, no other authority, and a token for what is administrative."""
    with tempfile.TemporaryDirectory() as folder:
        certificates(folder)
        with open(f"{folder}/tokens", "w", encoding="utf-8") as tokens:
            tokens.write(f"{TOKEN}\n")
        settings = {"TLS__CERT": f"{folder}/tls.crt", "TLS__KEY": f"{folder}/tls.key", "ADMIN__TOKENS_FILE": f"{folder}/tokens"}
        with Server(binaries, **settings) as one, Server(binaries, **settings) as two:
            trust, name = ["--ca", f"{folder}/ca.crt"], f"localhost:{one.port}"
            for arguments in ([*trust, name], [*trust, "--server-name", "localhost", f"{one.address},{two.address}"]):
                with Example(command, *arguments) as example:
                    same(f"TLS, {arguments}", example.ask(PROMPTS[0]), wanted[PROMPTS[0]])
            with Example(command, "--ca", f"{folder}/other.crt", name) as example:
                block = "\n".join(example.ask(PROMPTS[0]))
                same(f"an authority that signed nothing: {block}", bool(away("unavailable").fullmatch(block)), True)
            with Example(command, *trust, "--policy-of", "acme", name) as example:
                block = example.end()
                same(f"without a token: {block}", block[0].startswith("refused     CREDENTIALS_MISSING: "), True)
            with Example(command, *trust, "--policy-of", "acme", name, token=TOKEN) as example:
                block = example.end()
                same(f"with the token: {block}", bool(re.fullmatch(r"policy      1 [0-9a-f]{64}", "".join(block))), True)


def main():
    binaries, command = sys.argv[1], sys.argv[2:]
    wanted = {prompt: decided(route(binaries, prompt)) for prompt in PROMPTS}
    for check in (decisions_and_balance, replicas_lost, tls_and_token):
        check(binaries, command, wanted)
        print(f"ok  {check.__doc__}")
    problems(binaries, command)
    print(f"ok  {problems.__doc__}")


if __name__ == "__main__":
    main()
