#!/usr/bin/env python3
"""Draws recorded runs, broken and correct under each other on one axis, as a story tells.

  draw.py STORY.json -o OUT.svg   one picture
  draw.py --all                   every picture of docs/pictures/stories/, its table of events, and
                                  what docs/player/ plays
  draw.py --check                 whether all of them are what the recordings give

A story (docs/pictures/stories/NAME.json) has a title, the panels with a recording of
docs/recordings/ each, and questions. It names an event by what is true of it, for example
{"what": "lock released", "elsewhere": true}; "nth", "after" and "before" choose among several. An
event that is not in the recording is an error, as are words that do not fit. A panel that has "every"
gives each turn a bar and its name; otherwise those do that "show" names, and where something happens.
docs/pictures/sources.json says which source line an event comes from. The same input gives the same
bytes.

Exit code: 0 all is well, 1 something is not, 2 wrong use.
"""

import argparse
import json
import os
import sys
import textwrap
from pathlib import Path

from recorded_run import Run, Wrong, start
from timeline import Panel, Picture

STORIES = "docs/pictures/stories"
# GitHub shows the page's source instead; the site leaves these words out.
FROM_A_CLONE = ", in a browser, from your clone"
CONTEXT = 4  # source lines around the one of an event
# The members of each kind of object, and whether it needs them.
MEMBERS = {"story": {"title": (str, True), "zero": (str, True), "names": (dict, True),
                     "panels": (list, True), "questions": (list, True)},
           "panel": {"recording": (str, True), "head": (str, True), "good": (bool, True),
                     "note": (dict, True), "from": (dict, False), "to": (dict, False),
                     "zero": (dict, False), "every": (bool, False), "show": (list, False),
                     "proof": (list, False)},
           "note": {"at": (dict, True), "text": (str, True), "lane": (str, False)},
           "question": {"panel": (int, True), "at": (dict, True), "question": (str, True),
                        "answers": (list, True), "right": (int, True), "because": (str, True)},
           "source": {"match": (dict, True), "file": (str, True), "text": (str, True)}}


