#!/usr/bin/env python3
"""Tests of tools/draw.py, on changed copies of what it reads."""

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
import draw  # noqa: E402  (beside this file)

SCRIPT = Path(draw.__file__).resolve()
ROOT = SCRIPT.parent.parent
NAMES = sorted(path.stem for path in (ROOT / draw.STORIES).glob("*.json"))
SOME = "deadlock"


class Copy(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        for name in "docs/recordings", "docs/pictures", "docs/player":
            shutil.copytree(ROOT / name, self.root / name)
        for entries in self.load("docs/pictures/sources.json").values():
            for entry in entries:
                (self.root / entry["file"]).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / entry["file"], self.root / entry["file"])
        self.story = f"{draw.STORIES}/{SOME}.json"
        self.recording = f"docs/recordings/{self.load(self.story)['panels'][0]['recording']}.json"

    def load(self, name):
        return json.loads((self.root / name).read_text(encoding="utf-8"))

    def save(self, name, value):
        (self.root / name).write_text(json.dumps(value), encoding="utf-8")

    def run_it(self, *arguments):
        out, said = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said):
            try:
                code = draw.main([*arguments, "--root", str(self.root)])
            except SystemExit as refused:
                code = refused.code
        return subprocess.CompletedProcess(arguments, code, out.getvalue(), said.getvalue())

    def one(self):
        return self.run_it(str(self.root / self.story), "-o", str(self.root / "out.svg"))

    def assert_refused(self, words, result=None):
        result = result or self.one()
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
        self.assertIn(words, result.stderr)
        self.assertNotIn("Traceback", result.stderr)


class Drawn(unittest.TestCase):
    """What is committed."""

    @classmethod
    def setUpClass(cls):
        cls.stories = draw.stories(ROOT)

    def test_is_what_the_recordings_give(self):
        result = subprocess.run([sys.executable, str(SCRIPT), "--check"], capture_output=True,
                                text=True, timeout=60)
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_names_only_steps_that_exist(self):
        for story in self.stories:
            with self.subTest(story.name):
                svg, last = story.picture.svg(), len(story.picture.steps) - 1
                places = re.findall(r'data-from="(\d+)" data-to="(\d+)"', svg)
                self.assertGreater(len(places), 10)
                for begin, end in places:
                    self.assertTrue(0 <= int(begin) <= int(end) <= last, (begin, end, last))

    def test_has_each_event_in_its_table(self):
        for story in self.stories:
            page = story.page()
            for panel in story.picture.panels:
                told = [event for event in panel.events() if event.sentence]
                with self.subTest(story.name, panel=panel.run.name):
                    for event in told:
                        row = (f"| {(event.t - panel.zero.t) / 1000:.3f} | {event.thread} | "
                               f"{event.sentence} |")
                        self.assertIn(row, page)
            rows = [line for line in page.split("\n") if re.match(r"\| -?\d", line)]
            self.assertEqual(len(rows), len(story.picture.steps))

    def test_tells_the_order_in_words(self):
        for story in self.stories:
            with self.subTest(story.name):
                told = story.picture.description()
                place = 0
                for step in story.picture.steps:
                    place = told.index(step.event.sentence[:-1], place)

    def test_is_large_enough_to_read(self):
        for story in self.stories:
            with self.subTest(story.name):
                sizes = re.findall(r"font(?:-size)?:([\d.]+)px", story.picture.svg())
                self.assertGreaterEqual(min(map(float, sizes)), 16)

    def test_has_a_question_before_each_turning_point(self):
        for story in self.stories:
            with self.subTest(story.name):
                self.assertTrue(story.questions)
                for question in story.questions:
                    self.assertGreater(question["step"], 0)


class Player(unittest.TestCase):
    """The browser tests are those of the site; this needs no browser."""

    def setUp(self):
        folder = ROOT / "docs/player"
        self.page, self.script, self.look = ((folder / name).read_text(encoding="utf-8")
                                             for name in ("index.html", "player.js", "player.css"))

    def test_has_each_element_that_its_script_asks_for(self):
        wanted = set(re.findall(r'element\("(\w+)"\)', self.script))
        self.assertGreater(len(wanted), 10)
        self.assertLessEqual(wanted, set(re.findall(r'\bid="(\w+)"', self.page)))

    def test_works_from_the_file_system_and_needs_nothing_from_elsewhere(self):
        for text in self.page, self.script, self.look:
            self.assertIsNone(re.search(
                r"https?:(?!//www\.w3\.org/)|fetch\(|type=.module|@import|XMLHttp", text))


