#!/usr/bin/env python3
"""Holds what decisions cost to what is written down, in instructions: `instructions.py EXAMPLE [--bless]`, EXAMPLE being the built
example `instructions`.

Callgrind counts what is spent in each case of server/examples/instructions.rs. More than a twentieth above
server/benches/instructions.json fails; `--bless` writes the file anew. Counts depend on the compiler and, by a few per cent, on which
copies of memory the processor is given. Where there is no valgrind it is installed, if this is Debian's root; else that is said
loudly and nothing is checked.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from debian import installed

WRITTEN = Path(__file__).resolve().parent.parent / "benches" / "instructions.json"
# The function of each case, and whether it is called once.
CASES = {"exact_hit": False, "bypassed": False, "decided": False, "embedding": False, "semantic_key": False, "signals": False,
         "llm_prompt": False, "compile": True}
MORE = 1.05


def count(example):
    """Instructions of one call of each case, with all that it calls."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out")
        run = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", example], check=True,
                             capture_output=True, text=True)
        calls = int(run.stdout)
        read = subprocess.run(["callgrind_annotate", "--inclusive=yes", "--threshold=100", out], check=True, capture_output=True, text=True)
    found = {}
    for line in read.stdout.splitlines():
        match = re.match(r"\s*([\d,]+) .*:instructions::(\w+)(?:\s|$)", line)
        if match and match.group(2) in CASES:
            spent = int(match.group(1).replace(",", ""))
            found[match.group(2)] = max(found.get(match.group(2), 0), spent)
    missing = CASES.keys() - found.keys()
    if missing:
        raise AssertionError(f"callgrind counted nothing for {sorted(missing)}")
    return {case: round(found[case] / (1 if once else calls)) for case, once in CASES.items()}


def main():
    """Counts and compares, or writes."""
    if not installed(lambda: shutil.which("valgrind"), "valgrind"):
        print("WARNING: valgrind IS NOT INSTALLED: SKIPPED the count of instructions", file=sys.stderr)
        return 0
    found = count(sys.argv[1])
    if "--bless" in sys.argv[2:]:
        WRITTEN.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    written = json.loads(WRITTEN.read_text(encoding="utf-8"))
    worse = [case for case, spent in found.items() if spent > MORE * written[case]]
    for case, spent in found.items():
        mark = "  TOO MANY" if case in worse else ""
        print(f"{case:14}{spent:>14,}{spent / written[case] - 1:>+8.1%}{mark}")
    if worse:
        print("more instructions than server/benches/instructions.json has: find what costs them, or run this with --bless and say why")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
