#!/usr/bin/env python3
"""Tests of tools/docs.py, on small repositories of their own."""

import subprocess
import sys
import tempfile
import textwrap
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
import docs  # noqa: E402  (beside this file)

SCRIPT = Path(__file__).resolve().parent / "docs.py"

SOURCE = """\
// [whole]
int unsafe_flag = 0;

void log_out() {
  // [body]
  if (unsafe_flag) {
    return;
  }
  // [/body]
}
// [/whole]
"""


class Repository(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name).resolve()

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def page(self, text, name="docs/page.md"):
        self.write(name, textwrap.dedent(text))

    def page_text(self, name="docs/page.md"):
        return (self.root / name).read_text(encoding="utf-8")

    def program(self, name, script):
        self.write(f"bin/{name}", f"#!/bin/sh\n{script}\n")
        (self.root / "bin" / name).chmod(0o755)

    def docs(self, *arguments):
        return subprocess.run(
            [sys.executable, str(SCRIPT), *arguments, "--root", str(self.root), "--bin", "bin"],
            capture_output=True, text=True, timeout=60)

    def assert_true(self):
        result = self.docs("--check")
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertTrue(result.stdout.endswith(": all true\n"), result.stdout)
        return result.stdout

    def assert_wrong(self, *messages):
        """Each message is there, and nothing else is wrong."""
        result = self.docs("--check")
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        for message in messages:
            self.assertIn(message, result.stdout)
        self.assertTrue(result.stdout.endswith(f": {len(messages)} wrong\n"), result.stdout)
        return result.stdout

    def assert_update_makes_it_true(self):
        result = self.docs("--update")
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assert_true()
        text = self.page_text()
        self.assertEqual(self.docs("--update").returncode, 0)
        self.assertEqual(self.page_text(), text, "a second update changes nothing")


class Code(Repository):
    def setUp(self):
        super().setUp()
        self.write("scenario/a.cpp", SOURCE)
        self.page("""\
            # Page
            <!-- code: scenario/a.cpp#whole -->
            ```cpp
            int unsafe_flag = 0;

            void log_out() {
              if (unsafe_flag) {
                return;
              }
            }
            ```

            1. In a list:
               <!-- code: scenario/a.cpp#body -->
               ```cpp
               if (unsafe_flag) {
                 return;
               }
               ```
            """)

    def test_equal_to_its_region_is_true_without_markers_and_dedented(self):
        self.assert_true()

    def test_that_differs_by_a_character_is_reported_with_place_and_diff(self):
        self.write("scenario/a.cpp", SOURCE.replace("    return;", "    return ;"))

        output = self.assert_wrong("docs/page.md:2: differs from scenario/a.cpp#whole",
                                   "docs/page.md:14: differs from scenario/a.cpp#body")
        self.assertIn("    -  return;\n    +  return ;", output)

    def test_with_another_indentation_differs(self):
        self.write("scenario/a.cpp", SOURCE.replace("    return;", "      return;"))

        self.assert_wrong("docs/page.md:2: differs", "docs/page.md:14: differs")

    def test_with_another_number_differs(self):
        self.write("scenario/a.cpp", SOURCE.replace("flag = 0", "flag = 1"))

        self.assert_wrong("docs/page.md:2: differs")

    def test_is_rewritten_by_update_in_a_list_too(self):
        self.write("scenario/a.cpp", SOURCE.replace("    return;", "    return;  // early\n"))

        self.assert_update_makes_it_true()
        self.assertIn("\n     return;  // early\n\n   }\n   ```\n", self.page_text())

    def test_of_a_missing_file_tag_or_form_is_an_error(self):
        for argument, message in {
                "scenario/b.cpp#whole": "page.md:1: no file 'scenario/b.cpp'",
                "../a.cpp#whole": "page.md:1: no file '../a.cpp'",
                "scenario/a.cpp#hole": "page.md:1: no tag 'hole' in scenario/a.cpp",
                "scenario/a.cpp": "page.md:1: wrong announcement",
                "scenario/a.cpp #whole": "page.md:1: wrong announcement"}.items():
            with self.subTest(argument):
                self.page(f"<!-- code: {argument} -->\n```cpp\n```\n")
                self.assert_wrong(message)

    def test_in_a_fence_of_another_language_is_an_error(self):
        self.page("<!-- code: scenario/a.cpp#body -->\n```text\n```\n")

        self.assert_wrong("begins with ```cpp")

    def test_of_cmake_and_shell_files_is_marked_with_a_hash(self):
        self.write("scenario/CMakeLists.txt", "# [all]\nadd_library(a a.cpp)\n# [/all]\n")
        self.page("<!-- code: scenario/CMakeLists.txt#all -->\n"
                  "```cmake\nadd_library(a a.cpp)\n```\n")

        self.assert_true()

    def test_that_no_file_has_must_be_called_a_sketch_from_four_lines_on(self):
        four = "```cpp\na;\nb;\nc;\nd;\n```\n"
        self.page(four)
        self.assert_wrong("docs/page.md:1: 4 lines of cpp that nothing checks")
        self.page(f"<!-- sketch -->\n{four}")
        self.assert_true()
        self.page(four.replace("d;\n", ""))
        self.assert_true()

    def test_in_a_fence_without_a_language_or_in_a_quotation_is_an_error(self):
        self.page("```\nvoid f();\n```\n")
        self.assert_wrong("docs/page.md:1: a fence without a language")
        self.page("> ```cpp\n> a;\n> ```\n")
        self.assert_wrong("docs/page.md:1: a fence in a quotation")


