#!/usr/bin/env python3
"""Records runs of the experiments, and checks recordings.

    tools/record.py --curated [NAME...]   record anew what the pictures are drawn from, or these of it
    tools/record.py --fresh FOLDER        record each experiment of each program there, and check it
    tools/record.py --fresh-sources FOLDER  the same of the lessons and steps that have a picture
    tools/record.py --check PATH...       that recordings are well-formed, and show what they are for
    tools/record.py --schema PATH...      that they are what docs/recordings/recording.schema.json says

A PATH is a file, or a folder with recordings.

What a recording must show is in EXPERIMENTS below: each is a sentence that its picture says.

Exit code: 0 as it must be, 1 not, 2 wrong use, 77 skipped: there is no python3-jsonschema.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "recordings"
SCHEMA = FOLDER / "recording.schema.json"
PROGRAMS = ["arc_problem", "mutex_problem", "correct_example", "scope_example"]
SKIPPED = 77

# One event is enough to see how events are handled, and a tenth of a second to see a deadline.
CURATED = {
    "arc-leak": ("arc_problem", "leak"),
    "arc-forced-stop": ("arc_problem", "forced-stop"),
    "mutex-wrong-thread": ("mutex_problem", "wrong-thread"),
    "mutex-deadlock": ("mutex_problem", "deadlock"),
    "mutex-logout-blocked": ("mutex_problem", "logout-blocked"),
    "correct-logout": ("correct_example", "logout"),
    "correct-straggler": ("correct_example", "straggler"),
    "correct-relogin": ("correct_example", "relogin"),
    "scope-logout": ("scope_example", "logout"),
}
# Lessons, each a pair, and steps: compiled once more to record themselves.
LESSONS = ["01_told_not_waited_for", "02_told_between_two_waits", "03_clean_up_that_awaits",
           "10_closing_is_not_draining", "15_waiting_on_your_own_thread", "16_blocking_the_runtime",
           "21_a_server_that_drains"]
STEPS = ["0_owners", "2_wait", "4_deadline"]
SOURCES = {**{f"lesson-{name[:2]}-{side}": f"{side}-example/lessons/{name}.cpp"
              for name in LESSONS for side in ("broken", "correct")},
           **{f"step-{name[0]}": f"correct-example/from_scratch/{name}.cpp" for name in STEPS}}
ONE_EVENT = '{"room": "#coffee:example.org", "sender": "@ana:example.org", "ts": 1, "body": "hello"}\n'
CURATED_DEADLINE_MS = 100


class Failed(Exception):
    """What a reader of the one line needs to know."""


# ---- What is in a recording

class Part:
    """From `begin` to `end`, which are positions among the events; one that is still open ends
    behind the last."""

    def __init__(self, begin, event):
        self.begin, self.first = begin, event
        self.end, self.last = None, None
        self.thread = event["tid"]

    @property
    def is_open(self):
        return self.last is None

    def close(self, end, event):
        self.end, self.last = end, event

    def covers(self, position):
        return self.begin < position and (self.is_open or position < self.end)


class Recording:
    """Well-formed, or `wrong` says what is not, each in a line."""

    def __init__(self, recording):
        self.about = recording["otherData"]
        self.events = recording["traceEvents"][1:]
        self.wrong = []
        self.threads = {}  # number: name
        self.turns, self.lock_waits, self.freezes = [], [], []
        self.locks, self.spans, self.marks = [], [], []
        self.task_names = {}
        self._open = {}  # thread: [Part], innermost last
        self._spans_and_locks = {}
        self._suspended = set()
        self._ended = set()
        last = 0
        for position, event in enumerate(self.events):
            if event["ts"] < last:
                self._say(position, "is earlier than the one before")
            last = event["ts"]
            if event["tid"] not in self.threads:
                if event["tid"] != len(self.threads) + 1:
                    self._say(position, "its thread is not numbered by first appearance")
                self.threads[event["tid"]] = f"thread {event['tid']}"
            self._follows(position, event)
            getattr(self, "_" + {"B": "begins", "E": "ends", "b": "opens", "e": "closes",
                                 "s": "suspends", "f": "resumes", "i": "marks",
                                 "M": "is_named"}[event["ph"]])(position, event)
        outcomes = [event["name"] for _, event in self.marks if event["cat"] == "outcome"]
        verdict = [self.about["outcome"]] if self.about["outcome"] else []  # lessons: facts instead
        if self.about["dropped"] == 0 and outcomes[-1:] != verdict:
            self.wrong.append(f"told {outcomes}, and the verdict was {self.about['outcome']}")

    def _say(self, position, words):
        self.wrong.append(f"event {position + 1}, {json.dumps(self.events[position])}: {words}")

    def _follows(self, position, event):
        """What its thread does before decides what may come."""
        of_thread = self._open.get(event["tid"])
        if not of_thread:
            return
        inside = of_thread[-1].first
        if inside["cat"] == "lock wait" and event["ph"] != "E":
            self._say(position, "is done by a thread that waits for a lock")
        if inside["cat"] == "freeze" and (event["ph"], event.get("cat")) in (
                ("B", "freeze"), ("i", "window")):
            self._say(position, "is done by a window that is frozen")
        if inside["cat"] == "turn" and inside["args"]["task"] in self._suspended and not (
                event["ph"] in "Ef"):
            self._say(position, "is done in a turn of a task that is suspended")
        if event.get("cat") == "thread":
            self._say(position, "ends inside something")

    def _is_named(self, position, event):
        self.threads[event["tid"]] = event["args"]["name"]

    def _task_appears(self, position, task, name):
        if task not in self.task_names and task != len(self.task_names) + 1:
            self._say(position, "its task is not numbered by first appearance")
        if self.task_names.setdefault(task, name) != name:
            self._say(position, f"task {task} was {self.task_names[task]!r} before")

    def _begins(self, position, event):
        part = Part(position, event)
        if event["cat"] == "turn":
            task = event["args"]["task"]
            self._task_appears(position, task, event["name"])
            if any(turn.first["args"]["task"] == task for turn in self.turns if turn.is_open):
                self._say(position, "the task has a turn already")
            if task in self._ended:
                self._say(position, "the task has ended")
            self.turns.append(part)
        {"turn": [], "lock wait": self.lock_waits, "freeze": self.freezes}[event["cat"]].append(part)
        self._open.setdefault(event["tid"], []).append(part)

    def _ends(self, position, event):
        of_thread = self._open.get(event["tid"])
        if not of_thread:
            return self._say(position, "ends what has not begun")
        part = of_thread.pop()
        part.close(position, event)
        first = part.first
        same_task = first.get("args", {}).get("task") == event.get("args", {}).get("task")
        if (first["cat"], first["name"]) != (event["cat"], event["name"]) or not same_task:
            self._say(position, "ends another than the last that has begun")
        if event["cat"] != "turn":
            return
        if event["args"]["ended"] == (event["args"]["task"] in self._suspended):
            self._say(position, "ends either in a suspension or for ever")
        if event["args"]["ended"]:
            self._ended.add(event["args"]["task"])

    def _opens(self, position, event):
        part = Part(position, event)
        key = event["cat"], event["id"]
        if key in self._spans_and_locks:
            self._say(position, "is open already")
        self._spans_and_locks[key] = part
        (self.locks if event["cat"] == "lock" else self.spans).append(part)

    def _closes(self, position, event):
        part = self._spans_and_locks.pop((event["cat"], event["id"]), None)
        if part is None or part.first["name"] != event["name"]:
            return self._say(position, "closes what is not open")
        part.close(position, event)

    def _turn_here(self, position, event):
        of_thread = self._open.get(event["tid"], [])
        if not of_thread or of_thread[-1].first.get("args", {}).get("task") != event["id"]:
            self._say(position, "is not in a turn of its task")

    def _suspends(self, position, event):
        self._turn_here(position, event)
        if event["id"] in self._suspended:
            self._say(position, "suspends what is suspended")
        self._suspended.add(event["id"])

    def _resumes(self, position, event):
        self._turn_here(position, event)
        if event["id"] not in self._suspended:
            self._say(position, "resumes what is not suspended")
        self._suspended.discard(event["id"])

    def _marks(self, position, event):
        if event["cat"] == "destroyed":
            self._task_appears(position, event["args"]["task"], event["name"])
            self._ended.add(event["args"]["task"])
            self._suspended.discard(event["args"]["task"])
        self.marks.append((position, event))

    # ---- What statements ask

    def of_task(self, task):
        return [turn for turn in self.turns if turn.first["args"]["task"] == task]

    def is_suspended(self, task, position):
        turns = self.of_task(task)
        return any(turn.begin < position for turn in turns) and not any(
            turn.covers(position) for turn in turns) and not any(
            not turn.is_open and turn.end < position and turn.last["args"]["ended"]
            for turn in turns)

    def ended_tasks(self):
        return {turn.last["args"]["task"] for turn in self.turns
                if not turn.is_open and turn.last["args"]["ended"]}

    def marked(self, category):
        return [event["name"] for _, event in self.marks if event["cat"] == category]

    def rungs(self, shutdown):
        return [event["name"] for position, event in self.marks
                if event["cat"] == "rung" and shutdown.covers(position)]

    def all_spans(self, name):
        return [span for span in self.spans if span.first["name"] == name]

    def first_span(self, name):
        spans = self.all_spans(name)
        need(spans, f"there is no {name}")
        return spans[0]


# ---- What they must show

def need(condition, words):
    if not condition:
        raise Failed(words)


def leak(recording):
    """The tasks go on after the logout, and store rows, and at the end nobody has ended them."""
    logout = recording.first_span("logout")
    need(not logout.is_open, "the logout does not return")
    need(any(turn.begin > logout.end for turn in recording.turns), "no turn after the logout")
    need(any(event["cat"] == "store" and position > logout.end
             for position, event in recording.marks), "no rows after the logout")
    for name in "time-series worker", "event receiver":
        task = next(task for task, its in recording.task_names.items() if its == name)
        need(task not in recording.ended_tasks(), f"the {name} has ended")
    need(not recording.marked("destroyed"), "a task was destroyed")


def forced_stop(recording):
    """After the stop no task has a turn any more, and some are suspended for ever."""
    stop = recording.first_span("shutdown")
    need(recording.marked("rung") == ["stop"], "the one rung is not stop")
    need(all(turn.begin < stop.end for turn in recording.turns), "a turn after the stop")
    left = set(recording.task_names) - recording.ended_tasks()
    need({recording.task_names[task] for task in left} >= {"time-series worker", "event receiver"},
         "who was suspended has ended")


def wrong_thread(recording):
    """The guard is released on another thread than it was taken."""
    others = [lock for lock in recording.locks
              if not lock.is_open and lock.last["tid"] != lock.thread]
    need(len(others) >= 20, f"released on another thread {len(others)} times")
    need(all(lock.last["args"]["name"] == "event receiver" for lock in others),
         "not by the event receiver")


def holder(recording, lock_number, position):
    """The task that holds the lock then, or None."""
    held = [lock for lock in recording.locks
            if lock.first["args"]["lock"] == lock_number and lock.covers(position)]
    return held[-1].first["args"]["task"] if held else None


def deadlock(recording):
    """At the stuck moment all threads of the runtime, and the window, wait for the guard, and who
    holds it is suspended: it needs one of these threads."""
    end = len(recording.events)
    waiting = {wait.thread: wait.first["args"]["lock"]
               for wait in recording.lock_waits if wait.is_open}
    runtime = [thread for thread, name in recording.threads.items() if name.startswith("runtime")]
    window = [thread for thread, name in recording.threads.items() if name == "window"]
    need(runtime and window, "there is no window or no runtime")
    for thread in runtime + window:
        need(thread in waiting, f"{recording.threads[thread]} waits for no lock")
        task = holder(recording, waiting[thread], end)
        need(task and recording.is_suspended(task, end), "the guard's holder is not suspended")
    need([freeze.thread for freeze in recording.freezes if freeze.is_open] == window,
         "the window is not frozen")
    need(recording.first_span("logout").is_open, "the logout has returned")


def logout_blocked(recording):
    """The window is frozen in its logout, while the guard's holder is suspended."""
    logout = recording.first_span("logout")
    frozen = [freeze for freeze in recording.freezes if logout.covers(freeze.begin)]
    need(frozen, "the window is not frozen in the logout")
    waits = [wait for wait in recording.lock_waits if frozen[0].covers(wait.begin)]
    need(waits and recording.threads[waits[0].thread] == "window", "the window waits for no lock")
    task = holder(recording, waits[0].first["args"]["lock"], waits[0].begin)
    need(task and recording.task_names[task] == "event receiver", "the receiver has not the guard")
    need(recording.is_suspended(task, waits[0].begin), "the guard's holder is not suspended")


