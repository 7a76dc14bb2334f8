#!/usr/bin/env python3
"""The console in a real browser, at a real server: `console.py DIR [--screenshot FILE]`, DIR being where the binary signalbox is.

A conversation is typed and decided, policies are tried, good and bad ones, by mouse and by keyboard alone; what the page shows is held
against what the API says. Nothing may go to another origin, be kept, or be complained of by the browser; at 360 pixels nothing is cut
off; in light and in dark every text can be read. Chromium comes from Debian and Playwright from PyPI into a directory outside of the
clone, where that is possible; else it is said loudly and nothing is checked.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from debian import installed

PLAYWRIGHT = "playwright==1.65.2"
TOOLS = Path.home() / ".cache/signalbox/playwright"
TOKEN = "open-sesame-0123456789"
PROMPT = "write a python function that parses dates"
POLICY = """\
schema: 1
version: 7
default: small
models:
  - {id: small, price: {input: 0.1, output: 0.2}, quality: {default: 0.5}}
  - {id: large, price: {input: 3.0, output: 15.0}, quality: {default: 0.9}}
  - {id: gold, tiers: [gold]}
routes:
  - name: code
    description: writing programs, functions and scripts
    models: [gold, large, small]
  - name: poems
    description: writing verse, rhymes and songs
    models: [small]
  - name: law
    description: contracts, statutes and legal advice
    models: [gold]
rules:
  - {name: no-bots, when: 'caller.labels.kind == "bot"', deny: bots are not served}
  - {name: cheap-batch, when: 'caller.tier == "batch"', use: {model: small}}
"""
OTHER = POLICY.replace("[gold, large, small]", "[small]").replace("version: 7", "version: 8")
BAD = POLICY.replace("[gold, large, small]", "[gold, lagre, small]")


def holds(page, text):
    """Waits until this is in the policy that is typed. Playwright's `wait_for_function` looks again by `eval`, which the page forbids."""
    for _ in range(500):
        if text in page.locator("#policy").input_value():
            return
        page.wait_for_timeout(20)
    raise AssertionError(f"the policy never had {text!r} in it")


def playwright():
    """Playwright's module; where it is missing this program goes on in a Python that has it."""
    try:
        from playwright import sync_api
        return sync_api
    except ImportError:
        python = TOOLS / "bin/python"
        if Path(sys.prefix) == TOOLS:
            return None
        if not python.exists() or subprocess.run([python, "-c", "import playwright"], check=False, stderr=subprocess.DEVNULL).returncode:
            made = subprocess.run([sys.executable, "-m", "venv", TOOLS], check=False)
            if made.returncode or subprocess.run([python, "-m", "pip", "install", "--quiet", PLAYWRIGHT], check=False).returncode:
                return None
        os.execv(python, [python, *sys.argv])


