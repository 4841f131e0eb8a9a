#!/usr/bin/env python3
"""Guards the library's cost by counting, not by timing: the instructions that fixed work executes
under callgrind, and the allocations of each step.

    tools/perf_guard.py --check     compare the instructions with the recorded ones
    tools/perf_guard.py --record    record both, after a look at whether they are what was wanted

The numbers are in benchmarks/perf_guard.json. They belong to one compiler and one Boost:
with others, --check says so and skips. Allocations are compared exactly, by the tests of
allocation_tests; instructions may grow by the tolerance. Fewer are fine, and then to be recorded.

Exit code: 0 as recorded, 1 more than recorded, 2 wrong use, 77 skipped.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RECORDED = Path("benchmarks/perf_guard.json")
STEPS = ["spawn", "wait", "cancel_on", "cancel", "finish"]
TASKS = 1000  # FixedWork::tasks
TOLERANCE_PERCENT = 3
SKIPPED = 77


class Skip(Exception):
    pass


def read_versions():
    """What the numbers depend on beside the library."""
    text = Path("/usr/include/boost/version.hpp").read_text(encoding="utf-8")
    compiler = subprocess.run(["c++", "-dumpfullversion"], capture_output=True, text=True,
                              check=True).stdout.strip()
    return {"compiler": compiler,
            "boost": re.search(r'#define BOOST_LIB_VERSION "(.*)"', text)[1]}


def count_instructions(program, step):
    """Instructions executed inside the step's function, whatever it calls included."""
    with tempfile.TemporaryDirectory() as folder:
        result = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out",
             "--collect-atstart=no", f"--toggle-collect=bench::FixedWork::{step}()", str(program)],
            capture_output=True, text=True, timeout=100, check=False)
    collected = re.search(r"Collected : (\d+)", result.stderr)
    if result.returncode != 0 or not collected or collected[1] == "0":
        sys.exit(f"perf_guard: {step} could not be counted:\n{result.stderr}")
    return int(collected[1])


def count_all_instructions(bin_folder):
    if not shutil.which("valgrind"):
        raise Skip("valgrind is not installed: tools/setup.sh --bench")
    program = bin_folder / "perf_steps"
    if not program.is_file():
        raise Skip(f"no {program}: build it first, optimised")
    return {step: count_instructions(program, step) for step in STEPS}


def count_all_allocations(bin_folder):
    """What the tests counted, whether they passed or not."""
    program = bin_folder / "allocation_tests"
    if not program.is_file():
        raise Skip(f"no {program}: build it first")
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        subprocess.run([str(program), f"--gtest_output=json:{report}"], capture_output=True,
                       timeout=100, check=False)
        suites = json.loads(report.read_text(encoding="utf-8"))["testsuites"]
    tests = [test for suite in suites for test in suite["testsuite"]]
    return {step: int(test[step]) for step in STEPS for test in tests if step in test}


def compare(step, recorded, counted):
    """True when the step did not become more expensive; prints a line in any case."""
    percent = 100 * (counted / recorded - 1)
    verdict = "more than recorded" if percent > TOLERANCE_PERCENT else (
        "less: record it" if percent < -TOLERANCE_PERCENT else "as recorded")
    print(f"{step:10} {counted / TASKS:10,.1f} instructions a task, recorded "
          f"{recorded / TASKS:10,.1f} ({percent:+.1f} %): {verdict}")
    return percent <= TOLERANCE_PERCENT


def check(bin_folder):
    recorded = json.loads((ROOT / RECORDED).read_text(encoding="utf-8"))
    versions = read_versions()
    for name, version in versions.items():
        if recorded[name] != version:
            raise Skip(f"recorded with {name} {recorded[name]}, and this is {version}")
    counted = count_all_instructions(bin_folder)
    results = [compare(step, recorded["instructions"][step], counted[step]) for step in STEPS]
    return 0 if all(results) else 1


def record(bin_folder):
    numbers = {**read_versions(), "tasks": TASKS,
               "instructions": count_all_instructions(bin_folder),
               "allocations": count_all_allocations(bin_folder)}
    (ROOT / RECORDED).write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
    print(f"{'step':10} {'instructions':>14} {'allocations':>13}   a task")
    for step in STEPS:
        print(f"{step:10} {numbers['instructions'][step] / TASKS:14,.1f} "
              f"{numbers['allocations'][step] / TASKS:13,.2f}")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--check", action="store_true", help="compare with the recorded numbers")
    mode.add_argument("--record", action="store_true", help="record the numbers of now")
    parser.add_argument("--bin", type=Path, default=ROOT / "build/release/bin",
                        help="folder of the programs (default: build/release/bin)")
    arguments = parser.parse_args()
    try:
        return check(arguments.bin) if arguments.check else record(arguments.bin)
    except Skip as reason:
        print(f"skipped: {reason}")
        return SKIPPED


if __name__ == "__main__":
    sys.exit(main())
