#!/usr/bin/env python3
"""No include of the library points upwards: basics < token < scope < runtime < slot.

    layers.py [FOLDER]     FOLDER has include/ and src/; by default the library's
    layers.py --sizes      how many lines each layer has, as a table

Each file belongs to a layer, by name; one that is in none is a finding, too. Exit code: 0 no finding,
1 some, each in a line.
"""
import argparse
import pathlib
import re
import sys

LAYERS = {
    "basics": "error shutdown_report runtime_observer format guarded detail/adaptive_mutex detail/memory"
              " detail/serial_queue detail/context_gate detail/user_code detail/adapted_executor"
              " suspension_checker",
    "token": "detail/wake_queue detail/handler_waiter cancellation_token cancel_on"
             " run_until_cancelled callback_queue",
    "scope": "detail/async_climb detail/task_function detail/turns detail/task_record detail/scope_state detail/observed_turn detail/task task_scope ladder entry"
             " executor_tree scope_limits",
    "runtime": "detail/blocking_call detail/gate_policy runtime runtime_core",
    "slot": "runtime_slot",
    "umbrella": "runtime_sharing",
}
RANK = {name: rank for rank, names in enumerate(LAYERS.values()) for name in names.split()}


def name_of(path: str) -> str:
    """As in LAYERS: a source has the name of its header."""
    name = re.sub(r"^(include/|src/)?(runtime_sharing/)?", "", re.sub(r"\.[ch]pp$", "", path))
    return name if name in RANK else "detail/" + name


def files_of(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted([*folder.glob("include/**/*.hpp"), *folder.glob("src/*.[ch]pp")])


def sizes(folder: pathlib.Path) -> list[str]:
    """In each layer: files, lines, and those of them that are neither blank nor a comment alone."""
    counts = {layer: [0, 0, 0] for layer in LAYERS}
    for file in files_of(folder):
        lines = file.read_text().splitlines()
        count = counts[list(LAYERS)[RANK[name_of(str(file.relative_to(folder)))]]]
        code = [line for line in lines if line.strip() and not line.lstrip().startswith("//")]
        for place, number in enumerate([1, len(lines), len(code)]):
            count[place] += number
    counts["in all"] = [sum(column) for column in zip(*counts.values())]
    return ["| layer | files | lines | of them code |", "|---|---|---|---|",
            *(f"| {layer} | {files} | {lines:,} | {code:,} |"
              for layer, (files, lines, code) in counts.items())]


def findings(folder: pathlib.Path) -> list[str]:
    found = []
    files = files_of(folder)
    if not files:
        return [f"{folder}: there is nothing to look at"]
    for file in files:
        path = str(file.relative_to(folder))
        rank = RANK.get(name_of(path))
        if rank is None:
            found.append(f"{path}: is in no layer of tools/layers.py")
            continue
        for number, line in enumerate(file.read_text().split("\n"), 1):
            included = re.match(r'#include "(.*)"', line)
            if included and RANK.get(name_of(included[1]), len(LAYERS)) > rank:
                found.append(f"{path}:{number}: {included[1]} is in a higher layer, or in none")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description="No include of the library points upwards.")
    parser.add_argument("folder", nargs="?", type=pathlib.Path,
                        default=pathlib.Path(__file__).resolve().parent.parent / "correct-example")
    parser.add_argument("--sizes", action="store_true", help="print how long each layer is")
    options = parser.parse_args()
    found = findings(options.folder)
    if options.sizes and not found:
        print("\n".join(sizes(options.folder)))
        return 0
    print("\n".join(found) if found else "no include points upwards")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
