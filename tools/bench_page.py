"""The page docs/benchmarks.md and its plots, from the results of tools/bench_report.py."""

import statistics
from dataclasses import dataclass

import svg_plot

TITLES = {
    "ours": "this library", "tokio": "tokio", "tokio-unnamed": "tokio, tasks without names",
    "tokio-joinset": "tokio, JoinSet", "asio-signal": "raw Asio: a signal and a strand each",
    "asio-signal-inside": "the same, emitted inside the pool",
    "asio-or": "raw Asio: a strand each, timer `||` timer",
    "asio-stop-callback": "raw Asio: a strand each, `stop_callback`",
    "asio-one-strand": "raw Asio: one shared strand", "asio-post": "`asio::post`, no coroutine",
    "arc": "`arc_problem`", "mutex": "`mutex_problem`", "threads": "two threads that run nothing"}
LEGEND = {"asio-signal": "Asio: signal and strand each", "asio-or": "Asio: timer || timer",
          "asio-stop-callback": "Asio: stop_callback", "asio-one-strand": "Asio: one shared strand"}
ASIO = ["asio-signal", "asio-signal-inside", "asio-or", "asio-stop-callback", "asio-one-strand"]
DEMONSTRATIONS = ["arc_problem", "mutex_problem", "correct_example"]

INTRODUCTION = """\
# Benchmarks

*10 minutes, or the first table*

## Question

The fix costs something: a name, a record and a token for each task. How much, against raw
Boost.Asio, against tokio, and against the two approaches that do not work?

## Run

```sh
tools/setup.sh --bench                                    # once: tokio, mimalloc, valgrind
cmake --workflow --preset release                         # once
cmake --build --preset release --target bench_report      # about 13 minutes; writes this page
tools/bench_report.py --quick                             # about two minutes, and less certain
```
"""

HOW_TO_READ = """\
## How to read it

- Ratios count; absolute times are for orientation. **1.50× (1.42–1.61)** is the median of the
  rounds' ratios with their range. A ratio is made of two values of the same round, in which the
  programs take turns: A B A B. Less is better everywhere.
- Each value comes from a process of its own, with two worker threads. *Outside*: the main thread
  spawns; *inside*: two tasks of the pool do.
- **spawn** ends when the last task is parked, **cancel** when the tracked wait has returned: both
  in nanoseconds a task. **bytes** is the growth of the resident set while spawning: what the system
  sees, the same for every allocator and language.
- **first** and **last** say when a task went on after its wait; the last of every 64th task.
- This library's tasks and tokio's are tracked and named ("task-123456"). tokio's tracker is a
  counter and a notification, as TaskTracker is in later versions of tokio-util than Debian's.
  Raw Asio counts its tasks and names none; it has no wait for cancellation, so its tasks sleep.
- `arc_problem` cannot tell its tasks to end, so only its spawning has numbers. `mutex_problem`
  ends its tasks by destroying them where they stand.
- tokio and Asio are the versions named below; later ones may do better.
"""

