#!/usr/bin/env python3
"""What is wrong with a recording is found: each committed one is falsified in many ways."""

import copy
import sys
import unittest

sys.dont_write_bytecode = True
import record  # noqa: E402  (beside this file)


def committed(name):
    return record.load(record.FOLDER / f"{name}.json")


def falsified(name, change):
    recording = copy.deepcopy(committed(name))
    events = recording["traceEvents"]
    recording["traceEvents"] = [event for event in events if change(event) is not False]
    return recording


def first(recording, **members):
    return next(event for event in recording["traceEvents"] if members.items() <= event.items())


class Recordings(unittest.TestCase):
    def assert_found(self, recording, words):
        self.assertIn(words, "\n".join(record.findings(recording)))

    def test_those_that_are_committed_are_good_and_small(self):
        for name in [*record.CURATED, *record.SOURCES]:
            with self.subTest(name):
                self.assertEqual(record.findings(committed(name)), [])
                self.assertLessEqual(len(committed(name)["traceEvents"]), 400)

    def test_none_is_committed_that_nobody_records(self):
        files = {file.stem for file in record.FOLDER.glob("*.json")}

        self.assertEqual(files - {"recording.schema"}, {*record.CURATED, *record.SOURCES})

    def test_an_event_that_is_missing_or_twice_is_found(self):
        """Of the kinds that have a beginning and an end."""
        for name in "mutex-deadlock", "correct-logout", "correct-straggler":
            whole = committed(name)
            for position, event in enumerate(whole["traceEvents"]):
                if event["ph"] not in "BEsf":
                    continue
                with self.subTest(name, position=position):
                    for copies in [], [event, event]:
                        changed = dict(whole)
                        changed["traceEvents"] = (whole["traceEvents"][:position] + copies
                                                  + whole["traceEvents"][position + 1:])
                        self.assertNotEqual(record.findings(changed), [])

    def test_what_is_opened_or_closed_twice_or_by_another_name_is_found(self):
        """Of the kinds that have an id."""
        for name in "mutex-wrong-thread", "correct-relogin", "step-2":
            whole = committed(name)
            for position, event in enumerate(whole["traceEvents"]):
                wrong = {"b": [[event, event]],
                         "e": [[event, event], [{**event, "name": "another"}]]}
                for instead in wrong.get(event["ph"], []):
                    with self.subTest(name, position=position):
                        changed = dict(whole)
                        changed["traceEvents"] = (whole["traceEvents"][:position] + instead
                                                  + whole["traceEvents"][position + 1:])
                        self.assertNotEqual(record.Recording(changed).wrong, [])

    def test_disorder_and_wrong_numbers_are_found(self):
        recording = committed("arc-leak")
        recording["traceEvents"][9]["ts"] = 1e9
        self.assert_found(recording, "is earlier than the one before")

        recording = committed("arc-leak")
        first(recording, ph="B", cat="turn")["args"]["task"] = 7
        self.assert_found(recording, "not numbered by first appearance")

        recording = committed("arc-leak")
        recording["otherData"]["outcome"] = "finished"
        self.assert_found(recording, "the verdict was finished")

        recording = committed("arc-leak")
        recording["otherData"]["dropped"] = 3
        self.assert_found(recording, "3 events are missing")

    def test_a_leak_that_ends_is_none(self):
        def end(event):
            if event["ph"] == "e" and event["name"] == "logout":
                event["ph"], event["cat"], event["name"], event["s"] = "i", "window", "heartbeat", "t"
        self.assert_found(falsified("arc-leak", end), "the logout does not return")
        self.assert_found(falsified("arc-leak", lambda event: event.get("cat") != "store"),
                          "no rows after the logout")

    def test_a_guard_that_is_released_where_it_was_taken_is_no_wrong_thread(self):
        taken = {}

        def stay(event):
            if event.get("cat") == "lock":
                event["tid"] = taken.setdefault(event["id"], event["tid"])
        self.assert_found(falsified("mutex-wrong-thread", stay), "released on another thread 0 times")

    def test_a_deadlock_in_which_somebody_goes_on_is_none(self):
        recording = committed("mutex-deadlock")
        waits = [event for event in recording["traceEvents"] if event.get("cat") == "lock wait"
                 and event["ph"] == "B"]
        runtime = waits[-2]
        recording["traceEvents"].append(
            {**runtime, "ph": "E", "ts": recording["traceEvents"][-1]["ts"]})
        self.assert_found(recording, "waits for no lock")
        self.assert_found(
            falsified("mutex-deadlock", lambda event: event.get("cat") != "freeze"),
            "the window is not frozen")
        self.assert_found(falsified("mutex-deadlock", lambda event: event.get("cat") != "lock"),
                          "the guard's holder is not suspended")

    def test_a_window_that_does_not_wait_is_not_blocked(self):
        self.assert_found(
            falsified("mutex-logout-blocked", lambda event: event.get("cat") != "freeze"),
            "the window is not frozen")
        self.assert_found(
            falsified("mutex-logout-blocked", lambda event: event.get("cat") != "lock"),
            "the receiver has not the guard")

    def test_a_turn_after_the_stop_is_found(self):
        recording = committed("arc-forced-stop")
        last = recording["traceEvents"][-1]
        turn = first(recording, ph="B", cat="turn")
        recording["traceEvents"][-1:-1] = [{**turn, "ts": last["ts"]}]
        self.assert_found(recording, "a turn after the stop")

    def test_a_shutdown_that_does_not_wait_is_found(self):
        for name in "correct-logout", "scope-logout", "correct-relogin":
            with self.subTest(name):
                def never_ends(event):
                    if event.get("args", {}).get("ended"):
                        event["args"]["ended"] = event["name"] != "time-series worker"
                recording = falsified(name, never_ends)
                self.assertNotEqual(record.findings(recording), [])

    def test_what_one_half_shows_the_other_does_not(self):
        for number in {name[7:9] for name in record.SOURCES if name.startswith("lesson")}:
            for side, other in ("broken", "correct"), ("correct", "broken"):
                with self.subTest(number, claims=side):
                    recording = committed(f"lesson-{number}-{other}")
                    recording["otherData"]["experiment"] = side
                    self.assertNotEqual(record.findings(recording), [])

    def test_what_a_step_shows_the_others_do_not(self):
        for one, other in ("step-0", "step-2"), ("step-2", "step-4"), ("step-4", "step-0"):
            for name, claimed in (one, other), (other, one):
                with self.subTest(name, claimed=claimed):
                    recording = committed(name)
                    recording["otherData"]["experiment"] = committed(claimed)["otherData"]["experiment"]
                    self.assertNotEqual(record.findings(recording), [])

    def test_a_rung_too_many_or_too_few_is_found(self):
        def interrupt(event):
            return event["name"] != "interrupt"
        self.assert_found(falsified("correct-straggler", interrupt), "the rungs are not")

        def higher(event):
            if event["name"] == "wait":
                event["name"] = "stop"
        self.assert_found(falsified("correct-logout", higher), "a rung above wait")

    def test_a_second_generation_that_begins_too_early_is_found(self):
        recording = committed("correct-relogin")
        second = first(recording, name="generation 2")
        recording["traceEvents"].remove(second)
        turns = [position for position, event in enumerate(recording["traceEvents"])
                 if event["ph"] == "E" and event["cat"] == "turn"]
        at = turns[0]
        recording["traceEvents"].insert(at, {**second, "ts": recording["traceEvents"][at]["ts"]})
        self.assert_found(recording, "of the first generation in the second")

    def test_what_is_no_recording_is_refused_in_a_line(self):
        with self.assertRaisesRegex(record.Failed, "cannot read"):
            record.load(__file__)
        with self.assertRaisesRegex(record.Failed, "cannot read"):
            record.load("/no/such/file")

    def test_the_schema_finds_what_it_does_not_know(self):
        try:
            import jsonschema
        except ImportError:
            self.skipTest("there is no python3-jsonschema")
        validator = jsonschema.Draft202012Validator(record.load(record.SCHEMA))
        jsonschema.Draft202012Validator.check_schema(validator.schema)
        for name in record.CURATED:
            for change in ({"ph": "X"}, {"cat": "tea"}, {"pid": 2}, {"tid": 0}, {"more": 1}, {"id": "1"},
                           {"name": ""}):
                recording = committed(name)
                recording["traceEvents"][-1].update(change)
                with self.subTest(name, change=change):
                    self.assertFalse(validator.is_valid(recording))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[1:]])
