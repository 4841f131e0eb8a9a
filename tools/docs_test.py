#!/usr/bin/env python3
"""Tests of tools/docs.py and tools/falsified_pages_test.py, on small repositories of their own."""

import contextlib
import io
import json
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
import docs  # noqa: E402  (beside this file)
import facts  # noqa: E402
import falsified_pages_test  # noqa: E402

TOOLS = Path(__file__).resolve().parent
SCRIPT = TOOLS / "docs.py"

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

    def documented_program(self, name, listed, script):
        """One that answers --list --json."""
        self.write(f"bin/{name}.json", json.dumps(listed))
        self.program(name, f'[ "$*" != "--list --json" ] || exec cat bin/{name}.json\n{script}')

    def call(self, main, *arguments):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            code = main([*arguments, "--root", str(self.root), "--bin", "bin"])
        return subprocess.CompletedProcess(arguments, code, out.getvalue(), "")

    def docs(self, *arguments):
        return self.call(docs.main, *arguments)

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

    def assert_each_wrong(self, pages, message):
        """Each text makes a page that is wrong with the message, and nothing else is wrong."""
        names = [f"docs/falsified_{number}.md" for number in range(len(pages))]
        for name, text in zip(names, pages):
            self.write(name, text)
        self.assert_wrong(*(f"{name}:{message}" for name in names))
        for name in names:
            (self.root / name).unlink()

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
        self.program("arc_problem", 'echo "$@" >> runs; echo outcome leaked; echo "logout_ms  3.5"')
        self.page("""\
            # Page
            <!-- run: arc_problem --experiment leak -->
            ```text
            outcome leaked
            logout_ms  3.5
            ```
            """)

    def test_of_a_program_that_documents_no_facts_is_compared_exactly(self):
        self.assert_true()
        pairs = [
            ("ended after 12.3 ms", "ended after 12.4 ms"),
            ("on thread 140261", "on thread 7"),
            ("127.0.0.1:40001", "127.0.0.1:5"),
            ("2024-02-03 10:11:12", "2024-02-03 10:11:13"),
            ("boost 1.81.0", "boost 1.83.0"),
            ("0x7f12ab", "0x7f12ac"),
            ("12345 events/s", "12346 events/s"),
            ("3.4x the cost", "3.5x the cost"),
            ("busy 12 %", "busy 13 %"),
            ("store in /tmp/a", "store in /tmp/b"),
            ("  owners_left              2", "  owners_left              1"),
            ("leak · leaked · as documented", "leak · lost · as documented"),
            ("at its end", "at its end "),
            ("a  b", "a b"),
            ("-----", "---"),
            ("a", "\na"),
            ("a\nb", "a\n\nb")]
        pairs += [(other, one) for one, other in pairs]
        for number, (printed, _) in enumerate(pairs):
            self.write(f"bin/{number}", f"{printed}\n")
        self.program("arc_problem", "exec cat bin/$1")

        def page(number, text):
            return f"<!-- run: arc_problem {number} -->\n```text\n{text}\n```\n"

        self.write("docs/page.md", "\n".join(page(number, printed)
                                             for number, (printed, _) in enumerate(pairs)))
        self.assert_true()
        self.assert_each_wrong([page(number, shown) for number, (_, shown) in enumerate(pairs)],
                               "1: differs from what 'arc_problem ")

    def test_that_differs_in_its_outcome_is_reported_with_place_and_diff(self):
        self.program("arc_problem", "echo outcome finished; echo 'logout_ms  3.5'")

        output = self.assert_wrong("docs/page.md:2: differs from what "
                                   "'arc_problem --experiment leak' prints")
        self.assertIn("    -outcome leaked\n", output)

    def test_is_rewritten_by_update_with_the_numbers_of_a_real_run(self):
        self.program("arc_problem",
                     "echo outcome finished; echo 'logout_ms 42.5 '; echo; echo end")

        self.assert_update_makes_it_true()
        self.assertIn("```text\noutcome finished\nlogout_ms 42.5 \n\nend\n```\n", self.page_text())

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

    def test_of_a_program_that_cannot_run_here_is_left_as_it_is_with_a_warning(self):
        self.program("redis_logout", 'echo "no server" >&2\nexit 77')
        self.page("""\
            <!-- run: redis_logout -->
            ```text
            anything
            ```
            """)
        before = self.page_text()

        said = self.assert_true()
        self.docs("--update")

        self.assertIn("docs/page.md:1: warning: not compared, 'redis_logout' cannot run", said)
        self.assertEqual(self.page_text(), before)

    def test_of_one_command_on_two_pages_takes_one_run(self):
        self.page(self.page_text(), name="README.md")

        self.assertIn("1 commands run", self.assert_true())
        self.assertEqual((self.root / "runs").read_text().splitlines(),
                         ["--experiment leak", "--list --json"])

    def test_of_a_program_that_is_missing_or_silent_is_an_error(self):
        self.page("<!-- run: mutex_problem -->\n```text\n```\n")
        self.assert_wrong("docs/page.md:1: no program 'mutex_problem' in bin: build it first")
        self.program("mutex_problem", "echo to the log >&2")
        self.assert_wrong("docs/page.md:1: 'mutex_problem' printed nothing on standard output")

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
            | fact | one |
            |---|---|
            | logout_ms | 0.5 |
            | relogin | clean |

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


