#!/usr/bin/env python3
"""Measures the library against its peers and writes docs/benchmarks.md with its plots.

    tools/bench_report.py            everything, several rounds: about 13 minutes
    tools/bench_report.py --quick    smaller and fewer: about two minutes
    tools/bench_report.py --from F   write the page again from the results in F, without a run
    tools/bench_report.py --check    the page and its plots are what docs/benchmarks/results.json gives
    tools/bench_report.py --smoke    run each program once on very little work; write nothing

The programs are those of `cmake --build --preset release --target bench`; the target bench_report
builds them and runs this. One process measures one program once. The programs take turns within a
round (A B A B), ratios are made within a round, and the page shows their median and range.

Exit code: 0 written, 1 a program failed or the page is another one, 2 wrong use, 77 skipped because
nothing is built (--smoke).
"""

import argparse
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path

sys.dont_write_bytecode = True
import bench_page  # noqa: E402  (beside this file)

ROOT = Path(__file__).resolve().parent.parent
SKIPPED = 77
RUN_LIMIT_SECONDS = 300
BYTES_PER_TASK = 8000  # more than any program here needs: a run that could swap is left out
LIBRARY_FOLDERS = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64"]


@dataclass(frozen=True)
class Run:
    """One process to measure: a program of task_bench or tokio_bench, and what it shall do."""
    program: str
    work: str = "park"
    tasks: int = 1000
    wait: str = "token"
    spawn: str = "outside"
    token: str = "shared"
    allocator: str = "glibc"

    @property
    def binary(self):
        return "tokio_bench" if self.program.startswith("tokio") else "task_bench"

    def words(self):
        return [f"{name}={getattr(self, name)}" for name in
                ("program", "work", "tasks", "wait", "spawn", "token", "allocator")]

    def key(self):
        return " ".join(self.words())


# ---- what is run ------------------------------------------------------------------------------

@dataclass(frozen=True)
class Plan:
    rounds_of: dict  # number of tasks: rounds
    minutes: float  # no further round begins after that
    repetitions: int  # of each Google Benchmark
    min_seconds: float  # of one of them


FULL = Plan({10_000: 7, 100_000: 5, 1_000_000: 3}, 13, 5, 0.1)
QUICK = Plan({1_000: 3, 10_000: 3, 100_000: 2}, 1.6, 3, 0.02)

SIDES = ["inside", "outside"]
# Raw Asio waits on a timer in any case, and has no token.
ASIO = ["asio-signal", "asio-signal-inside", "asio-or", "asio-stop-callback", "asio-one-strand"]
BROKEN = ["arc", "mutex"]


def parking(tasks):
    """Work A with the system's allocator."""
    for spawn, token, wait in itertools.product(SIDES, ["child", "shared"], ["token", "sleep"]):
        for program in ["ours", "tokio"]:
            yield Run(program, "park", tasks, wait, spawn, token)
    for spawn in SIDES:
        yield Run("tokio-unnamed", "park", tasks, "token", spawn, "child")
        for program in ASIO + BROKEN:
            yield Run(program, "park", tasks, "sleep", spawn)
    yield Run("tokio-joinset", "park", tasks, "token", "outside", "child")


def with_mimalloc(tasks):
    for spawn in SIDES:
        for program in ["ours", "tokio"]:
            yield Run(program, "park", tasks, "token", spawn, "child", "mimalloc")
            yield Run(program, "finish", tasks, "none", spawn, "shared", "mimalloc")
        yield Run("asio-signal", "park", tasks, "sleep", spawn, "shared", "mimalloc")
        yield Run("asio-signal", "finish", tasks, "none", spawn, "shared", "mimalloc")


def finishing(tasks):
    for spawn in SIDES:
        for program in ["ours", "tokio", "asio-signal", "asio-post", "arc", "mutex"]:
            yield Run(program, "finish", tasks, "none", spawn)
    yield Run("tokio-joinset", "finish", tasks, "none", "outside")