LIMITS = """\
## What limits what is not reached

- **The marks** were set by a core without limits, failures, reports, nested scopes and callbacks, beside tokio
  1.53 on another machine. Here, beside Debian's tokio, that core itself took 0.91× to spawn inside, 0.56× and
  0.67× to cancel inside and outside, 0.73× to finish inside (2026-11-26, seven rounds).
- **Bytes.** A parked task is seven blocks: the task's record with its name, its function and its arguments;
  the child token; the frame of its coroutine, and a frame around that (Asio's, where a coroutine is started);
  the waiter; two cancellation handlers of Asio's, one for the coroutine and one for the wait. tokio's future
  is one block with its task, because Rust puts a future into its owner. Tried, and not kept (2026-11-26, nine
  rounds): the waiter and both handlers inside the record. A parked task was four blocks and 897 bytes then, and
  spawning took 0.85 to 0.92 of the time; a task that never waits took up to 1.2 times as long, because its
  record was half as long again, and cancelling took between 0.95 and 1.36.
- **Cancel.** The call is done in microseconds. What takes the time is a million frames that end, each with its
  seven blocks given back and two locks taken (of its thread's line, of its shard of the scope), in the order in
  which they began to wait and no longer in the cache. Inside, one token for all takes longer than a child token
  each, and outside about as long: all waiters count themselves out of the same token. Spawned outside, memory is
  given back on another thread than it was taken on; the allocator decides (below, with mimalloc).
- **Spawn.** The name, the function and its arguments are copied into the record, and the blocks come from
  `malloc`: {spawn} instructions before the coroutine begins (`tools/perf_guard.py`).
- **Raced with a timer.** Cancelling a real timer goes through Asio's timer queue and its lock, for each task;
  raw Asio pays the same. tokio's sleep is an entry in a wheel of its own.
- **The bound step.** No allocation. It sets and clears the slot of the operation and enters and leaves the list
  of its token, for each step. A canceller that stays registered from step to step was tried in a scratch
  program only (1.23×): it keeps the token of the last step alive, and a task that waits for something else is
  woken by it.
- **Fairness.** Of sixteen turns on a thread one looks at the other lines first, so a task from outside waits
  for some thirty turns of eight tasks that yield for ever, where tokio lets a handful pass. Looking more often would
  cost every turn.

The design and what its steps bought: [decision 0008](decisions/0008-second-core.md).
"""


# ---- numbers ----------------------------------------------------------------------------------

@dataclass(frozen=True)
class Ratio:
    median: float
    low: float
    high: float

    def __str__(self):
        return f"{number(self.median)}× ({number(self.low)}–{number(self.high)})"


def number(value):
    """Three digits that matter."""
    if value >= 100:
        return f"{value:,.0f}"
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 0.1 or value == 0 else f"{value:.2g}"


class Results:
    """What was measured, by what one asks for."""

    def __init__(self, data):
        self.data = data
        self.runs = data["runs"]
        self.sizes = data["sizes"]
        self.largest = max(self.sizes)

    def values(self, fact, program, work="park", tasks=None, wait="token", spawn="inside",
               token="child", allocator="glibc"):
        """The rounds' values; none if it was not run or does not have the fact."""
        if program in ASIO + ["arc", "mutex"] and work == "park":
            wait, token = "sleep", "shared"
        key = (f"program={program} work={work} tasks={tasks or self.largest} wait={wait} "
               f"spawn={spawn} token={token} allocator={allocator}")
        return [result[fact] for result in self.runs.get(key, []) if fact in result]

    def median(self, fact, program, **asked):
        values = self.values(fact, program, **asked)
        return statistics.median(values) if values else None

    def ratio(self, fact, program, reference, asked=None, reference_asked=None):
        """Of values of the same round; None without both."""
        asked = asked or {}
        pairs = zip(self.values(fact, program, **asked),
                    self.values(fact, reference, **(reference_asked or asked)))
        ratios = [ours / theirs for ours, theirs in pairs if theirs > 0]
        return Ratio(statistics.median(ratios), min(ratios), max(ratios)) if ratios else None

    def growth(self, fact, program, spawn):
        """Of the largest number of tasks against the smallest that is not noise."""
        smallest = self.sizes[0]
        return self.ratio(fact, program, program, {"spawn": spawn},
                          {"spawn": spawn, "tasks": smallest})

    def google(self, program, name):
        return self.data["google"].get(program, {}).get(name)


def cell(value):
    if value is None:
        return "–"
    return str(value).replace("|", "\\|") if isinstance(value, (Ratio, str)) else number(value)


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    return "\n".join(lines + ["| " + " | ".join(map(cell, row)) + " |" for row in rows]) + "\n"


# ---- the marks --------------------------------------------------------------------------------

def single(value):
    return Ratio(value, value, value) if value is not None else None


def google_ratio(results, program, name, reference):
    ours, theirs = results.google(program, name), results.google(program, reference)
    return ours / theirs if ours and theirs else None


