"""Recorded runs as one SVG: one under the other, on one axis. `draw.py` knows the stories; here is
how they look.

A row for each thread, one for the ladder, and between them the row "no thread", with a lane for
each suspended task. The order of the events and the room that the words need decide where something
is; what is left over goes to the long times. Each word has a fixed length, so that a picture is the
same with every font, and words that overlap or do not fit are an error.
"""

import math
from bisect import bisect_left
from dataclasses import dataclass, field
from html import escape

from recorded_run import NEVER, Wrong, duration, of_whom, start, time_of

# Units of the picture: at a width of 640 px, 80 % of a page, each is a pixel and the words are as
# large as those of the page.
WIDTH, LEFT, RIGHT, MARGIN, TEXT = 640, 90, 630, 12, 16
MOST_STEPS = 150
PAD = 9  # beside the words in a bar
BEYOND = WIDTH + 20
TITLE = 1.25  # times the size of the other words
ROW, LANE, HELD_LANE, BAR, BEND, RIBBON, LINE = 42, 27, 42, 24, 7, 32, 22
SOON = 80  # microseconds: turns of a task that follow each other that soon are one bar

# Arial's and Helvetica's widths in 1/1000 of the size; textLength makes other fonts agree.
WIDTHS = {**dict.fromkeys("ijl", 222), **dict.fromkeys(" ,.:;/I!'|ft", 278), "r": 333, "-": 333,
          **dict.fromkeys("ckvxyzs", 500), "w": 722, "m": 833, "M": 833, "W": 944}

LIGHT = {"page": "#ffffff", "ink": "#1f2328", "quiet": "#59636e", "rule": "#d1d9e0",
         "task": "#dce9f9", "edge": "#2a66ad", "other": "#eef0f2", "dim": "#7d8792",
         "guard": "#fff0cf", "hatch": "#e5ab45", "held": "#8a5000",
         "bad": "#b91c26", "badfill": "#fdecec", "good": "#1a7f37"}
DARK = {"page": "#0d1117", "ink": "#e6edf3", "quiet": "#9aa4af", "rule": "#363d46",
        "task": "#16324f", "edge": "#6fb1fc", "other": "#1c2128", "dim": "#7d8792",
        "guard": "#33260c", "hatch": "#8a6420", "held": "#f0b04c",
        "bad": "#ff8079", "badfill": "#3a1518", "good": "#4cc15f"}
PAINT = """
.page{fill:$page} text{fill:$ink} .halo{stroke:$page} .rule,.axis{stroke:$rule} .quiet{fill:$quiet}
.task{fill:$task;stroke:$edge} .other{fill:$other;stroke:$dim} .late{fill:$badfill;stroke:$bad}
.blocked{stroke:$bad} .stripe{stroke:$bad} .tint{fill:$badfill}
.hatch{stroke:$hatch} .amber{fill:$guard}
.end,.lane,.rail{stroke:$edge} .ribbon{stroke:$held} .inner{stroke:$guard}
.held{fill:$held} .bad{fill:$bad} .badline{stroke:$bad} .good{fill:$good} .goodline{stroke:$good}
.beat,.moment{stroke:$quiet} .gone{fill:$quiet} .rung{fill:$page;stroke:$ink} .cross{stroke:$quiet}
"""
SHAPES = f"""
text{{font:{TEXT}px "Helvetica Neue",Helvetica,Arial,"Liberation Sans",Roboto,sans-serif}}
.strong,.bad,.good,.title{{font-weight:bold}} .title{{font-size:{TITLE * TEXT:g}px}}
.halo{{paint-order:stroke;stroke-width:5px;stroke-linejoin:round}}
path,.rung{{fill:none}} .rule,.axis{{stroke-width:1}}
.blocked{{fill:url(#ID-blocked)}} .stripe{{stroke-width:1.2;opacity:.5}} .hatch{{stroke-width:2.6}}
.end{{stroke-width:5}} .lane{{stroke-width:1.8;stroke-dasharray:2 3.5}}
.rail,.beat,.rung{{stroke-width:1.6}} .cross{{stroke-width:2}}
.badline,.goodline{{stroke-width:2.4}}
.moment{{stroke-dasharray:1 3}} .late{{stroke-width:2;stroke-dasharray:6 3}}
.ribbon{{stroke-width:{RIBBON}}} .inner{{stroke-width:{RIBBON - 3}}}
.over{{stroke:url(#ID-guard);stroke-width:{RIBBON - 3}}}
"""


def style(name):
    """The rules of the picture, which touch nothing else where it is part of a page."""
    def scoped(rules, palette):
        for key, colour in palette.items():
            rules = rules.replace(f"${key}}}", f"{colour}}}").replace(f"${key};", f"{colour};")
        scope = f".recorded-{name} "
        rules = " ".join(rules.split()).replace("} ", "}\n")
        return "\n".join(scope + rule.replace(",.", f",{scope}.") for rule in rules.split("\n"))
    return (f"{scoped(SHAPES.replace('ID', name), {})}\n{scoped(PAINT, LIGHT)}\n"
            f"@media (prefers-color-scheme:dark){{\n{scoped(PAINT, DARK)}\n}}")


def text_width(words, bold=False):
    units = sum(WIDTHS.get(letter, 690 if letter.isupper() else 556) for letter in words)
    return units / 1000 * TEXT * (1.07 if bold else 1.0)


