#!/usr/bin/env python3
"""Runs clang-tidy 19, and tests what it sees of a lock that is held across a suspension.

    tools/tidy.py sources -p BUILD   the correct side, with every check of .clang-tidy: no finding
    tools/tidy.py marks -p BUILD     mutex_problem is found wrong on the marked lines and nowhere
                                     else, and the correct clients nowhere
    tools/tidy.py matrix -p BUILD    what each check sees is what tools/tests/detector_matrix.cpp says
    tools/tidy.py table              that, as a table for a page; runs nothing

BUILD is a configured build folder; nothing in it needs to be built. In a source, the lines
`// [tidy-guard]` and `// [/tidy-guard]` enclose a guard that misc-coroutine-hostile-raii finds, and
`// [tidy-suspension]` and its end what cppcoreguidelines-no-suspend-with-lock finds.

Exit code: 0 as it should be, 1 not, 2 wrong use, 77 clang-tidy-19 is not installed.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FIXTURE = "tools/tests/detector_matrix.cpp"
CLANG_TIDY = "clang-tidy-19"
NOT_INSTALLED = 77
SUSPENSION = "cppcoreguidelines-no-suspend-with-lock"
GUARD = "misc-coroutine-hostile-raii"
CHECK_OF_TAG = {"tidy-guard": GUARD, "tidy-suspension": SUSPENSION}

# /work/file.cpp:12:3: error: words of the finding [check,-warnings-as-errors]
FINDING = re.compile(r"^(?P<file>/[^:\n]*):(?P<line>\d+):\d+: (?:warning|error): "
                     r".*\[(?P<check>[\w.-]+)(?:,[\w.,-]*)?\]$", re.MULTILINE)


def sources_in(build):
    """The repository's sources that the build compiles, relative to it."""
    commands = build / "compile_commands.json"
    if not commands.is_file():
        raise SystemExit(f"tidy: no {commands}: configure the build first")
    paths = set()
    for entry in json.loads(commands.read_text(encoding="utf-8")):
        path = Path(os.path.normpath(os.path.join(entry["directory"], entry["file"])))
        if path.is_relative_to(ROOT) and not path.is_relative_to(build.resolve()):
            paths.add(str(path.relative_to(ROOT)))
    return sorted(paths)


def run(build, source, *options):
    """(exit code, output) of clang-tidy on one source."""
    result = subprocess.run([CLANG_TIDY, "--quiet", "-p", str(build), *options, source], cwd=ROOT,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, check=False)
    return result.returncode, result.stdout


