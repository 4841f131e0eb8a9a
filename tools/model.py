#!/usr/bin/env python3
"""Explores a model of a protocol without a lock, with Spin; see docs/models.md.

  model.py MODEL.pml                 as it is: every assertion must hold in every state
  model.py MODEL.pml --without NAME  with one line taken out: an assertion must fail
  model.py --quotes MODEL.pml...     the source lines that the models quote are those of the source

Exit code: 0 as it must be, 1 not, 77 there is no Spin or no C compiler.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SKIP = 77
ROOT = Path(__file__).resolve().parent.parent / "correct-example"


def call(*command, folder):
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def explore(model, without):
    mutants = re.findall(r"^// WITHOUT_(\w+):", model.read_text(encoding="utf-8"), re.M)
    if without and without not in mutants:
        return f"{model.name} names no WITHOUT_{without}", ""
    defines = [f"-DWITHOUT_{without}"] if without else []
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(model, folder)
        made = call("spin", *defines, "-a", model.name, folder=folder)
        if made.returncode or "rror" in made.stdout:
            return made.stdout + made.stderr, ""
        built = call("cc", "-O1", "-w", "-DSAFETY", "-DNOFAIR", "-o", "pan", "pan.c", folder=folder)
        if built.returncode:
            return built.stderr, ""
        said = call("./pan", "-m200000", "-w22", folder=folder).stdout
        found = re.search(r"^pan:1: (assertion violated|invalid end state).*", said, re.M)
        states = re.search(r"(\d+) states, stored", said)
        if states is None:
            return said, ""
        told = f"{states[1]} states"
        if without:
            return ("" if found else f"nothing fails\n{said}"), f"{told}, {found and found[0][7:]}"
        if found:
            trace = call("spin", *defines, "-t", "-p", "-g", "-l", model.name, folder=folder).stdout
            return f"{trace}\n{found[0]}", told
        if "errors: 0" not in said or "max search depth too small" in said:
            return said, told
        return "", told


# ---- Quotes

def packed(line):
    """Without its comment and its layout."""
    return re.sub(r"\s+", "", re.sub(r"//.*", "", line))


def function(text, head):
    """What stands in the function that begins with that line."""
    found = re.search(rf"^( *){re.escape(head)}\n(.*?)^\1\}}", text, re.M | re.S)
    return None if found is None else "".join(map(packed, found[2].splitlines()))


def fits(quotes, body):
    """Whether the quotes are all of it; '...' stands for whatever there is."""
    pattern = "".join(".*" if quote == "..." else re.escape(quote) for quote in quotes)
    return re.fullmatch(pattern, body)


def check_quotes(model):
    sections = []
    for line in model.read_text(encoding="utf-8").splitlines():
        line = line.strip()
        if line.startswith("//@ "):
            path, head = line[4:].split(": ", 1)
            sections.append((path, head, []))
        elif line.startswith("//= "):
            sections[-1][2].append(packed(line[4:]))
    wrong = []
    for path, head, quotes in sections:
        body = function((ROOT / path).read_text(encoding="utf-8"), head)
        if body is None:
            wrong.append(f"{path} has no '{head}'")
        elif not fits(quotes, body):
            first = next((quote for quote in quotes if quote != "..." and quote not in body), None)
            why = f"no '{first}'" if first else "something more, or another order"
            wrong.append(f"{path}: '{head}' has {why}: look at the model, then quote anew")
    if not sections:
        wrong.append("quotes no source")
    return [f"{model.name}: {line}" for line in wrong], len(sections)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--without")
    parser.add_argument("--quotes", action="store_true")
    asked = parser.parse_args()
    for model in asked.models:
        if not model.is_file():
            parser.error(f"there is no model {model}")
    if asked.quotes:
        wrong, functions = [], 0
        for model in asked.models:
            of_model, quoted = check_quotes(model)
            wrong += of_model
            functions += quoted
        print(*wrong, f"{functions} functions quoted, {len(wrong)} wrong", sep="\n")
        return 1 if wrong else 0
    for needed in "spin", "cc":
        if shutil.which(needed) is None:
            print(f"skipped: there is no {needed}; tools/setup.sh installs it")
            return SKIP
    wrong = False
    for model in asked.models:
        trouble, told = explore(model, asked.without)
        print(f"{model.stem}{' without ' + asked.without if asked.without else ''}: {told}")
        if trouble:
            print(trouble)
            wrong = True
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