def all_end_first(recording, shutdown):
    for task, name in recording.task_names.items():
        turns = recording.of_task(task)
        if turns and turns[0].begin < shutdown.begin:
            need(task in recording.ended_tasks(), f"{name} has not ended")
            need(turns[-1].begin < shutdown.end, f"{name} has a turn after the shutdown")
    need(not recording.marked("destroyed"), "a task was destroyed")


def logout(recording):
    """Every task has ended by itself before the shutdown is over, and that before the logout is."""
    shutdown = recording.first_span("shutdown")
    all_end_first(recording, shutdown)
    need(recording.rungs(shutdown) == ["wait"], "a rung above wait")
    need(shutdown.end < recording.first_span("logout").end, "the logout returns first")


def relogin(recording):
    """Of the first login nothing runs any more when the second begins."""
    first, second = recording.all_spans("shutdown")[:2]
    all_end_first(recording, first)
    all_end_first(recording, second)
    login = recording.all_spans("login")[1]
    need(first.end < login.begin, "the second login begins before the first shutdown has ended")
    begun = [position for position, event in recording.marks if event["cat"] == "generation"]
    if len(begun) > 1:
        before = [turn for turn in recording.turns if turn.begin < begun[1]]
        need(all(not turn.is_open and turn.end < begun[1] for turn in before),
             "a turn of the first generation in the second")


