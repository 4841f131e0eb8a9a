#!/usr/bin/env python3
"""Shows the six steps as their files and their programs have them, for a page.

    steps runtime              the runtime of step 0, and its three tasks
    steps logouts 0 5          the function logout of these steps
    steps diff 0 1             what step 1 changes in step 0; the card at the top left out
    steps table                what each program prints, as a table; changed values in bold
    steps exercise NAME        what an exercise changes, as a diff
    steps exercise NAME FILE   the changed program, written to FILE

The programs are looked up beside this script as it was called: in the build's bin folder there is a
link to it.

Exit code: 0, 1 a program or a file is not as expected, 2 wrong use.
"""

import difflib
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent
STEPS = ["0_owners", "1_tell", "2_wait", "3_refuse", "4_deadline", "5_restart"]
FACTS = ["sample_stored", "tasks_end", "late_task", "deaf_task", "relogin"]
PAIRS = [(str(number), str(number + 1)) for number in range(len(STEPS) - 1)]
CARD = re.compile(r"(?://.*\n)+")
SHARED = "// The same in all steps, from here on."
RUN_LIMIT_SECONDS = 60


class Problem(Exception):
    """Something that a person has to mend, in one line."""


@dataclass(frozen=True)
class Exercise:
    step: str
    replacements: tuple  # of (old text, new text); each old text is in the step once
    facts: dict  # that the changed program prints, and that the step itself does not


EXERCISES = {
    "door_apart": Exercise(
        "3_refuse",
        (("    const Lock door(mutex);\n"
          "    if (closed) return false;  // under one lock with the count: refused, or waited for\n",
          "    if (closed) return false;  // apart from the count\n"
          "    meanwhile();\n"
          "    const Lock door(mutex);\n"),
         ("  bool closed = false;\n",
          "  bool closed = false;\n"
          "  std::function<void()> meanwhile = [] {};  // what another thread does in between\n"),
         ("  Lock lock = log_out(slot);\n",
          "  first->meanwhile = [&] { log_out(slot); };\n"
          "  const bool slipped_in = first->spawn(\"late\", deaf(first));\n"
          "  Lock lock(first->mutex);\n"),
         ("first->spawn(\"late\", sample(first)) ?", "slipped_in ?")),
        {"tasks_end": "never", "late_task": "accepted, unseen"}),
    "receive_deaf": Exercise(
        "5_restart",
        (("  co_await (input.async_read_some(asio::buffer(&byte, 1), as_result) || runtime->told());\n",
          "  co_await input.async_read_some(asio::buffer(&byte, 1), as_result);\n"),
         ("  show(\"late_task\",",
          "  for (const auto& name : first->stragglers) show(\"named\", name);\n"
          "  show(\"late_task\",")),
        {"named": "receive"}),
    "no_tell": Exercise(
        "5_restart",
        (("  slot->closed = true;\n", "  slot->closed = true;\n  return;\n"),),
        {"sample_stored": "no", "tasks_end": "never", "deaf_task": "runs on",
         "relogin": "refused"}),
}


def source_of(step):
    return (FOLDER / f"{step}.cpp").read_text(encoding="utf-8")


def card_of(step):
    return CARD.match(source_of(step))[0]


def without_card(text):
    """The same, with the card's lines empty, so that the others keep their numbers."""
    card = CARD.match(text)[0]
    return "\n" * card.count("\n") + text[len(card):]


def logout_of(step):
    return re.search(r"^void logout\(.*?^}\n", source_of(step), re.DOTALL | re.MULTILINE)[0]


def runtime_of(step):
    return re.search(r"^struct Engine.*?(?=^bool login)", source_of(step),
                     re.DOTALL | re.MULTILINE)[0]


def shared_part_of(step):
    return SHARED + source_of(step).split(SHARED)[1]


