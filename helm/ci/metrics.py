#!/usr/bin/env python3
"""Holds alerts and dashboard to the metrics that the server has: `metrics.py RENDERED README TESTS OUT`.

Every metric and label that they name is in README's table, every alert is in the tests, and every value of a label is one
that a server shows, where OUT has such a page, `metrics.txt`. Writes into OUT, for promtool: `rules.yaml`, the rules as they
were rendered, and `dashboard.yaml`, the dashboard's expressions as rules.
"""
import json
import re
import sys
from pathlib import Path

import yaml

# What Prometheus and its operator add, and histograms have.
ADDED = {"namespace", "job", "pod", "le"}
ROW = re.compile(r"^\| `(signalbox_\w+)` \| (\w+) \| (.*?) \|", re.M)
USE = re.compile(r"(?<![\w:])(signalbox_\w+)(?:\{([^}]*)\})?")
BY = re.compile(r"\b(?:by|ignoring|on|without) \(([^)]*)\)")


def table(readme):
    """The labels of each series in README's table, by name."""
    series = {}
    for name, kind, labels in ROW.findall(readme):
        for suffix in ("_bucket", "_sum", "_count") if kind == "histogram" else ("",):
            series[name + suffix] = set(re.findall(r"`(\w+)`", labels)) | ADDED
    return series


def problems_of(where, expr, series):
    """What an expression names that is not there."""
    named = set()
    for name, matchers in USE.findall(expr):
        if name not in series:
            yield f"{where}: README has no metric `{name}`"
            continue
        named |= series[name]
        unknown = set(re.findall(r"(\w+)\s*[=!]", matchers)) - series[name]
        yield from (f"{where}: `{name}` has no label `{label}`" for label in unknown)
    grouped = {label.strip() for group in BY.findall(expr) for label in group.split(",")}
    if named:
        yield from (f"{where}: groups by `{label}`, which no metric in it has" for label in grouped - named)


def unseen(where, expr, page):
    """Selectors of an expression by values of labels that no series of a server's page has."""
    for name, matchers in USE.findall(expr):
        for label, operator, value in re.findall(r'(\w+)\s*(=~|!=|=)\s*"([^"]*)"', matchers):
            values = set(re.findall(rf'^{name}\{{[^}}]*\b{label}="([^"]*)"', page, re.M))
            for wanted in value.split("|") if operator == "=~" else [value]:
                if label not in ADDED and wanted not in values:
                    yield f"{where}: no series of `{name}` has {label}=\"{wanted}\""


def panels(dashboard):
    """Titles and expressions of a dashboard."""
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for note in dashboard["annotations"]["list"]:
        yield note["name"], note["expr"]
    for variable in dashboard["templating"]["list"]:
        yield variable["name"], variable["query"]


def main():
    rendered, readme, tests, out = (Path(argument) for argument in sys.argv[1:])
    objects = [found for found in yaml.safe_load_all(rendered.read_text()) if found]
    rules = next(found["spec"] for found in objects if found["kind"] == "PrometheusRule")
    boards = [found["data"] for found in objects if found["metadata"]["name"].endswith("-dashboard")]
    shown = list(panels(json.loads(boards[0]["signalbox.json"])))
    alerts = {rule.get("alert", rule.get("record")): rule["expr"] for rule in rules["groups"][0]["rules"]}
    series = table(readme.read_text())
    problems = [found for name, expr in [*alerts.items(), *shown] for found in problems_of(name, expr, series)]
    page = out / "metrics.txt"
    if page.exists():
        problems += [found for name, expr in [*alerts.items(), *shown] for found in unseen(name, expr, page.read_text())]
    tested = tests.read_text()
    problems += [f"{name}: no test fires it" for name in alerts if tested.count(f"alertname: {name}\n") < 1 and ":" not in name]
    (out / "rules.yaml").write_text(yaml.safe_dump(rules))
    queries = [expr.replace("$__rate_interval", "5m") for _, expr in shown if "label_values" not in expr]
    checked = [{"record": f"dashboard:expr{number}", "expr": expr} for number, expr in enumerate(queries)]
    (out / "dashboard.yaml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": checked}]}))
    print("\n".join(problems) or f"{len(alerts)} rules and {len(shown)} queries of the dashboard name only what the server has")
    return 1 if problems else 0


sys.exit(main())