class Picture(Repository):
    def setUp(self):
        super().setUp()
        for folder in "recordings", "pictures", "player":
            shutil.copytree(TOOLS.parent / "docs" / folder, self.root / "docs" / folder,
                            ignore=shutil.ignore_patterns("README.md"))
        self.page("<!-- picture: deadlock -->\n\nWords.\n")
        self.assert_update_makes_it_true()

    def test_shows_its_title_and_diagnosis_and_its_links_lead_somewhere(self):
        self.assertIn("![The one thread waits", self.page_text())
        self.assertIn("](pictures/deadlock.svg)", self.page_text())
        self.assertIn("](pictures/deadlock.md)", self.page_text())
        self.assertIn("](player/index.html#deadlock)", self.page_text())
        self.assertIn("\n\nWords.", self.page_text())

    def test_with_other_words_or_none_is_rewritten_by_update(self):
        right = self.page_text()
        for wrong in (right.replace("waits", "sleeps", 1), right.replace("Broken", "Correct", 1),
                      "<!-- picture: deadlock -->\n\nWords.\n"):
            self.page(wrong)
            self.assert_update_makes_it_true()
            self.assertEqual(self.page_text(), right)

    def test_that_is_not_what_the_recording_gives_is_an_error(self):
        for name in "pictures/deadlock.svg", "pictures/deadlock.md", "recordings/mutex-deadlock.json":
            path = self.root / "docs" / name
            before = path.read_text(encoding="utf-8")
            path.write_text(before.replace("event receiver", "event sender", 1).replace(
                "Event receiver", "Event sender", 1), encoding="utf-8")
            self.assertEqual(self.docs("--check").returncode, 1, name)
            path.write_text(before, encoding="utf-8")
        self.assert_true()

    def test_of_no_story_or_without_a_place_is_an_error(self):
        self.assert_each_wrong(["<!-- picture: none -->\n\n"],
                               "1: docs/pictures/stories/none.json: No such file or directory")
        self.assert_each_wrong(["<!-- picture: ../none -->\n\n"], "1: wrong announcement, its form is "
                               "<!-- picture: STORY -->")
        self.assert_each_wrong(["<!-- picture: deadlock -->\nWords.\n"],
                               "1: no picture on the line after this announcement")
        self.assert_each_wrong(["[play](player/index.html#none)\n"], "1: link 'player/index.html#none' "
                               "leads nowhere: no '#none' in docs/player/index.html")


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


LEAK = """\
arc_problem 0.1.0 · shared ownership

leak · leaked · as documented
  logout lets go, and everything
  runs on
  logout_ms                0.5
  logout_returned          yes
  owners_left              2
  longest_ui_freeze_ms     0.0
  threads                  2
  relogin                  late
  stragglers               time-series worker
                           event receiver
  none_at_all              none
  error_of_the_first_self_join boost thread: trying joining
                               itself
  clock                    1.0
  pool                     -

1 of 1 experiment as documented.
"""
DOCUMENTED = {
    "logout_ms": {"varies": "a duration"}, "logout_returned": {"is": True},
    "owners_left": {"at_least": 1, "at_most": 3}, "longest_ui_freeze_ms": {"at_most": 50},
    "threads": {"is": 2}, "relogin": {"varies": "whoever is first"},
    "stragglers": {"is": ["time-series worker", "event receiver"]}, "none_at_all": {"is": []},
    "error_of_the_first_self_join": {"is": "boost thread: trying joining itself"},
    "clock": {"is": 1.04}, "pool": {"is": None}}


