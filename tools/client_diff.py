#!/usr/bin/env python3
"""What has to change from a broken client to the correct one, and between the two correct ones.

    tools/client_diff.py arc        the hunks of the diff, each with one line of context, header first
    tools/client_diff.py arc 3 4    these of them
    tools/client_diff.py mutex      those from mutex_problem
    tools/client_diff.py scope      those from correct_example to scope_example
    tools/client_diff.py size       the changed lines (+ and -) of each diff: few enough
    tools/client_diff.py page       each hunk of each diff stands on its page

The first diff is that of client.hpp and client.cpp in broken-example/arc_problem and correct-example/client.

Exit code: 0 as it should be, 1 not, 2 wrong use.
"""

import argparse
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CORRECT = "correct-example/client"


@dataclass
class Diff:
    """Between the clients of two programs."""
    programs: tuple
    folders: tuple
    files: list
    most_changed_lines: int
    page: str


DIFFS = {
    "arc": Diff(("arc_problem", "correct_example"), ("broken-example/arc_problem", CORRECT),
                ["client.hpp", "client.cpp"], 98, "docs/10-the-diff.md"),
    "mutex": Diff(("mutex_problem", "correct_example"), ("broken-example/mutex_problem", CORRECT),
                  ["client.hpp", "client.cpp"], 115, "docs/10-the-diff.md"),
    "scope": Diff(("correct_example", "scope_example"), (CORRECT, "correct-example/scope_client"),
                  ["client.hpp", "client.cpp"], 28, "docs/07-restart.md"),
}


def hunks_of(root, name):
    """[hunk], each a list of lines, the first of which is the one with @@."""
    before, after = DIFFS[name].folders
    return [hunk for file in DIFFS[name].files
            for hunk in hunks_between(root, f"{before}/{file}", f"{after}/{file}")]


def hunks_between(root, before, after):
    try:
        result = subprocess.run(["diff", "-U1", before, after], cwd=root, encoding="utf-8",
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    except FileNotFoundError:
        raise SystemExit("client_diff: no program 'diff': install diffutils") from None
    if result.returncode != 1:
        raise SystemExit(f"client_diff: {result.stderr.strip() or f'{before} is {after}'}")
    hunks = []
    for line in result.stdout.splitlines()[2:]:
        if line.startswith("@@"):
            hunks.append([])
        hunks[-1].append(line.rstrip())
    return hunks


def check_size(root):
    good = True
    for name, diff in DIFFS.items():
        changed = sum(line[0:1] in ("+", "-") for hunk in hunks_of(root, name) for line in hunk)
        before, after = diff.programs
        print(f"{before:15} to {after:15}: {changed} changed lines, "
              f"at most {diff.most_changed_lines}")
        good = good and changed <= diff.most_changed_lines
    return good


def body_of(hunk):
    """Without the line numbers: a hunk that both diffs have is shown once."""
    return "\n".join(hunk[1:]).strip("\n")


def hunks_on(page):
    for block in re.findall(r"^```diff\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        for hunk in re.split(r"^(?=@@)", block, flags=re.MULTILINE)[1:]:
            yield body_of(hunk.splitlines())


def check_page(root):
    good = True
    for name, diff in DIFFS.items():
        shown = set(hunks_on((root / diff.page).read_text(encoding="utf-8")))
        for number, hunk in enumerate(hunks_of(root, name), 1):
            if body_of(hunk) not in shown:
                print(f"{diff.page} does not show hunk {number} of {name}:", *hunk, sep="\n")
                good = False
    return good


class Arguments(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"client_diff: {message}: try --help\n")


def main():
    parser = Arguments(prog="tools/client_diff.py", allow_abbrev=False, description=__doc__,
                       formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=[*DIFFS, "size", "page"])
    parser.add_argument("numbers", nargs="*", type=int, metavar="NUMBER", help="of a hunk, from 1")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent,
                        metavar="DIR", help="the repository (default: this script's)")
    arguments = parser.parse_args()
    checks = {"size": check_size, "page": check_page}
    if arguments.what in checks:
        if arguments.numbers:
            parser.error(f"'{arguments.what}' takes no numbers")
        return 0 if checks[arguments.what](arguments.root) else 1
    hunks = hunks_of(arguments.root, arguments.what)
    for number in arguments.numbers or range(1, len(hunks) + 1):
        if not 1 <= number <= len(hunks):
            parser.error(f"there are hunks 1 to {len(hunks)}, and no {number}")
        print("\n".join(hunks[number - 1]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
