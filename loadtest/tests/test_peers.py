"""What the comparison of routers gives each of them."""
import json
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "peers"))
import job


class Job(unittest.TestCase):
    def test_a_set_is_read_with_evenly_spaced_examples(self):
        with tempfile.TemporaryDirectory() as folder:
            for half in ("policies", "fit", "dev"):
                os.mkdir(os.path.join(folder, half))
            with open(os.path.join(folder, "policies", "s.json"), "w") as file:
                json.dump([{"name": "a", "description": "all of a"}], file)
            with open(os.path.join(folder, "fit", "s.jsonl"), "w") as file:
                for i in range(40):
                    file.write(json.dumps({"route": "a", "text": f"a{i}"}) + "\n")
                file.write(json.dumps({"route": "other", "text": "bye"}) + "\n")
            with open(os.path.join(folder, "dev", "s.jsonl"), "w") as file:
                turns = [{"role": "user", "content": "one"}, {"role": "assistant", "content": "yes"}, {"role": "user", "content": "two"}]
                file.write(json.dumps({"conversation": turns, "expected_route": "a"}) + "\n")
            given = job.read(folder, "s")
        self.assertEqual(given["routes"][0]["examples"], [f"a{i}" for i in range(0, 40, 2)])
        self.assertEqual((given["other"], given["asked"][0]["expected"]), (["bye"], "a"))
        self.assertEqual(job.last_user_turn(given["asked"][0]["conversation"]), "two")

    def test_a_threshold_is_chosen_on_what_was_held_out(self):
        given = {"routes": [{"name": "a", "examples": [f"a{i}" for i in range(10)]}], "other": ["x", "y"]}
        kept = []

        def build(routes):
            kept.extend(routes[0]["examples"])
            return lambda text: ("a", 0.7 if text.startswith("a") else 0.4)
        self.assertEqual(job.threshold_of(build, given), 0.7)
        self.assertEqual(set(given["routes"][0]["examples"]) - set(kept), {"a0", "a5"})


if __name__ == "__main__":
    unittest.main()