def listed(documented, expected="leaked"):
    return {"program": "arc_problem", "experiments": [
        {"name": "leak", "expected": expected, "summary": "", "facts": documented}]}


class Facts(Repository):
    def setUp(self):
        super().setUp()
        self.given(LEAK)

    def given(self, printed, on_page=None, documentation=None):
        self.documented_program("arc_problem", documentation or listed(DOCUMENTED),
                                f"cat <<'end'\n{printed}end")
        self.write("docs/page.md", "<!-- run: arc_problem -->\n"
                   f"```text\n{printed if on_page is None else on_page}```\n")

    def assert_differs(self, *changes):
        self.given(LEAK)
        pages = []
        for old, new in changes:
            self.assertEqual(LEAK.count(old), 1, old)
            pages.append(self.page_text().replace(old, new))
        self.assert_each_wrong(pages, "1: differs from what 'arc_problem' prints")

    def assert_refused(self, message, printed=LEAK, documentation=None):
        """The fresh output is not as documented: the page is not rewritten with it."""
        self.given(printed, documentation=documentation)
        self.assert_wrong(f"docs/page.md:1: 'arc_problem' {message}")
        self.assertEqual(self.docs("--update").returncode, 1)

    def test_with_a_documented_value_are_compared_exactly(self):
        self.assert_true()
        self.assert_differs(("returned          yes", "returned          no"),
                            ("threads                  2", "threads                  3"),
                            ("time-series worker", "time-series"),
                            ("none_at_all              none", "none_at_all              0"),
                            ("itself", "itself, too"), ("clock                    1.0",
                                                        "clock                    1.1"))

    def test_that_differ_are_rewritten_by_update(self):
        self.given(LEAK, on_page=LEAK.replace("threads                  2", "threads 12"))

        self.assert_update_makes_it_true()
        self.assertIn(LEAK, self.page_text())

    def test_that_the_program_prints_otherwise_than_documented_are_an_error(self):
        self.assert_refused("prints 'threads 3' and documents is 2",
                            LEAK.replace("threads                  2", "threads                  3"))
        self.assert_refused("prints 'stragglers time-series worker' and documents is "
                            "time-series worker, event receiver",
                            LEAK.replace("                           event receiver\n", ""))
        self.assert_refused("prints 'outcome leaked' and documents is finished",
                            documentation=listed(DOCUMENTED, "finished"))

    def test_with_a_documented_bound_keep_it_on_the_page_and_in_the_fresh_run(self):
        for value in "1", "3":
            self.given(LEAK, on_page=LEAK.replace("owners_left              2",
                                                  f"owners_left              {value}"))
            self.assert_true()
            self.assert_update_makes_it_true()
            self.assertIn(f"owners_left              {value}\n", self.page_text())
        beyond = [("owners_left              2", f"owners_left              {value}")
                  for value in ("0", "4", "0.9", "some", "-", "2 of 3")]
        self.assert_differs(*beyond, ("freeze_ms     0.0", "freeze_ms     50.1"))
        for old, new in beyond:
            self.assert_refused(f"prints '{' '.join(new.split())}' and documents at_least 1, "
                                "at_most 3", LEAK.replace(old, new))

    def test_that_vary_are_of_one_kind(self):
        for old, new in ("_ms                0.5", "_ms                1234.5"), ("late", "clean"):
            self.given(LEAK, on_page=LEAK.replace(old, new))
            self.assert_true()
            self.assert_update_makes_it_true()
            self.assertIn(new, self.page_text())
        self.assert_differs(("_ms                0.5", "_ms                soon"),
                            ("_ms                0.5", "_ms                -"),
                            ("relogin                  late", "relogin                  2"))

    def test_that_are_not_documented_are_an_error(self):
        added = "  clock                    1.0\n  rows                     9\n"
        self.assert_refused("prints 'rows 9' and documents no such fact",
                            LEAK.replace("  clock                    1.0\n", added))
        self.assert_differs(("  clock                    1.0\n", added))
        self.assert_refused("prints 'outcome leaked' and documents no such fact",
                            LEAK.replace("leak · leaked", "leaks · leaked"))

    def test_that_are_documented_and_missing_are_an_error(self):
        self.assert_refused("documents the fact 'logout_ms' and does not print it",
                            LEAK.replace("  logout_ms                0.5\n", ""))
        self.assert_differs(("  logout_ms                0.5\n", ""))
        documentation = listed(DOCUMENTED)
        documentation["experiments"].append({**documentation["experiments"][0], "name": "again"})
        again = LEAK[LEAK.index("leak · leaked"):].replace("leak ·", "again ·")
        self.assert_refused("documents the fact 'clock' and does not print it",
                            LEAK + again.replace("  clock                    1.0\n", ""),
                            documentation=documentation)

    def test_that_are_documented_in_unknown_words_are_compared_exactly(self):
        self.assert_refused("prints 'clock 1.0' and documents about 1",
                            documentation=listed({**DOCUMENTED, "clock": {"about": 1}}))

    def test_leave_the_rest_of_the_output_to_an_exact_comparison(self):
        self.assert_differs(("0.1.0", "0.1.1"), ("leak · leaked", "leak · lost"),
                            ("leak · leaked", "leaks · leaked"), ("runs on", "runs off"),
                            ("1 of 1", "2 of 2"), ("  owners_left  ", "  owners_left "),
                            ("  owners_left  ", " owners_left  "), ("owners_left", "owners"))

    def test_of_an_experiment_without_documentation_make_the_program_one_without(self):
        documentation = listed(DOCUMENTED)
        del documentation["experiments"][0]["facts"]
        for text in json.dumps(documentation), "", "[]", '{"experiments": 3}', "7":
            with self.subTest(text):
                self.given(LEAK)
                self.write("bin/arc_problem.json", text)
                self.assert_true()
                self.write("docs/page.md", self.page_text().replace("ms                0.5",
                                                                    "ms                0.6"))
                self.assert_wrong("docs/page.md:1: differs")

    def test_in_prose_are_those_of_the_output_above(self):
        output = self.page_text()
        for text in ("`owners_left 2`", "`relogin late` and\n`owners_left\n2`", "`clock()`",
                     "`stragglers time-series worker,\nevent receiver`"):
            self.write("docs/page.md", f"{output}\nSee {text}.\n")
            self.assert_true()
        for said, message in {"owners_left 1": "shows 2", "relogin clean": "shows late",
                              "stragglers none": "shows time-series worker event receiver"}.items():
            self.write("docs/page.md", f"{output}\nSee `{said}`.\n")
            self.assert_wrong(f"page.md:25: `{said}`: the output above {message}")
        self.write("docs/page.md", f"See `clock 7`, `owners_left 2`, `no_fact 3`.\n{output}")
        self.assert_wrong("page.md:1: `owners_left 2`: the output above has no such fact")

    def test_that_may_differ_on_a_page_are_those_that_contributors_read_of(self):
        text = (TOOLS.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
        section = text.split("## How the pages are kept true\n")[1].split("\n## ")[0]

        self.assertEqual(set(re.findall(r"^- `(\w+)`: \S", section, re.M)), facts.EXCEPTIONS)


class TableOfFacts(Repository):
    TABLE = """\
| | one | two |
|---|---|---|
| outcome | **leaked !** | finished |
| logout took (ms) | 0.5 | 1.5 |
| owners left | **2 !** | 0 |
| samples lost | - | 0 |
"""

    def setUp(self):
        super().setUp()
        for program, expected, facts_of_it in (
                ("arc_problem", "leaked", {"owners_left": {"at_least": 1}}),
                ("correct_example", "finished",
                 {"owners_left": {"is": 0}, "samples_lost": {"is": 0}, "tasks": {"is": 63}})):
            self.documented_program(program, listed(
                {"logout_ms": {"varies": "a duration"}, **facts_of_it}, expected), "false")
        self.given()

    def given(self, printed=TABLE, on_page=TABLE, rows=("logout_ms", "owners_left",
                                                        "samples_lost")):
        meanings = {"logout_ms": "logout took (ms)", "owners_left": "owners left",
                    "samples_lost": "samples lost"}
        self.documented_program("side_by_side", {
            "rows": [{"fact": row, "meaning": meanings[row]} for row in rows],
            "columns": [{"title": "one", "program": "arc_problem", "experiment": "leak"},
                        {"title": "two", "program": "correct_example", "experiment": "leak"}]},
            f"cat <<'end'\n{printed}\nLegend.\nend")
        self.write("docs/page.md", f"<!-- table: side_by_side -->\n{on_page}\nText.\n")

    def test_may_have_other_numbers_only_where_its_experiments_document_it(self):
        self.assert_true()
        self.given(on_page=self.TABLE.replace("0.5", "17.5").replace("**2 !**", "**3 !**"))
        self.assert_true()
        self.given()
        self.assert_each_wrong([self.page_text().replace(old, new) for old, new in (
            ("0.5", "soon"), ("0.5", "-"), ("**2 !**", "**0 !**"), ("**2 !**", "2"),
            ("| 0 |\n| samples", "| 1 |\n| samples"), ("- | 0 |", "- | 1 |"),
            ("- | 0 |", "0 | 0 |"), ("leaked", "lost"), ("owners left", "owners"),
            ("two", "three"), ("| 1.5 |", "|1.5|"), ("| 1.5 |", "| 1.5 | 1.5 |"),
            ("| logout took (ms) | 0.5 | 1.5 |", "|"), ("| samples lost | - | 0 |\n", ""))],
            "1: differs from what 'side_by_side' prints")

    def test_that_is_not_as_its_experiments_document_is_an_error(self):
        for old, new, message in (
                ("**2 !**", "0", "prints 'owners_left 0' and documents at_least 1"),
                ("**2 !**", "-", "prints 'owners_left -' and documents at_least 1"),
                ("- | 0 |", "- | 4 |", "prints 'samples_lost 4' and documents is 0"),
                ("- | 0 |", "0 | 0 |", "prints 'samples_lost 0' and documents no such fact"),
                ("finished", "stuck", "prints 'outcome stuck' and documents is finished"),
                ("| samples lost | - | 0 |\n", "",
                 "documents the fact 'samples_lost' and does not print it")):
            with self.subTest(new):
                changed = self.TABLE.replace(old, new)
                self.given(changed, changed)
                self.assert_wrong(f"docs/page.md:1: 'side_by_side' {message}")

    def test_with_a_row_that_the_program_does_not_list_is_an_error(self):
        self.given(rows=("logout_ms", "owners_left"))

        self.assert_wrong("'side_by_side' prints 'samples lost 0' and documents no such fact")

    def test_of_programs_that_document_no_facts_is_compared_exactly(self):
        self.program("arc_problem", "exit 2")
        self.assert_true()
        self.given(on_page=self.TABLE.replace("0.5", "0.6"))
        self.assert_wrong("docs/page.md:1: differs from what 'side_by_side' prints")

    def test_has_the_facts_of_the_prose_below_it(self):
        self.write("docs/page.md", self.page_text() + "`owners_left 2`, then `owners_left 0`\n")
        self.assert_true()
        table, output = self.page_text(), "\n<!-- run: other -->\n```text\nnothing\n```\n"
        self.program("other", "echo nothing")
        self.write("docs/page.md", f"{table}{output}`owners_left 2`\n")
        self.assert_wrong("`owners_left 2`: the output above has no such fact")
        self.write("docs/page.md", f"{output}\n{table}`owners_left 1`\n")
        self.assert_wrong("`owners_left 1`: the output above shows 2 or 0")


class HalvesOfALesson(Repository):
    HALVES = """\
07 a word that varies · "twice"

                             broken                    correct
  capture                    destroyed twice (varies)  destroyed once
  rows                       9 (at least 9)            0

broken   as documented
"""

    def setUp(self):
        super().setUp()
        self.given()

    def given(self, on_page=HALVES):
        self.documented_program("lesson", {"program": "lesson", "experiments": [
            {"name": "07-broken", "summary": "",
             "facts": {"capture": {"varies": "a compiler"}, "rows": {"at_least": 9}}},
            {"name": "07-correct", "summary": "",
             "facts": {"capture": {"is": "destroyed once"}, "rows": {"is": 0}}}]},
            f"cat <<'end'\n{self.HALVES}end")
        self.write("docs/page.md", f"<!-- run: lesson -->\n```text\n{on_page}```\n")

    def test_may_have_values_of_another_width_only_where_they_may_be_others(self):
        self.assert_true()
        for old, new in (("destroyed twice (varies)  ", "destroyed once (varies)   "),
                         ("9 (at least 9)            ", "1000 (at least 9)         ")):
            self.given(self.HALVES.replace(old, new))
            self.assert_true()
        self.given()
        self.assert_each_wrong([self.page_text().replace(old, new) for old, new in (
            ("  destroyed once", "  destroyed twice"), ("  destroyed once", " destroyed once"),
            ("twice (varies)", "twice"), ("(at least 9)            0", "(at least 9)            1"),
            ("9 (at least 9)", "8 (at least 9)"), ("  rows    ", "  rows   "),
            ("broken                    correct", "broken                   correct"))],
            "1: differs from what 'lesson' prints")


class Falsified(Repository):
    """What tools/falsified_pages_test.py says of a check that is as it should be, and of others."""

    def setUp(self):
        super().setUp()
        self.documented_program("arc_problem", listed(DOCUMENTED), f"cat <<'end'\n{LEAK}end")
        self.page(f"<!-- run: arc_problem -->\n```text\n{LEAK}```\n")

    def falsified(self, tools=TOOLS):
        if tools is TOOLS:
            return self.call(falsified_pages_test.main)
        return subprocess.run(
            [sys.executable, str(tools / "falsified_pages_test.py"), "--root", str(self.root),
             "--bin", "bin"], capture_output=True, text=True, timeout=60)

    def assert_fails(self, *messages, tools=TOOLS):
        result = self.falsified(tools)
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        for message in messages:
            self.assertIn(message, result.stdout)

    def checker_with(self, old, new):
        tools = self.root / "changed"
        tools.mkdir(exist_ok=True)
        for name in ("docs.py", "draw.py", "facts.py", "falsified_pages_test.py", "recorded_run.py",
                     "timeline.py"):
            shutil.copy(TOOLS / name, tools)
        text = (tools / "facts.py").read_text(encoding="utf-8")
        self.assertEqual(text.count(old), 1, old)
        (tools / "facts.py").write_text(text.replace(old, new), encoding="utf-8")
        return tools

    def test_pages_are_all_found_by_the_check_that_we_have(self):
        result = self.falsified()

        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertRegex(result.stdout, r"12 documented facts in 1 blocks: each was found\n$")

    def test_pages_are_missed_by_a_check_that_forgives(self):
        for old, new, message in [
                ('{*BOUNDS, "varies"}', '{*BOUNDS, "varies", "is"}', "threads 3"),
                ('"at_least": operator.ge', '"at_least": operator.ne', "owners_left 0.9"),
                ('"at_most": operator.le', '"at_most": operator.ne', "longest_ui_freeze_ms 50.1"),
                ("'number' if number else 'word'", "'value'", "logout_ms many"),
                ("if self.is_exact or self.text == NOT_MEASURED:", "if self.is_exact:",
                 "relogin -")]:
            with self.subTest(new):
                self.assert_fails(f"docs/page.md:1: not found: {message}",
                                  tools=self.checker_with(old, new))

    def test_pages_need_something_to_falsify(self):
        self.program("arc_problem", f"cat <<'end'\n{LEAK}end")
        self.assert_fails("docs/page.md:1: facts without documentation: nothing to falsify",
                          "no documented fact is on a page: nothing to falsify")
        self.page("# Page\n")
        self.assert_fails("no documented fact is on a page: nothing to falsify")

    def test_pages_must_be_true_before(self):
        self.page(self.page_text().replace("threads                  2",
                                           "threads                  3"))
        self.assert_fails("docs/page.md:1: differs from what", "1 wrong")


class CommandLine(Repository):
    def test_refuses_wrong_use_with_one_line_and_exit_code_2(self):
        for arguments in [], ["--chekc"], ["--check", "--update"], ["--check", "page.md"]:
            with self.subTest(arguments):
                result = subprocess.run([sys.executable, str(SCRIPT), *arguments],
                                        capture_output=True, text=True, timeout=60)
                self.assertEqual(result.returncode, 2)
                self.assertEqual(len(result.stderr.splitlines()), 1)

    def test_finds_a_repository_without_a_page_wrong(self):
        self.assert_wrong("no page was found")


if __name__ == "__main__":
    unittest.main()
