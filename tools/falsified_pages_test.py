#!/usr/bin/env python3
"""Checks the pages, then falsifies the output on them, one digit, word or bound at a time, and wants
each found.

    tools/falsified_pages_test.py [--bin DIR] [--root DIR]

The programs run once. The pages are falsified in memory.
Exit code: 0 each was found, 1 one was not, there was nothing to falsify, or a page was not true.
"""

import argparse
import re
import sys
from pathlib import Path

sys.dont_write_bytecode = True
import docs  # noqa: E402  (beside this file)
import facts  # noqa: E402

DIGIT_OR_WORD = re.compile(r"\d|[^\W\d_]+")
JUST_BEYOND = {"at_least": -0.1, "at_most": +0.1}


def another(word):
    if word.isdigit():
        return str((int(word) + 1) % 10)
    return {"yes": "no", "no": "yes"}.get(word, f"{word}x")


def each_changed(text):
    """The text with one digit or word of it changed, for each."""
    for match in DIGIT_OR_WORD.finditer(text):
        yield text[:match.start()] + another(match[0]) + text[match.end():]


def falsehoods(fact):
    """Values that are not what is documented of the fact."""
    if not fact.documented.keys() & {*JUST_BEYOND, "varies"}:
        yield from each_changed(fact.text)
        return
    for word, step in JUST_BEYOND.items():
        if word in fact.documented:
            yield f"{fact.documented[word] + step:.1f}"
    yield "many" if facts.NUMBER.fullmatch(fact.text) else "7"
    yield facts.NOT_MEASURED


def falsified(found, text):
    """(fact or None, the text with one thing in it falsified), for each thing."""
    for fact in found:
        for value in falsehoods(fact):
            yield fact, text[:fact.begin] + value + text[fact.end:]
        before, after = text[:fact.begin].rpartition("\n"), text[fact.end:].partition("\n")
        yield fact, before[0] + before[1] + after[2]  # the line is gone
    values = [range(fact.begin, fact.end) for fact in found]
    for match in DIGIT_OR_WORD.finditer(text):
        if not any(match.start() in value for value in values):
            yield None, text[:match.start()] + another(match[0]) + text[match.end():]


class Falsifier:
    def __init__(self, root, bin_folder):
        self.docs = docs.Docs(root, bin_folder)
        self.problems = []
        self.things = self.facts = 0

    def is_found(self, page, block, content):
        lines = list(page.lines)
        lines[block.first:block.end] = [f"{block.indent}{line}" for line in content.split("\n")]
        self.docs.pages = {page.path: docs.read_page(page.path, "\n".join(lines))}
        self.docs.errors = []
        self.docs.check_blocks()
        return any(line == block.line + 1 for _, line, *_ in self.docs.errors)

    def falsify(self, page, block):
        text = block.content(page.lines)
        found = self.docs.documentation.facts_in(self.docs.command_of(block)[0][0], text)
        place = f"{page.path}:{block.line + 1}"
        # A line of code may look like one of an output.
        if block.language != "cpp" and facts.OUTPUT.search(text) and not found:
            self.problems.append(f"{place}: facts without documentation: nothing to falsify")
        self.facts += len(found)
        for fact, content in falsified(found, text):
            self.things += 1
            if not self.is_found(page, block, content):
                changed = next((new for old, new in zip(text.split("\n"), content.split("\n"))
                                if old != new), "the last line taken away")
                self.problems.append(f"{place}: not found: {' '.join(changed.split())}"
                                     + (f" ({fact.documented})" if fact else ""))

    def run(self):
        is_true = self.docs.check(update=False)
        self.docs.report()
        if not is_true:
            return False
        pages = list(self.docs.pages.values())
        blocks = [(page, block) for page in pages for block in page.blocks
                  if block.kind in ("run", "table")]
        for page, block in blocks:
            self.falsify(page, block)
        if not self.facts:
            self.problems.append("no documented fact is on a page: nothing to falsify")
        for problem in self.problems:
            print(problem)
        print(f"falsified: {self.things} digits, words and bounds, {self.facts} documented facts "
              f"in {len(blocks)} blocks: "
              + (f"{len(self.problems)} wrong" if self.problems else "each was found"))
        return not self.problems


def main(words=None):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=Path, default=Path("build/release/bin"), metavar="DIR")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent,
                        metavar="DIR")
    arguments = parser.parse_args(words)
    return 0 if Falsifier(arguments.root, arguments.bin).run() else 1


if __name__ == "__main__":
    sys.exit(main())
