#!/usr/bin/env python3
"""Tests of what tools/site/build.py says when it cannot build. The programs are small scripts in
the only folder on PATH: nothing is built."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

BUILD = Path(__file__).resolve().parent / "build.py"


class CannotBuild(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.bin = Path(folder.name) / "bin"
        self.bin.mkdir()
        self.site = Path(folder.name) / "site"

    def programs(self, **bodies):
        for name, body in bodies.items():
            path = self.bin / name
            path.write_text(f"#!/bin/sh\n{body}\n")
            path.chmod(0o755)

    def build(self, *arguments):
        return subprocess.run([sys.executable, str(BUILD), *map(str, arguments)],
                              env={"PATH": str(self.bin)}, capture_output=True, text=True,
                              timeout=60, check=False)

    def assert_says(self, result, code, words):
        self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
        self.assertIn(words, result.stderr)
        self.assertEqual((result.returncode, result.stdout), (code, ""))

    def test_names_all_that_is_missing_in_one_line(self):
        self.assert_says(self.build(self.site), 77,
                         "not installed: mkdocs mkdocs-material doxygen weasyprint chromium. "
                         "On Debian 12 and 13: tools/setup.sh --site")

    def test_names_only_what_is_missing(self):
        self.programs(mkdocs="", weasyprint="", chromium="")

        self.assert_says(self.build(self.site), 77, "not installed: doxygen. ")

    def test_knows_the_lack_of_the_theme_from_what_mkdocs_says(self):
        self.programs(doxygen="", weasyprint="", chromium="", mkdocs="""echo "Unrecognised theme name: 'material'"
exit 1""")

        self.assert_says(self.build(self.site), 77, "not installed: mkdocs-material. ")

    def test_shows_why_a_program_failed_and_keeps_the_site_that_was_there(self):
        self.site.mkdir()
        (self.site / "index.html").write_text("old")
        self.programs(doxygen="", weasyprint="", chromium="", mkdocs="echo a page is wrong; exit 1")

        result = self.build(self.site)

        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stderr.splitlines(), [
            "a page is wrong", "site: mkdocs failed with exit code 1, its reason is above"])
        self.assertEqual((self.site / "index.html").read_text(), "old")
        self.assertEqual([path.name for path in self.site.parent.iterdir() if path != self.bin],
                         ["site"])

    def test_replaces_only_a_site(self):
        self.site.mkdir()
        (self.site / "thesis.txt").write_text("mine")
        self.programs(doxygen="", weasyprint="", chromium="", mkdocs="")

        self.assert_says(self.build(self.site), 1, "is not a site")

        self.assertTrue((self.site / "thesis.txt").exists())

    def test_says_where_it_cannot_write(self):
        self.site.write_text("a file")
        self.programs(doxygen="", weasyprint="", chromium="", mkdocs="")

        self.assert_says(self.build(self.site / "below"), 1, "cannot write ")

    def test_refuses_a_wrong_use_with_exit_code_2(self):
        for arguments in [], ["one", "two"], ["--no-such"]:
            with self.subTest(arguments=arguments):
                result = self.build(*arguments)

                self.assert_says(result, 2, "try --help")


if __name__ == "__main__":
    unittest.main()