def run_on_each(build, sources, *options):
    """[(source, exit code, output)], two at a time."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        results = pool.map(lambda source: run(build, source, *options), sources)
        return [(source, *result) for source, result in zip(sources, results)]


def findings_in(output):
    """{(file, line, check)}; a source that clang does not compile ends everything."""
    found = set()
    for match in FINDING.finditer(output):
        if match["check"].startswith("clang-diagnostic"):
            raise SystemExit(f"tidy: clang does not compile this: {match[0]}")
        path = os.path.relpath(match["file"], ROOT)
        found.add((path, int(match["line"]), match["check"]))
    return found


def analyse_sources(build):
    # Without the tests: they copy, dereference and throw what no other code should. And without the
    # lessons, the servers and the client in C, whose subject is what they show.
    left_out = ("/tests/", "/lessons/", "/servers/", "/c_client/")
    sources = [source for source in sources_in(build)
               if source.startswith(("scenario/", "correct-example/"))
               and not any(folder in source for folder in left_out)]
    wrong = 0
    for _, code, output in run_on_each(build, sources):
        if code != 0:
            wrong += 1
            print(output)
    print(f"tidy: {len(sources)} files, {wrong} with findings")
    return bool(sources) and wrong == 0


# ---- the marked lines --------------------------------------------------------------------------

def marked_regions(source):
    """[(first line, last line, check)] of what is marked in a source, counted from 1."""
    regions, begins = [], {}
    for number, line in enumerate((ROOT / source).read_text(encoding="utf-8").split("\n"), 1):
        marker = re.match(r"\s*// \[(/?)([\w-]+)\]$", line)
        if not marker or marker[2] not in CHECK_OF_TAG:
            continue
        if marker[1]:
            regions.append((begins.pop(marker[2]), number, CHECK_OF_TAG[marker[2]]))
        else:
            begins[marker[2]] = number
    return regions


def check_marks(build):
    broken = [source for source in sources_in(build)
              if source.startswith("broken-example/mutex_problem/")]
    sources = [*broken, "correct-example/client/client.cpp",
               "correct-example/scope_client/client.cpp"]
    found = set()
    for _, _, output in run_on_each(build, sources, f"--checks=-*,{SUSPENSION},{GUARD}"):
        found |= findings_in(output)
    expected = {(source, *region) for source in sources for region in marked_regions(source)}

    def is_in(finding, region):
        file, line, check = finding
        return region[0] == file and region[1] < line < region[2] and region[3] == check

    missed = [region for region in expected if not any(is_in(one, region) for one in found)]
    unexpected = [one for one in found if not any(is_in(one, region) for region in expected)]
    for file, first, _, check in sorted(missed):
        print(f"{file}:{first}: {check} finds nothing in what is marked for it")
    for file, line, check in sorted(unexpected):
        print(f"{file}:{line}: {check} finds something where nothing is marked")
    print(f"tidy: {len(sources)} files, {len(expected)} marks, {len(missed)} missed, "
          f"{len(unexpected)} findings without a mark")
    return bool(expected) and not missed and not unexpected


# ---- the matrix --------------------------------------------------------------------------------

# Each check with its default list of guards, then with that of .clang-tidy.
COLUMNS = [(SUSPENSION, False), (SUSPENSION, True), (GUARD, False), (GUARD, True)]


def read_cases():
    """[(first line, name, [expected, one for each column])] of the fixture, counted from 1."""
    cases = []
    for number, line in enumerate((ROOT / FIXTURE).read_text(encoding="utf-8").split("\n"), 1):
        if line.startswith("// case: "):
            name, *expected = [cell.strip() for cell in line[len("// case: "):].split("|")]
            cases.append((number, name, expected))
    return cases


def measure(build, check, with_full_list):
    """The lines on which one run finds something in the fixture."""
    option = (f"--checks=-*,{check}" if with_full_list else
              f"--config={{Checks: '-*,{check}', ExtraArgs: [-Wno-unknown-warning-option]}}")
    return [line for _, line, _ in findings_in(run(build, FIXTURE, option)[1])]


def check_matrix(build):
    cases = read_cases()
    lines_of_runs = [measure(build, *column) for column in COLUMNS]
    ends = [first for first, _, _ in cases[1:]] + [sys.maxsize]
    wrong = 0
    for (first, name, expected), end in zip(cases, ends):
        seen = ["seen" if any(first < line < end for line in lines) else "missed"
                for lines in lines_of_runs]
        if seen != expected:
            wrong += 1
            print(f"{FIXTURE}:{first}: {name}: measured {' | '.join(seen)}")
    print(f"tidy: {len(cases)} cases, {wrong} not as measured")
    return bool(cases) and wrong == 0


def print_table():
    print(f"| held across `co_await` | `{SUSPENSION}` | with our list | `{GUARD}` | with our list |")
    print("|---|" + "---|" * len(COLUMNS))
    for _, name, expected in read_cases():
        print(f"| {name} | {' | '.join(expected)} |")
    return True


# ---- the command line --------------------------------------------------------------------------

class Arguments(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"tidy: {message}: try --help\n")


def main():
    parser = Arguments(prog="tools/tidy.py", allow_abbrev=False, description=__doc__,
                       formatter_class=argparse.RawDescriptionHelpFormatter)
    runs = {"sources": analyse_sources, "marks": check_marks, "matrix": check_matrix}
    parser.add_argument("what", choices=[*runs, "table"])
    parser.add_argument("-p", dest="build", type=Path, default=ROOT / "build/release",
                        metavar="BUILD", help="a configured build folder (default: build/release)")
    arguments = parser.parse_args()
    if arguments.what == "table":
        return 0 if print_table() else 1
    if not shutil.which(CLANG_TIDY):
        print(f"tidy: {CLANG_TIDY} is not installed: run tools/setup.sh")
        return NOT_INSTALLED
    return 0 if runs[arguments.what](arguments.build.resolve()) else 1


if __name__ == "__main__":
    sys.exit(main())