class Tags(Repository):
    def test_that_no_page_uses_are_a_warning_only(self):
        self.write("scenario/a.cpp", SOURCE)
        self.page("<!-- code: scenario/a.cpp#body -->\n"
                  "```cpp\nif (unsafe_flag) {\n  return;\n}\n```\n")

        output = self.assert_true()

        self.assertIn("scenario/a.cpp:1: warning: tag 'whole' is on no page", output)
        self.assertNotIn("'body'", output)

    def test_that_are_open_doubled_or_never_begun_are_errors(self):
        self.page("# Page\n")
        self.write("scenario/a.cpp",
                   "// [open]\n// [two]\n// [/two]\n// [two]\n// [/two]\n// [/x]\n")

        self.assert_wrong("scenario/a.cpp:1: tag 'open' is never closed",
                          "scenario/a.cpp:4: tag 'two' is in this file twice",
                          "scenario/a.cpp:6: tag 'x' ends here and begins nowhere")


class Output(Repository):
    def setUp(self):
        super().setUp()
        self.program("arc_problem", 'echo "$@" >> runs; echo outcome leaked; echo "logout_ms  $$"')
        self.page("""\
            # Page
            <!-- run: arc_problem --experiment leak -->
            ```text
            outcome leaked
            logout_ms  1234567.8
            ```
            """)

    def test_that_differs_in_measured_numbers_only_is_true_and_stays_as_it_is(self):
        self.assert_true()
        self.assert_update_makes_it_true()
        self.assertIn("1234567.8", self.page_text())

    def test_that_differs_in_its_outcome_is_reported_with_place_and_diff(self):
        self.program("arc_problem", "echo outcome finished; echo logout_ms 3")

        output = self.assert_wrong("docs/page.md:2: differs from what "
                                   "'arc_problem --experiment leak' prints")
        self.assertIn("    -outcome leaked\n    +outcome finished\n", output)

    def test_is_rewritten_by_update_with_the_numbers_of_a_real_run(self):
        self.program("arc_problem", "echo outcome finished; echo logout_ms 42.5; echo; echo end")

        self.assert_update_makes_it_true()
        self.assertIn("```text\noutcome finished\nlogout_ms 42.5\n\nend\n```\n", self.page_text())

    def test_of_an_unexpected_exit_code_is_an_error_and_is_not_written_to_the_page(self):
        self.program("arc_problem", "echo outcome finished; exit 3")
        before = self.page_text()

        self.assert_wrong("docs/page.md:2: 'arc_problem --experiment leak' "
                          "ended with exit code 3, not 0")
        self.assertEqual(self.docs("--update").returncode, 1)
        self.assertEqual(self.page_text(), before)

    def test_of_an_announced_exit_code_is_true(self):
        self.program("arc_problem", "echo usage; exit 2")
        self.page("<!-- run: arc_problem --wrong exit=2 -->\n```text\nusage\n```\n")
        self.assert_true()
        self.page("<!-- run: arc_problem --wrong exit=1 -->\n```text\nusage\n```\n")
        self.assert_wrong("ended with exit code 2, not 1")

    def test_of_one_command_on_two_pages_takes_one_run(self):
        self.page(self.page_text(), name="README.md")

        self.assertIn("1 commands run", self.assert_true())
        self.assertEqual((self.root / "runs").read_text(), "--experiment leak\n")

    def test_of_a_program_that_is_missing_or_silent_is_an_error(self):
        self.page("<!-- run: mutex_problem -->\n```text\n```\n")
        self.assert_wrong("docs/page.md:1: no program 'mutex_problem' in bin: build it first")
        self.program("mutex_problem", "echo to the log >&2")
        self.assert_wrong("docs/page.md:1: 'mutex_problem' printed nothing on standard output")

    def test_names_no_folder_of_this_machine(self):
        self.program("arc_problem", 'echo "see $PWD/docs/page.md"')
        self.page("<!-- run: arc_problem -->\n```text\n```\n")

        self.assert_update_makes_it_true()
        self.assertIn("see docs/page.md\n", self.page_text())

    def test_with_a_fence_in_it_is_an_error(self):
        self.program("arc_problem", "echo '```'")

        self.assert_wrong("docs/page.md:2: the content has a fence in it")


