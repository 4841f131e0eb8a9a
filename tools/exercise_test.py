#!/usr/bin/env python3
"""What exercise.py must find: an answer that is not so, a diff that does not fit, a missing part."""

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
                                                      "program", (), {}))

    def test_replaces_each_hunk(self):
        self.assertEqual(self.apply("a\nb\nc\nd\n", " a\n-b\n+B\n...\n-d\n+D\n+E\n"),
                         "a\nB\nc\nD\nE\n")

    def test_that_is_not_in_the_file_is_found(self):
        with self.assertRaisesRegex(exercise.Problem, "has 0 times, not once"):
            self.apply("a\nb\n", "-c\n+d\n")

    def test_that_fits_twice_is_found(self):
        with self.assertRaisesRegex(exercise.Problem, "has 2 times, not once"):
            self.apply("x\na\nb\na\n", "-a\n+d\n")


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