def straggler(recording):
    """The deaf task needs the rung interrupt, and no more."""
    shutdown = recording.first_span("shutdown")
    need(recording.rungs(shutdown) == ["wait", "interrupt"], "the rungs are not wait, interrupt")
    rung = next(position for position, event in recording.marks if event["name"] == "interrupt")
    deaf = next(task for task, name in recording.task_names.items() if name == "deaf")
    need(all(turn.begin > rung for turn in recording.of_task(deaf)[-1:]), "it ended without it")
    all_end_first(recording, shutdown)


def left_behind(recording):
    """The scope leaves the deaf task behind; the runtime's rung stop destroys it."""
    scope, runtime = recording.all_spans("shutdown")[:2]
    need(recording.rungs(scope) == ["wait", "interrupt", "abandon"], "the scope's rungs are others")
    need(recording.rungs(runtime)[-1] == "stop", "the runtime's last rung is not stop")
    need(recording.marked("destroyed") == ["deaf"], "the deaf task was not destroyed")


# Lessons and steps: what is so when a fact is printed.

def printed(recording, fact):
    """Where it is."""
    found = [position for position, event in recording.marks
             if event["cat"] == "fact" and event["name"].split(" ")[0] == fact]
    need(found, f"{fact} is not printed")
    return found[0]