class Server:
    """One server with the console, ready for calls. Settings are written as in the environment: `ADMIN__TOKENS_ENV`."""

    def __init__(self, binaries, folder, policy, **settings):
        if policy:
            (folder / "policy.yaml").write_text(policy)
            settings["POLICY"] = folder / "policy.yaml"
        settings |= {"LISTEN": "127.0.0.1:0", "METRICS": "off", "HTTP__LISTEN": "127.0.0.1:0", "HTTP__CONSOLE": "true"}
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SIGNALBOX")}
        environment |= {f"SIGNALBOX__{name}": str(value) for name, value in settings.items()} | {"TOKENS": TOKEN}
        self.process = subprocess.Popen([f"{binaries}/signalbox"], env=environment, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        ready = dict(re.findall(r"(\w+)=(\S+)", self.process.stdout.readline()))
        if "http" not in ready:
            raise AssertionError("the server did not start")
        self.origin = f"http://{ready['http']}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def explain(self, **message):
        """What the API says to a request."""
        message = {"request": {"messages": [{"role": "ROLE_USER", "content": PROMPT}]}} | message
        request = urllib.request.Request(f"{self.origin}/v1/explain", json.dumps(message).encode(), {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)


class Visit:
    """One page, and what it must not do."""

    def __init__(self, browser, server, wrong, width=1400, scheme="light"):
        self.server, self.wrong = server, wrong
        self.context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.page = self.context.new_page()
        self.page.on("console", self.said)
        self.page.on("pageerror", lambda error: wrong.append(f"the page broke: {error}"))
        self.page.on("request", self.asked)
        self.paths = []
        self.page.goto(f"{server.origin}/console")
        self.page.wait_for_selector("#message-0:focus")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        kept = self.page.evaluate("[localStorage.length, sessionStorage.length, document.cookie, location.href]")
        self.expect("what is kept", kept, [0, 0, "", f"{self.server.origin}/console"])
        self.context.close()

    def said(self, message):
        """A refusal of the server is no fault of the page; everything else is, but for advice."""
        refusal = "Failed to load resource: the server responded with a status of 4"
        if message.type not in ("verbose", "debug") and not message.text.startswith(refusal):
            self.wrong.append(f"the browser says: {message.type}: {message.text}")

    def asked(self, request):
        """Notes where the page asks."""
        if not request.url.startswith(("data:", f"{self.server.origin}/")):
            self.wrong.append(f"asked elsewhere: {request.url}")
        self.paths.append(request.url.removeprefix(self.server.origin))

    def expect(self, what, found, wanted):
        """Notes what is not as it must be."""
        if found != wanted:
            self.wrong.append(f"{what}: {found!r}, not {wanted!r}")

    def text(self, selector):
        """The text at a place, with single spaces."""
        return " ".join(self.page.locator(selector).first.inner_text().split())

    def column(self, selector, attribute, cell):
        """A table as a dictionary: an attribute of each row, and the text of one cell."""
        script = """(rows, [attribute, cell]) =>
            rows.map((row) => [row.getAttribute(attribute), row.querySelector(cell).innerText.trim()])"""
        return dict(self.page.locator(selector).evaluate_all(script, [attribute, cell]))

    def decide(self, prompt=PROMPT):
        """Types a prompt and has it decided."""
        self.page.locator("#message-0").fill(prompt)
        self.page.locator("#message-0").press("Enter")
        self.settled()

    def settled(self):
        """Waits for the answer."""
        self.page.wait_for_selector("section[aria-busy=false]")

    def fits(self, what):
        """Whether nothing is wider than the window."""
        wide = self.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        if wide[0] > wide[1]:
            self.wrong.append(f"{what}: {wide[0]} pixels wide in a window of {wide[1]}")

    def readable(self, what):
        """Whether all text contrasts with what is behind it (4.5 to 1), every control has a name, and ids are unique."""
        for problem in self.page.evaluate(READABLE):
            self.wrong.append(f"{what}: {problem}")


# The colour behind a text is that of the nearest element that has one.
READABLE = r"""() => {
  const wrong = [];
  const parts = (colour) => colour.match(/[\d.]+/g).map(Number);
  const light = (colour) => parts(colour).slice(0, 3).map((one) => one / 255)
    .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4))
    .reduce((sum, one, index) => sum + one * [0.2126, 0.7152, 0.0722][index], 0);
  const ground = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if ((parts(colour)[3] ?? 1) > 0.5) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let texts = 0;
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !element.checkVisibility() || element.closest('button:disabled')) continue;
    texts += 1;
    const [a, b] = [light(getComputedStyle(element).color), light(ground(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) wrong.push(`contrast ${contrast.toFixed(2)} of "${walk.currentNode.data.trim().slice(0, 40)}"`);
  }
  if (texts < 20) wrong.push(`only ${texts} texts were looked at`);
  for (const one of document.querySelectorAll('input, select, textarea, button')) {
    if (!one.labels?.length && !one.ariaLabel && !one.textContent.trim()) wrong.push(`without a name: ${one.outerHTML}`);
  }
  const ids = [...document.querySelectorAll('[id]')].map((one) => one.id);
  for (const id of ids.filter((one, index) => ids.indexOf(one) !== index)) wrong.push(`the id ${id} stands twice`);
  return wrong;
}"""


def decisions(browser, server, wrong):
    """What the page shows of a decision is what the API says."""
    said = server.explain()
    with Visit(browser, server, wrong) as visit:
        visit.readable("an empty page")
        visit.decide()
        visit.expect("model", visit.text("#winner"), said["decision"]["modelId"])
        visit.expect("route", visit.text("[data-fact=route] dd"), said["decision"]["route"])
        visit.expect("confidence", visit.text("[data-fact=confidence] dd"), f"{said['decision']['confidence']:.3f}")
        visit.expect("reason", visit.text(".reason"), said["decision"]["reason"].replace("`", ""))
        visit.expect("fallbacks", visit.text("[data-fact=fallbacks] dd"), ", then ".join(said["decision"]["fallbackModelIds"]))
        visit.expect("scores", visit.column(".scores tbody tr", "data-route", ".number"),
                     {route["name"]: f"{route['probability']:.3f}" for route in said["routes"]})
        named = visit.column(".scores tbody tr", "data-route", "th")
        visit.expect("names of routes", {route: name.split()[0] for route, name in named.items()},
                     {route["name"]: "no" if route["name"] == "other" else route["name"] for route in said["routes"]})
        visit.expect("threshold", f"{said['threshold']:.2f}" in visit.text(".scores caption"), True)
        bars = visit.page.locator(".bar .value").evaluate_all("all => all.map((one) => one.getBoundingClientRect().width)")
        visit.expect("bars", len(bars) == len(said["routes"]) and bars == sorted(bars, reverse=True) and bars[0] > bars[-1], True)
        decided = next(rung for rung in said["rungs"] if rung.get("decided"))
        visit.expect("rung", visit.page.locator(".ladder .decided").get_attribute("data-rung"), decided["name"])
        visit.expect("rungs", visit.page.locator(".ladder > li").count(), 9)
        shown = visit.page.locator(".ladder .decided .candidates tbody tr").evaluate_all("all => all.map((one) => one.dataset.model)")
        visit.expect("candidates", shown, [one["modelId"] for one in said["candidates"]])
        for one in said["candidates"]:
            for refusal in one.get("refusals", []):
                # Names in backticks are set apart.
                cell = visit.text(f".candidates tr[data-model='{one['modelId']}'] td:last-child")
                visit.expect("refusal", refusal["detail"].replace("`", "") in cell, True)
        visit.expect("rules", visit.page.locator(".rules tbody tr").evaluate_all("all => all.map((one) => one.dataset.rule)"),
                     [rule["name"] for rule in said.get("rules", [])])
        visit.expect("counterfactual", said["withoutWinner"]["modelId"] in visit.text("#without-winner"), True)
        visit.expect("questions", visit.page.locator(".steps tbody th").all_inner_texts(), [step["asked"] for step in said["steps"]])
        visit.expect("announcement", visit.text("#said"), f"Decided: {said['decision']['modelId']}.")
        visit.readable("a decision")
        visit.expect("what was asked", sorted(set(visit.paths) - {"/console"}), sorted(
            {f"/console/{name}" for name in ("style.css", "result.css", "app.js", "api.js", "copy.js", "form.js", "policy.js", "result.js",
                                             "tables.js", "lit-html.js")} | {"/v1/explain"}))
        # What is copied is a request that gives the same decision.
        visit.page.get_by_text("This request elsewhere").click()
        message = json.loads(visit.page.get_by_label("The request as JSON").inner_text())
        visit.expect("request", server.explain(request=message)["decision"]["modelId"], said["decision"]["modelId"])


def fields(browser, server, wrong):
    """What else a request may say gets to the server, and its errors to the fields."""
    with Visit(browser, server, wrong) as visit:
        page = visit.page
        markup = "<img src=x onerror=alert(1)><script>alert(1)</script>"
        page.get_by_label("Session id").fill(markup)
        visit.decide(markup)
        visit.expect("markup of a prompt", page.locator("#page img, #page script").count(), 0)
        page.get_by_label("Session id").fill("")
        page.get_by_label("Tier").fill("batch")
        visit.decide()
        visit.expect("model by a rule", (visit.text("#winner"), visit.text("[data-fact=rule] dd")), ("small", "cheap-batch"))
        visit.expect("scores of no route", page.locator(".scores").count(), 0)
        page.get_by_label("Tier").fill("gold")
        visit.decide()
        visit.expect("model of a tier", visit.text("#winner"), "gold")
        page.get_by_label("Tier").fill("")
        visit.decide("check the contracts for the statutes that they break, as legal advice")
        visit.expect("a rung without a model", page.locator(".ladder .fell").get_attribute("data-rung"), "route")
        visit.expect("the rung that decided then", page.locator(".ladder .decided").get_attribute("data-rung"), "default")
        visit.expect("what was lost", "no_eligible_model_in_route" in visit.text(".degraded"), True)
        page.get_by_label("Labels").fill("kind=bot")
        visit.decide()
        visit.expect("denied", "bots are not served" in visit.text("#refused") and "DENIED_BY_RULE" in visit.text("#refused"), True)
        page.get_by_label("Labels").fill("")
        page.get_by_text("Limits and wishes").click()
        page.get_by_label("Least quality").fill("2")
        page.get_by_label("Most cost").fill("-1")
        visit.decide()
        for name in ("minQuality", "maxCostUsd"):
            visit.expect(f"error at {name}", bool(visit.text(f"#{name}-wrong")), True)
            visit.expect(f"mark at {name}", page.locator(f"#{name}").get_attribute("aria-invalid"), "true")
        visit.expect("summary", "see the fields" in visit.text("#refused"), True)
        visit.readable("errors at fields")
        page.get_by_label("Least quality").fill("")
        page.get_by_label("Most cost").fill("")
        # A conversation of several turns.
        page.get_by_role("button", name="Add a message").click()
        page.keyboard.type("Here is a poem.")
        page.get_by_role("button", name="Add a message").click()
        page.keyboard.type("and now a song, with rhymes")
        visit.expect("who speaks", page.locator(".message-head select:first-child").evaluate_all("all => all.map((one) => one.value)"),
                     ["ROLE_USER", "ROLE_ASSISTANT", "ROLE_USER"])
        page.get_by_role("button", name="Remove message 2").click()
        visit.expect("messages left", page.locator(".message textarea").evaluate_all("all => all.map((one) => one.value)"),
                     [PROMPT, "and now a song, with rhymes"])
        visit.expect("roles left", page.locator(".message-head select:first-child").evaluate_all("all => all.map((one) => one.value)"),
                     ["ROLE_USER", "ROLE_USER"])


def policies(browser, server, wrong):
    """A bad policy's problem is shown where it is; a good one beside the policy in force."""
    line = 1 + next(number for number, text in enumerate(BAD.splitlines()) if "lagre" in text)
    column = 1 + BAD.splitlines()[line - 1].index("lagre")
    with Visit(browser, server, wrong) as visit:
        page = visit.page
        page.locator("#message-0").fill(PROMPT)

        def shown_in_place(how):
            visit.settled()
            visit.expect(f"{how}: verdict", "cannot be used: 1 error" in visit.text(".verdict"), True)
            problem = visit.text(".problems .error")
            visit.expect(f"{how}: problem", f"{line}:{column}" in problem and "lagre" in problem, True)
            visit.expect(f"{how}: line", page.locator(".lines .error").all_inner_texts(), [str(line)])
            under = page.locator(".under.error").bounding_box()
            area = page.locator("#policy").bounding_box()
            number = page.locator(".lines .error").bounding_box()
            visit.expect(f"{how}: underlined at the line", abs(under["y"] - number["y"]) < 2, True)
            character = under["width"] / len("lagre")
            visit.expect(f"{how}: underlined at the word", round((under["x"] - area["x"] - 8) / character), column - 1)
            visit.expect(f"{how}: said in place", "lagre" in visit.text(".said.error"), True)
            page.locator(".problems .error button").click()
            at = page.evaluate("[document.activeElement.id, document.activeElement.selectionStart]")
            visit.expect(f"{how}: cursor", at, ["policy", BAD.index("lagre")])

        page.locator("#policy").fill(BAD)
        page.locator("#check").click()
        shown_in_place("checked")
        visit.readable("a bad policy")
        page.locator("#policy").fill(BAD + "\n")
        visit.expect("marks of what was changed", page.locator(".under").count(), 0)
        page.locator("#policy").fill(BAD)
        page.locator("#try").click()
        shown_in_place("tried")
        # Scrolled away, the marks go along.
        page.locator("#policy").fill("# first\n" * 200 + BAD)
        page.locator("#check").click()
        visit.settled()
        page.locator(".problems .error button").click()
        number, under = page.locator(".lines .error").bounding_box(), page.locator(".under.error").bounding_box()
        area = page.locator("#policy").bounding_box()
        visit.expect("height of the editor", page.locator(".editor").bounding_box()["height"], area["height"] + 2)
        visit.expect("marks of far lines", abs(under["y"] - number["y"]) < 2 and area["y"] < under["y"] < area["y"] + area["height"], True)

        page.locator("input[type=file]").set_input_files({"name": "policy.yaml", "mimeType": "text/plain", "buffer": OTHER.encode()})
        holds(page, "version: 8")
        visit.expect("a file that was opened", page.locator("#policy").input_value(), OTHER)
        page.locator("#check").click()
        visit.settled()
        visit.expect("good", visit.text(".verdict").startswith("This policy can be used"), True)
        visit.expect("what differs", "routes changed: code" in visit.text(".policy ul.facts"), True)
        page.locator("#try").click()
        visit.settled()
        before, after = server.explain(), server.explain(policyYaml=OTHER)
        visit.expect("two models", (before["decision"]["modelId"], after["decision"]["modelId"]), ("large", "small"))
        cells = page.locator("#comparison tr[data-row=model] td").all_inner_texts()
        visit.expect("before and after", [" ".join(cell.split()) for cell in cells], ["large", "small changed"])
        visit.expect("equal scores", before["routes"], after["routes"])
        visit.expect("no score moved", page.locator("#comparison tr[data-row^='route ']").count(), 0)
        visit.expect("scores alike", "3 with equal scores" in visit.text("#comparison tr[data-row=routes]"), True)
        visit.expect("explained after", visit.text("#winner"), "small")
        visit.readable("before and after")
        page.get_by_label("the policy in force", exact=True).check()
        visit.expect("explained before", visit.text("#winner"), "large")
        visit.expect("in force still", server.explain()["decision"]["policy"]["version"], "7")
        # One whose routes are told apart otherwise.
        renamed = OTHER.replace("name: poems", "name: verse").replace("writing verse, rhymes and songs", "poetry")
        page.locator("#policy").fill(renamed)
        page.locator("#try").click()
        visit.settled()
        probabilities = {route["name"]: f"{route['probability']:.3f}" for route in server.explain(policyYaml=renamed)["routes"]}
        for name, cells in (("poems", lambda cell: cell[1].split()[0] == "—"), ("verse", lambda cell: cell[0] == "—")):
            row = page.locator(f"#comparison tr[data-row='route {name}'] td").all_inner_texts()
            visit.expect(f"route {name}", bool(row) and cells(row), True)
        visit.expect("score after", visit.text("#comparison tr[data-row='route verse'] td:last-child").split()[0], probabilities["verse"])
        page.get_by_role("button", name="Begin with the built-in example").click()
        holds(page, "schema: 1")
        page.locator("#check").click()
        visit.settled()
        visit.expect("the example", visit.text(".verdict").startswith("This policy can be used"), True)


def keyboard(browser, server, wrong):
    """All of it without a mouse."""
    with Visit(browser, server, wrong) as visit:
        page = visit.page

        def tab_to(name):
            for _ in range(80):
                if page.evaluate("document.activeElement.id") == name:
                    outlined = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
                    visit.expect(f"focus is seen at {name}", outlined, "solid")
                    return
                page.keyboard.press("Tab")
            visit.wrong.append(f"the keyboard does not get to {name}")

        page.keyboard.type("hello")
        page.keyboard.press("Shift+Enter")
        page.keyboard.type(PROMPT)
        visit.expect("a new line", page.locator("#message-0").input_value(), f"hello\n{PROMPT}")
        page.keyboard.press("Control+a")
        page.keyboard.type(PROMPT)
        page.keyboard.press("Enter")
        visit.settled()
        visit.expect("decided by Enter", visit.text("#winner"), "large")
        tab_to("tier")
        page.keyboard.type("gold")
        tab_to("decide")
        page.keyboard.press("Enter")
        visit.settled()
        visit.expect("decided by the button", visit.text("#winner"), "gold")
        visit.expect("the focus stays", page.evaluate("document.activeElement.id"), "decide")
        tab_to("policy")
        page.keyboard.insert_text(BAD)
        page.keyboard.press("Shift+Tab")
        tab_to("check")
        page.keyboard.press("Enter")
        visit.settled()
        page.wait_for_selector(".problems .error")


def tokens(browser, server, wrong):
    """Where the server asks for a token, the page does, and keeps it to itself."""
    with Visit(browser, server, wrong) as visit:
        page = visit.page
        visit.decide()
        visit.expect("decided without a token", visit.text("#winner"), "large")
        page.locator("#policy").fill(OTHER)
        for button in ("#check", "#try"):
            page.locator(button).click()
            visit.settled()
            visit.expect(f"{button} without a token", "needs credentials" in visit.text("#token-wrong"), True)
        page.locator("#token").fill("something-else-0123")
        page.locator("#check").click()
        visit.settled()
        visit.expect("a wrong token", "not accepted" in visit.text("#token-wrong"), True)
        page.locator("#token").fill(TOKEN)
        page.locator("#try").click()
        visit.settled()
        visit.expect("a right token", visit.text("#winner"), "small")
        page.reload()
        visit.expect("the token is not kept", page.locator("#token").input_value(), "")


def plans(browser, server, wrong):
    """How models work together, in words."""
    asked = {
        "write a reply to this customer who wants his money back":
            "cascade: small, then medium, then large; an answer counts from confidence 0.8",
        "which clauses of this contract are risky for us": "ensemble: medium, small; best of by judge",
        "hey how is it going": "race: small and medium; the slow one is waited for 900 ms",
        "how many red chairs are left in the warehouse": "call inventory_lookup, then ask small",
    }
    with Visit(browser, server, wrong) as visit:
        visit.page.get_by_label("Tier").fill("pro")
        for prompt, words in asked.items():
            visit.decide(prompt)
            visit.expect(prompt, visit.text("[data-fact=plan] dd"), words)
        visit.page.get_by_text("Limits and wishes").click()
        visit.page.get_by_label("Models tried already").fill("small")
        visit.page.get_by_label("Tier").fill("")
        visit.decide("hey how is it going")
        visit.expect("a race with one runner", (visit.text("#winner"), visit.text("[data-fact=plan] dd")), ("medium", "single"))
        visit.expect("what was lost of the plan", "plan_unsatisfied" in visit.text(".degraded"), True)


def looks(browser, server, wrong):
    """Narrow and wide, light and dark."""
    grounds = set()
    for scheme in ("light", "dark"):
        for width in (360, 768, 1400):
            with Visit(browser, server, wrong, width, scheme) as visit:
                what = f"{width} pixels, {scheme}"
                visit.fits(what)
                visit.page.locator("#policy").fill(BAD)
                visit.page.locator("#check").click()
                visit.settled()
                visit.fits(f"{what}, problems")
                visit.readable(f"{what}, problems")
                visit.page.locator("#policy").fill(OTHER)
                visit.page.locator("#message-0").fill(PROMPT)
                visit.page.locator("#try").click()
                visit.settled()
                visit.page.locator("details").evaluate_all("all => all.forEach((one) => { one.open = true; })")
                visit.fits(f"{what}, all open")
                visit.readable(f"{what}, all open")
                grounds.add((scheme, visit.page.evaluate("getComputedStyle(document.body).backgroundColor")))
    if len({colour for _, colour in grounds}) != 2:
        wrong.append(f"light and dark are not two: {grounds}")


def picture(browser, server, wrong, file):
    """The built-in example deciding, and a slip in a copy of it, as README shows them."""
    with Visit(browser, server, wrong, width=1280) as visit:
        page = visit.page
        page.set_viewport_size({"width": 1280, "height": 1200})
        visit.decide()
        page.get_by_role("button", name="Begin with the built-in example").click()
        holds(page, "schema: 1")
        page.locator("#policy").fill(page.locator("#policy").input_value().replace("[openai/gpt-5-mini, meta", "[openai/gpt5-mini, meta"))
        page.locator("#check").click()
        visit.settled()
        page.evaluate("document.activeElement.blur()")
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=file)


def main():
    """Says what is wrong, if anything."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("binaries", metavar="DIR", type=Path)
    arguments.add_argument("--screenshot", metavar="FILE", type=Path)
    asked = arguments.parse_args()
    program, api = installed(lambda: shutil.which("chromium"), "chromium", "fonts-dejavu-core"), playwright()
    if not program or not api:
        print(f"WARNING: chromium OR {PLAYWRIGHT} IS MISSING: SKIPPED the console in a browser. Install it with: apt-get install chromium; "
              f"python3 -m venv {TOOLS}; {TOOLS}/bin/pip install {PLAYWRIGHT}", file=sys.stderr)
        return
    wrong = []
    with api.sync_playwright() as play, tempfile.TemporaryDirectory() as folder:
        # A container's root has no sandbox of its own; the only pages that are opened are ours.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = play.chromium.launch(executable_path=program, args=arguments)
        folder = Path(folder)
        examples = Path(__file__).resolve().parents[1] / "examples/policies"
        for checks, policy, settings in (
            ((decisions, fields, policies, keyboard, looks), POLICY, {}),
            ((plans,), (examples / "plans.yaml").read_text(), {}),
            ((tokens,), POLICY, {"ADMIN__TOKENS_ENV": "TOKENS"}),
        ):
            with Server(asked.binaries, folder, policy, **settings) as server:
                for check in checks:
                    before = len(wrong)
                    check(browser, server, wrong)
                    print(f"  {check.__name__}: {len(wrong) - before} problem(s)")
        if asked.screenshot:
            with Server(asked.binaries, folder, None) as server:
                picture(browser, server, wrong, asked.screenshot)
        version = browser.version
        browser.close()
    for what in wrong[:40]:
        print(what, file=sys.stderr)
    if wrong:
        sys.exit(f"{len(wrong)} problem(s)")
    print(f"the console does what it says in Chromium {version}")


if __name__ == "__main__":
    main()
