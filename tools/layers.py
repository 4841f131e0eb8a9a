#!/usr/bin/env python3
"""No include of the library points upwards: basics < token < scope < runtime < slot.

    layers.py [FOLDER]    FOLDER has include/ and src/; by default the library's

Each file belongs to a layer, by name; one that is in none is a finding, too. Exit code: 0 no finding,
1 some, each in a line.
"""
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
    "everything": "runtime_sharing",
}
RANK = {name: rank for rank, names in enumerate(LAYERS.values()) for name in names.split()}


def name_of(path: str) -> str:
    """As in LAYERS: a source has the name of its header."""
    name = re.sub(r"^(include/|src/)?(runtime_sharing/)?", "", re.sub(r"\.[ch]pp$", "", path))
    return name if name in RANK else "detail/" + name


def findings(folder: pathlib.Path) -> list[str]:
    found = []
    files = sorted([*folder.glob("include/**/*.hpp"), *folder.glob("src/*.[ch]pp")])
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
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else (
        pathlib.Path(__file__).parent.parent / "correct-example")
    found = findings(folder)
    print("\n".join(found) if found else "no include points upwards")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