def wrapped(words, width):
    """Bold words in as few lines as they need, of much the same length."""
    lines = [""]
    for word in words.split():
        longer = f"{lines[-1]} {word}".strip()
        if text_width(longer, True) > width and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    narrower = width - 20
    if len(lines) > 1 and narrower > 100:
        tried = wrapped(words, narrower)
        return tried if len(tried) == len(lines) else lines
    return lines


def is_lane(row):
    return isinstance(row, tuple)


def n(value):
    return f"{value:.1f}".rstrip("0").rstrip(".")


# ---- the axis ---------------------------------------------------------------------------------

class Axis:
    """From the time since the common moment to x."""

    def __init__(self):
        self.times, self.needs = {0.0}, []

    def need(self, t0, t1, width, why):
        self.times.update(t for t in (t0, t1) if t != NEVER)
        self.needs.append((t0, t1, width, why))

    def solve(self):
        times = sorted(self.times)
        index = {t: i for i, t in enumerate(times)}
        index[NEVER] = len(times) - 1
        arriving = {}
        for t0, t1, width, why in self.needs:
            arriving.setdefault(index[t1], []).append((index[t0], width, why))
        least, cause = [0.0], [None]
        for i in range(1, len(times)):
            best = max([(least[i - 1], i - 1, "")] + [
                (least[j] + width, j, why) for j, width, why in arriving.get(i, []) if j < i])
            least.append(best[0])
            cause.append(best[1:])
        room = RIGHT - LEFT
        if least[-1] > room:
            longest, i = [], len(times) - 1
            while i:
                i, why = cause[i]
                longest += [why] if why else []
            raise Wrong(f"too wide by {math.ceil(least[-1] - room)} units: show less than "
                        f"{' | '.join(reversed(longest))}")
        weights = [math.log1p((b - a) / 40) for a, b in zip(times, times[1:])]
        slack, total, given = room - least[-1], sum(weights) or 1, 0.0
        self.knots = [(times[0], LEFT)]
        for i, weight in enumerate(weights, 1):
            given += slack * weight / total
            self.knots.append((times[i], LEFT + least[i] + given))

    def __call__(self, t):
        at = bisect_left(self.knots, (t, -1))
        if at == 0:
            return self.knots[0][1]
        if at == len(self.knots):
            return self.knots[-1][1]
        (t0, x0), (t1, x1) = self.knots[at - 1:at + 1]
        return x0 + (x1 - x0) * (t - t0) / (t1 - t0)


# ---- the canvas -------------------------------------------------------------------------------

class Canvas:
    """Shapes, and the words above them. Each carries the steps from which and until which it is."""

    def __init__(self):
        self.shapes, self.words, self.boxes = [], [], []
        self.when = ""

    def at(self, first, last=None):
        self.when = f' data-from="{first}" data-to="{first if last is None else last}"'

    def always(self):
        self.when = ""

    def path(self, d, kind):
        self.shapes.append(f'<path class="{kind}" d="{d}"{self.when}/>')

    def line(self, x0, y0, x1, y1, kind):
        self.path(f"M{n(x0)} {n(y0)}L{n(x1)} {n(y1)}", kind)

    def box(self, x0, y0, x1, y1, kind, r=3):
        width = max(x1 - x0, 2)
        self.shapes.append(f'<rect class="{kind}" x="{n(x0)}" y="{n(y0)}" width="{n(width)}" '
                           f'height="{n(y1 - y0)}" rx="{n(min(r, width / 2))}"{self.when}/>')

    def circle(self, x, y, r, kind):
        self.shapes.append(f'<circle class="{kind}" cx="{n(x)}" cy="{n(y)}" r="{r}"{self.when}/>')

    def text(self, x, y, words, kind="halo"):
        """Words that begin at x, with the middle of their line at y."""
        width = text_width(words, any(bold in kind for bold in ("bad", "good", "strong", "title")))
        width *= TITLE if "title" in kind else 1
        for x0, y0, x1, other in self.boxes:
            if y0 - LINE + 5 < y < y0 + LINE - 5 and x0 < x + width and x < x1:
                raise Wrong(f"the words '{words}' and '{other}' overlap")
        if x < 0 or x + width > WIDTH:
            raise Wrong(f"the words '{words}' leave the picture")
        self.boxes.append((x, y, x + width, words))
        self.words.append(f'<text class="{kind}" x="{n(x)}" y="{n(y + 5.5)}" '
                          f'textLength="{n(width)}" lengthAdjust="spacingAndGlyphs"{self.when}>'
                          f"{escape(words)}</text>")

    def centred(self, x, y, words, kind="halo"):
        self.text(x - text_width(words, "strong" in kind) / 2, y, words, kind)

    def on_a_line(self, x, y, words, kind="", plate="page"):
        """Words in the middle of a line, which they interrupt."""
        half = text_width(words, "strong" in kind) / 2 + 4
        if plate:
            self.box(x - half, y - 10, x + half, y + 10, plate)
        self.centred(x, y, words, kind)

    def longest_that_fits(self, x0, x1, y, choice, *how):
        x0, x1 = max(x0, LEFT), min(x1, RIGHT + 8)
        for words in choice:
            if words and text_width(words, "strong" in "".join(how[:1])) <= x1 - x0:
                self.on_a_line((x0 + x1) / 2, y, words, *how)
                return