def once_for_all():
    """What needs no number of tasks."""
    for program in ["ours", "tokio", "asio-signal", "mutex", "threads"]:
        yield Run(program, "restart", 100)
    for program in ["ours", "tokio", "asio-signal"]:
        yield Run(program, "fairness", 1000)


def logging_out(tasks):
    yield Run("ours", "logout", tasks)
    yield Run("mutex", "logout", tasks)


def all_runs(plan):
    """(rounds, run) of everything, in the order in which they take turns."""
    largest = max(plan.rounds_of)
    runs = [(rounds, run) for tasks, rounds in plan.rounds_of.items() for run in parking(tasks)]
    at_largest = [*with_mimalloc(largest), *finishing(largest), *logging_out(largest)]
    runs += [(plan.rounds_of[largest], run) for run in at_largest]
    runs += [(max(plan.rounds_of.values()), run) for run in once_for_all()]
    return runs


# ---- running ----------------------------------------------------------------------------------

class Failed(Exception):
    pass


def mimalloc_path():
    found = [path for folder in LIBRARY_FOLDERS
             for path in sorted(Path(folder).glob("libmimalloc.so.*"))]
    return str(found[0].resolve()) if found else None


def available_bytes():
    match = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    return int(match[1]) * 1024


class Bench:
    """The programs of one folder, and what they said."""

    def __init__(self, bin_folder):
        self.bin = bin_folder.resolve()
        self.mimalloc = mimalloc_path()
        self.results = defaultdict(list)  # key of a run -> a value for each round
        self.left_out = set()  # lines
        self.tokio = (self.bin / "tokio_bench").is_file()

    def leave_out(self, why):
        if why not in self.left_out:
            self.left_out.add(why)
            say(f"left out: {why}")

    def can_run(self, run):
        if run.binary == "tokio_bench" and not self.tokio:
            self.leave_out("tokio: cargo, rustc or librust-tokio-util-dev is not installed "
                           "(tools/setup.sh --bench)")
        elif run.allocator == "mimalloc" and not self.mimalloc:
            self.leave_out("mimalloc: libmimalloc-dev is not installed (tools/setup.sh --bench)")
        elif run.tasks * BYTES_PER_TASK > available_bytes():
            self.leave_out(f"{run.program} with {run.tasks:,} tasks: not enough free memory")
        else:
            return True
        return False

    def output_of(self, command, environment=None):
        try:
            child = subprocess.run(command, capture_output=True, text=True, check=False,
                                   timeout=RUN_LIMIT_SECONDS,
                                   env={**os.environ, **(environment or {})})
        except subprocess.TimeoutExpired:
            raise Failed(f"no result after {RUN_LIMIT_SECONDS} s: {' '.join(command)}") from None
        if child.returncode != 0:
            raise Failed(f"exit code {child.returncode}: {' '.join(command)}\n{child.stderr}")
        return child.stdout

    def measure(self, run):
        preload = {"LD_PRELOAD": self.mimalloc} if run.allocator == "mimalloc" else {}
        output = self.output_of([str(self.bin / run.binary), *run.words()], preload)
        known = {field.name for field in fields(run)}  # and in the key
        try:
            self.results[run.key()].append({fact: float(f"{value:.6g}") for fact, value
                                            in json.loads(output).items() if fact not in known})
        except json.JSONDecodeError:
            raise Failed(f"not one line of JSON: {run.key()}\n{output}") from None

    def measure_google(self, name, plan):
        """{benchmark: median nanoseconds, as one thread sees it}; nothing without the program."""
        program = self.bin / name
        if not program.is_file():
            self.leave_out(f"{name}: libbenchmark-dev is not installed (tools/setup.sh)")
            return {}
        output = self.output_of([
            str(program), "--benchmark_format=json",
            f"--benchmark_repetitions={plan.repetitions}",
            f"--benchmark_min_time={plan.min_seconds}",
            "--benchmark_enable_random_interleaving=true",
            "--benchmark_report_aggregates_only=true"])
        medians = {}
        for entry in json.loads(output)["benchmarks"]:
            if entry.get("aggregate_name") == "median":
                # Google Benchmark divides the time of a round by all threads' iterations.
                medians[entry["run_name"]] = entry["real_time"] * entry["threads"]
        return medians