def told(recording):
    found = [position for position, event in recording.marks if event["cat"] == "told"]
    need(found, "nobody is told")
    return found[0]


def task_named(recording, name):
    tasks = [task for task, its in recording.task_names.items() if its == name]
    need(tasks, f"there is no {name}")
    return tasks[0]


def turns_of(recording, name, begin, end):
    return [turn for turn in recording.of_task(task_named(recording, name))
            if begin < turn.begin < end]


def need_ended(recording, name, position):
    """In a turn that it had before: who waits for it may be told before that is over."""
    task = task_named(recording, name)
    last = recording.of_task(task)[-1]
    need(task in recording.ended_tasks() and last.begin < position, f"{name} has not ended")


def need_suspended(recording, name, position):
    need(recording.is_suspended(task_named(recording, name), position), f"{name} is not suspended")


def not_waited_for(recording):
    """Since the session was told it has had no turn when login wants its port."""
    login = printed(recording, "login")
    need_suspended(recording, "serve", login)
    need(not turns_of(recording, "serve", told(recording), login), "it has had a turn")


def waited_for(recording):
    """The session has ended when login wants its port."""
    need_ended(recording, "serve", printed(recording, "login"))


def told_between(recording):
    """The worker has gone on since it was told, and waits again."""
    outcome = printed(recording, "outcome")
    need_suspended(recording, "work", outcome)
    turns = turns_of(recording, "work", told(recording), outcome)
    need([turn.last["args"]["waits_for"] for turn in turns] == ["async_wait"], "not so")


