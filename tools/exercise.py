#!/usr/bin/env python3
"""Does the exercises of the pages, each on a copy, and compares what happens with the answer.

    exercise                 lists them
    exercise 05              builds and runs the exercise's own change, and shows what changes
    exercise 05 MINE.cpp     the same with a file of yours in the place of the one to be changed
    exercise all             does all of them; prints only what is not as answered

An exercise stands on a page:

    <!-- exercise: FILE -->                   a lesson's half, changed by the diff that follows
    <!-- exercise: FILE runs PROGRAM ARGS --> a source of a program, and what to run then
    <!-- exercise: FILE tidy -->              a source, of which clang-tidy finds something else then
    <!-- exercise: runs PROGRAM --experiment NAME ARGS -->  nothing is changed but ARGS: no diff
    <!-- exercise: runs PROGRAM ARGS types LINE; LINE ... -->  a conversation: no diff

then, but for the last two forms, a block of the language diff, then the folded answer. In the diff, lines
that follow each other are a hunk, a line `...` separates hunks; the lines of a hunk without its `+`
must be in the file, once. In the answer, each `name value` between backticks is a fact that the changed
program prints, and one of them at least the unchanged one does not. FILE may be a header of the
program's one source.

In a conversation, `^C` interrupts, and `LINE until WORDS` is typed again until its answer has these
words. Its facts are `exit_code`, `reached`, and of the lists and stragglers that it shows the names.
For clang-tidy they are the checks of tidy.py, with `_` for each `-`, and how often each finds something.

    <!-- question: REASON -->                 no machine can do it, and the reason

A page with a "Try it" has one or the other.

The exercises of the six steps are built by CMake: see correct-example/from_scratch/tests/steps.py.

What a program cannot do on this machine (exit code 77), or clang-tidy where it is missing, is skipped
with the reason.

Options: --bin FOLDER, the build's bin folder; without it that of the preset release.
Exit code: 0 as answered, 1 not so, 2 wrong use, 77 this one cannot be done on this machine.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import facts
import tidy

ROOT = Path(__file__).resolve().parent.parent
RUN_LIMIT_SECONDS = 60
BUILD_LIMIT_SECONDS = 300
CANNOT_RUN_HERE = 77
BUILT_BY_CMAKE = "00-from-nothing-to-the-fix.md"

ANNOUNCED = re.compile(
    r"^<!-- exercise: (?:(?P<file>[\w./-]+))?(?P<tidy> tidy)?"
    r"(?: ?runs (?P<command>.+?)(?: types (?P<typed>.+?))?)? -->\n"
    r"(?:```diff\n(?P<diff>.*?)^```\n)?(?P<rest>.*?)^</details>", re.M | re.S)
QUESTION = re.compile(r"^<!-- question: (?P<reason>.+) -->$", re.M)
TRY_IT = re.compile(r"^## Try it$", re.M)
ANSWER = re.compile(r"<details><summary>Answer</summary>\n(?P<text>.*)", re.S)
FACT = re.compile(r"`(?P<name>[a-z]\w*) (?P<value>[^`]+)`")
LESSON = re.compile(r"(?P<side>broken|correct)-example/lessons/(?P<name>\d\d_\w+)\.cpp")


class Problem(Exception):
    """Something that a person has to mend, in one line."""


class CannotRunHere(Exception):
    """What this machine lacks, in one line."""


@dataclass(frozen=True)
class Exercise:
    name: str  # "05", "05.2", "page-07"
    page: Path
    file: Path | None
    diff: str
    program: str  # beside which the changed one is built, as it is called in the bin folder; or tidy
    arguments: tuple
    typed: tuple  # lines
    answer: dict  # {fact: value}

    def __str__(self):
        return f"{self.name} ({self.page.relative_to(ROOT)})"


def exercises():
    """Of all pages, in order."""
    found = []
    for page in sorted(ROOT.glob("docs/**/*.md")):
        number = page.name.split("-")[0]
        prefix = number if page.parent.name == "lessons" else f"page-{number}"
        text = page.read_text(encoding="utf-8")
        of_page = list(ANNOUNCED.finditer(text))
        if (TRY_IT.search(text) and not of_page and not QUESTION.search(text)
                and page.name != BUILT_BY_CMAKE):
            raise Problem(f"{page}: its 'Try it' is neither an exercise nor a question")
        for index, match in enumerate(of_page, 1):
            name = prefix if index == 1 else f"{prefix}.{index}"
            found.append(read(name, page, match))
    return found


def questions():
    """(name, reason) of what no machine can do."""
    for page in sorted(ROOT.glob("docs/*.md")):
        for match in QUESTION.finditer(page.read_text(encoding="utf-8")):
            yield f"page-{page.name.split('-')[0]}", match["reason"]


def read(name, page, match):
    file = ROOT / match["file"] if match["file"] else None
    answer = ANSWER.search(match["rest"])
    if not answer:
        raise Problem(f"{page}: exercise {name} has no answer")
    stated = {fact["name"]: fact["value"] for fact in FACT.finditer(answer["text"])}
    if not stated:
        raise Problem(f"{page}: the answer of exercise {name} names no fact as `name value`")
    lesson = LESSON.fullmatch(match["file"] or "")
    if lesson:
        command = [f"lessons/{lesson['name']}/{lesson['side']}"]
    elif match["tidy"]:
        command = ["tidy"]
    elif match["command"]:
        command = shlex.split(match["command"])
    else:
        raise Problem(f"{page}: exercise {name} says neither which lesson nor what to run")
    if (file is None) != (match["diff"] is None):
        raise Problem(f"{page}: exercise {name} has a file without a diff, or a diff without a file")
    typed = tuple(line.strip() for line in (match["typed"] or "").split(";") if line.strip())
    return Exercise(name, page, file, match["diff"] or "", command[0], tuple(command[1:]), typed,
                    stated)


def changed(exercise):
    """The text of the file with the diff applied."""
    text = "\n" + exercise.file.read_text(encoding="utf-8")  # each line begins after a newline
    for hunk in re.split(r"^ ?\.\.\.\n", exercise.diff, flags=re.M):
        lines = hunk.splitlines()
        old = "".join(line[1:] + "\n" for line in lines if line[:1] != "+")
        new = "".join(line[1:] + "\n" for line in lines if line[:1] != "-")
        if text.count("\n" + old) != 1:
            raise Problem(f"{exercise}: {exercise.file.name} has {text.count(chr(10) + old)} times, "
                          f"not once: {old!r}")
        text = text.replace("\n" + old, "\n" + new)
    return text[1:]


def run_tool(command, folder):
    result = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True,
                            text=True, timeout=BUILD_LIMIT_SECONDS, check=False)
    if result.returncode != 0:
        raise Problem(f"'{' '.join(command)[:60]}...' failed: {result.stderr or result.stdout}")
    return result.stdout


def build(exercise, text, bin_folder, folder):
    """The program with the text in the place of its source: compiled and linked by the commands of
    the build."""
    build_folder = bin_folder.parent
    target = (bin_folder / exercise.program).relative_to(build_folder)
    commands = run_tool(["ninja", "-t", "commands", str(target)], build_folder).splitlines()
    is_header = exercise.file.suffix == ".hpp"
    own_objects = f"/{Path(exercise.program).name}.dir/"
    compiles = [line for line in commands if line.endswith(f" -c {exercise.file}")
                or (is_header and " -c " in line and own_objects in line)]
    if len(compiles) != 1:
        raise Problem(f"{exercise}: {exercise.file} is not in the one source of {exercise.program}")
    words = shlex.split(compiles[0])
    # A header is found by the includes of the sources, which begin at the root.
    changed_file = folder / (exercise.file.relative_to(ROOT) if is_header else exercise.file.name)
    changed_file.parent.mkdir(parents=True, exist_ok=True)
    changed_file.write_text(text, encoding="utf-8")
    source, includes = (words[-1], folder) if is_header else (changed_file, exercise.file.parent)
    old_object = words[words.index("-o") + 1]
    new_object, program = folder / "changed.o", folder / Path(exercise.program).name
    words[words.index("-o") + 1] = str(new_object)
    words[-1] = str(source)
    words[1:1] = ["-iquote", str(includes)]
    run_tool([word for word in words if word != "-Werror"], build_folder)
    link = commands[-1].replace(old_object, str(new_object))
    link = re.sub(rf"(?<= -o ){re.escape(str(target))}(?= )", shlex.quote(str(program)), link)
    run_tool(["sh", "-c", link], build_folder)
    return program


def run(program, exercise, arguments=None):
    """What the program prints as {fact: value}. One that documents that it hangs is ended."""
    arguments = exercise.arguments if arguments is None else arguments
    with subprocess.Popen([str(program), *arguments], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            output, errors = process.communicate(timeout=RUN_LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            output, errors = process.communicate()
    if process.returncode == CANNOT_RUN_HERE:
        raise CannotRunHere(errors.strip())
    shown = {fact.name: fact.text for fact in facts.found_in_output(output)}
    return shown or dict(line.split(" ", 1) for line in output.splitlines() if " " in line)


def converse(program, exercise):
    """Types each line when the one before was answered, and says the facts of the answers. A
    conversation that does not go on is ended."""
    said = []

    def answer_to(line, child):
        if line == "^C":
            child.send_signal(signal.SIGINT)
        else:
            os.write(child.stdin.fileno(), f"{line}\n".encode())  # nothing is left for the close
        for answer in child.stdout:
            said.append(answer)
            if answer.strip():
                return answer
        raise Problem(f"{exercise}: no answer to '{line}'")

    with subprocess.Popen([str(program), *exercise.arguments], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
        limit = threading.Timer(RUN_LIMIT_SECONDS, child.kill)
        limit.start()
        try:
            for typed in exercise.typed:
                line, _, awaited = typed.partition(" until ")
                enough = re.compile(rf"{re.escape(awaited)}(?= |$)", re.M)  # a list goes on by a comma
                while not enough.search(answer_to(line, child)):
                    pass
            child.stdin.close()
            said.append(child.stdout.read())  # not by communicate(), which knows nothing of read-ahead
        except BrokenPipeError:
            raise Problem(f"{exercise}: the program has ended before all was typed") from None
        finally:
            limit.cancel()
    return facts_of_conversation("".join(said), child.returncode)


def facts_of_conversation(said, exit_code):
    found = {"exit_code": str(exit_code)}
    for match in re.finditer(r"\b(?P<name>[a-z]+): (?P<value>.+)$|\b(?P<reached>reached) '(?P<rung>\w+)'|"
                             r"straggler '(?P<who>[^']+)' needed '(?P<needed>\w+)'", said, re.M):
        if match["name"]:
            found[match["name"]] = match["value"]
        elif match["reached"]:
            found["reached"] = match["rung"]
        else:
            found[match["who"].replace(" ", "_")] = match["needed"]
    return found


def findings(exercise, text, build_folder):
    """How often each check of the static analysis finds something in the file with this text."""
    if not shutil.which(tidy.CLANG_TIDY):
        raise CannotRunHere(f"no {tidy.CLANG_TIDY} here: install it, or run tools/setup.sh")
    with tempfile.TemporaryDirectory() as folder:
        instead = Path(folder) / exercise.file.name
        instead.write_text(text, encoding="utf-8")
        overlay = Path(folder) / "overlay.yaml"
        overlay.write_text(json.dumps({"version": 0, "use-external-names": "false", "roots": [
            {"name": str(exercise.file), "type": "file", "external-contents": str(instead)}]}))
        checks = [tidy.GUARD, tidy.SUSPENSION]
        _, output = tidy.run(build_folder, str(exercise.file), f"--vfsoverlay={overlay}",
                             f"--checks=-*,{','.join(checks)}")
    try:
        found = tidy.findings_in(output)
    except SystemExit as not_compiled:
        raise Problem(f"{exercise}: {not_compiled}") from None
    own = [check for path, _, check in found if ROOT / path == exercise.file]
    return {check.replace("-", "_"): str(own.count(check)) for check in checks}


def outcome(exercise, bin_folder, own_file=None):
    """(what the unchanged program prints, what the changed one prints)."""
    if exercise.program == "tidy":
        text = own_file.read_text(encoding="utf-8") if own_file else changed(exercise)
        original_text = exercise.file.read_text(encoding="utf-8")
        return [findings(exercise, each, bin_folder.parent) for each in (original_text, text)]
    original = bin_folder / exercise.program
    if not original.is_file():
        raise Problem(f"no program {original}: build it first")
    if exercise.typed:
        return {}, converse(original, exercise)  # nothing is changed
    if exercise.file is None:
        experiment = exercise.arguments[:2]  # --experiment NAME
        return run(original, exercise, experiment), run(original, exercise)
    text = own_file.read_text(encoding="utf-8") if own_file else changed(exercise)
    with tempfile.TemporaryDirectory() as folder:
        before = run(original, exercise)
        return before, run(build(exercise, text, bin_folder, Path(folder)), exercise)


def differences(exercise, before, after):
    """From the answer, each in a line."""
    wrong = [f"{name}: the answer says {value}, observed {after.get(name, 'nothing')}"
             for name, value in exercise.answer.items() if after.get(name) != value]
    if not wrong and all(before.get(name) == value for name, value in exercise.answer.items()):
        wrong.append("the unchanged program prints the same")
    return wrong


def try_one(exercise, bin_folder):
    """What is not as answered; None if it cannot be done here, having said why."""
    try:
        return differences(exercise, *outcome(exercise, bin_folder))
    except CannotRunHere as reason:
        print(f"{exercise}: skipped: {reason}")
        return None
    except (Problem, OSError, subprocess.TimeoutExpired) as problem:
        return [str(problem)]


def do_all(every, bin_folder):
    with ThreadPoolExecutor(max_workers=2) as pool:
        results = list(pool.map(lambda exercise: try_one(exercise, bin_folder), every))
    for exercise, wrong in zip(every, results):
        for line in wrong or []:
            print(f"{exercise}: {line}")
    good, skipped = results.count([]), results.count(None)
    without = f", {skipped} skipped" if skipped else ""
    print(f"{good} of {len(every)} exercises as answered{without}.")
    return 0 if good and good + skipped == len(every) else 1


def do_one(exercise, bin_folder, own_file):
    before, after = outcome(exercise, bin_folder, own_file)
    print(f"exercise {exercise}\n")
    for name in dict.fromkeys([*before, *after]):
        was, now = before.get(name, "-"), after.get(name, "-")
        print(f"  {name:26} {was if was == now else f'{was} -> {now}'}")
    wrong = differences(exercise, before, after)
    print("\n" + ("\n".join(wrong) if wrong else "As the answer says."))
    return 1 if wrong else 0


def main(arguments):
    parser = argparse.ArgumentParser(prog="exercise", add_help=False)
    parser.add_argument("name", nargs="?")
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--bin", type=Path, default=ROOT / "build/release/bin")
    parser.add_argument("-h", "--help", action="store_true")
    given = parser.parse_args(arguments)
    if given.help:
        print(__doc__)
        return 0
    every = exercises()
    if given.name is None:
        for exercise in every:
            print(f"  {exercise.name:10} {exercise.page.relative_to(ROOT)}")
        for name, reason in questions():
            print(f"  {name:10} a question that no machine can check: {reason}")
        return 0
    if given.name == "all":
        return do_all(every, given.bin.resolve())
    chosen = [exercise for exercise in every if exercise.name == given.name]
    if not chosen:
        print(f"exercise: no exercise '{given.name}'; 'exercise' lists them", file=sys.stderr)
        return 2
    if given.file and not given.file.is_file():
        print(f"exercise: no file {given.file}", file=sys.stderr)
        return 2
    return do_one(chosen[0], given.bin.resolve(), given.file)


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    try:
        sys.exit(main(sys.argv[1:]))
    except Problem as one_problem:
        print(f"exercise: {one_problem}", file=sys.stderr)
        sys.exit(1)
    except CannotRunHere as one_reason:
        print(f"exercise: skipped: {one_reason}", file=sys.stderr)
        sys.exit(CANNOT_RUN_HERE)