def ratio_marks(results):
    """(work, what is compared, ratio, mark): each a ratio of medians within a round."""
    for spawn, mark in ("inside", 0.4), ("outside", 0.6):
        yield ("A", f"cancel → all ended, spawned {spawn}, against tokio",
               results.ratio("cancel_ns", "ours", "tokio", {"spawn": spawn}), mark)
        yield ("A", "the same, one token for all tasks here, a child token each there",
               results.ratio("cancel_ns", "ours", "tokio", {"spawn": spawn, "token": "shared"},
                             {"spawn": spawn}), mark)
        yield ("A", "the same, against raw Asio with a signal and a strand each",
               results.ratio("cancel_ns", "ours", "asio-signal", {"spawn": spawn}), 0.15)
        yield ("A", "the same, raced with a timer of Asio's, against tokio's sleep",
               results.ratio("cancel_ns", "ours", "tokio", {"spawn": spawn, "wait": "sleep"}), 3.1)
    yield "A", "bytes a task, against tokio", results.ratio("bytes", "ours", "tokio"), 1.7
    yield ("A", "bytes a task, against raw Asio with a strand each",
           results.ratio("bytes", "ours", "asio-signal"), 0.4)
    for spawn, mark in ("inside", 0.7), ("outside", 0.8):
        yield ("A", f"spawn {spawn}, against tokio",
               results.ratio("spawn_ns", "ours", "tokio", {"spawn": spawn}), mark)
    for fact, what in ("spawn_ns", "spawn"), ("cancel_ns", "cancel"):
        for spawn in "inside", "outside":
            yield ("A", f"growth of {what} a task, {spawn}, from {results.sizes[0]:,} to "
                   f"{results.largest:,} tasks", results.growth(fact, "ours", spawn), 1.3)
    finish = {"work": "finish", "wait": "none", "token": "shared"}
    for spawn, mark in ("inside", 0.6), ("outside", 0.9):
        yield ("B", f"spawn and finish {spawn}, against tokio",
               results.ratio("finish_ns", "ours", "tokio", {**finish, "spawn": spawn}), mark)
    yield ("B", "spawn and finish outside, against raw `co_spawn`",
           results.ratio("finish_ns", "ours", "asio-signal", {**finish, "spawn": "outside"}), 0.7)
    for what, name, reference, mark in (
            ("a step bound to the token, against the bare step",
             "step_bound/1", "step_bare/1", 1.25),
            ("the same, against a step raced with a timer by `||`",
             "step_bound/1", "raw_step_raced_with_a_timer", 0.1),
            ("growth of the bound step, from 1 other waiter to 10,000",
             "step_bound/10000", "step_bound/1", 1.1)):
        yield "C", what, single(google_ratio(results, "price_bench", name, reference)), mark
    restart = {"work": "restart", "tasks": 100, "spawn": "outside", "token": "shared"}
    yield "D", "restart, against tokio", results.ratio("restart_us", "ours", "tokio", restart), 1.0
    own = "pointer_that_the_component_keeps/real_time/threads:"
    yield ("E", "use through a `shared_ptr` of one's own, two threads against one",
           single(google_ratio(results, "sharing_bench", own + "2", own + "1")), 1.5)


def absolute_marks(results):
    """(work, what, value, mark, unit)."""
    for token, what in ("shared", "waiters"), ("child", "child tokens"):
        values = [results.median("cancel_call_ms", "ours", spawn=spawn, token=token)
                  for spawn in ("inside", "outside")]
        yield ("A", f"the call of `cancel()` with {results.largest:,} {what}",
               max(values) if None not in values else None, 1, "ms")
    yield "C", "a look at the token", results.google("price_bench", "look_at_our_token"), 1, "ns"
    for program in DEMONSTRATIONS:
        seconds = results.data["demonstrations"].get(program)
        yield "programs", f"`{program}`, all of it", seconds, 3, "s"


def verdict(value, mark):
    if value is None:
        return "not measured"
    return "reached" if value <= mark else "**not reached**"


