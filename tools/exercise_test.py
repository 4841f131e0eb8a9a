#!/usr/bin/env python3
"""What exercise.py must find: an answer that is not so, a diff that does not fit, a missing part."""

import contextlib
import io
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
import exercise  # noqa: E402  (beside this file)

PAGE = """\
<!-- exercise: correct-example/lessons/05_off_the_strand.cpp -->
```diff
-  old();
+  new();
```

<details><summary>Answer</summary>

`value 2`, and the outcome is `NOT as documented`.

</details>
"""


def read(text):
    match = exercise.ANNOUNCED.search(text)
    return exercise.read("05", Path("page.md"), match)


class AnExercise(unittest.TestCase):
    def test_of_a_lesson_knows_its_program_its_diff_and_its_answer(self):
        one = read(PAGE)
        self.assertEqual(one.program, "lessons/05_off_the_strand/correct")
        self.assertEqual(one.answer, {"value": "2"})
        self.assertEqual(one.diff, "-  old();\n+  new();\n")

    def test_without_a_diff_changes_the_arguments(self):
        one = read(PAGE.replace("correct-example/lessons/05_off_the_strand.cpp",
                                "runs arc_problem --experiment leak --workers 8")
                   .replace("```diff\n-  old();\n+  new();\n```\n", ""))
        self.assertEqual(one.arguments, ("--experiment", "leak", "--workers", "8"))
        self.assertIsNone(one.file)

    def test_that_is_a_conversation_knows_what_is_typed(self):
        one = read("<!-- exercise: runs correct_example --interactive types login alice; "
                   "status until 60 events; ^C -->\n\n" + PAGE[PAGE.index("<details>"):])
        self.assertEqual(one.arguments, ("--interactive",))
        self.assertEqual(one.typed, ("login alice", "status until 60 events", "^C"))
        self.assertIsNone(one.file)

    def test_of_the_static_analysis_needs_no_program(self):
        one = read(PAGE.replace(".cpp -->", ".cpp tidy -->").replace("lessons/05_off_the_strand", "client/client"))
        self.assertEqual(one.program, "tidy")

    def test_needs_an_answer_with_a_fact(self):
        with self.assertRaisesRegex(exercise.Problem, "names no fact"):
            read(PAGE.replace("`value 2`", "two"))

    def test_needs_a_program(self):
        with self.assertRaisesRegex(exercise.Problem, "what to run"):
            read(PAGE.replace("lessons/05_off_the_strand.cpp", "client/client.cpp"))


class ADiff(unittest.TestCase):
    def apply(self, source, diff):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "source.cpp"
            file.write_text(source, encoding="utf-8")
            return exercise.changed(exercise.Exercise("05", exercise.ROOT / "page.md", file, diff,
                                                      "program", (), (), {}))

    def test_replaces_each_hunk(self):
        self.assertEqual(self.apply("a\nb\nc\nd\n", " a\n-b\n+B\n...\n-d\n+D\n+E\n"),
                         "a\nB\nc\nD\nE\n")

    def test_that_is_not_in_the_file_is_found(self):
        with self.assertRaisesRegex(exercise.Problem, "has 0 times, not once"):
            self.apply("a\nb\n", "-c\n+d\n")

    def test_that_fits_twice_is_found(self):
        with self.assertRaisesRegex(exercise.Problem, "has 2 times, not once"):
            self.apply("x\na\nb\na\n", "-a\n+d\n")