def say(line):
    print(line, file=sys.stderr, flush=True)


def progress(begun, done, total, words):
    line = f"[{time.monotonic() - begun:5.0f} s] {done:4}/{total} {words}"
    if sys.stderr.isatty():
        print(f"\r\033[K{line[:100]}", end="", file=sys.stderr, flush=True)
    elif done % 50 == 0 or done == total:
        say(line)


def run_all(bench, plan):
    begun = time.monotonic()
    runs = [(rounds, run) for rounds, run in all_runs(plan) if bench.can_run(run)]
    total, done, cut = sum(rounds for rounds, _ in runs), 0, 0
    google = {name: bench.measure_google(name, plan) for name in ("price_bench", "sharing_bench")}
    if bench.tokio:
        for work in ["price", "sharing"]:
            bench.measure(Run("tokio", work))
    for number in range(max(rounds for rounds, _ in runs)):
        for rounds, run in runs:
            if number >= rounds:
                continue
            done += 1
            if number > 0 and time.monotonic() - begun > plan.minutes * 60:
                cut += 1
                continue
            if bench.can_run(run):
                progress(begun, done, total, f"round {number + 1}: {run.key()}")
                bench.measure(run)
    progress(begun, total, total, "done\n")
    if cut:
        bench.leave_out(f"{cut} of {total} runs: the time was up, those have a round less")
    return google, time.monotonic() - begun


def time_demonstrations(bench):
    """{program: median of five times in seconds} of the programs that a reader runs first."""
    def time_once(program):
        begun = time.monotonic()
        bench.output_of([str(program)])
        return time.monotonic() - begun

    programs = [bench.bin / name for name in bench_page.DEMONSTRATIONS]
    return {program.name: statistics.median(time_once(program) for _ in range(5))
            for program in programs if program.is_file()}


def first_line(*command):
    try:
        output = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return None
    return output.splitlines()[0].strip() if output else None