# ---- one run ----------------------------------------------------------------------------------

@dataclass
class Bar:
    """One turn, or several of one task that follow each other at once."""
    turns: list
    key: bool = False  # with its name, and connected to its lane

    task = property(lambda self: self.turns[0].begin.number_of_task)
    name = property(lambda self: self.turns[0].begin.task)
    thread = property(lambda self: self.turns[0].begin.thread)
    begin = property(lambda self: self.turns[0].begin)
    end = property(lambda self: self.turns[-1].end)
    ended = property(lambda self: self.turns[-1].ended)
    within = property(lambda self: self.turns[0].within)  # another's turn
    rows = property(lambda self: sum(turn.rows for turn in self.turns))
    late = property(lambda self: any(turn.late for turn in self.turns))
    wait = property(lambda self: next((turn.wait for turn in self.turns if turn.wait), None))

    def has(self, event):
        return event and event.thread == self.thread and (
            self.begin.t <= event.t <= time_of(self.end))


@dataclass
class Suspension:
    task: int
    name: str
    before: Bar  # None: it has been suspended since before the picture
    after: Bar  # None: it still is when the picture ends
    waits_for: str
    begin: float
    end: float
    since_before: bool  # the picture
    destroyed: object = None
    holds: list = field(default_factory=list)


class Panel:
    def __init__(self, run, spec, names, whose):
        self.run, self.spec, self.names = run, spec, names
        self.every = spec.get("every", False)  # turn is a bar with its name
        self.whose = f"{whose}, {run.name}"
        self.head = f"{spec['head']}: {run.program}"
        if run.experiment != spec["head"].lower():  # as of a lesson's half
            self.head += f", {run.experiment}"
        if run.dropped and "to" not in spec:
            raise Wrong(f"{self.whose}: dropped {run.dropped} events: record a shorter run, or "
                        "choose 'to'")
        self.from_event = run.find(spec["from"], self.whose) if "from" in spec else run.events[0]
        self.to_event = run.find(spec["to"], self.whose) if "to" in spec else run.events[-1]
        self.zero = run.find(spec.get("zero", {"what": "logout begins"}), self.whose)
        self.note_event = run.find(spec["note"]["at"], self.whose)
        self.start, self.stop = self.from_event.t, self.to_event.t
        if not self.start <= self.zero.t <= self.stop:
            raise Wrong(f"{self.whose}: the common moment is not between 'from' and 'to'")
        if not self.start <= self.note_event.t <= self.stop:
            raise Wrong(f"{self.whose}: the sentence is not between 'from' and 'to'")
        self.shown = [run.find(matcher, self.whose) for matcher in spec.get("show", [])]
        for matcher in spec.get("proof", []):  # what its sentence claims
            run.find(matcher, self.whose)
        self._choose(self.shown + [self.note_event])

    def events(self):
        return [event for event in self.run.events if self.start <= event.t <= self.stop]

    def seen(self, begin, end):
        return time_of(end) >= self.start and begin.t <= self.stop

    # ---- what is shown

    def _choose(self, shown):
        run = self.run
        bars, last = [], {}
        boundaries = [event for hold in run.holds for event in (hold.begin, hold.end) if event]
        for turn in run.turns:
            if turn.within:
                if any(event in shown for event in (turn.begin, turn.end)):
                    bars.append(Bar([turn]))
                continue
            before = last.get(turn.begin.thread)
            follows = before and before.task == turn.begin.number_of_task and before.end and (
                turn.begin.t - before.end.t < (0 if self.every else SOON))
            if follows and not any(before.has(event) for event in boundaries):
                before.turns.append(turn)
            else:
                last[turn.begin.thread] = Bar([turn])
                bars.append(last[turn.begin.thread])
        of_task = {}
        for bar in bars:
            of_task.setdefault(bar.task, []).append(bar)
        self.holds = []
        for hold in run.holds:
            taken = next((bar for bar in bars if bar.has(hold.begin)), None)
            crosses = taken and time_of(hold.end) > time_of(taken.end)
            told = hold.begin.t <= self.note_event.t <= time_of(hold.end)
            if crosses and told and taken.name in self.names:
                hold.bars = [bar for bar in of_task[taken.task] if time_of(bar.end) >= hold.begin.t
                             and bar.begin.t <= time_of(hold.end)]
                self.holds.append(hold)
        holding = [bar for hold in self.holds for bar in hold.bars]
        for bar in bars:
            bar.key = any(bar.has(event) for event in shown) or bar.name in self.names and bool(
                self.every or bar.ended or bar.rows or bar.wait or bar in holding)
        self.bars = [bar for bar in bars if self.seen(bar.begin, bar.end)]
        self.suspensions = [suspension for task, its in of_task.items() if its[0].name in self.names
                            for suspension in self._suspensions(task, its)]
        self.waits = [wait for wait in run.waits if self.seen(wait.begin, wait.end)]
        self.freezes = [freeze for freeze in run.freezes if self.seen(freeze.begin, freeze.end)]
        self.spans = [span for span in run.spans
                      if span.begin.thread != "ladder" and self.seen(span.begin, span.end)]
        self._rows()

    def _suspensions(self, task, bars):
        """Between the bars that have a name; the others do not interrupt the task's line."""
        visible = [bar for bar in bars if bar in self.bars]
        earlier = [bar for bar in bars if time_of(bar.end) < self.start]
        if not visible and (not earlier or earlier[-1].ended):
            return
        destroyed = next((event for event in self.events()
                          if event.what == "destroyed" and event.number_of_task == task), None)
        keys = [bar for bar in visible if bar.key]
        for before, after in zip([None] + keys, keys + [None]):
            is_running = before and (before.ended or not before.end)
            if is_running or not before and not earlier and after is visible[0]:
                continue
            begin = before.end.t if before else self.start if earlier else visible[0].begin.t
            end = after.begin.t if after else NEVER
            between = [bar for bar in bars if bar.end and begin <= bar.end.t <= min(end, self.stop)]
            latest = (between or earlier[-1:] or [None])[-1]
            suspension = Suspension(task, bars[0].name, before, after,
                                    latest.end.facts["waits_for"] if latest else "", begin, end,
                                    since_before=not before and bool(earlier))
            if destroyed and not after:
                suspension.destroyed, suspension.end = destroyed, destroyed.t
            suspension.holds = [hold for hold in self.holds if before in hold.bars
                                and time_of(hold.end) >= end]
            yield suspension

    def _rows(self):
        """The names of the rows from top to bottom; lanes are numbers of tasks."""
        used = {bar.thread for bar in self.bars} | {wait.begin.thread for wait in self.waits}
        used |= {event.thread for event in self.events() if event.what == "thread ends"}
        used |= {span.begin.thread for span in self.spans}
        used |= {event.thread for event in self.events() if event.what == "fact"}
        threads = sorted(used - {"window"})
        lanes, noted = [], self.spec["note"].get("lane")
        for suspension in sorted(self.suspensions, key=lambda one: (
                one.name == noted, not one.holds, one.end, one.task)):
            if suspension.task not in lanes:  # who comes back first is nearest to the threads
                lanes.append(suspension.task)
        self.rungs = [event for event in self.events() if event.what == "rung"]
        window = ["window"] * ("window" in self.run.threads.values())
        self.rows = (window + ["ladder"] * bool(self.rungs) + threads[:1]
                     + [("lane", task) for task in lanes] + threads[1:])
        event, self.note_row = self.note_event, self.rows[0]
        if "lane" in self.spec["note"]:
            name = self.spec["note"]["lane"]
            self.note_row = next((("lane", one.task) for one in self.suspensions
                                  if one.name == name and one.begin <= event.t < one.end), None)
            if not self.note_row:
                raise Wrong(f"{self.whose}: '{name}' is not suspended at the event of the sentence")
        elif event.what == "rung":
            self.note_row = "ladder"
        elif event.thread in self.rows:
            self.note_row = event.thread
        # The sentence stands where no suspension crosses it.
        self.note_above = bool(lanes) and self.note_row == (threads + [""])[0]
        self.note_beside = ("lane", lanes[-1]) if is_lane(self.note_row) else self.note_row

    # ---- room

    def rel(self, t):
        return NEVER if t == NEVER else min(max(t, self.start), self.stop) - self.zero.t

    def label(self, bar):
        if any(bar.has(hold.end) for hold in self.holds):
            return "unlocks"  # the ribbon says who
        words = [self.names.get(bar.name, bar.name)]
        notes = ["locks" for hold in self.holds if bar.has(hold.begin)]
        if bar.rows and bar.name in self.names:
            notes.append(f"{bar.rows} row" + "s" * (bar.rows != 1))
        return ": ".join(words + ([", ".join(notes)] if notes else []))

    def blocked_words(self, wait):
        bar = next((bar for bar in self.bars if bar.wait is wait), None)
        span = next((span for span in self.spans if time_of(span.end) > wait.begin.t), None)
        who = (self.names.get(bar.name, bar.name) if bar else span.name if span
               else wait.begin.thread)
        took = f", {duration(wait.end.t - wait.begin.t)}" if wait.end else ""
        frozen = ": the window is frozen" if wait.begin.thread == "window" else ""
        waits = f"{who} waits for the {wait.name}"
        return [f"{waits}{took}{frozen}", f"{waits}{took}", waits, "blocked"]

    def lane_words(self, suspension):
        name = self.names[suspension.name]
        if suspension.holds:
            return [f"{name} holds the {suspension.holds[0].name}"]
        waits = f"{name} waits for {suspension.waits_for}" if suspension.waits_for else ""
        return [waits, f"{name}: suspended", name]

    def ask(self, axis):
        axis.times.update((self.rel(self.start), self.rel(self.stop)))
        axis.times.update(self.rel(event.t) for event in self.events() if event.what == "heartbeat")
        last = {}  # of a row: the end of what is on it
        for bar in self.bars:
            t0, t1 = self.rel(bar.begin.t), self.rel(time_of(bar.end))
            if bar.within:
                axis.need(t0, t1, 5, "")
                continue
            words = self.label(bar) if bar.key and not bar.wait else ""
            width = text_width(words) + PAD + 4 * bar.ended if words else 5
            unlocked = next((hold.end for hold in self.holds if bar.has(hold.end)), None)
            if unlocked:
                axis.need(t0, self.rel(unlocked.t), width, words)
                width += 10
            if bar.wait:
                axis.need(t0, self.rel(bar.wait.begin.t), 12, "")
            axis.need(t0, t1, width, words)
            if bar.thread in last:
                axis.need(last[bar.thread], t0, 3, "")
            last[bar.thread] = t1
        for event in self.events():
            if event.what == "thread ends" and event.thread in last:
                axis.need(last[event.thread], self.rel(event.t), 9, "")
        for suspension in self.suspensions:
            t0, t1 = self.rel(suspension.begin), self.rel(suspension.end)
            is_shown = suspension.before and suspension.before.end in self.shown
            words = self.lane_words(suspension)[0 if is_shown else -1]
            room = 4 * BEND + (2 * RIBBON if suspension.holds else 8)
            is_told = is_shown or suspension.destroyed or suspension.holds or (
                suspension.end == NEVER and not suspension.since_before)
            if t1 > t0 and (suspension.before or is_told):
                axis.need(t0, t1, room + (text_width(words) if is_told else 0), words)
            if suspension.holds and suspension.before:
                later = [bar.begin.t for bar in self.bars if bar.thread == suspension.before.thread
                         and bar.begin.t > suspension.begin]
                if later and min(later) <= self.stop:
                    axis.need(t0, self.rel(min(later)), RIBBON + 3 * BEND, "")
        for wait in self.waits:
            words = self.blocked_words(wait)[2]
            axis.need(self.rel(wait.begin.t), self.rel(time_of(wait.end)), text_width(words) + PAD,
                      words)
        for rung, following in zip(self.rungs, self.rungs[1:] + [None]):
            words = rung.facts["rung"]
            axis.need(self.rel(rung.t), self.rel(time_of(following)), text_width(words) + 16, words)

    # ---- drawing

    def place(self, top):
        self.top, y, self.y = top, top + 2 * LINE + 6, {}
        for row in self.rows:
            held = is_lane(row) and any(one.holds for one in self.suspensions if one.task == row[1])
            height = HELD_LANE if held else LANE if is_lane(row) else ROW
            here = row == self.note_beside
            y += here and self.note_above and self._place_note(y)
            self.y[row] = y + height / 2
            y += height
            y += here and not self.note_above and self._place_note(y)
        self.bottom = y
        return y

    def _place_note(self, y):
        self.note_lines = wrapped(self.spec["note"]["text"], RIGHT - LEFT)
        self.note_y = y + LINE / 2 + (4 if self.note_above else 0)
        return LINE * len(self.note_lines) + 6

    def row_of(self, event):
        if event.what == "rung":
            return self.y["ladder"]
        return self.y.get(event.thread, self.y[self.rows[0]])

    def x(self, t):
        return BEYOND if t > self.stop else self.axis(self.rel(t))

    def draw(self, canvas, axis, step_of, zero_words):
        self.axis, self.step_of, self.canvas = axis, step_of, canvas
        self._head(zero_words)
        self._rules()
        for hold in self.holds:
            self._ribbon(hold)
        for suspension in self.suspensions:
            self._lane(suspension)
        self.beats = [-99]
        for span in self.spans:  # behind the turns in it
            if span.begin.thread != "window":
                self._span(span)
        for bar in self.bars:
            self._bar(bar)
        self._window()
        for span in self.spans:
            if span.begin.thread == "window":
                self._span(span)
        self._rungs()
        self._note()

    def between(self, begin, end):
        """What is drawn now is there from that event on, and changes until that one."""
        self.canvas.at(self.step_of(self, begin), self.step_of(self, end or self.to_event))

    def _head(self, zero_words):
        canvas, good, y = self.canvas, self.spec["good"], self.top + LINE / 2
        canvas.always()
        if good:
            canvas.path(f"M{MARGIN} {n(y)}l5 6l9 -12", "goodline")
        else:
            canvas.path(f"M{MARGIN + 1} {n(y - 5)}l11 11m0 -11l-11 11", "badline")
        canvas.text(MARGIN + 20, y, self.head, "strong")
        if self.run.outcome:
            canvas.at(self.step_of(self, self.to_event))
            canvas.text(MARGIN + 20 + text_width(self.head, True), y, f": {self.run.outcome}",
                        "strong")
        x, y = self.x(self.zero.t), self.top + LINE * 1.5 + 4
        canvas.at(self.step_of(self, self.zero))
        canvas.line(x, y + LINE / 2, x, self.bottom, "moment")
        half = text_width(zero_words) / 2
        canvas.text(min(max(x - half, LEFT - 40), RIGHT - 2 * half), y, zero_words, "halo quiet")

    def _rules(self):
        canvas = self.canvas
        canvas.always()
        lanes = [self.y[row] for row in self.rows if is_lane(row)]
        if lanes:
            canvas.text(MARGIN, (lanes[0] + lanes[-1]) / 2, "no thread", "halo quiet")
        for row in self.rows:
            if is_lane(row):
                continue
            y = self.y[row]
            canvas.always()
            canvas.text(MARGIN, y, row)
            ends = [event for event in self.events()
                    if event.what == "thread ends" and event.thread == row]
            born = min((event.t for event in self.run.events if event.thread == row), default=0)
            last = ends[-1] if ends else None
            if last and any(bar.thread == row and bar.begin.t > last.t for bar in self.bars):
                last = None
            canvas.line(LEFT, y, self.x(last.t) if last else BEYOND, y, "rule")
            for event in ends:
                self.between(event, event)
                canvas.box(self.x(event.t) - 4, y - 4, self.x(event.t) + 4, y + 4, "gone", 0)

    def _way(self, before, after, lane, begin, end, bend, since_before=False):
        """From a thread's row to a lane and back to a thread's; the bends are where the task is on
        no thread."""
        x0, x1 = LEFT if since_before else max(self.x(begin), LEFT), self.x(end)
        room = (min(x1, RIGHT) - x0) / (2 if before and after else 1)
        bend = max(min(bend, room / 2), 1)
        d = f"M{n(x0)} {n(lane)}"
        if before:
            y = self.y[before.thread]
            r, down = min(bend, abs(lane - y) / 2), 1 if lane > y else -1
            d = (f"M{n(x0)} {n(y)}q{n(r)} 0 {n(r)} {n(down * r)}V{n(lane - down * r)}"
                 f"q0 {n(down * r)} {n(r)} {n(down * r)}")
        if not after:
            return d + f"H{n(x1)}"
        y = self.y[after.thread]
        r, down = min(bend, abs(lane - y) / 2), 1 if y > lane else -1
        return d + (f"H{n(x1 - 2 * r)}q{n(r)} 0 {n(r)} {n(down * r)}V{n(y - down * r)}"
                    f"q0 {n(down * r)} {n(r)} {n(down * r)}")

    def _ribbon(self, hold):
        canvas = self.canvas
        self.between(hold.begin, hold.end)
        ways = []
        for bar in hold.bars:
            if bar not in self.bars:
                continue
            first = max(bar.begin.t, hold.begin.t)
            last = min(time_of(bar.end), time_of(hold.end))
            begin = max(self.x(bar.begin.t), LEFT) if first == hold.begin.t else self.x(first)
            ways.append(f"M{n(begin)} {n(self.y[bar.thread])}H{n(self.x(last) + 0.5)}")
        for suspension in self.suspensions:
            if hold in suspension.holds:
                ways.append(self._way(suspension.before, suspension.after,
                                      self.y[("lane", suspension.task)], suspension.begin,
                                      suspension.end, RIBBON / 2 + 3, suspension.since_before))
        for kind in "ribbon", "inner", "over":
            canvas.path("".join(ways), kind)

    def _lane(self, suspension):
        canvas, y = self.canvas, self.y[("lane", suspension.task)]
        before, after = suspension.before, suspension.after
        if not before and self.x(suspension.end) < LEFT + 3 * BEND:
            return
        begin = before.end if before else self.from_event
        self.between(begin, after.begin if after else suspension.destroyed)
        bend = RIBBON / 2 + 3 if suspension.holds else BEND
        canvas.path(self._way(before, after, y, suspension.begin, suspension.end, bend,
                              suspension.since_before), "lane")
        x0 = LEFT if suspension.since_before else self.x(suspension.begin)
        x1 = self.x(suspension.end)
        canvas.at(self.step_of(self, begin))
        left, right = x0 + (2 * bend + 4 if before else 0), min(x1, RIGHT) - 2 * bend - 4
        if self.note_row == ("lane", suspension.task):  # its mark stays free
            mark = self.x(self.note_event.t)
            left, right = ((left, min(mark - 10, right)) if mark - left > right - mark
                           else (max(mark + 10, left), right))
        how = ("held strong", "amber") if suspension.holds else ("quiet", "page")
        canvas.longest_that_fits(left, right, y,
                                 self.lane_words(suspension), *how)
        if suspension.destroyed:
            self.between(suspension.destroyed, suspension.destroyed)
            canvas.path(f"M{n(x1 - 5)} {n(y - 5)}l10 10m0 -10l-10 10", "cross")

    def _bar(self, bar):
        canvas, y = self.canvas, self.y[bar.thread]
        x0, x1 = self.x(max(bar.begin.t, self.start)), self.x(time_of(bar.end))
        self.between(bar.begin, bar.end)
        kind = "late" if bar.late else "task" if bar.name in self.names else "other"
        half = BAR / 2 - (8 if bar.within else 0 if bar.key else 4)
        canvas.box(x0, y - half, x1, y + half, kind)
        if bar.ended:
            self.between(bar.end, bar.end)
            canvas.line(x1 - 1, y - half - 1, x1 - 1, y + half + 1, "end")
        if bar.wait:
            self._blocked(bar.wait, y)
        elif bar.key and not bar.within:
            canvas.at(self.step_of(self, bar.begin))
            unlocked = next((hold.end for hold in self.holds if bar.has(hold.end)), None)
            right = self.x(unlocked.t) if unlocked else x1
            canvas.longest_that_fits(x0 + 2, min(right, BEYOND) - 2, y, [self.label(bar)], "", None)

    def _blocked(self, wait, y, words=None):
        canvas, x0, x1 = self.canvas, self.x(wait.begin.t), self.x(time_of(wait.end))
        self.between(wait.begin, wait.end)
        canvas.box(x0, y - BAR / 2, x1, y + BAR / 2, "tint")
        canvas.box(x0, y - BAR / 2, x1, y + BAR / 2, "blocked")
        canvas.at(self.step_of(self, wait.begin))
        canvas.longest_that_fits(x0 + 3, x1 - 3, y, words or self.blocked_words(wait),
                                 "", "tint")

    def _window(self):
        canvas = self.canvas
        for event in self.events():
            if event.what == "heartbeat" and self.x(event.t) - self.beats[-1] >= 4:
                self.beats.append(self.x(event.t))
                self.between(event, event)
                y = self.y["window"]
                canvas.line(self.beats[-1], y - 8, self.beats[-1], y + 8, "beat")
        for wait in self.waits_of("window"):
            self._blocked(wait, self.y["window"])
        for freeze in self.freezes:
            if not any(freeze.begin.t <= wait.begin.t <= time_of(freeze.end)
                       for wait in self.waits_of("window")):
                self._blocked(freeze, self.y["window"], ["the window is frozen", "frozen"])

    def waits_of(self, thread):
        return [wait for wait in self.waits if wait.begin.thread == thread]

    def _span(self, span):
        canvas, thread = self.canvas, span.begin.thread
        x0, x1, y = self.x(max(span.begin.t, self.start)), self.x(time_of(span.end)), self.y[thread]
        self.between(span.begin, span.end)
        canvas.line(x0, y - 12, x0, y + 12, "rail")
        if any(span.begin.t <= wait.begin.t <= time_of(span.end) for wait in self.waits_of(thread)):
            return
        canvas.path(f"M{n(x0)} {n(y)}H{n(x1)}m0 -12v24", "rail")
        if not span.end or span.name != "logout":
            return
        inside = f"{span.name}: {duration(span.end.t - span.begin.t)}"
        canvas.at(self.step_of(self, span.end))
        places = [x0] + [x for x in self.beats if x0 < x < x1] + [x1]
        room, begin = max((after - before, before) for before, after in zip(places, places[1:]))
        if text_width(inside) < room - 12:
            canvas.on_a_line(begin + room / 2, y, inside)
        elif x1 + 8 + text_width(f"{span.name} has returned") < min(
                [RIGHT] + [self.x(bar.begin.t) for bar in self.bars
                           if bar.thread == thread and bar.begin.t >= span.end.t]):
            canvas.text(x1 + 8, y, f"{span.name} has returned")

    def _rungs(self):
        for event in self.rungs:
            self.between(event, event)
            self.canvas.circle(self.x(event.t), self.y["ladder"], 4.5, "rung")
            self.canvas.text(self.x(event.t) + 9, self.y["ladder"], event.facts["rung"])

    def _note(self):
        canvas, good, event = self.canvas, self.spec["good"], self.note_event
        x, y = self.x(event.t), self.y[self.note_row]
        self.between(event, event)
        kind = "goodline" if good else "badline"
        in_words = any(bar.key and not bar.wait and bar.has(event) for bar in self.bars)
        if in_words:
            y += -BAR / 2 if self.note_above else BAR / 2
        if event.what in ("rung", "thread ends") and not is_lane(self.note_row):  # and its mark
            y += -13 if self.note_above else 13
        canvas.path(f"M{n(x - 6)} {n(y)}l5 6l8 -12" if good else
                    f"M{n(x - 6)} {n(y - 6)}l12 12m0 -12l-12 12", kind)
        if self.note_above:
            canvas.line(x, y - 8, x, self.note_y + LINE * (len(self.note_lines) - 1) + 10, kind)
        else:
            canvas.line(x, y + 8, x, self.note_y - 9, kind)
        width = max(text_width(line, True) for line in self.note_lines)
        left = min(max(x - width / 2, LEFT - 30), RIGHT - width)
        for number, line in enumerate(self.note_lines):
            canvas.text(left, self.note_y + number * LINE, line,
                        "halo good" if good else "halo bad")

    def kinds(self):
        """What the legend has to explain."""
        yield "task"
        if self.suspensions:
            yield "lane"
        if self.holds:
            yield "over"
        if self.waits or self.freezes:
            yield "blocked"
        if any(bar.ended for bar in self.bars):
            yield "end"
        if any(event.what == "heartbeat" for event in self.events()):
            yield "beat"
        if any(event.what == "thread ends" for event in self.events()):
            yield "gone"
        if any(bar.late for bar in self.bars):
            yield "late"
        if any(suspension.destroyed for suspension in self.suspensions):
            yield "cross"
        if self.rungs:
            yield "rung"
        if any(bar.name not in self.names and not bar.key for bar in self.bars):
            yield "other"


