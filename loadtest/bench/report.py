"""The report: Markdown and plots out of raw results, and nothing that is not in them."""
import os

from . import gates, plot

SECTIONS = {
    "answers": "Answers without load: the server's beside those of `signalbox route`.",
    "floor": "CPU time of the server for one call, beside that of a bare tonic service that answers a constant: same bytes, same "
             "processor, alternating rounds. Medians; in brackets the lowest and highest ratio of a round.",
    "ceiling": "Closed loop: as many calls as 64 in flight allow. In the mix of a hundred requests 60 are short chats, 20 conversations, "
               "10 documents of 6 KB and 10 name their model.",
    "sustained": "Open loop at a share of the ceiling: a call is sent when it is due, answered or not the one before. `from due` counts "
                 "from when it was due, so that a generator that is late hides nothing.",
    "connections": "Closed loop, half hits: connections with the calls in flight held, then calls in flight over one connection.",
    "hits": "Closed loop, 300-byte prompts. What is no hit was never seen before.",
    "reload": "Open loop at 85 % of the ceiling while nothing happens, while the policy gets a new revision each second, and while a route "
              "gets another example each second, for which the classifier is trained anew. Server and training share the processor.",
    "overload": "Documents, all decided anew, `limits.decisions` 64: the ceiling, then twice that, open loop. Hits asked for meanwhile must "
                "all be answered.",
    "overload_llm": "A language model of 5 ms is asked about every request and `limits.decisions` is 16: the ceiling of those in flight, then "
                    "twice that, open loop; then the same calls to the bare service, for what the generator and the machine add by themselves.",
    "drain": "SIGTERM to one of two servers, each with `drain_ms` of a second, while eight callers with retries ask both.",
    "llm": "A language model that answers each question after 5 ms, asked about every request that the cache does not have, 48 calls in flight.",
    "llm_local": "A model in the server's process, tiny and random (two layers of 64, bytes as tokens, so that a prompt has some 2,000), asked about "
                 "every request that the cache does not have, on the processor that serves. The answers that are checked are hits meanwhile.",
    "growth": "CPU time of the server for one call by h2load as one thing grows, and the server's memory. Routes by description and models decided "
              "anew, 300 bytes; rules, of which none applies, before an exact hit; one of so many tenants decided anew, all of equal policies, whose classifier is one; connections with 256 exact "
              "hits in flight over all of them.",
    "soak": "Distinct prompts at half of the ceiling for minutes.",
}


def ms(summary, mark):
    value = (summary or {}).get(mark)
    return "" if value is None else f"{value:.3f}" if value < 10 else f"{value:.1f}"


def table(heads, rows):
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]) + "\n"


def busy(record):
    return ", ".join(f"{name} {value:.2f}" for name, value in record.get("busy", {}).items() if name != "prober")


def answered(record):
    answers = record.get("answers")
    if not answers:
        return ""
    return f"{answers['checked'] - answers['wrong_count'] - answers.get('failed_count', 0)} of {answers['checked']}"


def runs(records, late=False):
    """The table that all ghz phases share."""
    heads = ["run", *(["asked/s"] if late else []), "answers/s", "failed", "hit ratio", "p50 ms", "p99 ms", "p99.9 ms"]
    heads += ["p50 from due", "p99 from due"] if late else []
    heads += ["server's own p50", "server's own p99", "CPU µs a call", "processors busy", "saturated", "answers right"]
    rows = []
    for r in records:
        client, own = r.get("client_ms"), r.get("server_ms", {}).get("call")
        asked = [f"{r['rps_asked']:,}" if "rps_asked" in r else ""] if late else []
        row = [r["name"].split("/", 1)[1], *asked, f"{r['rps']:,.0f}", gates.unexpected(r), "" if r.get("hit_ratio") is None else f"{r['hit_ratio']:.1%}",
               ms(client, "p50"), ms(client, "p99"), ms(client, "p999")]
        row += [ms(r.get("from_due_ms"), "p50"), ms(r.get("from_due_ms"), "p99")] if late else []
        rows.append(row + [ms(own, "p50"), ms(own, "p99"), r.get("cpu_us_per_call", ""), busy(r), r.get("saturated", ""), answered(r)])
    return table(heads, rows)