def marks(results):
    rows = []
    for work, what, ratio, mark in ratio_marks(results):
        shown = ratio if ratio is None or ratio.low != ratio.high else f"{number(ratio.median)}×"
        rows.append((work, what, shown, f"≤ {mark}×",
                     verdict(ratio.median if ratio else None, mark)))
    for work, what, value, mark, unit in absolute_marks(results):
        shown = f"{number(value)} {unit}" if value is not None else None
        rows.append((work, what, shown, f"≤ {mark} {unit}", verdict(value, mark)))
    rows.sort(key=lambda row: row[0])
    return table(["work", "what", "measured", "mark", "verdict"], rows)


# ---- the tables -------------------------------------------------------------------------------

def parked_row(results, name, program, allocator="glibc", **asked):
    reference = {"spawn": asked["spawn"], "allocator": allocator}
    asked = {**asked, "allocator": allocator}
    row = [name]
    for fact in "spawn_ns", "bytes", "cancel_ns":
        row += [results.median(fact, program, **asked),
                results.ratio(fact, program, "tokio", asked, reference)]
    row.append(results.median("cancel_call_ms", program, **asked))
    for fact in "first_resumed_us", "last_resumed_us":
        value = results.median(fact, program, **asked)
        row.append(value / 1000 if value is not None else None)
    return row


PARKED = ["program", "spawn ns", "× tokio", "bytes", "× tokio", "cancel ns", "× tokio",
          "`cancel()` ms", "first ms", "last ms"]


def parked_table(results, spawn):
    rows = []
    for program in "ours", "tokio":
        for token in "child", "shared":
            for wait, words in ("token", "waits"), ("sleep", "sleeps an hour"):
                kind = "a child token each" if token == "child" else "one token"
                rows.append(parked_row(results, f"{TITLES[program]}: {kind}, {words}", program,
                                       spawn=spawn, token=token, wait=wait))
    others = ["tokio-unnamed", "tokio-joinset", *ASIO, "arc", "mutex"]
    rows += [parked_row(results, TITLES[program], program, spawn=spawn) for program in others
             if results.values("spawn_ns", program, spawn=spawn)]
    return table(PARKED, rows)


def mimalloc_table(results):
    rows = []
    for spawn in "inside", "outside":
        rows += [parked_row(results, f"{TITLES[program]}, {spawn}", program, allocator="mimalloc",
                            spawn=spawn)
                 for program in ("ours", "tokio", "asio-signal")
                 if results.values("spawn_ns", program, spawn=spawn, allocator="mimalloc")]
    return table(PARKED, rows)


def growth_table(results):
    rows = []
    for program in "ours", "tokio", "asio-signal":
        for fact, what in ("spawn_ns", "spawn"), ("cancel_ns", "cancel"):
            medians = [results.median(fact, program, tasks=tasks) for tasks in results.sizes]
            rows.append([f"{TITLES[program]}: {what}", *medians,
                         results.growth(fact, program, "inside")])
    return table(["ns a task, inside", *(f"{tasks:,}" for tasks in results.sizes), "growth"], rows)


def finish_table(results):
    rows = []
    for program in "ours", "tokio", "tokio-joinset", "asio-signal", "asio-post", "arc", "mutex":
        row = ["raw Asio: `co_spawn` and a counter" if program == "asio-signal"
               else TITLES[program]]
        for allocator in "glibc", "mimalloc":
            for spawn in "inside", "outside":
                asked = {"work": "finish", "wait": "none", "spawn": spawn, "token": "shared",
                         "allocator": allocator}
                row += [results.median("finish_ns", program, **asked),
                        results.ratio("finish_ns", program, "tokio", asked)]
        rows.append(row)
    return table(["program", "inside ns", "× tokio", "outside ns", "× tokio",
                  "mimalloc, inside ns", "× tokio", "mimalloc, outside ns", "× tokio"], rows)