def expected_facts_of(step):
    """Those of its card: 'Expected  name value · name value ·' over one or more lines."""
    text = re.search(r"^// Expected  (.*(?:\n//  .*)*)", card_of(step), re.MULTILINE)[1]
    text = re.sub(r"\s*\n//\s*", " ", text)
    return dict(fact.split(" ", 1) for fact in text.split(" · "))


def diff_of(one, other, name_of_one, name_of_other, context=1):
    # Without the blank that stands for an unchanged empty line: pages have none at a line's end.
    return [line.rstrip() for line in
            difflib.unified_diff(without_card(one).splitlines(), without_card(other).splitlines(),
                                 name_of_one, name_of_other, n=context, lineterm="")]


def diff_of_step(number):
    one, other = STEPS[number - 1], STEPS[number]
    return diff_of(source_of(one), source_of(other), f"{one}.cpp", f"{other}.cpp")


def size_of(diff):
    """(lines that came, lines that went)."""
    return tuple(sum(line.startswith(sign) for line in diff[2:]) for sign in "+-")


def changed(exercise):
    text = source_of(exercise.step)
    for old, new in exercise.replacements:
        if text.count(old) != 1:
            raise Problem(f"{exercise.step}.cpp has {text.count(old)} times, not once: {old!r}")
        text = text.replace(old, new)
    return text


def run(program):
    """The facts that it prints; it must end by itself, with 0, and say nothing else."""
    if not program.is_file():
        raise Problem(f"no program {program}: build it first")
    try:
        result = subprocess.run([str(program)], stdin=subprocess.DEVNULL, capture_output=True,
                                text=True, timeout=RUN_LIMIT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise Problem(f"{program.name} did not end within {RUN_LIMIT_SECONDS} s") from None
    if result.returncode != 0 or result.stderr:
        raise Problem(f"{program.name} ended with {result.returncode}: "
                      f"{result.stderr or result.stdout}")
    return dict(line.split(" ", 1) for line in result.stdout.splitlines())


def table(bin_folder):
    with ThreadPoolExecutor() as pool:
        seen = list(pool.map(lambda step: run(bin_folder / f"step_{step}"), STEPS))
    rows = [["fact", *(step.replace("_", " ") for step in STEPS)], ["---"] * (len(STEPS) + 1)]
    for fact in FACTS:
        values = [facts[fact] for facts in seen]
        rows.append([f"`{fact}`"] + [value if before in ("", value) else f"**{value}**"
                                     for before, value in zip(["", *values], values)])
    sizes = [size_of(diff_of_step(number)) for number in range(1, len(STEPS))]
    rows.append(["lines changed", "", *(f"+{came} −{went}" for came, went in sizes)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main(arguments):
    match arguments:
        case ["--help"]:
            return __doc__
        case ["runtime"]:
            return runtime_of(STEPS[0])
        case ["logouts", *numbers] if numbers and set(numbers) <= set("012345"):
            return "\n".join(f"// {STEPS[int(number)]}.cpp\n{logout_of(STEPS[int(number)])}"
                             for number in numbers)
        case ["diff", one, other] if (one, other) in PAIRS:
            return "\n".join(diff_of_step(int(other)))
        case ["table"]:
            return table(Path(__file__).absolute().parent)
        case ["exercise", name] if name in EXERCISES:
            exercise = EXERCISES[name]
            return "\n".join(diff_of(source_of(exercise.step), changed(exercise),
                                     f"{exercise.step}.cpp", f"{name}.cpp"))
        case ["exercise", name, file] if name in EXERCISES:
            Path(file).write_text(changed(EXERCISES[name]), encoding="utf-8")
            return ""
    print(f"steps: cannot do '{' '.join(arguments)}': try --help", file=sys.stderr)
    raise SystemExit(2)


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    try:
        shown = main(sys.argv[1:])
        if shown:
            print(shown.rstrip("\n"))
    except Problem as problem:
        print(f"steps: {problem}", file=sys.stderr)
        sys.exit(1)