def looks_first(recording):
    """The worker has gone on since it was told, and has ended."""
    outcome = printed(recording, "outcome")
    need_ended(recording, "work", outcome)
    need(turns_of(recording, "work", told(recording), outcome), "it has not gone on")


def waits_after_told(recording):
    turns = turns_of(recording, "work", told(recording), len(recording.events))
    return [turn.last["args"]["waits_for"] for turn in turns]


def no_write(recording):
    """Since the task was told it has waited for no write."""
    need_ended(recording, "work", printed(recording, "rows_stored"))
    need("async_write_some" not in waits_after_told(recording), "a write")


def one_write(recording):
    """Since the task was told it has waited for its write, and has ended."""
    need_ended(recording, "work", printed(recording, "rows_stored"))
    need("async_write_some" in waits_after_told(recording), "no write")


def sender_stuck(recording):
    """The store has ended since the logout, and the producer is suspended in its send."""
    logout = recording.first_span("logout")
    stuck = printed(recording, "senders_stuck")
    need_ended(recording, "store", stuck)
    need_suspended(recording, "produce", stuck)
    need(not turns_of(recording, "produce", logout.end, stuck), "it has had a turn")


def drained(recording):
    """Both have ended, the store after the producer."""
    need_ended(recording, "store", printed(recording, "senders_stuck"))
    need_ended(recording, "produce", recording.of_task(task_named(recording, "store"))[-1].begin)


def own_thread(recording):
    """Who asks keeps its thread, who would answer is suspended, and goes on elsewhere."""
    before_help = printed(recording, "answer_before_help")
    ask = next(iter(turns_of(recording, "ask", 0, before_help)), None)
    need(ask and ask.covers(before_help), "ask has no turn")
    need_suspended(recording, "fetch", before_help)
    later = turns_of(recording, "fetch", before_help, len(recording.events))
    need(later and all(turn.thread != ask.thread for turn in later), "fetch has its thread")


def gives_back(recording):
    """Who asks is suspended, and goes on where it was."""
    need_ended(recording, "ask", printed(recording, "answer_before_help"))
    turns = recording.of_task(task_named(recording, "ask"))
    need(len(turns) > 1 and len({turn.thread for turn in turns}) == 1, "it had one turn or moved")


def keeps_the_thread(recording):
    """While the hash computes, in one turn, the heartbeat has none."""
    turns = recording.of_task(task_named(recording, "hash"))
    need(len(turns) == 1 and not turns[0].is_open, "it is suspended, or does not end")
    need(not turns_of(recording, "heartbeat", turns[0].begin, turns[0].end), "it has one")


def gives_way(recording):
    """Between two turns of the hash the heartbeat has one."""
    turns = recording.of_task(task_named(recording, "hash"))
    need(len(turns) >= 20, "the hash has few turns")
    for turn, following in zip(turns, turns[1:]):
        need(turns_of(recording, "heartbeat", turn.end, following.begin), "it has none")


def cuts_off(recording):
    """The shutdown destroys the sessions."""
    shutdown = recording.first_span("shutdown")
    gone = [event["name"] for position, event in recording.marks
            if event["cat"] == "destroyed" and shutdown.covers(position)]
    need(gone.count("session") == 2, f"it destroys {gone}")