def price_table(results):
    def row(words, name):
        return words, results.google("price_bench", name)

    def tokio(fact):
        return results.median(fact, "tokio", work="price", tasks=1000, spawn="outside",
                              token="shared")

    return table(["one thread, nobody cancels", "ns"], [
        row("a look at the token: `is_cancelled()`", "look_at_our_token"),
        row("a look at a `std::stop_token`", "look_at_a_stop_token"),
        ("a look at tokio's token", tokio("is_cancelled_ns")),
        row("a task's step: `co_await post`", "step_bare/1"),
        row("the step bound to the token by `cancel_on`", "step_bound/1"),
        row("the same with 10,000 other waiters", "step_bound/10000"),
        row("the step raced with the token by `||`", "step_raced_with_the_token/1"),
        row("the same with 10,000 other waiters", "step_raced_with_the_token/10000"),
        row("raw Asio: the step on a strand", "raw_step_bare"),
        row("raw Asio: the step with a bound slot", "raw_step_with_a_slot"),
        row("raw Asio: the step raced with a timer by `||`", "raw_step_raced_with_a_timer"),
        ("tokio, 64 tasks on two threads: a step", tokio("step_ns")),
        ("tokio, the same: a step raced by `select!`", tokio("step_raced_ns")),
        ("tokio, the same with 10,000 other waiters", tokio("step_raced_10000_others_ns"))])


SHARING = [("pointer_that_the_component_keeps", "a `shared_ptr` of one's own"),
           ("copy_of_the_shared_ptr", "copy of a `shared_ptr`"),
           ("std_atomic_shared_ptr", "`std::atomic<shared_ptr>`"),
           ("boost_atomic_shared_ptr", "`boost::atomic_shared_ptr`"),
           ("runtime_slot_current", "`RuntimeSlot::current()`"),
           ("mutex_and_optional", "`mutex_problem`: lock, look, unlock")]
THREADS = [1, 2, 4, 8]


def sharing_lines(results):
    """(name, values by THREADS) of each way to get at the runtime."""
    for benchmark, name in SHARING:
        yield name, [results.google("sharing_bench", f"{benchmark}/real_time/threads:{threads}")
                     for threads in THREADS]
    yield "Rust: `Arc` clone and drop", [
        results.median(f"arc_{threads}_ns", "tokio", work="sharing", tasks=1000, spawn="outside",
                       token="shared") for threads in THREADS]


def sharing_table(results):
    rows = [(name, *values) for name, values in sharing_lines(results)]
    for benchmark, name in (("spawn_into_a_scope_of_ones_own", "spawn into a scope of one's own"),
                            ("post_to_a_thread_pool", "for comparison: `asio::post` to a pool")):
        rows.append([name] + [
            results.google("sharing_bench",
                           f"{benchmark}/iterations:50000/real_time/threads:{threads}")
            for threads in THREADS])
    return table(["ns for each use, as a thread sees it",
                  *(f"{threads} thread{'s' * (threads > 1)}" for threads in THREADS)], rows)


def restart_table(results):
    asked = {"work": "restart", "tasks": 100, "spawn": "outside", "token": "shared"}
    return table(["program", "µs", "× tokio"], [
        (TITLES[program], results.median("restart_us", program, **asked),
         results.ratio("restart_us", program, "tokio", asked))
        for program in ("ours", "tokio", "asio-signal", "mutex", "threads")])


def fairness_table(results):
    asked = {"work": "fairness", "tasks": 1000, "spawn": "outside", "token": "shared"}
    return table(["program", "turns, median", "99 of 100 at most"], [
        (TITLES[program], results.median("turns_median", program, **asked),
         results.median("turns_99", program, **asked))
        for program in ("ours", "tokio", "asio-signal")])


def logout_table(results):
    asked = {"work": "logout", "spawn": "outside", "token": "shared"}
    return table(["program", "longest freeze ms", "logout ms"], [
        (TITLES[program], results.median("freeze_ms", program, **asked),
         results.median("logout_ms", program, **asked)) for program in ("ours", "mutex")])