class Table(Repository):
    def setUp(self):
        super().setUp()
        self.program("side_by_side", 'echo "| fact | one |"; echo "|---|---|"; '
                                     'echo "| logout_ms | 0.5 |"; echo "| relogin | clean |"; '
                                     'echo; echo Legend.')

    def test_ends_at_the_first_blank_line(self):
        self.page("""\
            <!-- table: side_by_side --markdown -->
            | fact      | one   |
            |-----------|-------|
            | logout_ms | 11.25 |
            | relogin   | clean |

            Text.
            """)
        self.assert_true()

    def test_with_another_word_in_it_is_rewritten_by_update(self):
        self.page("<!-- table: side_by_side -->\n"
                  "| fact | one |\n|---|---|\n| relogin | late |\n\nText.\n")
        self.assert_wrong("docs/page.md:1: differs from what 'side_by_side' prints")

        self.assert_update_makes_it_true()
        self.assertTrue(self.page_text().endswith("| relogin | clean |\n\nText.\n"))

    def test_that_the_program_does_not_print_is_an_error(self):
        self.program("side_by_side", "echo Legend.")
        self.page("<!-- table: side_by_side -->\n\nText.\n")

        self.assert_wrong("docs/page.md:1: 'side_by_side' printed no table")

    def test_is_filled_in_where_there_was_none(self):
        self.page("<!-- table: side_by_side -->\n\nText.\n")

        self.assert_update_makes_it_true()
        self.assertIn("<!-- table: side_by_side -->\n| fact | one |\n", self.page_text())


class Announcements(Repository):
    def test_that_announce_nothing_or_nothing_known_are_errors(self):
        for text, message in {
                "<!-- run: a -->\n\n```text\n```\n": "page.md:1: no fenced block on the line after",
                "<!-- run: a -->\n| a |\n": "page.md:1: no fenced block on the line after",
                "<!-- sketch -->\n": "page.md:1: no fenced block on the line after",
                "<!-- table: a -->\nText\n": "page.md:1: no table on the line after",
                "<!-- table: a -->\n```text\n```\n": "page.md:1: no table on the line after",
                "<!-- runs: a -->\n```text\n```\n": "page.md:1: unknown announcement",
                "<!-- code a.cpp#b -->\nText\n": "page.md:1: wrong announcement",
                "<!-- sketch: a -->\nText\n": "page.md:1: wrong announcement",
                "<!-- run: a 'b -->\n```text\n```\n": "page.md:1: wrong announcement",
                "<!-- run: ../bin/a -->\n```text\n```\n": "page.md:1: wrong announcement",
                "<!-- sketch -->\n```text\n```\n": "page.md:1: a sketch is a cpp block",
                "```text\nno end\n": "page.md:1: this fence is never closed"}.items():
            with self.subTest(text):
                self.page(text)
                self.assert_wrong(message)

    def test_inside_a_fence_or_a_long_comment_are_text(self):
        self.page("""\
            ````text
            <!-- run: nothing -->
            ```text
            ```
            ````
            <!-- Not now:
            <!-- run: nothing
            ```cpp
            -->
            """)
        self.assert_true()


class Links(Repository):
    def setUp(self):
        super().setUp()
        self.write("scenario/a.cpp", "int a;\nint b;\n")
        self.page("""\
            # What `TaskScope<T>` does: *wait*, and more!
            ## Next
            ## Next
            Old style
            ---------
            <a id="own"></a>
            """, name="docs/other.md")

    def test_to_files_folders_lines_and_anchors_are_followed(self):
        self.page("""\
            # Here
            [a](other.md) [a
            b](../docs/other.md#next-1 "title") [c](other.md#what-taskscopet-does-wait-and-more)
            [d](#here) [e](../scenario) [f](../scenario/a.cpp#L2) [g](other.md#old-style)
            [h](other.md#own) [i](https://example.org/#x) ![j](/docs/other.md) [k][kk] [kk][]
            `[not](a-link.md)` and <img src="other.md">

            [kk]: other.md
            """)
        self.assert_true()

    def test_that_lead_nowhere_are_reported_with_their_line(self):
        self.page("""\
            # Here
            [a](none.md)
            [b](other.md#next-2) and
            [c](#there)
            [d](../../outside.md)
            [e](../scenario/a.cpp#L3)
            [f][ff]
            <img src="none.png">
            """)
        self.assert_wrong("page.md:2: link 'none.md' leads nowhere: no docs/none.md",
                          "page.md:3: link 'other.md#next-2' leads nowhere: no '#next-2'",
                          "page.md:4: link '#there'",
                          "page.md:5: link '../../outside.md' leads out of the repository",
                          "page.md:6: link '../scenario/a.cpp#L3'",
                          "page.md:7: no definition of the link [ff]",
                          "page.md:8: link 'none.png'")

    def test_in_the_pages_of_the_top_folder_are_checked_too(self):
        self.page("[a](docs/none.md)\n", name="CONTRIBUTING.md")

        self.assert_wrong("CONTRIBUTING.md:1: link 'docs/none.md' leads nowhere")


