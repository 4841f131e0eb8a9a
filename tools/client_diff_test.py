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
SOURCES = [f"broken-example/{name}_problem/client.cpp" for name in client_diff.MOST_CHANGED_LINES]


class ClientDiff(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        for name in [*SOURCES, client_diff.CORRECT, client_diff.PAGE]:
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
        printed = subprocess.run(["diff", "-u", SOURCES[0], client_diff.CORRECT], cwd=self.root,
                                 capture_output=True, text=True).stdout.splitlines()
        changed = sum(line.startswith(("+", "-")) for line in printed) - 2  # the names of the files

        self.assertIn(f"{changed} changed lines", self.run_it("size").stdout.splitlines()[0])

    def test_finds_a_line_too_many(self):
        self.assertEqual(self.run_it("size").returncode, 0)

        self.change(client_diff.CORRECT, "\nnamespace app {", "// noise\n" * 20 + "namespace app {")

        self.assertEqual(self.run_it("size").returncode, 1)

    def test_finds_a_hunk_that_the_page_does_not_show(self):
        self.assertEqual(self.run_it("page").returncode, 0)

        self.change(SOURCES[1], "  ++session->activity->events_handled;\n", "")

        result = self.run_it("page")
        self.assertEqual(result.returncode, 1)
        self.assertIn("of mutex", result.stdout)
        self.assertIn("\n+  ++session->activity->events_handled;\n", result.stdout)

    def test_finds_a_line_that_the_page_shows_otherwise(self):
        self.change(client_diff.PAGE, "-  for (;;) {", "-  for (;; ) {")

        self.assertEqual(self.run_it("page").returncode, 1)

    def test_finds_no_difference_at_all(self):
        shutil.copy(self.root / client_diff.CORRECT, self.root / SOURCES[0])

        result = self.run_it("size")
        self.assertEqual(result.returncode, 1)
        self.assertIn(SOURCES[0], result.stderr)

    def test_says_what_to_do_about_wrong_use(self):
        for arguments in ["nothing"], ["arc", "first"], ["arc", "99"], ["size", "1"], []:
            result = self.run_it(*arguments)
            self.assertEqual(result.returncode, 2)
            self.assertEqual(len(result.stderr.splitlines()), 1)
            self.assertIn("try --help", result.stderr)


if __name__ == "__main__":
    unittest.main()