# ---- the plots --------------------------------------------------------------------------------

PLOTTED = ["ours", "tokio", "asio-signal", "asio-or", "asio-stop-callback", "asio-one-strand",
           "arc", "mutex"]


def plain(words):
    return words.replace("`", "")


def parked_plot(results, fact, title, unit):
    lines = [svg_plot.Line(LEGEND.get(program, plain(TITLES[program])),
                           [(tasks, value) for tasks in results.sizes
                            if (value := results.median(fact, program, tasks=tasks))])
             for program in PLOTTED]
    return svg_plot.chart(title, "tasks", unit, lines, results.sizes)


def plots(results):
    """{file name: SVG} of what there are numbers for."""
    charts = {
        "spawn.svg": parked_plot(results, "spawn_ns", "Spawn, inside the pool", "ns a task"),
        "memory.svg": parked_plot(results, "bytes", "Memory of a parked task", "bytes a task"),
        "cancel.svg": parked_plot(results, "cancel_ns", "Cancel, until all have ended",
                                  "ns a task")}
    if results.data["google"].get("sharing_bench"):
        lines = [svg_plot.Line(plain(name), [(x, y) for x, y in zip(THREADS, values) if y])
                 for name, values in sharing_lines(results)]
        charts["contention.svg"] = svg_plot.chart(
            "Getting at the shared runtime", "threads", "ns for each use", lines, THREADS)
    return charts


# ---- the page ---------------------------------------------------------------------------------

def write(data, instructions_of_a_spawn):
    """(text of the page, {name of a plot: SVG})."""
    results = Results(data)
    charts = plots(results)

    def picture(name, words):
        return f"![{words}](benchmarks/{name})\n" if name in charts else ""

    largest = f"{results.largest:,}"
    quick = ("> A quick run: smaller, fewer rounds, for a first look. The marks are meant for the "
             "full run.\n" if data["quick"] else "")
    left_out = "".join(f"- left out: {line}\n" for line in data["left_out"])
    sections = [
        INTRODUCTION, quick, "## The marks\n", marks(results),
        LIMITS.format(spawn=f"{instructions_of_a_spawn:,.0f}"), HOW_TO_READ,
        f"## The machine\n\nThe run took {data['minutes']:.1f} minutes.\n",
        table(["", ""], data["machine"]), left_out,
        f"## A. {largest} parked tasks, then cancel\n\nSpawned inside:\n",
        parked_table(results, "inside"), "Spawned outside:\n", parked_table(results, "outside"),
        "× tokio: against named tasks with a child token each that wait, spawned on the same "
        "side.\n",
        picture("spawn.svg", "Spawn time a task against the number of tasks"),
        picture("memory.svg", "Bytes a task against the number of tasks"),
        picture("cancel.svg", "Cancel time a task against the number of tasks"),
        "The plots: a child token each where there are tokens, spawned inside.\n",
        "### Growth\n", growth_table(results),
        "### The same with mimalloc\n", mimalloc_table(results),
        f"## B. Spawn and finish, {largest} trivial tasks\n", finish_table(results),
        "## C. The price of being cancellable\n", price_table(results),
        "## D. Restart\n\nA new runtime with two threads, 100 parked tasks, cancel, wait, join, "
        "destroy.\n", restart_table(results),
        "## Fairness\n\nEight tasks yield for ever on two threads, and a thousand more are spawned "
        "from outside, one after the other: how many turns the eight have before such a one has its "
        "first.\n", fairness_table(results),
        "## E. Getting at the shared runtime\n", sharing_table(results),
        picture("contention.svg", "Time for each use against the number of threads"),
        f"## The window\n\nA session of {largest} tasks logs out on the window's event loop, by "
        "`async_shutdown()`; `mutex_problem` destroys its runtime there.\n", logout_table(results),
        "## Next\n\n[Prove it yourself](08-prove-it-yourself.md)\n"]
    return "\n".join(section for section in sections if section), charts