LEGEND = {"task": "a task runs", "lane": "a task is suspended, on no thread",
          "over": "the guard is held", "blocked": "a thread is blocked", "end": "the task ends",
          "late": "after its session's end", "beat": "the window's heartbeat",
          "gone": "a thread ends", "cross": "destroyed", "rung": "a rung is reached",
          "other": "another handler runs"}


def legend(canvas, kinds, y):
    canvas.always()
    x = LEFT
    for kind in kinds:
        words = LEGEND[kind]
        if x + 24 + text_width(words) > RIGHT + 8:
            x, y = LEFT, y + LINE + 2
        if kind in ("task", "late", "blocked", "other"):
            if kind == "blocked":
                canvas.box(x, y - 7, x + 18, y + 7, "tint")
            canvas.box(x, y - 7, x + 18, y + 7, kind)
        elif kind == "over":
            for layer, width in ("ribbon", 16), ("inner", 13), ("over", 13):
                canvas.shapes.append(f'<path class="{layer}" d="M{n(x)} {n(y)}h18" '
                                     f'style="stroke-width:{width}"/>')
        elif kind == "lane":
            canvas.line(x, y, x + 18, y, kind)
        elif kind == "gone":
            canvas.box(x + 5, y - 4, x + 13, y + 4, kind, 0)
        elif kind == "rung":
            canvas.circle(x + 9, y, 4.5, kind)
        elif kind == "cross":
            canvas.path(f"M{n(x + 4)} {n(y - 5)}l10 10m0 -10l-10 10", kind)
        else:
            canvas.line(x + 9, y - 7, x + 9, y + 7, kind)
        canvas.text(x + 24, y, words, "halo quiet")
        x += 24 + text_width(words) + 18
    return y