def floor(records):
    return table(["call", "Signalbox µs", "bare µs", "ratio", "generator"], [
        [r["name"], f"{r['cpu_us']['signalbox']:.1f}", f"{r['cpu_us']['echo']:.1f}",
         f"**{r['ratio']:.2f}** ({r['lowest']:.2f} to {r['highest']:.2f})", r["generator"]] for r in records])


def answers(records):
    r = records[0]
    return f"{answered(r)} agree.\n" + "".join(f"\n* {text}" for text in r["answers"]["wrong"])


def reload(records):
    return runs(records, late=True) + "\n" + table(["run", "policies written", "reloads applied"], [
        [r["name"].split("/", 1)[1], r["written"], f"{r['reloads']:.0f}"] for r in records if r["written"]])


def overload(records):
    twice = next(r for r in records if r["what"] == "twice")
    return runs(records, late=True) + (
        f"\nGoodput {twice['goodput']:.0%} of the ceiling; {twice.get('refused', 0):,} of {twice['calls']:,} refused, "
        f"after {ms(twice.get('refused_ms'), 'p50')} ms (p50) and {ms(twice.get('refused_ms'), 'p99')} ms (p99).\n")


def drain(records):
    return table(["calls", "failed", "right", "p50 ms", "p99 ms", "seconds to exit", "exit code"], [
        [r["calls"], r["errors"], answered(r), ms(r["client_ms"], "p50"), ms(r["client_ms"], "p99"), r["seconds_to_exit"], r["exit_code"]]
        for r in records])


def soak(records):
    memory = records[-1]
    text = f"\n{memory['decisions']:,} distinct prompts decided. Resident memory at most {memory['highest_mib']:.0f} MiB"
    if "slope_mib_per_hour" in memory:
        text += (f"; over the last {memory['seconds']:.0f} seconds, with a full cache, its slope is {memory['slope_mib_per_hour']:+.1f} ± "
                 f"{2 * memory['slope_error']:.1f} MiB an hour, within {memory['spread_mib']:.1f} MiB.\n")
    else:
        text += "; the cache was not yet full, so that it had to grow: no slope.\n"
    return runs(records[:-1], late=True) + text


def growth(records):
    rows = []
    for r in records:
        first = next(other for other in records if other["of"] == r["of"])
        times = f"{r['cpu_us_per_call'] / first['cpu_us_per_call']:.2f}" if first["cpu_us_per_call"] else ""
        rows.append([r["of"], f"{r['n']:,}", f"{r['cpu_us_per_call']:.1f}", times, f"{r['rss_mib']:.0f}"])
    return table(["", "how many", "CPU µs a call", "times the fewest", "resident MiB"], rows)


TABLES = {"floor": floor, "answers": answers, "reload": reload, "overload": overload, "overload_llm": overload, "drain": drain, "soak": soak, "growth": growth,
          "sustained": lambda records: runs(records, late=True)}


