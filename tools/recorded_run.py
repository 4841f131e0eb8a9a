"""A recorded run (`PROGRAM --experiment NAME --trace FILE`): who ran where, in which order, and
each event as one sentence. The file is Chrome trace-event JSON; what the reader does not know it
ignores.
"""

import hashlib
import json
import math
from dataclasses import dataclass, field

FORMAT = "asio-runtime-sharing recording 1"
NEVER = math.inf  # the time of what was still open when the run ended, or was ended


class Wrong(Exception):
    """What is wrong with an input, in one line."""


@dataclass
class Event:
    number: int  # its place in the file
    t: float  # microseconds since the first event of the file
    what: str  # "turn begins", "lock taken", "rung", ...
    thread: str
    task: str = ""
    number_of_task: int = 0
    facts: dict = field(default_factory=dict)  # what a story can ask for besides
    sentence: str = ""  # empty: noise, such as a lock that is free

    def is_such(self, wanted):
        known = {**self.facts, "what": self.what, "thread": self.thread, "task": self.task}
        return all(known.get(key) == value for key, value in wanted.items())


@dataclass
class Turn:
    """A task has a thread."""
    begin: Event
    end: Event = None
    within: object = None  # the turn that it interrupts on its thread
    wait: object = None  # the blocked wait for a lock in it
    rows: int = 0
    late: bool = False  # rows were stored after the logout had returned

    @property
    def ended(self):
        return bool(self.end and self.end.facts["ended"])


@dataclass
class Span:
    """Something that lasts: a lock held or waited for, a logout, a freeze."""
    name: str
    begin: Event
    end: Event = None
    facts: dict = field(default_factory=dict)


def time_of(event):
    return event.t if event else NEVER


def of_whom(thread):
    return f"the {thread}" if thread in ("window", "ladder", "server") else thread


def a_text(value):
    if not isinstance(value, str) or not value:
        raise TypeError(f"{value!r} is no name")
    return value


def start(words):
    return words[:1].upper() + words[1:]