def drains(recording):
    """In the shutdown each session has a turn, and all tasks end by themselves."""
    shutdown = recording.first_span("shutdown")
    all_end_first(recording, shutdown)
    sessions = [task for task, name in recording.task_names.items() if name == "session"]
    need(len(sessions) == 2, "there are not two sessions")
    for task in sessions:
        need(any(shutdown.covers(turn.begin) for turn in recording.of_task(task)), "it has no turn")


def owners(recording):
    """The logout has returned, and five seconds later the tasks are still suspended."""
    need(recording.first_span("logout").end < printed(recording, "sample_stored"), "it waits")
    for name in "sample", "receive":
        need_suspended(recording, name, printed(recording, "tasks_end"))


def waits_without_end(recording):
    """The first logout returns when all have ended, the second one does not."""
    first, second = recording.all_spans("logout")[:2]
    for name in "sample", "receive":
        need_ended(recording, name, first.end)
    need(second.covers(printed(recording, "deaf_task")), "the second one returns")
    need_suspended(recording, "deaf", printed(recording, "deaf_task"))


def deadline(recording):
    """The second logout destroys the deaf task, and returns."""
    second = recording.all_spans("logout")[1]
    gone = [position for position, event in recording.marks
            if (event["cat"], event["name"]) == ("destroyed", "deaf")]
    need(gone and second.covers(gone[0]), "it is not destroyed")
    need(second.end < printed(recording, "deaf_task"), "it does not return")


EXPERIMENTS = {
    ("arc_problem", "leak"): leak,
    ("arc_problem", "fix-detach"): leak,
    ("arc_problem", "forced-stop"): forced_stop,
    ("mutex_problem", "wrong-thread"): wrong_thread,
    ("mutex_problem", "deadlock"): deadlock,
    ("mutex_problem", "logout-blocked"): logout_blocked,
    ("correct_example", "logout"): logout,
    ("scope_example", "logout"): logout,
    ("correct_example", "relogin"): relogin,
    ("scope_example", "relogin"): relogin,
    ("correct_example", "straggler"): straggler,
    ("scope_example", "straggler"): straggler,
    ("scope_example", "left-behind"): left_behind,
    ("lesson 01", "broken"): not_waited_for,
    ("lesson 01", "correct"): waited_for,
    ("lesson 02", "broken"): told_between,
    ("lesson 02", "correct"): looks_first,
    ("lesson 03", "broken"): no_write,
    ("lesson 03", "correct"): one_write,
    ("lesson 10", "broken"): sender_stuck,
    ("lesson 10", "correct"): drained,
    ("lesson 15", "broken"): own_thread,
    ("lesson 15", "correct"): gives_back,
    ("lesson 16", "broken"): keeps_the_thread,
    ("lesson 16", "correct"): gives_way,
    ("lesson 21", "broken"): cuts_off,
    ("lesson 21", "correct"): drains,
    ("from_scratch", "0_owners"): owners,
    ("from_scratch", "2_wait"): waits_without_end,
    ("from_scratch", "4_deadline"): deadline,
}


# Its events repeat themselves, and the first of them are enough.
CUT_SHORT = {("lesson 16", "correct")}


def findings(recording):
    """What is wrong with it, each in a line."""
    read = Recording(recording)
    run = read.about["program"], read.about["experiment"]
    if read.wrong or read.about["dropped"] and run not in CUT_SHORT:
        return read.wrong or [f"{read.about['dropped']} events are missing"]
    statement = EXPERIMENTS.get(run)
    try:
        if statement:
            statement(read)
    except Failed as failed:
        return [f"{statement.__doc__} Not so: {failed}"]
    return []


# ---- The command line

