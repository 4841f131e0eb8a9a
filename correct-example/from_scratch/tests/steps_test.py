#!/usr/bin/env python3
"""Tests of the six steps. Each is a test of ctest too, by its name.

    BIN=build/release/bin steps_test.py FromScratch.TheDiffsAreAsSmallAsTheyWere
"""

import os
import re
import shlex
import subprocess
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import steps

DOCS = steps.FOLDER.parent.parent / "docs"
LONGEST = 120  # lines of a file
LARGEST_DIFFS = [(10, 3), (2, 1), (3, 0), (7, 1), (1, 0)]  # (came, went), cards apart
RUNS_AT_ONCE = 8
STANDARD_HEADER = re.compile(r"[a-z_]+")
ASIO_HEADER = re.compile(r"boost/asio\.hpp|boost/asio/[\w/]+\.hpp")


def command_of(step):
    return re.search(rf"^// Run       (g\+\+ .*) && \./{step}$", steps.card_of(step), re.MULTILINE)[1]


def program(name):
    return Path(os.environ["BIN"]) / f"step_{name}"


def run_many(names):
    """The facts of each run, all of them at the same time: the machine is busy meanwhile."""
    with ThreadPoolExecutor(max_workers=len(names)) as pool:
        return list(pool.map(lambda name: (name, steps.run(program(name))), names))


class FromScratch(unittest.TestCase):
    maxDiff = None

    def EachStepShowsTheFactsOfItsCardInEveryRun(self):
        for step, facts in run_many(steps.STEPS * RUNS_AT_ONCE):
            self.assertEqual(facts, steps.expected_facts_of(step), step)

    def EachCardNamesTheNextStepAndAFactThatItChanges(self):
        for step, following in zip(steps.STEPS, steps.STEPS[1:]):
            name, mended = re.search(r"Next  (\w+)\.cpp mends (\w+)$", steps.card_of(step),
                                     re.MULTILINE).groups()

            self.assertEqual(name, following)
            self.assertNotEqual(steps.expected_facts_of(step)[mended],
                                steps.expected_facts_of(following)[mended])

    def TheSharedPartIsTheSameByteForByte(self):
        self.assertEqual({steps.shared_part_of(step) for step in steps.STEPS},
                         {steps.shared_part_of(steps.STEPS[0])})
        self.assertIn("int main() {", steps.shared_part_of(steps.STEPS[0]))

    def TheDiffsAreAsSmallAsTheyWere(self):
        sizes = [steps.size_of(steps.diff_of_step(n)) for n in range(1, len(steps.STEPS))]

        for step, size, largest in zip(steps.STEPS[1:], sizes, LARGEST_DIFFS, strict=True):
            self.assertLessEqual(size[0], largest[0], f"lines that came with {step}")
            self.assertLessEqual(size[1], largest[1], f"lines that went with {step}")

    def AFileFitsOnTwoScreens(self):
        for step in steps.STEPS:
            self.assertLessEqual(len(steps.source_of(step).splitlines()), LONGEST, step)

    def NothingIsIncludedButAsioAndTheStandardLibrary(self):
        for step in steps.STEPS:
            for line in re.findall(r"^[ \t]*#[ \t]*include.*$", steps.source_of(step), re.MULTILINE):
                header = re.fullmatch(r"#include <([^>]+)>", line)
                self.assertTrue(header and (STANDARD_HEADER.fullmatch(header[1]) or
                                            ASIO_HEADER.fullmatch(header[1])), f"{step}: {line}")

    def EachExerciseShowsItsAnswer(self):
        for name, facts in run_many(list(steps.EXERCISES)):
            exercise = steps.EXERCISES[name]
            expected = {**steps.expected_facts_of(exercise.step), **exercise.facts}
            self.assertNotEqual(expected, steps.expected_facts_of(exercise.step), name)
            self.assertEqual(facts, expected, name)

    def ThePageHasTheCommandOfACardAndALineForEachContract(self):
        page = (DOCS / "00-from-nothing-to-the-fix.md").read_text(encoding="utf-8")
        contracts = re.findall(r"^\| ([A-Z]\d+) \|", (DOCS / "contracts.md").read_text("utf-8"),
                               re.MULTILINE)

        self.assertIn(f"\n{command_of('0_owners')} && ./0_owners\n", page)
        added = page.split("\n## What the library adds\n")[1]
        self.assertEqual(sorted(re.findall(r"\b[A-Z]\d+\b", added)), sorted(contracts))

    def EachCompilesByTheCommandOfItsCard(self):
        def compile_in(folder, step):
            (Path(folder) / f"{step}.cpp").write_text(steps.source_of(step), encoding="utf-8")
            command = shlex.split(command_of(step)) + ["-Wall", "-Wextra", "-Werror"]
            return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)

        with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(max_workers=2) as pool:
            for result in pool.map(lambda step: compile_in(folder, step), steps.STEPS):
                self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(steps.run(Path(folder) / steps.STEPS[-1]),
                             steps.expected_facts_of(steps.STEPS[-1]))


if __name__ == "__main__":
    unittest.main()