class Run:
    def __init__(self, path):
        self.name = path.stem
        self.events, self.turns = [], []
        self.holds, self.waits, self.spans, self.freezes = [], [], [], []
        self.threads = {1: "thread 1"}
        self._open_turns, self._open = {}, {}  # by thread; by kind and thread or id
        self._last_turn = {}  # of a task
        self._starts = 0  # generations
        for number, entry in enumerate(self._load(path)):
            self._read(path, number, entry)
        self._find_never_resumed()

    # ---- reading

    def _load(self, path):
        try:
            content = path.read_bytes()
            self.digest = hashlib.sha256(content).hexdigest()
            run = json.loads(content)
        except OSError as problem:
            raise Wrong(f"{path}: {problem.strerror}: record it with --trace") from None
        except (UnicodeDecodeError, json.JSONDecodeError) as problem:
            raise Wrong(f"{path}: is not JSON: {problem}") from None
        other = run.get("otherData") if isinstance(run, dict) else None
        if not isinstance(other, dict) or other.get("format") != FORMAT:
            raise Wrong(f"{path}: is not an '{FORMAT}'")
        if not isinstance(run.get("traceEvents"), list) or not run["traceEvents"]:
            raise Wrong(f"{path}: has no events")
        self.dropped = other.get("dropped", 0)
        try:
            self.program, self.experiment = str(other["program"]), str(other["experiment"])
            self.outcome = str(other["outcome"] or "")  # a lesson or a step tells facts instead
            self.as_documented = other["as_documented"] is True
        except KeyError as problem:
            raise Wrong(f"{path}: otherData has no {problem}") from None
        return run["traceEvents"]

    def _read(self, path, number, entry):
        try:
            phase, category, name = entry["ph"], entry.get("cat", ""), entry["name"]
            arguments, tid = entry.get("args", {}), entry.get("tid", 1)
            if phase == "M":
                if name == "thread_name":
                    self.threads[tid] = a_text(arguments["name"])
                return
            a_text(name)
            t = float(entry["ts"])
            before = self.events[-1].t if self.events else t
            if t < before:
                raise Wrong(f"{path}: event {number} is earlier than the one before it")
            thread = self.threads.setdefault(tid, f"thread {tid}")
            read = getattr(self, "_" + category.replace(" ", "_"), None)
            if read:
                read(Event(number, t, "", thread), phase, name, arguments, entry)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as problem:
            raise Wrong(f"{path}: event {number} is not understood: "
                        f"{type(problem).__name__} {problem}") from None

    def _running_on(self, thread):
        return next(reversed(self._open_turns.get(thread, [])), None)

    def _add(self, event, what, sentence, **facts):
        event.what, event.sentence = what, sentence
        event.facts.update(facts)
        turn = self._running_on(event.thread)
        if turn and not event.task:
            event.task, event.number_of_task = turn.begin.task, turn.begin.number_of_task
        self.events.append(event)
        return event

    def _turn(self, event, phase, name, arguments, _):
        event.task, event.number_of_task = name, arguments["task"]
        if phase == "B":
            last = self._last_turn.get(event.number_of_task)
            moved = bool(last) and last.begin.thread != event.thread
            sentence = (f"{start(name)} goes on, on {event.thread}"
                        + (f": it had left {last.begin.thread}." if moved else ".")
                        if last else f"{start(name)} begins, on {event.thread}.")
            waited_for = last.end.facts["waits_for"] if last and last.end else ""
            before = last.begin.facts if last else {"turn": 0, "waited_for": ""}
            self._add(event, "turn begins", sentence, first=not last, moved=moved,
                      waited_for=waited_for, turn=before["turn"] + 1,
                      came_from=before["waited_for"])
            turn = Turn(event)
            turn.within = self._running_on(event.thread)
            self._open_turns.setdefault(event.thread, []).append(turn)
            self._last_turn[event.number_of_task] = turn
            self.turns.append(turn)
        else:
            turn = self._open_turns[event.thread][-1]
            if turn.begin.number_of_task != event.number_of_task:
                raise ValueError(f"the turn that ends is another one's than task "
                                 f"{turn.begin.number_of_task}")
            ended, waits_for = bool(arguments.get("ended")), str(arguments.get("waits_for") or "")
            waits = f": it waits for {waits_for}" if waits_for else ""
            sentence = f"{start(name)} has ended." if ended else (
                f"{start(name)} is suspended{waits}.")
            turn.end = self._add(event, "turn ends", sentence, ended=ended, waits_for=waits_for,
                                 turn=turn.begin.facts["turn"],
                                 came_from=turn.begin.facts["waited_for"])
            self._open_turns[event.thread].pop()

    def _lock_wait(self, event, phase, name, arguments, _):
        key = "lock wait", event.thread
        if phase == "B":
            holder = next((hold for hold in reversed(self.holds)
                           if hold.facts["lock"] == arguments["lock"] and not hold.end), None)
            where = self._where_is(holder) if holder else ""
            who = self._running_on(event.thread)
            who = f"{start(who.begin.task)} blocks {event.thread}" if who else (
                f"{start(of_whom(event.thread))} blocks")
            by = holder.facts["by"] if holder else ""
            sentence = f"{who}: it waits for the {lock_name(name)}, which {by} holds{where}."
            self._add(event, "lock wait begins", sentence if holder else "", holder=by,
                      holder_suspended=bool(holder) and where.startswith(", suspended"))
            wait = Span(lock_name(name), event)
            self._open[key] = wait
            if holder:
                self.waits.append(wait)
                turn = self._running_on(event.thread)
                if turn:
                    turn.wait = wait
        else:
            wait = self._open.pop(key)
            blocked = bool(wait.begin.sentence)
            wait.end = self._add(event, "lock wait ends", "", blocked=blocked)

    def _where_is(self, hold):
        running = {turn.begin.number_of_task
                   for turns in self._open_turns.values() for turn in turns}
        if hold.facts["task"] in running:
            return ""
        return ", suspended, on no thread" if hold.facts["task"] else ""

    def _lock(self, event, phase, name, arguments, entry):
        key = "lock", entry.get("id", arguments["lock"])
        if phase == "b":
            by = a_text(arguments.get("name") or event.thread)
            by, where = of_whom(by), "" if by == event.thread else f", on {event.thread}"
            self._add(event, "lock taken", f"{start(by)} takes the {name}{where}.")
            hold = Span(name, event, facts={"lock": arguments["lock"],
                                            "task": arguments.get("task", 0), "by": by})
            self._open[key] = hold
            self.holds.append(hold)
        else:
            hold = self._open.pop(key)
            elsewhere = hold.begin.thread != event.thread
            by = hold.facts["by"]
            where = f", on {event.thread}" if hold.facts["task"] else ""
            sentence = f"{start(by)} lets go of the {name}{where}" + (
                f": {hold.begin.thread} had taken it." if elsewhere else ".")
            hold.end = self._add(event, "lock released", sentence, elsewhere=elsewhere)

    def _span(self, event, phase, name, _, entry):
        key = "span", entry["id"]
        if phase == "b":
            self._add(event, f"{name} begins", f"{start(of_whom(event.thread))} begins the {name}.")
            self._open[key] = Span(name, event)
            self.spans.append(self._open[key])
        else:
            span = self._open.pop(key)
            took = duration(event.t - span.begin.t)
            span.end = self._add(event, f"{name} ends", f"The {name} has returned, after {took}.")

    def _freeze(self, event, phase, name, _, entry):
        key = "freeze", event.thread
        if phase == "B":
            self._add(event, "freeze begins", f"{start(of_whom(event.thread))} is frozen.")
            self._open[key] = Span(name, event)
            self.freezes.append(self._open[key])
        else:
            freeze = self._open.pop(key)
            took = duration(event.t - freeze.begin.t)
            freeze.end = self._add(event, "freeze ends",
                                   f"{start(of_whom(event.thread))} is alive again, after {took}.")

    def _rung(self, event, _, name, __, ___):
        says = {"stop accepting": "from here on a spawn is refused",
                "tell": "the token is cancelled", "wait": "until all frames are gone",
                "interrupt": "what deaf tasks are suspended in is cancelled",
                "stop": "the context is stopped",
                "abandon": "who does not return is left behind, with all it may touch"}
        more = f": {says[name]}" if name in says else ""
        self._add(event, "rung", f"The ladder's rung '{name}'{more}.", rung=name)

    def _generation(self, event, _, __, arguments, ___):
        number = arguments["generation"]
        self._add(event, "generation", f"Generation {number} of the runtime begins.",
                  generation=number)

    def _store(self, event, _, __, arguments, ___):
        count = arguments["count"]
        turn = self._running_on(event.thread)
        after = bool(turn) and self._is_logged_out(turn.begin.number_of_task)
        late = ", after the logout has returned" if after else ""
        rows = f"{count} row" + "s" * (count != 1)
        self._add(event, "rows stored", f"{start(self._who(event))} stores {rows}{late}.", count=count,
                  late=after)
        if turn:
            turn.rows += count
            turn.late = turn.late or after

    def _is_logged_out(self, task):
        """Whether the logout of its session has returned: no login has begun since, or it is of
        before."""
        logout = next((span for span in reversed(self.spans) if span.name == "logout"), None)
        if not logout or not logout.end:
            return False
        first = next(turn for turn in self.turns if turn.begin.number_of_task == task)
        login = any(span.name == "login" and span.begin.t > logout.end.t for span in self.spans)
        return not login or first.begin.t < logout.begin.t

    def _window(self, event, _, name, __, ___):
        self._add(event, name, "")

    def _destroyed(self, event, _, name, arguments, ___):
        event.task, event.number_of_task = name, arguments["task"]
        began = event.number_of_task in self._last_turn
        how = "before its end" if began else "without having run"
        self._add(event, "destroyed", f"{start(name)} is destroyed {how}.")

    def _thread(self, event, _, name, __, ___):
        self._add(event, f"thread {name}", f"{start(of_whom(event.thread))} {name}.")

    def _told(self, event, _, __, ___, ____):
        self._add(event, "told", f"{start(self._who(event))} emits the cancellation.")

    def _fact(self, event, _, name, __, ___):
        self._add(event, "fact", f"{start(self._who(event))} prints '{name}'.",
                  fact=name.split(" ")[0])

    def _who(self, event):
        turn = self._running_on(event.thread)
        return turn.begin.task if turn else of_whom(event.thread)

    def _outcome(self, event, _, name, __, ___):
        self._add(event, "outcome", f"The run's outcome: {name}.", outcome=name)

    def _find_never_resumed(self):
        """A suspension is for ever if no turn of its task follows."""
        following = {}
        for turn in reversed(self.turns):
            if turn.end:
                task = turn.begin.number_of_task
                turn.end.facts["resumed"] = task in following or turn.ended
                if not turn.end.facts["resumed"]:
                    turn.end.sentence = turn.end.sentence[:-1] + ", and does not go on."
            following[turn.begin.number_of_task] = turn

    # ---- asking

    def find(self, matcher, whose):
        """The event that the matcher names; Wrong if there is none."""
        if not isinstance(matcher, dict) or not isinstance(matcher.get("nth", 0), int):
            raise Wrong(f"{whose}: {json.dumps(matcher)} names no event: see tools/draw.py --help")
        wanted = {key: value for key, value in matcher.items()
                  if key not in ("after", "before", "nth")}
        found = [event for event in self.events if event.is_such(wanted)]
        if "after" in matcher:
            begin = self.find(matcher["after"], whose).number
            found = [event for event in found if event.number > begin]
        if "before" in matcher:
            end = self.find(matcher["before"], whose).number
            found = [event for event in found if event.number < end]
        try:
            return found[matcher.get("nth", 0)]
        except IndexError:
            raise Wrong(f"{whose}: recording {self.name} has no event "
                        f"{json.dumps(matcher, ensure_ascii=False)}") from None


def lock_name(name):
    return name.removeprefix("waits for the ").removeprefix("waits for ")


def duration(microseconds):
    digits = 1 if microseconds < 99_950 else 0
    return f"{microseconds / 1000:.{digits}f} ms"