class Normalise(unittest.TestCase):
    def assert_same(self, one, other):
        self.assertEqual(docs.normalise(one), docs.normalise(other))

    def assert_different(self, one, other):
        self.assertNotEqual(docs.normalise(one), docs.normalise(other))

    def test_takes_out_what_differs_from_run_to_run(self):
        for one, other in [
                ("ended after 12.3 ms", "ended after 1,234 ms"),
                ("waited 2.1s", "waited 900µs"),
                ("on thread 140261", "on thread 7"),
                ("Thread 0x7f12ab (LWP 41)", "Thread 0x7fff00 (LWP 9123)"),
                ("tid=12 pid=40", "tid=9 pid=1"),
                ("127.0.0.1:40001, port 40001", "127.0.0.1:5, port 5"),
                ("store in /tmp/a8Xy2/store.db", "store in /tmp/b/store.db"),
                ("2024-02-03 10:11:12.123 start", "2025-12-31 23:59:59.9 start"),
                ("busy 12.5 %", "busy 99%"),
                ("12345 events/s", "9.8k events/s"),
                ("3.4× the cost", "12× the cost"),
                ("boost 1.81.0", "boost 1.83.0"),
                ("logout_ms=12.3 owners_left=0", "logout_ms=4 owners_left=0"),
                ('{"logout_ms": 12.3, "n": 1}', '{"logout_ms": 1e-05, "n": 1}'),
                ("│ logout_ms │ 1000.0 did not return │ 2.1 │",
                 "│ logout_ms │   999 did not return │ 12.25 │"),
                ("logout took (ms)   0.3   900.0 !", "logout took (ms)   0.25   1.0 !"),
                ("| rows after logout | **17 !** | 0 |", "| rows after logout | **3 !** | 0 |"),
                ("rows_after_logout  17 !", "rows_after_logout   3 !"),
                ("\x1b[31mleaked\x1b[0m", "leaked"),
                ("| a    | 1 |\n|------|---|", "| a | 1 |\n|---|---|"),
        ]:
            with self.subTest(one):
                self.assert_same(one, other)

    def test_keeps_what_a_run_must_show(self):
        for one, other in [
                ("outcome leaked", "outcome finished"),
                ("runtime_threads_left 2", "runtime_threads_left 0"),
                ("rows_after_logout 17", "rows_after_logout 0"),
                ("| samples lost | **3 !** | 0 |", "| samples lost | 0 | 0 |"),
                ("longest UI freeze (ms)  900.0 !", "longest UI freeze (ms)  0.5"),
                ("rows_after_logout | 17 | 0 |", "rows_after_logout | 0 | 17 |"),
                ("logout_ms 12 connections_open 4", "logout_ms 12 connections_open 0"),
                ("logout_ms 12.3", "logout_ms -"),
                ("logout_ms=1 events=20", "logout_ms=1 events=19"),
                ('{"logout_ms": 1, "events": 20}', '{"logout_ms": 1, "events": 19}'),
                ("2 threads", "3 threads"),
                ("exit code 1", "exit code 2"),
                ("a\nb", "a b"),
                ("  indented", "indented"),
        ]:
            with self.subTest(one):
                self.assert_different(one, other)


class CommandLine(Repository):
    def test_refuses_wrong_use_with_one_line_and_exit_code_2(self):
        for arguments in [], ["--chekc"], ["--check", "--update"], ["--check", "page.md"]:
            with self.subTest(arguments):
                result = self.docs(*arguments)
                self.assertEqual(result.returncode, 2)
                self.assertEqual(len(result.stderr.splitlines()), 1)

    def test_finds_a_repository_without_a_page_wrong(self):
        self.assert_wrong("no page was found")


if __name__ == "__main__":
    unittest.main()