class Falsified(Copy):
    def change(self, falsify):
        for path in sorted((self.root / "docs/recordings").glob("*.json")):
            if path.name.endswith("schema.json"):
                continue
            before = path.read_text(encoding="utf-8")
            recording = json.loads(before)
            if not any(path.stem == panel["recording"] for name in NAMES
                       for panel in self.load(f"{draw.STORIES}/{name}.json")["panels"]):
                continue
            falsify(recording)
            path.write_text(json.dumps(recording), encoding="utf-8")
            with self.subTest(path.stem):
                self.assertEqual(self.run_it("--check").returncode, 1)
            path.write_text(before, encoding="utf-8")

    def test_outcome_is_found(self):
        def falsify(recording):
            recording["otherData"]["outcome"] = "drained"
        self.change(falsify)

    def test_order_is_found(self):
        def falsify(recording):
            events = recording["traceEvents"]
            last = max(i for i, event in enumerate(events) if event.get("cat") == "turn")
            first = max(i for i in range(last) if events[i].get("cat") == "turn")
            events[first], events[last] = ({**events[last], "ts": events[first]["ts"]},
                                           {**events[first], "ts": events[last]["ts"]})
        self.change(falsify)

    def test_time_is_found(self):
        def falsify(recording):
            for event in recording["traceEvents"][-3:]:
                event["ts"] += 1000
        self.change(falsify)

    def test_picture_and_table_and_player_are_found(self):
        for name in (f"docs/pictures/{SOME}.svg", f"docs/pictures/{SOME}.md",
                     "docs/player/recordings.js"):
            with self.subTest(name):
                path = self.root / name
                before = path.read_text(encoding="utf-8")
                path.write_text(before.replace("guard", "lock", 1), encoding="utf-8")
                result = self.run_it("--check")
                self.assertEqual(result.returncode, 1)
                self.assertIn(name, result.stderr)
                path.unlink()
                self.assertEqual(self.run_it("--check").returncode, 1)
                path.write_text(before, encoding="utf-8")
        self.assertEqual(self.run_it("--check").returncode, 0)