def load(path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise Wrong(f"{path}: {problem.strerror}") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as problem:
        raise Wrong(f"{path}: is not JSON: {problem}") from None


def check_members(kind, value, path):
    if not isinstance(value, dict):
        raise Wrong(f"{path}: a {kind} is an object")
    for name, (wanted, is_needed) in MEMBERS[kind].items():
        if is_needed and name not in value:
            raise Wrong(f"{path}: a {kind} has no '{name}'")
        if name in value and not isinstance(value[name], wanted):
            raise Wrong(f"{path}: '{name}' of a {kind} is not of the type {wanted.__name__}")
    for name in sorted(value.keys() - MEMBERS[kind].keys()):
        raise Wrong(f"{path}: a {kind} has no member '{name}'")


class Story:
    """A picture, the table of its events, and what the player needs."""

    def __init__(self, root, path):
        self.root, self.path, self.name = root, path, path.stem
        story = load(path)
        check_members("story", story, path)
        for panel in story["panels"]:
            check_members("panel", panel, path)
            check_members("note", panel["note"], path)
        if not all(isinstance(name, str) for name in story["names"].values()):
            raise Wrong(f"{path}: a name of 'names' is not a text")
        if not story["panels"]:
            raise Wrong(f"{path}: has no panels")
        panels = [Panel(Run(root / "docs/recordings" / f"{panel['recording']}.json"), panel,
                        story["names"], str(path)) for panel in story["panels"]]
        try:
            self.picture = Picture(self.name, story["title"], story["zero"], panels)
        except Wrong as problem:
            raise Wrong(f"{path}: {problem}") from None
        self.questions = [self._question(question) for question in story["questions"]]

    def _question(self, question):
        check_members("question", question, self.path)
        answers, right = question["answers"], question["right"]
        if not all(isinstance(answer, str) for answer in answers):
            raise Wrong(f"{self.path}: an answer is not a text")
        if not 0 <= right < len(answers) or not 1 < len(answers) < 10:
            raise Wrong(f"{self.path}: 'right' is the number of an answer, from 0 on; there are "
                        "two to nine")
        if not 0 <= question["panel"] < len(self.picture.panels):
            raise Wrong(f"{self.path}: there is no panel {question['panel']}")
        panel = self.picture.panels[question["panel"]]
        event = panel.run.find(question["at"], panel.whose)
        steps = [number for number, step in enumerate(self.picture.steps) if step.event is event]
        if not steps:
            raise Wrong(f"{self.path}: the event of '{question['question']}' is not in the picture")
        shown = ("question", "answers", "right", "because")
        return {"step": steps[0], **{key: question[key] for key in shown}}

    def files(self):
        return {f"docs/pictures/{self.name}.svg": self.picture.svg(),
                f"docs/pictures/{self.name}.md": self.page()}

    # ---- the table

    def heads(self):
        return [panel.head + (f": {panel.run.outcome}" if panel.run.outcome else "")
                for panel in self.picture.panels]

    def page(self):
        picture = self.picture
        lines = [f"# {picture.title}", "", f"![{picture.alternative}]({self.name}.svg)", "",
                 f"Event by event; the times count from {picture.zero_words} on. "
                 f"[To play with](../player/index.html#{self.name}){FROM_A_CLONE}.", ""]
        for number, (panel, head) in enumerate(zip(picture.panels, self.heads())):
            lines += [f"## {head}", "", f"**{start(panel.spec['note']['text'])}.**", "",
                      f"[The recording](../recordings/{panel.run.name}.json) has all events of the "
                      "run; Perfetto opens it.", "",
                      "| ms | where | what happens |", "|---:|---|---|"]
            lines += [f"| {step.rel / 1000:.3f} | {step.event.thread} | {step.event.sentence} |"
                      for step in picture.steps if step.panel == number]
            lines.append("")
        return "\n".join(lines)

    def block(self, page):
        """What stands in a page, below its announcement."""
        here = page.parent
        link = {kind: os.path.relpath(target, here) for kind, target in
                (("svg", f"docs/pictures/{self.name}.svg"), ("md", f"docs/pictures/{self.name}.md"),
                 ("player", "docs/player/index.html"))}
        return (f"![{self.picture.alternative}]({link['svg']})<br>\n"
                f"[Event by event]({link['md']}) · [to play with]({link['player']}#{self.name})"
                + FROM_A_CLONE)

    # ---- the player

    def data(self, sources):
        picture, excerpts, steps = self.picture, [], []
        for step in picture.steps:
            panel = picture.panels[step.panel]
            excerpt = sources.of(step.event, panel.run)
            if excerpt and excerpt not in excerpts:
                excerpts.append(excerpt)
            is_noted = step.event is panel.note_event
            steps.append({"panel": step.panel, "ms": f"{step.rel / 1000:.3f}", "x": step.x,
                          "y": step.y, "where": step.event.thread, "text": step.event.sentence,
                          "note": panel.spec["note"]["text"] if is_noted else "",
                          "source": excerpts.index(excerpt) if excerpt else -1})
        panels = [{"head": panel.head, "name": panel.spec["head"], "good": panel.spec["good"]}
                  for panel in picture.panels]
        return {"name": self.name, "title": picture.title, "panels": panels, "steps": steps,
                "sources": excerpts, "questions": self.questions,
                "curtain": picture.curtain, "svg": picture.svg()}


class Sources:
    """Which line of a source an event comes from."""

    def __init__(self, root):
        self.root, path = root, root / "docs/pictures/sources.json"
        self.programs, programs = {}, load(path)
        if not isinstance(programs, dict) or not all(
                isinstance(entries, list) for entries in programs.values()):
            raise Wrong(f"{path}: has for each program a list of sources")
        for program, entries in programs.items():
            for entry in entries:
                check_members("source", entry, path)
            self.programs[program] = [(entry["match"], self._excerpt(path, entry))
                                      for entry in entries]

    def _excerpt(self, path, entry):
        try:
            text = (self.root / entry["file"]).read_text(encoding="utf-8")
        except OSError as problem:
            raise Wrong(f"{path}: {entry['file']}: {problem.strerror}") from None
        if text.count(entry["text"]) != 1:
            raise Wrong(f"{path}: '{entry['text']}' is {text.count(entry['text'])} times in "
                        f"{entry['file']}, not once")
        line = text.count("\n", 0, text.index(entry["text"]) + len(entry["text"]))  # its last
        first = max(0, line - CONTEXT)
        shown = "\n".join(text.split("\n")[first:line + CONTEXT + 1])
        return {"file": entry["file"], "first": first + 1, "mark": line - first,
                "lines": textwrap.dedent(shown).split("\n")}

    def of(self, event, run):
        entries = (self.programs.get(f"{run.program}, {run.experiment}", [])
                   + self.programs.get(run.program, []))
        return next((excerpt for match, excerpt in entries if event.is_such(match)), None)


def stories(root):
    paths = sorted((root / STORIES).glob("*.json"))
    if not paths:
        raise Wrong(f"{root / STORIES}: has no stories")
    return [Story(root, path) for path in paths]


def everything(root):
    """{path: text} of all that is generated."""
    every, sources = stories(root), Sources(root)
    made = {}
    for story in every:
        made |= story.files()
    data = json.dumps([story.data(sources) for story in every], ensure_ascii=False, indent=0)
    made["docs/player/recordings.js"] = ('"use strict";\n// Generated by tools/draw.py --all.\n'
                                         f"const recordings = {data};\n")
    return made


def check(root):
    wrong = 0
    for name, text in everything(root).items():
        try:
            is_fresh = (root / name).read_text(encoding="utf-8") == text
            problem = "" if is_fresh else "is not what the recordings give"
        except (OSError, UnicodeDecodeError):
            problem = "is missing or cannot be read"
        if problem:
            wrong += 1
            print(f"draw: {name} {problem}: tools/draw.py --all, and look at it", file=sys.stderr)
    return 1 if wrong else 0


def write(path, text):
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as problem:
        raise Wrong(f"{path}: {problem.strerror}") from None


class Arguments(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"draw: {message}: try --help\n")


def main(words=None):
    parser = Arguments(prog="tools/draw.py", allow_abbrev=False, description=__doc__,
                       formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("story", nargs="?", type=Path, metavar="STORY.json")
    parser.add_argument("-o", type=Path, dest="out", metavar="OUT.svg")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--all", action="store_true", help="draw every story")
    mode.add_argument("--check", action="store_true", help="compare with what is there")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent,
                        metavar="DIR", help="the repository (default: this script's)")
    arguments = parser.parse_args(words)
    has_story, has_out = arguments.story is not None, arguments.out is not None
    if has_story + arguments.all + arguments.check != 1 or has_story != has_out:
        parser.error("give STORY.json -o OUT.svg, or --all, or --check")
    try:
        if arguments.check:
            return check(arguments.root)
        if arguments.all:
            for name, text in everything(arguments.root).items():
                write(arguments.root / name, text)
        else:
            write(arguments.out, Story(arguments.root, arguments.story).picture.svg())
    except Wrong as problem:
        print(f"draw: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
