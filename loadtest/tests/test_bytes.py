"""The bytes that are sent and read, the request sets, and what is drawn."""
import os
import tempfile
import unittest
from xml.etree import ElementTree

from bench import gates, h2, plot, prompts, report, server, wire

from .test_figures import SAMPLE


class Wire(unittest.TestCase):
    def test_a_request_has_the_bytes_of_the_contract(self):
        request = {"requestId": "a", "messages": [{"role": "ROLE_USER", "content": "hi"}], "model": "m", "cache": "CACHE_MODE_BYPASS",
                   "caller": {"tenant": "t", "labels": {"k": "v"}}}
        self.assertEqual(wire.encode(request).hex(" "), "0a 01 61 12 06 08 02 12 02 68 69 1a 01 6d 3a 0b 0a 01 74 22 06 0a 01 6b 12 01 76 60 01")

    def test_a_key_that_is_not_known_is_an_error(self):
        with self.assertRaises(ValueError):
            wire.encode({"requestID": "a"})
        with self.assertRaises(ValueError):
            wire.encode({"messages": [{"role": "ROLE_USER", "text": "hi"}]})

    def test_an_answer_is_read_past_fields_that_are_not_compared(self):
        data = (wire.field(1, "id") + wire.field(2, "large") + wire.field(3, "small") + wire.field(4, "math") + b"\x29" + bytes(8)
                + wire.number(7, 6) + wire.number(8, 2) + wire.field(19, b""))
        self.assertEqual(wire.decode(data), {"model": "large", "fallbacks": ["small"], "route": "math", "source": "embedding",
                                             "cache": "exact_hit", "rule": "", "degraded": 1})
        with self.assertRaises(ValueError):
            wire.decode(data[:-1] + b"\x05")

    def test_the_cache_does_not_make_an_answer_another(self):
        one = wire.decode(wire.field(2, "large") + wire.number(8, 1))
        self.assertTrue(wire.same(one | {"cache": "exact_hit"}, one))
        self.assertFalse(wire.same(one | {"model": "small"}, one))

    def test_the_300_bytes_are_300(self):
        self.assertEqual(len(h2.LONG), 300)
        self.assertTrue(all(len(r["messages"][0]["content"]) == 300 for r in prompts.distinct(prompts.sized, "x", 50)))


class Prompts(unittest.TestCase):
    def test_the_same_seed_is_the_same_bytes(self):
        one, two, other = [[wire.encode(r) for r in prompts.mix(seed, 300)] for seed in ("a", "a", "b")]
        self.assertEqual(one, two)
        self.assertNotEqual(one, other)

    def test_all_of_a_mix_are_distinct_and_of_every_kind(self):
        mix = prompts.mix("a", 2000)
        texts = {str(r["messages"]) + r.get("model", "") for r in mix}
        self.assertEqual(len(texts), 2000)
        self.assertEqual({r["requestId"][0] for r in mix}, set("smle"))

    def test_repeats_come_from_what_is_warm_and_nothing_else_comes_twice(self):
        pool, sent = prompts.repeated(prompts.sized, "a", 1000, 0.9, warm=50)
        warm = {str(r["messages"]) for r in pool}
        fresh = [str(r["messages"]) for r in sent if str(r["messages"]) not in warm]
        self.assertEqual((len(fresh), len(set(fresh))), (100, 100))

    def test_policies_change_as_the_phases_say(self):
        from bench.lab import POLICY
        from bench.phases.disturbed import new_example, new_version
        with open(POLICY) as file:
            text = file.read()
        self.assertIn("\nversion: 7\n", new_version(text, 7))
        self.assertEqual(len(new_version(text, 7).splitlines()), len(text.splitlines()))
        self.assertIn('"a recipe for lentil soup number 7"', new_example(text, 7))
        self.assertIn("\nllm: {mode: never}\n", text)


class Metrics(unittest.TestCase):
    TEXT = '# HELP x y\na_total{s="x",c="hit"} 3\na_total{s="y",c="hit"} 4\nh_bucket{m="R",le="0.1"} 1\nh_bucket{m="R",le="+Inf"} 2\nup 1\n'

    def test_counters_and_histograms_are_read_by_label(self):
        metrics = server.parse(self.TEXT)
        self.assertEqual(server.by(metrics, "a_total", "s"), {"x": 3.0, "y": 4.0})
        self.assertEqual(server.by(metrics, "a_total", "c"), {"hit": 7.0})
        self.assertEqual(server.buckets(metrics, "h", m="R"), [(0.1, 1.0), (float("inf"), 2.0)])
        self.assertEqual(server.buckets(metrics, "h", m="X"), [])


class Drawing(unittest.TestCase):
    def test_a_chart_is_svg_whatever_its_names(self):
        svg = plot.chart("a < b & c", "x", "y", {"<one>": [(0, 1), (1, None), (2, 3)], "none": []}, ["a", "b", "c"])
        self.assertEqual(ElementTree.fromstring(svg).tag, "{http://www.w3.org/2000/svg}svg")
        ElementTree.fromstring(plot.chart("empty", "x", "y", {}))

    def test_ticks_are_round_and_within(self):
        for low, high in ((0, 5), (0, 0.7), (0, 9300), (60, 82), (0, 0.03), (3, 3)):
            values = plot.ticks(low, high)
            self.assertTrue(values and all(low <= v <= max(high, low + 1) for v in values), (low, high, values))

    def test_the_report_has_all_phases_and_says_that_a_quick_run_proves_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            report.write(SAMPLE, gates.judge(SAMPLE, gates.load()), folder)
            with open(os.path.join(folder, "report.md")) as file:
                text = file.read()
            pictures = [name for name in os.listdir(folder) if name.endswith(".svg")]
        for phase in report.SECTIONS:
            self.assertIn(f"## {phase}\n", text)
        self.assertIn("No figure here is to be quoted", text)
        self.assertTrue(all(f"({name})" in text for name in pictures) and len(pictures) >= 6)



if __name__ == "__main__":
    unittest.main()