def plots(phases):
    """{file name: (alternative text, SVG)} by phase."""
    out = {}
    if "sustained" in phases:
        series = {r["name"].split("/", 1)[1]: r["p99_over_time"] for r in phases["sustained"]}
        out["sustained"] = ("p99 over time", plot.chart("p99 of each second, open loop", "seconds", "ms", series))
    if "connections" in phases:
        wide = [r for r in phases["connections"] if r["concurrency"] == 64]
        out["connections"] = ("answers a second by connections", plot.chart(
            "64 calls in flight over 1 to 64 connections", "connections", "answers a second",
            {"answers a second": [(i, r["rps"]) for i, r in enumerate(wide)]}, [r["connections"] for r in wide]))
    for phase, title in (("hits", "Share of hits"), ("llm", "Share of hits, a model of 5 ms behind the rest")):
        if phase in phases:
            rows = phases[phase]
            out[phase] = ("answers a second by hit ratio", plot.chart(
                title, "hits", "answers a second", {"answers a second": [(i, r["rps"]) for i, r in enumerate(rows)]},
                [f"{r['share']:.0%}" for r in rows]))
    for of in dict.fromkeys(r["of"] for r in phases.get("growth", [])):
        rows = [r for r in phases["growth"] if r["of"] == of]
        kind = of.split(",")[0]
        out["growth-" + "-".join(of.replace(",", "").split())] = (f"CPU time of a call by {of}", plot.chart(
            f"CPU time of a call: {of}", "bytes" if kind == "conversation" else kind, "µs",
            {"µs": [(i, r["cpu_us_per_call"]) for i, r in enumerate(rows)]}, [f"{r['n']:,}" for r in rows]))
    if "reload" in phases:
        lines = {}
        for r in phases["reload"]:
            lines.setdefault(r["what"], r["p99_over_time"])
        out["reload"] = ("p99 over time with and without reloads", plot.chart(
            "p99 of each second, first turn of each", "seconds", "ms", lines))
    if "soak" in phases:
        out["soak"] = ("resident memory over time", plot.chart(
            "Resident memory", "seconds", "MiB", {"MiB": [tuple(p) for p in phases["soak"][-1]["points"]]}))
    return out


def head(raw):
    machine = raw["machine"]
    lines = [f"# Load test, {raw['date']}\n"]
    if raw["quick"]:
        lines.append("**A quick run: it shows that everything works. No figure here is to be quoted.**\n")
    if raw["noise_cpus"] > 0.15:
        lines.append(f"**Other programs used {raw['noise_cpus']:.2f} processors when this began: no figure here is to be quoted.**\n")
    lines.append(table(["", ""], [
        ["processor", f"{machine['cpu']}, {machine['cpus']} in all: {raw['server_cpus']} for the server, {raw['generator_cpus']} for the generator"],
        ["memory", f"{machine['memory_gib']} GiB"], ["kernel", machine["kernel"]],
        ["versions", ", ".join(filter(None, [machine["signalbox"], machine["rustc"], "ghz " + machine["ghz"], machine["h2load"],
                                             "Python " + machine["python"]]))],
        ["revision", machine["revision"]], ["length", f"{sum(raw['seconds'].values()) / 60:.0f} minutes"]]))
    lines.append("Latencies are ghz's, from when it sent; `server's own` are percentiles of the service's histograms over the same time. "
                 "`processors busy` is CPU time over wall time, read from /proc. Where the generator is saturated a figure says what ghz "
                 "can do, not what Signalbox can: ghz takes more CPU for a call than the server does for a hit.\n")
    return lines


def write(raw, verdicts, results):
    os.makedirs(results, exist_ok=True)
    lines = head(raw)
    lines.append("## What must hold\n")
    lines.append(table(["", "found", "wanted", "", "why"], [
        [f"`{v['gate']}`", "" if v["found"] is None else v["found"], v["wanted"],
         f"**{v['verdict']}**" if v["verdict"] == "failed" else v["verdict"], v["why"]] for v in verdicts]))
    pictures = plots(raw["phases"])
    for phase, records in raw["phases"].items():
        lines += [f"## {phase}\n", SECTIONS[phase] + "\n", TABLES.get(phase, runs)(records)]
        wrong = [text for r in records for text in r.get("answers", {}).get("wrong", [])] if phase != "answers" else []
        wrong += [text for r in records for text in r.get("failed", []) + r.get("answers", {}).get("failed", [])]
        lines += [f"* {text}" for text in wrong] + ([""] if wrong else [])
        for name, (text, svg) in pictures.items():
            if name.split("-")[0] == phase:
                with open(os.path.join(results, name + ".svg"), "w") as file:
                    file.write(svg)
                lines.append(f"![{text}]({name}.svg)\n")
    with open(os.path.join(results, "report.md"), "w") as file:
        file.write("\n".join(lines).rstrip("\n") + "\n")