# ---- the picture ------------------------------------------------------------------------------

@dataclass
class Step:
    """An event that is told: of one panel, at its place on the axis."""
    panel: int
    event: object
    rel: float
    x: float = 0.0
    y: float = 0.0  # the row where it is

    def key(self):
        return self.rel, self.panel, self.event.number


class Picture:
    def __init__(self, name, title, zero_words, panels):
        self.name, self.title, self.zero_words, self.panels = name, title, zero_words, panels
        self.steps = sorted((Step(number, event, event.t - panel.zero.t)
                             for number, panel in enumerate(panels) for event in panel.events()
                             if event.sentence), key=Step.key)
        if len(self.steps) > MOST_STEPS:
            raise Wrong(f"{len(self.steps)} events are more than the {MOST_STEPS} that somebody "
                        "plays: choose 'from' and 'to'")
        self._keys = [step.key() for step in self.steps]
        axis = Axis()
        for panel in panels:
            panel.ask(axis)
        axis.solve()
        canvas = Canvas()
        y, broken = MARGIN, next((panel for panel in panels if not panel.spec["good"]), panels[0])
        canvas.at(self.step_of(broken, broken.note_event))
        for line in wrapped(title, (WIDTH - 2 * MARGIN) / TITLE):
            canvas.text(MARGIN, y + LINE / 2, line, "title")
            y += LINE * TITLE
        y += 8
        canvas.always()
        self.curtain = [y + 2 * LINE + 8]
        for number, panel in enumerate(panels):
            y = panel.place(y)
            if number + 1 < len(panels):
                canvas.line(MARGIN, y + 10, RIGHT, y + 10, "rule")
                y += 22
        for panel in panels:
            panel.draw(canvas, axis, self.step_of, zero_words)
        canvas.always()
        y += 12
        self.curtain.append(y)
        canvas.line(LEFT, y, RIGHT, y, "axis")
        canvas.path(f"M{n(RIGHT - 6)} {n(y - 4)}l6 4l-6 4", "axis")
        y += LINE
        canvas.text(LEFT, y, f"time from {zero_words} on, not to scale: the order is exact",
                    "halo quiet")
        kinds = {kind: True for panel in panels for kind in panel.kinds()}
        y = legend(canvas, kinds, y + LINE + 6)
        self.height = math.ceil(y + LINE / 2 + MARGIN - 4)
        for step in self.steps:
            step.x, step.y = round(axis(step.rel), 1), panels[step.panel].row_of(step.event)
        self.canvas = canvas

    def step_of(self, panel, event):
        """The step that tells the event, or the next one."""
        number = self.panels.index(panel)
        return min(bisect_left(self._keys, (event.t - panel.zero.t, number, event.number)),
                   len(self.steps) - 1)

    @property
    def alternative(self):
        """The picture in a few words: its title, and what its sentences say."""
        notes = " ".join(f"{panel.spec['head']}: {panel.spec['note']['text']}."
                         for panel in self.panels)
        return f"{self.title}. {notes}"

    def description(self):
        heads = [panel.spec["head"].lower() for panel in self.panels]
        told = "; ".join(f"{step.rel / 1000:.2f} ms, {heads[step.panel]}: "
                         f"{step.event.sentence[:-1]}" for step in self.steps)
        return f"{self.alternative} In order: {told}."

    def origin(self):
        return "; ".join(f"{panel.run.name}.json sha256 {panel.run.digest}"
                         for panel in self.panels)

    def svg(self):
        name = self.name
        patterns = (
            f'<pattern id="{name}-guard" width="7" height="7" patternUnits="userSpaceOnUse" '
            'patternTransform="rotate(45)"><path class="hatch" d="M0 0V7"/></pattern>'
            f'<pattern id="{name}-blocked" width="7" height="7" patternUnits="userSpaceOnUse" '
            'patternTransform="rotate(-45)"><path class="stripe" d="M0 0V7"/></pattern>')
        return (f'<svg xmlns="http://www.w3.org/2000/svg" class="recorded-{name}" width="{WIDTH}" '
                f'height="{self.height}" viewBox="0 0 {WIDTH} {self.height}" role="img" '
                f'aria-labelledby="{name}-title {name}-desc">\n'
                f'<title id="{name}-title">{escape(self.title)}</title>\n'
                f'<desc id="{name}-desc">{escape(self.description())}</desc>\n'
                f"<metadata>{escape(self.origin())}</metadata>\n"
                f"<style>\n{style(name)}\n</style>\n<defs>{patterns}</defs>\n"
                f'<rect class="page" width="{WIDTH}" height="{self.height}" rx="8"/>\n<g>\n'
                + "\n".join(self.canvas.shapes) + "\n</g>\n<g>\n" + "\n".join(self.canvas.words)
                + "\n</g>\n</svg>\n")