class AConversation(unittest.TestCase):
    def converse(self, script, *typed):
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder) / "program"
            program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
            program.chmod(0o755)
            return exercise.converse(program, exercise.Exercise(
                "06", exercise.ROOT / "page.md", None, "", "program", (), typed, {}))

    def test_goes_on_when_a_line_is_answered_and_has_the_facts_of_all(self):
        said = self.converse("read a; echo \"ok $a\"; read b; echo \"$b, tasks: pool, deaf\"\n"
                             "echo \"generation 1: reached 'stop' in 1 ms\"\n"
                             "echo \"  straggler 'event receiver' needed 'stop'\"; exit 3", "one", "two")
        self.assertEqual(said, {"tasks": "pool, deaf", "reached": "stop", "event_receiver": "stop",
                                "exit_code": "3"})

    def test_types_a_line_again_until_its_answer_has_the_words(self):
        said = self.converse("n=0; while read a; do n=$((n + 1)); echo \"count: $n\"; done",
                             "status until 3")
        self.assertEqual(said["count"], "3")

    def test_interrupts(self):
        said = self.converse("trap 'echo forced; exit 5' INT; read a; echo ok\n"
                             "while :; do sleep 0.01; done", "login", "^C")
        self.assertEqual(said["exit_code"], "5")

    def test_that_ends_too_early_is_found(self):
        with self.assertRaisesRegex(exercise.Problem, "no answer to 'one'|ended before all"):
            self.converse("exit 0", "one", "two")

    def test_that_does_not_go_on_is_ended(self):
        limit, exercise.RUN_LIMIT_SECONDS = exercise.RUN_LIMIT_SECONDS, 0.2
        self.addCleanup(setattr, exercise, "RUN_LIMIT_SECONDS", limit)
        with self.assertRaisesRegex(exercise.Problem, "no answer to 'one'"):
            self.converse("exec sleep 30", "one")


class APageWithTryIt(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(setattr, exercise, "ROOT", exercise.ROOT)
        exercise.ROOT = Path(folder.name)
        (exercise.ROOT / "docs").mkdir()

    def page(self, text):
        (exercise.ROOT / "docs/03-page.md").write_text(text, encoding="utf-8")

    def test_and_no_exercise_is_found(self):
        self.page("## Try it\n\nWhat happens?\n")
        with self.assertRaisesRegex(exercise.Problem, "neither an exercise nor a question"):
            exercise.exercises()

    def test_may_ask_a_question_with_the_reason(self):
        self.page("## Try it\n\n<!-- question: nobody can run it -->\n")
        self.assertEqual(exercise.exercises(), [])
        self.assertEqual(list(exercise.questions()), [("page-03", "nobody can run it")])


class WhatCannotBeDoneHere(unittest.TestCase):
    def test_is_skipped_with_the_reason_and_is_no_success_alone(self):
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder) / "arc_problem"
            program.write_text("#!/bin/sh\necho 'no server here' >&2\nexit 77\n", encoding="utf-8")
            program.chmod(0o755)
            one = exercise.Exercise("02", exercise.ROOT / "page.md", None, "", "arc_problem",
                                    ("--experiment", "leak", "--workers", "8"), (), {"owners": "2"})
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                code = exercise.do_all([one], Path(folder))
        self.assertIn("skipped: no server here", said.getvalue())
        self.assertEqual(code, 1)


class AnAnswer(unittest.TestCase):
    def differences(self, before, after):
        return exercise.differences(read(PAGE), before, after)

    def test_is_right_if_the_changed_program_prints_it_and_the_other_does_not(self):
        self.assertEqual(self.differences({"value": "1"}, {"value": "2"}), [])

    def test_is_wrong_if_the_changed_program_prints_something_else(self):
        self.assertEqual(self.differences({"value": "1"}, {"value": "3"}),
                         ["value: the answer says 2, observed 3"])
        self.assertEqual(self.differences({"value": "1"}, {}),
                         ["value: the answer says 2, observed nothing"])

    def test_is_wrong_if_nothing_changes(self):
        self.assertEqual(self.differences({"value": "2"}, {"value": "2"}),
                         ["the unchanged program prints the same"])


class AllExercises(unittest.TestCase):
    def test_of_pages_without_one_are_not_as_answered(self):
        self.assertEqual(exercise.do_all([], exercise.ROOT), 1)


if __name__ == "__main__":
    unittest.main()
