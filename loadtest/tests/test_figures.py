"""The arithmetic of the report."""
import copy
import json
import math
import os
import random
import unittest

from bench import gates, ghz, proc, stats

with open(os.path.join(os.path.dirname(__file__), "sample", "raw.json")) as file:
    SAMPLE = json.load(file)


class Statistics(unittest.TestCase):
    def test_a_percentile_is_a_value_that_was_measured(self):
        values = sorted([5.0, 1.0, 4.0, 2.0, 3.0])
        self.assertEqual([stats.percentile(values, p) for p in (0.0, 0.5, 0.8, 0.81, 1.0)], [1.0, 3.0, 4.0, 5.0, 5.0])
        self.assertTrue(math.isnan(stats.percentile([], 0.5)))

    def test_a_generator_that_stalls_cannot_hide_it(self):
        # Ten calls a second; it slept through half a second and then sent five at once, each answered in a millisecond.
        begins = [0.0, 0.1, 0.2, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.9]
        late = stats.lateness(begins, 10)
        self.assertEqual([round(v, 3) for v in late], [0, 0, 0, 0.5, 0.4, 0.3, 0.2, 0.1, 0, 0])

    def test_a_quantile_lies_within_its_bucket(self):
        buckets = [(0.001, 50), (0.01, 90), (math.inf, 100)]
        self.assertAlmostEqual(stats.quantile(buckets, 0.5), 0.001)
        self.assertAlmostEqual(stats.quantile(buckets, 0.7), 0.0055)
        self.assertEqual(stats.quantile(buckets, 0.99), 0.01)
        self.assertIsNone(stats.quantile([(0.001, 0), (math.inf, 0)], 0.5))

    def test_a_slope_comes_with_its_error(self):
        rng = random.Random(1)
        rising, flat = [[(x, y * x + rng.gauss(0, 0.5)) for x in range(200)] for y in (0.1, 0.0)]
        slope, error = stats.slope(rising)
        self.assertAlmostEqual(slope, 0.1, delta=3 * error)
        slope, error = stats.slope(flat)
        self.assertLess(abs(slope), 3 * error)
        self.assertTrue(math.isinf(stats.slope([(0, 1), (1, 2)])[1]))

    def test_the_median_of_two_lies_between_them(self):
        self.assertEqual(stats.median([4, 1]), 2.5)

    def test_whoever_has_no_processor_left_is_saturated(self):
        self.assertEqual(proc.saturated({"server": 0.99, "generator": 0.5}, {"server": 1, "generator": 1}), "server")
        self.assertEqual(proc.saturated({"server": 0.5, "generator": 0.99}, {"server": 1, "generator": 3}), "neither")


class Ghz(unittest.TestCase):
    def test_gos_times_keep_their_nanoseconds(self):
        self.assertAlmostEqual(ghz.seconds_of("1970-01-01T00:01:00.25Z"), 60.25)
        self.assertEqual(ghz.seconds_of("1970-01-01T00:01:00Z"), 60.0)

    def test_refusals_have_latencies_of_their_own(self):
        details = [{"timestamp": f"2026-01-01T00:00:0{i}Z", "latency": 2_000_000 if status == "OK" else 1_000_000, "status": status,
                    "error": ""} for i, status in enumerate(["OK", "ResourceExhausted", "OK"])]
        report = {"details": details, "count": 3, "statusCodeDistribution": {"OK": 2, "ResourceExhausted": 1},
                  "options": {"connections": 8, "concurrency": 64}}
        record, good, span = ghz.read(report, rate=1)
        self.assertEqual((record["errors"], record["refused"], len(good)), (1, 1, 2))
        self.assertEqual((record["client_ms"]["p50"], record["refused_ms"]["p50"]), (2.0, 1.0))
        self.assertAlmostEqual(span[1] - span[0], 2.002, places=5)


class Gates(unittest.TestCase):
    def judge(self, change, quick=False):
        raw = copy.deepcopy(SAMPLE) | {"quick": quick}
        change(raw["phases"])
        return {v["gate"]: v["verdict"] for v in gates.judge(raw, gates.load())}

    def test_a_failed_call_and_a_wrong_answer_fail_even_a_quick_run(self):
        def spoil(phases):
            phases["hits"][0]["errors"] = 1
            phases["reload"][0]["answers"]["wrong_count"] = 1
        for quick in (True, False):
            verdicts = self.judge(spoil, quick)
            self.assertEqual((verdicts["calls.failed"], verdicts["answers.wrong"]), ("failed", "failed"))
        self.assertEqual(self.judge(lambda phases: None)["calls.failed"], "passed")

    def test_refusals_fail_a_run_unless_it_asks_for_too_much(self):
        def refuse(phases):
            phases["sustained"][0] |= {"errors": 5, "refused": 5}
        self.assertEqual(self.judge(refuse)["calls.failed"], "failed")
        twice = next(r for r in SAMPLE["phases"]["overload"] if r["what"] == "twice")
        self.assertGreater(twice["refused"], 0)

    def test_a_hit_that_is_refused_fails_even_where_decisions_may_be(self):
        def refuse(phases):
            next(r for r in phases["overload"] if r["what"] == "twice")["answers"]["failed_count"] = 1
        self.assertEqual(self.judge(refuse)["calls.failed"], "failed")

    def test_refusals_that_are_late_or_cost_decisions_fail_where_a_model_sets_the_ceiling(self):
        def press(goodput, p99):
            record = {"name": "overload_llm/twice the ceiling", "what": "twice", "calls": 100, "refused": 40, "errors": 40,
                      "goodput": goodput, "model_ms": 5, "refused_ms": {"p50": 0.5, "p99": p99}}
            return lambda phases: phases.update(overload_llm=[record])
        found = lambda *given: {n: v for n, v in self.judge(press(*given)).items() if n.startswith(("overload_llm", "calls"))}  # noqa: E731
        self.assertEqual(set(found(0.95, 2.0).values()), {"passed"})
        self.assertEqual(found(0.95, 6.0)["overload_llm.refusal_p99"], "failed")
        self.assertEqual(found(0.8, 2.0)["overload_llm.goodput"], "failed")

    def test_a_slower_tail_while_reloading_fails(self):
        def slow(factor):
            def change(phases):
                for r in phases["reload"]:
                    r["client_ms"]["p99"] = 10.0 * (factor if r["what"] == "new revision" else 1)
            return change
        self.assertEqual(self.judge(slow(1.6))["reload.new_revision.p99"], "failed")
        self.assertEqual(self.judge(slow(1.4))["reload.new_revision.p99"], "passed")
        self.assertEqual(self.judge(slow(1.6), quick=True)["reload.new_revision.p99"], "not judged: quick")

    def test_memory_that_grows_beyond_its_noise_fails(self):
        def grow(slope, error):
            def change(phases):
                phases["soak"][-1] |= {"slope_mib_per_hour": slope, "slope_error": error, "highest_mib": 100.0, "seconds": 300}
            return change
        self.assertEqual(self.judge(grow(100.0, 5.0))["soak.growth"], "failed")
        self.assertEqual(self.judge(grow(100.0, 50.0))["soak.growth"], "passed")

    def test_a_cache_that_still_fills_is_no_leak(self):
        self.assertEqual(self.judge(lambda phases: phases["soak"][-1].pop("slope_mib_per_hour"))["soak.growth"], "not run")

    def test_what_was_not_run_is_neither_passed_nor_failed(self):
        self.assertEqual(self.judge(lambda phases: phases.pop("soak"))["soak.growth"], "not run")


if __name__ == "__main__":
    unittest.main()