class Input(Copy):
    def change_story(self, change):
        story = self.load(self.story)
        change(story)
        self.save(self.story, story)

    def change_recording(self, change):
        recording = self.load(self.recording)
        change(recording)
        self.save(self.recording, recording)

    def test_gives_the_same_bytes_each_time(self):
        drawn = []
        for seed in "1", "2":
            out = self.root / f"{seed}.svg"
            subprocess.run([sys.executable, str(SCRIPT), str(ROOT / self.story), "-o", str(out)],
                           check=True, timeout=60, env={**os.environ, "PYTHONHASHSEED": seed})
            drawn.append(out.read_bytes())
        self.assertEqual(drawn[0], drawn[1])
        self.assertEqual(drawn[0], (ROOT / f"docs/pictures/{SOME}.svg").read_bytes())

    def test_a_story_that_is_none(self):
        (self.root / self.story).write_text("{", encoding="utf-8")
        self.assert_refused("is not JSON")
        self.save(self.story, [])
        self.assert_refused("is an object")
        (self.root / self.story).unlink()
        self.assert_refused("No such file")

    def test_a_story_with_a_member_too_many_or_too_few(self):
        before = self.load(self.story)
        for key in before:
            with self.subTest(key):
                self.save(self.story,
                          {name: value for name, value in before.items() if name != key})
                self.assert_refused(f"has no '{key}'")
        self.save(self.story, {**before, "colour": "red"})
        self.assert_refused("'colour'")
        self.save(self.story, {**before, "panels": []})
        self.assert_refused("has no panels")

    def test_an_event_that_is_not_in_the_recording(self):
        self.change_story(lambda story: story["panels"][0]["note"].update(
            at={"what": "rung", "rung": "fly"}))
        self.assert_refused('no event {"what": "rung", "rung": "fly"}')

    def test_a_moment_outside_the_picture(self):
        self.change_story(lambda story: story["panels"][0].update(to=story["panels"][0]["from"]))
        self.assert_refused("is not between 'from' and 'to'")

    def test_words_that_do_not_fit(self):
        def change(story):
            story["names"] = {name: "a name that is much longer than the thing"
                              for name in story["names"]}
        self.change_story(change)
        self.assert_refused("too wide by")

    def test_a_question_without_a_right_answer(self):
        self.change_story(lambda story: story["questions"][0].update(right=9))
        self.assert_refused("'right' is the number of an answer")

    def test_a_recording_that_is_none(self):
        for text, words in (("{", "is not JSON"), ("[]", "is not an"), ("\xff", "is not")):
            (self.root / self.recording).write_text(text, encoding="latin-1")
            self.assert_refused(words)
        (self.root / self.recording).unlink()
        self.assert_refused("record it with --trace")

    def test_a_recording_without_events_or_with_some_dropped(self):
        self.change_recording(lambda recording: recording["otherData"].update(dropped=3))
        self.assert_refused("dropped 3 events")
        self.change_recording(lambda recording: recording["otherData"].update(dropped=0))
        self.change_recording(lambda recording: recording.update(traceEvents=[]))
        self.assert_refused("has no events")

    def test_a_recording_that_makes_no_sense(self):
        before = self.load(self.recording)["traceEvents"]
        turns = [number for number, event in enumerate(before) if event.get("cat") == "turn"]
        begin = next(number for number in turns if before[number]["ph"] == "B")
        for change, words in (
                (lambda events: events.pop(begin), "is not understood"),
                (lambda events: events[begin].pop("args"), "is not understood"),
                (lambda events: events[begin].pop("ts"), "is not understood"),
                (lambda events: events[begin].update(ts="late"), "is not understood"),
                (lambda events: events.append(dict(events[begin], ts=-1)), "is earlier"),
                (lambda events: events.insert(0, 7), "is not understood")):
            events = json.loads(json.dumps(before))
            change(events)
            self.change_recording(
                lambda recording, events=events: recording.update(traceEvents=events))
            self.assert_refused(words)

    def test_what_the_reader_does_not_know_is_ignored(self):
        def change(recording):
            events = recording["traceEvents"]
            middle = len(events) // 2
            events.insert(middle, dict(events[middle], cat="weather", name="rain"))
        self.change_recording(change)
        self.assertEqual(self.one().returncode, 0)

    def test_a_source_line_that_moved_is_followed_and_one_that_is_gone_is_not(self):
        name = "broken-example/mutex_problem/client.cpp"
        text = (self.root / name).read_text(encoding="utf-8")
        (self.root / name).write_text("// a new line\n" + text, encoding="utf-8")
        result = self.run_it("--check")
        self.assertEqual((result.returncode, len(result.stderr.splitlines())), (1, 1))
        self.assertIn("docs/player/recordings.js", result.stderr)
        (self.root / name).write_text(text + text, encoding="utf-8")
        self.assert_refused("is 2 times in", self.run_it("--check"))
        (self.root / name).write_text("", encoding="utf-8")
        self.assert_refused("is 0 times in", self.run_it("--check"))
        (self.root / name).unlink()
        self.assert_refused("No such file", self.run_it("--check"))

    def test_a_picture_that_cannot_be_written(self):
        self.assert_refused("/nowhere", self.run_it(str(self.root / self.story), "-o",
                                                    "/dev/null/nowhere"))

    def test_no_stories_at_all(self):
        shutil.rmtree(self.root / draw.STORIES)
        self.assert_refused("has no stories", self.run_it("--all"))

    def test_wrong_use(self):
        for arguments in ([], ["--all", "--check"], [self.story], ["-o", "x.svg"], ["--paint"],
                          ["--all", "x"]):
            with self.subTest(arguments):
                result = self.run_it(*arguments)
                self.assertEqual(result.returncode, 2)
                self.assertEqual(len(result.stderr.splitlines()), 1)
                self.assertIn("try --help", result.stderr)


if __name__ == "__main__":
    unittest.main()