def load(file):
    try:
        return json.loads(Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Failed(f"cannot read {file}: {error}") from None


def files_of(paths):
    files = []
    for path in paths:
        found = sorted(path.glob("*.json")) if path.is_dir() else [path]
        files += [file for file in found if file.name != SCHEMA.name]
    if not files:
        raise Failed(f"there is no recording in {paths[0]}")
    return files


def record(binaries, program, experiment, file, more=()):
    result = subprocess.run([binaries / program, "--experiment", experiment, "--trace", file,
                             *more],
                            capture_output=True, text=True, timeout=300, check=False)
    if result.returncode != 0:
        raise Failed(f"{program} {experiment}: {result.stderr.strip()}")


def record_source(binaries, name, file):
    result = subprocess.run([binaries / "record_run", ROOT / SOURCES[name], file],
                            capture_output=True, text=True, timeout=300, check=False)
    if result.returncode != 0:
        raise Failed(f"{name}: {result.stderr.strip()}")


def check(files):
    wrong = 0
    for file in files:
        for line in findings(load(file)):
            print(f"{file}: {line}")
            wrong += 1
    print(f"recordings: {len(files)}, {wrong} wrong")
    return 1 if wrong else 0


def check_schema(files):
    try:
        import jsonschema  # pylint: disable=import-outside-toplevel
    except ImportError:
        print("skipped: there is no python3-jsonschema (tools/setup.sh)")
        return SKIPPED
    validator = jsonschema.Draft202012Validator(load(SCHEMA))
    wrong = 0
    for file in files:
        for error in validator.iter_errors(load(file)):
            print(f"{file}: {error.json_path}: {error.message[:300]}")
            wrong += 1
    print(f"recordings: {len(files)}, {wrong} not as the schema says")
    return 1 if wrong else 0


def empty(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.json"):
        old.unlink()


def record_programs(binaries, folder, times):
    empty(folder)
    files = []
    for program in PROGRAMS:
        listed = subprocess.run([binaries / program, "--list", "--json"], capture_output=True,
                                text=True, timeout=60, check=True)
        for experiment in json.loads(listed.stdout)["experiments"]:
            for number in range(times):
                name = experiment["name"] + (f"-{number + 1}" if times > 1 else "")
                files.append(folder / f"{program}-{name}.json")
                record(binaries, program, experiment["name"], files[-1])
    return check(files)


def record_sources(binaries, folder, times):
    empty(folder)
    files = []
    for source in SOURCES:
        for number in range(times):
            files.append(folder / (source + (f"-{number + 1}" if times > 1 else "") + ".json"))
            record_source(binaries, source, files[-1])
    return check(files)


def record_curated(binaries, names):
    for name in names:
        if name not in CURATED and name not in SOURCES:
            raise Failed(f"there is no recording {name}")
    with tempfile.TemporaryDirectory() as folder:
        events = Path(folder) / "events.ndjson"
        events.write_text(ONE_EVENT, encoding="utf-8")
        files = []
        for name, (program, experiment) in CURATED.items():
            if names and name not in names:
                continue
            files.append(FOLDER / f"{name}.json")
            record(binaries, program, experiment, files[-1],
                   [f"--events={events}", f"--deadline={CURATED_DEADLINE_MS}"])
        for name in SOURCES:
            if names and name not in names:
                continue
            files.append(FOLDER / f"{name}.json")
            record_source(binaries, name, files[-1])
    return check(files)


class Arguments(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"record: {message}: try --help\n")


def main():
    parser = Arguments(prog="tools/record.py", allow_abbrev=False, description=__doc__,
                       formatter_class=argparse.RawDescriptionHelpFormatter)
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--curated", nargs="*", metavar="NAME")
    mode.add_argument("--fresh", type=Path, metavar="FOLDER")
    mode.add_argument("--fresh-sources", type=Path, metavar="FOLDER")
    mode.add_argument("--check", nargs="+", type=Path, metavar="PATH")
    mode.add_argument("--schema", nargs="+", type=Path, metavar="PATH")
    parser.add_argument("--times", type=int, default=1, metavar="N", help="with --fresh: each N times")
    parser.add_argument("--bin", type=Path, default=ROOT / "build/release/bin",
                        help="folder of the programs (default: build/release/bin)")
    arguments = parser.parse_args()
    try:
        if arguments.curated is not None:
            return record_curated(arguments.bin, arguments.curated)
        if arguments.fresh:
            return record_programs(arguments.bin, arguments.fresh, arguments.times)
        if arguments.fresh_sources:
            return record_sources(arguments.bin, arguments.fresh_sources, arguments.times)
        files = files_of(arguments.check or arguments.schema)
        return check(files) if arguments.check else check_schema(files)
    except (Failed, OSError) as error:
        print(f"record: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
