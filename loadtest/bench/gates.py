"""What must hold: figures as ratios out of raw results, held against thresholds.json. Never an absolute time."""
import json
import math
import os

from . import stats

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def load():
    with open(os.path.join(ROOT, "thresholds.json")) as file:
        return json.load(file)


def records(raw):
    return [record for phase in raw["phases"].values() for record in phase]


def unexpected(record):
    """Calls that failed though nothing said they might: refusals under overload are what that phase is for."""
    failed = record.get("errors", 0) + record.get("answers", {}).get("failed_count", 0)
    return failed - (record.get("refused", 0) if record["name"].startswith(("overload/twice", "overload_llm/twice")) else 0)


def p99(raw, phase, what):
    return stats.median([r["client_ms"]["p99"] for r in raw["phases"][phase] if r.get("what") == what])


def figures(raw):
    """Each figure that can be held to a threshold, of the phases that were run."""
    phases, out = raw["phases"], {}
    done = records(raw)
    out["calls.failed"] = sum(unexpected(r) for r in done)
    answers = [r["answers"] for r in done if "answers" in r]
    if answers:
        out["answers.wrong"] = sum(a["wrong_count"] for a in answers)
        out["answers.unchecked_runs"] = sum(1 for a in answers if not a["checked"])
    for record in phases.get("floor", []):
        key = "exact_hit" if "exact" in record["name"] else "distinct" if "distinct" in record["name"] else "bypassed"
        out[f"floor.{key}"] = record["ratio"]
    if "reload" in phases:
        quiet = p99(raw, "reload", "quiet")
        for what in ("new revision", "new examples"):
            out[f"reload.{what.replace(' ', '_')}.p99"] = p99(raw, "reload", what) / quiet
            turns = [r for r in phases["reload"] if r["what"] == what]
            out[f"reload.{what.replace(' ', '_')}.applied"] = (
                sum(r["reloads"] for r in turns) / max(1, sum(r["written"] for r in turns)))
    for record in phases.get("sustained", []):
        if record["name"] == "sustained/85 %, no hit":
            out["sustained.kept_up"] = record["rps"] / record["rps_asked"]
    for record in phases.get("overload", []):
        if record["what"] == "twice":
            out["overload.goodput"] = record["goodput"]
            out["overload.refused"] = record.get("refused", 0) / record["calls"]
            # A refusal must come sooner than an answer, or nobody gains by it.
            if "refused_ms" in record:
                out["overload.refusal_p50"] = record["refused_ms"]["p50"] / record["client_ms"]["p50"]
    for record in phases.get("overload_llm", []):
        if record["what"] == "twice":
            out["overload_llm.goodput"] = record["goodput"]
            out["overload_llm.refused"] = record.get("refused", 0) / record["calls"]
            if "refused_ms" in record:
                out["overload_llm.refusal_p99"] = record["refused_ms"]["p99"] / record["model_ms"]
    for record in phases.get("hits", []):
        out["hits.off_by"] = max(out.get("hits.off_by", 0), abs(record["hit_ratio"] - record["share"]))
    for record in phases.get("llm", []) + phases.get("llm_local", []):
        out["llm.without_its_answer"] = out.get("llm.without_its_answer", 0) + sum(record["degraded"].values()) / record["calls"]
    for record in phases.get("drain", []):
        out["drain.failed"] = record["errors"]
        out["drain.exit_code"] = record["exit_code"]
    for record in phases.get("soak", []):
        if record.get("what") == "memory":
            out["soak.highest_mib"] = record["highest_mib"]
            if "slope_mib_per_hour" in record:
                # What it has surely grown by, beyond twice the slope's own error, as a share of what it is.
                sure = max(0.0, record["slope_mib_per_hour"] - 2 * record["slope_error"])
                out["soak.growth"] = sure * record["seconds"] / 3600 / record["highest_mib"]
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in out.items()}


def judge(raw, thresholds):
    """One verdict for each threshold: passed, failed, or not run; in a quick run only what needs no length is judged."""
    found, verdicts = figures(raw), []
    for name, gate in thresholds.items():
        bounds = [f"{'at most' if key == 'most' else 'at least'} {gate[key]}" for key in ("least", "most") if key in gate]
        verdict = {"gate": name, "wanted": " and ".join(bounds), "why": gate["why"], "found": found.get(name)}
        value = found.get(name)
        if value is None:
            verdict["verdict"] = "not run"
        elif raw["quick"] and not gate.get("quick"):
            verdict["verdict"] = "not judged: quick"
        else:
            holds = not (isinstance(value, float) and math.isnan(value))
            holds = holds and value <= gate.get("most", math.inf) and value >= gate.get("least", -math.inf)
            verdict["verdict"] = "passed" if holds else "failed"
        verdicts.append(verdict)
    return verdicts