def describe_machine(bench):
    """[(what, value)], without what is not there."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    system = re.search(r'PRETTY_NAME="(.*)"', Path("/etc/os-release").read_text())
    boost = re.search(r'BOOST_LIB_VERSION "(.*)"',
                      Path("/usr/include/boost/version.hpp").read_text())
    crates = sorted(path.name for path in Path("/usr/share/cargo/registry").glob("tokio*")
                    if re.fullmatch(r"tokio(-util)?-[\d.]+", path.name))
    load = os.getloadavg()[0]
    rows = [("date", str(date.today())),
            ("processor", f"{cpu[1] if cpu else '?'}, {len(os.sched_getaffinity(0))} cores"),
            ("memory", f"{int(memory[1]) / 1024 / 1024:.0f} GiB"),
            ("system", f"{system[1]}, Linux {os.uname().release}"),
            ("C++", f"{first_line('c++', '--version')}, -O3"),
            ("Boost", boost[1].replace("_", ".")),
            ("Rust", first_line("/usr/bin/rustc", "--version") if bench.tokio else None),
            ("crates", ", ".join(crates) if bench.tokio else None),
            ("allocators", f"{first_line('ldd', '--version').replace('ldd ', '')}"
             + (f"; {Path(bench.mimalloc).name}" if bench.mimalloc else "")),
            ("load when it began", f"{load:.1f}" + (
                " (not idle: repeat it on a quiet machine)" if load > 0.5 else ""))]
    return [(what, value) for what, value in rows if value]


# ---- commands ---------------------------------------------------------------------------------

def smoke(bench):
    """Every program on very little work."""
    if not (bench.bin / "task_bench").is_file():
        print(f"skipped: no task_bench in {bench.bin}: cmake --build --preset release --target bench")
        return SKIPPED
    tiny = Plan({200: 1}, 1, 1, 0.001)
    for _, run in all_runs(tiny):
        if bench.can_run(run):
            bench.measure(run)
    for name in ("price_bench", "sharing_bench"):
        bench.measure_google(name, tiny)
    for key, (result,) in bench.results.items():
        if not result or min(result.values()) < 0:
            raise Failed(f"{key}: {result}")
    print(f"{len(bench.results)} runs, each with one line of JSON")
    return 0


def files_of(data):
    """{path below docs/: text} of all that the results give, and of the results."""
    page, plots = bench_page.write(data, instructions_of_a_spawn())
    lines = [f"{json.dumps(key)}: {json.dumps(data[key])}" for key in data if key != "runs"]
    runs = ",\n".join(f"{json.dumps(key)}: {json.dumps(values)}"
                      for key, values in data["runs"].items())
    results = ",\n".join([*lines, '"runs": {\n' + runs + "}"])
    return {"benchmarks.md": page, "benchmarks/results.json": "{" + results + "}\n",
            **{f"benchmarks/{name}": svg for name, svg in plots.items()}}


def instructions_of_a_spawn():
    guard = json.loads((ROOT / "benchmarks/perf_guard.json").read_text(encoding="utf-8"))
    return guard["instructions"]["spawn"] / guard["tasks"]


def write_pages(root, data):
    (root / "docs/benchmarks").mkdir(parents=True, exist_ok=True)
    files = files_of(data)
    for name, text in files.items():
        (root / "docs" / name).write_text(text, encoding="utf-8")
    say(f"written: docs/benchmarks.md and {len(files) - 1} files in docs/benchmarks/")


def differences(root):
    """Lines: where the page and the plots are not what the results give."""
    results = root / "docs/benchmarks/results.json"
    found = []
    for name, text in files_of(json.loads(results.read_text(encoding="utf-8"))).items():
        lines = text.splitlines()
        there = (root / "docs" / name).read_text(encoding="utf-8").splitlines()
        number = next((n for n, (one, other) in enumerate(zip(lines, there)) if one != other),
                      min(len(lines), len(there)))
        if lines != there:
            line = lines[number] if number < len(lines) else "nothing"
            found.append(f"docs/{name}:{number + 1}: the results give: {line[:200]}")
    return found


def check(root):
    try:
        found = differences(root)
    except (OSError, ValueError, KeyError) as problem:
        raise Failed(f"cannot compare with docs/benchmarks/results.json: {problem!r}; "
                     "measure anew, without --check") from None
    print("\n".join(found) if found else "the page and its plots are what the results give")
    return 1 if found else 0


def measure_everything(bench, plan, quick):
    machine = describe_machine(bench)  # first: the load is that before the run
    google, seconds = run_all(bench, plan)
    return {"machine": machine, "quick": quick, "minutes": seconds / 60,
            "sizes": sorted(plan.rounds_of), "runs": bench.results, "google": google,
            "demonstrations": time_demonstrations(bench), "left_out": sorted(bench.left_out)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--quick", action="store_true", help="smaller and fewer: about two minutes")
    mode.add_argument("--from", type=Path, dest="source", metavar="FILE",
                      help="write the pages from the results of an earlier run")
    mode.add_argument("--check", action="store_true",
                      help="compare the page and its plots with docs/benchmarks/results.json")
    mode.add_argument("--smoke", action="store_true", help="run each program once, write nothing")
    parser.add_argument("--bin", type=Path, default=ROOT / "build/release/bin",
                        help="folder of the programs (default: build/release/bin)")
    parser.add_argument("--root", type=Path, default=ROOT, help="where docs/ is")
    arguments = parser.parse_args()
    try:
        bench = Bench(arguments.bin)
        if arguments.smoke:
            return smoke(bench)
        if arguments.check:
            return check(arguments.root)
        if arguments.source:
            data = json.loads(arguments.source.read_text(encoding="utf-8"))
        elif not (bench.bin / "task_bench").is_file():
            say(f"no task_bench in {bench.bin}: cmake --build --preset release --target bench")
            return 1
        else:
            data = measure_everything(bench, QUICK if arguments.quick else FULL, arguments.quick)
        write_pages(arguments.root, data)
    except Failed as problem:
        say(f"bench_report: {problem}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
