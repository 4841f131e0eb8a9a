#!/usr/bin/env python3
"""Tests of tools/client_diff.py, on changed copies of what it looks at."""

import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
import client_diff  # noqa: E402  (beside this file)

SCRIPT = Path(client_diff.__file__).resolve()
ARC, MUTEX, SCOPE = client_diff.DIFFS.values()
ARC_CLIENT, CORRECT_CLIENT = (f"{folder}/client.cpp" for folder in ARC.folders)
MUTEX_CLIENT = f"{MUTEX.folders[0]}/client.cpp"
SCOPE_HEADER = f"{SCOPE.folders[1]}/client.hpp"


class ClientDiff(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        for name in {name for diff in client_diff.DIFFS.values()
                     for name in [diff.page, *(f"{folder}/{file}" for folder in diff.folders
                                               for file in diff.files)]}:
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(SCRIPT.parent.parent / name, self.root / name)

    def run_it(self, *arguments):
        return subprocess.run([sys.executable, str(SCRIPT), *arguments, "--root", str(self.root)],
                              capture_output=True, text=True, timeout=60)

    def change(self, name, old, new):
        path = self.root / name
        text = path.read_text(encoding="utf-8")
        self.assertIn(old, text)
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def test_counts_what_diff_prints(self):
        changed = 0
        for suffix in ".hpp", ".cpp":
            before, after = (str(Path(name).with_suffix(suffix))
                             for name in (ARC_CLIENT, CORRECT_CLIENT))
            printed = subprocess.run(["diff", "-u", before, after], cwd=self.root,
                                     capture_output=True, text=True).stdout.splitlines()
            changed += sum(line.startswith(("+", "-")) for line in printed[2:])

        self.assertIn(f"{changed} changed lines", self.run_it("size").stdout.splitlines()[0])

    def test_finds_a_line_too_many(self):
        self.assertEqual(self.run_it("size").returncode, 0)

        for name in CORRECT_CLIENT, SCOPE_HEADER:
            with self.subTest(name):
                before = (self.root / name).read_text(encoding="utf-8")
                self.change(name, "\nnamespace app {", "// noise\n" * 20 + "namespace app {")

                self.assertEqual(self.run_it("size").returncode, 1)
                (self.root / name).write_text(before, encoding="utf-8")

    def test_finds_a_hunk_that_the_page_does_not_show(self):
        self.assertEqual(self.run_it("page").returncode, 0)

        self.change(MUTEX_CLIENT, "  ++session->activity->events_handled;\n", "")

        result = self.run_it("page")
        self.assertEqual(result.returncode, 1)
        self.assertIn("of mutex", result.stdout)
        self.assertIn("\n+  ++session->activity->events_handled;\n", result.stdout)

    def test_finds_a_line_that_the_page_shows_otherwise(self):
        for diff, old, new in ((ARC, "-  for (;;) {", "-  for (;; ) {"),
                               (SCOPE, "+  const auto session =", "+  const auto old =")):
            with self.subTest(diff.page):
                self.change(diff.page, old, new)

                self.assertEqual(self.run_it("page").returncode, 1)
                self.change(diff.page, new, old)

    def test_finds_no_difference_at_all(self):
        shutil.copy(self.root / CORRECT_CLIENT, self.root / ARC_CLIENT)

        result = self.run_it("size")
        self.assertEqual(result.returncode, 1)
        self.assertIn(ARC_CLIENT, result.stderr)

    def test_says_what_to_do_about_wrong_use(self):
        for arguments in ["nothing"], ["arc", "first"], ["arc", "99"], ["size", "1"], []:
            result = self.run_it(*arguments)
            self.assertEqual(result.returncode, 2)
            self.assertEqual(len(result.stderr.splitlines()), 1)
            self.assertIn("try --help", result.stderr)


if __name__ == "__main__":
    unittest.main()
