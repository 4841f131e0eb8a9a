#!/usr/bin/env python3
"""Checks docs/contracts.md: every row names a test, and every test it names is in the sources.

Exit code: 0 it does, 1 it does not (one line for each).
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "contracts.md"
ROW = re.compile(r"\| (?P<number>[A-Z]\d+) \| (?P<contract>[^|]+) \| (?P<tests>[^|]*) \| [^|]+ \|$")
NAME = re.compile(r"`(\w+\.\w+)`")


def tests_of_sources():
    for source in ROOT.glob("*-example/tests/*.cpp"):
        for suite, name in re.findall(r"^TEST(?:_[FP])?\((\w+),\s*(\w+)\)", source.read_text(), re.M):
            yield f"{suite}.{name}"
    for listing in ROOT.glob("*/CMakeLists.txt"):
        text = listing.read_text()
        yield from re.findall(r"add_test\(NAME (\w+\.\w+)", text)
        for suite in ("Guarded", "Spawn"):
            yield from (f"{suite}.{name}"
                        for name in re.findall(rf"add_{suite.lower()}_test\((\w+)", text))


def main():
    known = set(tests_of_sources())
    wrong = []
    rows = 0
    for number, line in enumerate(PAGE.read_text(encoding="utf-8").splitlines(), 1):
        named = NAME.findall(line)
        if re.match(r"\| [A-Z]\d+ \|", line):
            rows += 1
            row = ROW.match(line)
            if row is None:
                wrong.append(f"{number}: a row with four columns is wanted")
            elif not NAME.findall(row["tests"]):
                wrong.append(f"{number}: {row['number']} names no test")
        wrong += [f"{number}: there is no test {name}" for name in named if name not in known]
    for line in wrong:
        print(f"{PAGE.relative_to(ROOT)}:{line}")
    print(f"contracts: {rows} rows, {len(wrong)} wrong")
    return 1 if wrong or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
