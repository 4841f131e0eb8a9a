#!/usr/bin/env python3
"""Keeps the pages true: code on a page is code of a source file, output on a page is what the
program printed, and every link leads somewhere.

    tools/docs.py --check     report each difference; exit code 1 if there is one
    tools/docs.py --update    rewrite the blocks that differ

A block is announced by a comment on the line before it:

    <!-- code: broken-example/mutex_problem/client.cpp#guard -->   then a fenced block
    <!-- run: arc_problem --experiment leak -->                    then a fenced block
    <!-- run: arc_problem --no-such-flag exit=2 -->                the exit code, when it is not 0
    <!-- table: side_by_side --markdown -->                        then a table, up to a blank line,
                                                                   of the lines that begin with |
    <!-- picture: deadlock -->                                     then an image and its links, up
                                                                   to a blank line
    <!-- sketch -->                                                then a cpp block of no file
    <!-- exercise: ... -->                                         see exercise.py

In a source, the lines `// [guard]` and `// [/guard]` enclose the region `guard`; in CMake and shell
files, `# [guard]` and `# [/guard]`. Regions may be nested. Tags that begin with `tidy-` are for
tools/tidy.py.

A program that ends with exit code 77 cannot run on this machine, for want of an optional package:
its output is left as it is, with a warning.

A picture is that of a story, docs/pictures/stories/NAME.json: draw.py draws it, and says what
stands below its announcement. Its files must be what the recordings give.

Code and output are compared exactly, but for facts that the program documents as a bound or as
varying (facts.py). A `fact_name value` in prose is compared with the output above it.

Exit code: 0 all is true, 1 something is not, 2 wrong use.
"""

import argparse
import difflib
import os
import re
import shlex
import signal
import subprocess
import sys
import textwrap
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import draw
from facts import Documentation, plain
from recorded_run import Wrong

SOURCE_FOLDERS = ["scenario", "broken-example", "correct-example", "docs", "tools"]
PAGE_PATTERNS = ["*.md"] + [f"{folder}/**/*.md" for folder in SOURCE_FOLDERS]
SOURCE_SUFFIXES = {".cpp", ".hpp", ".cmake", ".sh"}
CPP_NAMES = {"cpp", "c++", "cc", "cxx", "hpp"}
LONGEST_UNANNOUNCED_CPP = 3  # lines: a call, a declaration
RUN_LIMIT_SECONDS = 120
CANNOT_RUN_HERE = 77
DIFF_LINES = 20


# ---- pages ------------------------------------------------------------------------------------

@dataclass
class Block:
    """A fenced block, or a table or picture after its announcement. Lines count from 0."""
    first: int  # of the content
    end: int  # one past the content
    line: int  # to report: the announcement, else the fence
    kind: str = ""  # code, run, table, picture, sketch or nothing
    argument: str = ""
    language: str = ""
    fence: str = ""
    indent: str = ""

    def content(self, lines):
        prefix = self.indent
        return "\n".join(line[len(prefix):] if line.startswith(prefix) else line.lstrip()
                         for line in lines[self.first:self.end])


@dataclass
class Page:
    path: Path
    lines: list
    blocks: list = field(default_factory=list)
    problems: list = field(default_factory=list)  # (line from 0, message)
    prose: list = field(default_factory=list)  # the lines, those of fences and comments empty


FENCE = re.compile(r"^(?P<indent>\s*)(?P<fence>`{3,}|~{3,})\s*(?P<info>[^`]*)$")
QUOTED_FENCE = re.compile(r"^\s*>[\s>]*(?:```|~~~)")
COMMENT = re.compile(r"^\s*<!--\s*(?P<text>.*?)\s*-->\s*$")
EXERCISE = re.compile(r"\s*<!-- exercise: ")  # its diff and its answer are checked by exercise.py
WITH_ARGUMENT = re.compile(r"(?P<kind>code|run|table|picture):\s+(?P<argument>\S.*)")
UNFENCED = {"table": "|", "picture": "!"}  # how its first line begins
FORMS = {"code": "<!-- code: FILE#TAG -->", "run": "<!-- run: PROGRAM ARGUMENTS -->",
         "table": "<!-- table: PROGRAM ARGUMENTS -->", "picture": "<!-- picture: STORY -->",
         "sketch": "<!-- sketch -->"}


def read_announcement(text):
    """(kind, argument, problem) of a comment's text; kind None: it announces nothing."""
    match = WITH_ARGUMENT.fullmatch(text)
    if match:
        return match["kind"], match["argument"], None
    if text == "sketch":
        return "sketch", "", None
    word = re.match(r"\w*", text)[0]
    if word in FORMS and (len(text.split()) < 3 or re.match(r"\w+\s?:", text)):
        return None, "", f"wrong announcement, its form is {FORMS[word]}"
    return None, "", None


def read_page(path, text):
    page = Page(path, text.split("\n"))
    lines, count = page.lines, len(page.lines)
    announced = None  # (line, kind, argument), on the line before
    foreign_comment = None  # the line of another comment, likewise
    quoted_fences = 0
    index = 0

    def expect_nothing_announced():
        if announced:
            what = announced[1] if announced[1] in UNFENCED else "fenced block"
            page.problems.append((announced[0], f"no {what} on the line after this announcement"))

    while index < count:
        line = lines[index]
        page.prose.append("")
        fence = FENCE.match(line)
        comment = COMMENT.match(line)
        if fence:
            end = index + 1
            mark, length = fence["fence"][0], len(fence["fence"])
            closing = re.compile(rf"^\s*{re.escape(mark)}{{{length},}}\s*$")
            while end < count and not closing.match(lines[end]):
                end += 1
            if end == count:
                page.problems.append((index, "this fence is never closed"))
            words = fence["info"].split()
            block = Block(index + 1, end, index, language=words[0].lower() if words else "",
                          fence=fence["fence"], indent=fence["indent"])
            if announced and announced[1] in UNFENCED:
                expect_nothing_announced()
            elif announced:
                block.line, block.kind, block.argument = announced
            elif foreign_comment is not None and not EXERCISE.match(lines[foreign_comment]):
                page.problems.append((foreign_comment, "unknown announcement before a fence: use "
                                      "code, run or sketch, or leave a line between the two"))
            page.blocks.append(block)
            announced = foreign_comment = None
            page.prose.extend([""] * (min(end, count - 1) - index))
            index = end + 1
            continue
        if announced and announced[1] in UNFENCED and (
                not line.strip() or line.lstrip().startswith(UNFENCED[announced[1]])):
            end = index
            while end < count and lines[end].strip():
                end += 1
            page.blocks.append(Block(index, end, *announced))
            announced = None
        expect_nothing_announced()
        announced = foreign_comment = None
        if comment:
            kind, argument, problem = read_announcement(comment["text"])
            if problem:
                page.problems.append((index, problem))
            elif kind:
                announced = (index, kind, argument)
            else:
                foreign_comment = index
        elif "<!--" in line and "-->" not in line.split("<!--")[-1]:
            while index + 1 < count and "-->" not in lines[index]:
                index += 1
                page.prose.append("")
        else:
            if QUOTED_FENCE.match(line):
                quoted_fences += 1
            if QUOTED_FENCE.match(line) and quoted_fences % 2:  # its begin
                page.problems.append((index, "a fence in a quotation cannot be checked"))
            page.prose[-1] = line
        index += 1
    expect_nothing_announced()
    return page


# ---- sources ----------------------------------------------------------------------------------

MARKER = re.compile(r"^\s*(?://|#)\s?\[(?P<end>/?)(?P<tag>\w[\w.-]*)\]\s*$")


def read_regions(text):
    """({tag: (line, region)}, [(line, problem)]) of a source file; lines count from 0."""
    lines = text.split("\n")
    begins, regions, problems = {}, {}, []
    for number, line in enumerate(lines):
        marker = MARKER.match(line)
        if not marker:
            continue
        tag = marker["tag"]
        if not marker["end"]:
            is_for_a_page = not tag.startswith("tidy-")
            if tag in begins or (tag in regions and is_for_a_page):
                problems.append((number, f"tag '{tag}' is in this file twice"))
            begins[tag] = number
        elif tag not in begins:
            problems.append((number, f"tag '{tag}' ends here and begins nowhere"))
        else:
            first = begins.pop(tag)
            inside = [text for text in lines[first + 1:number] if not MARKER.match(text)]
            regions[tag] = (first, textwrap.dedent("\n".join(inside)).strip("\n"))
    problems += [(number, f"tag '{tag}' is never closed") for tag, number in begins.items()]
    return regions, problems


# ---- links ------------------------------------------------------------------------------------

LINK = re.compile(r"\]\(\s*(?P<target><[^>\n]*>|[^\s()]*(?:\([^\s()]*\)[^\s()]*)*)"
                  r"(?:\s+(?:\"[^\"]*\"|'[^']*'))?\s*\)")
DEFINITION = re.compile(r"^ {0,3}\[(?P<name>[^\]]+)\]:\s*(?P<target>\S+)", re.MULTILINE)
REFERENCE = re.compile(r"\[(?P<text>[^\[\]]+)\]\[(?P<name>[^\[\]]*)\]")
HTML_LINK = re.compile(r"<(?:a|img)\b[^>]*?\b(?:href|src)=[\"'](?P<target>[^\"']*)[\"']")
HTML_ANCHOR = re.compile(r"<\w+\b[^>]*?\b(?:id|name)=[\"']([^\"']+)[\"']")
CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`)((?:(?!\n\s*\n).)+?)(?<!`)\1(?!`)", re.DOTALL)
HEADING = re.compile(r"^ {0,3}#{1,6}\s+(.*?)(?:\s+#+)?\s*$")
UNDERLINE = re.compile(r"^ {0,3}(?:=+|-+)\s*$")


def slug(heading):
    """The anchor that GitHub gives to a heading."""
    pieces = []
    for index, piece in enumerate(re.split(r"`+", heading)):
        if index % 2 == 0:
            piece = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", piece)
            piece = re.sub(r"<[^>]+>", "", piece)
        pieces.append(piece)
    return re.sub(r"[^\w\- ]", "", "".join(pieces).strip().lower()).replace(" ", "-")


def anchors_of(page):
    anchors, seen = set(), {}
    for number, line in enumerate(page.prose):
        anchors.update(HTML_ANCHOR.findall(line))
        heading = HEADING.match(line)
        following = page.prose[number + 1] if number + 1 < len(page.prose) else ""
        if heading:
            text = heading[1]
        elif UNDERLINE.match(following) and line.strip() and not line.lstrip().startswith("|"):
            text = line.strip()
        else:
            continue
        name = slug(text)
        times = seen.get(name, 0)
        seen[name] = times + 1
        anchors.add(f"{name}-{times}" if times else name)
    return anchors


def links_of(page):
    """(line, target) of each link; target None: a reference without a definition, (line, name)."""
    text = CODE_SPAN.sub(lambda span: re.sub(r"[^\n]", " ", span[0]), "\n".join(page.prose))
    names = {match["name"].lower() for match in DEFINITION.finditer(text)}
    links, undefined = [], []
    for pattern in LINK, DEFINITION, HTML_LINK:
        for match in pattern.finditer(text):
            links.append((text.count("\n", 0, match.start("target")), match["target"].strip("<>")))
    for match in REFERENCE.finditer(text):
        name = match["name"] or match["text"]
        if name.lower() not in names:
            undefined.append((text.count("\n", 0, match.start()), name))
    return links, undefined


FACT_IN_PROSE = re.compile(r"(?P<name>\w+)\s+(?P<value>\S.*)", re.DOTALL)


def without_answers(page):
    """The prose, with the lines of the exercises' answers empty: exercise.py compares those."""
    in_exercise = False
    for line, prose in zip(page.lines, page.prose):
        in_exercise = in_exercise or bool(EXERCISE.match(line))
        yield "" if in_exercise else prose
        in_exercise = in_exercise and line != "</details>"


def facts_of(page):
    """(line, name, value) of each code span that can be a fact: two words or more."""
    text = "\n".join(without_answers(page))
    for span in CODE_SPAN.finditer(text):
        said = FACT_IN_PROSE.fullmatch(span[2])
        if said:
            yield text.count("\n", 0, span.start()), said["name"], plain(said["value"])


def is_foreign(path):
    """What npm has put beside the tests of the site."""
    return "node_modules" in path.parts


# ---- the check --------------------------------------------------------------------------------

class CannotRunHere(Exception):
    """The program says so, by its exit code."""


class Docs:
    def __init__(self, root, bin_folder):
        self.root = root.resolve()
        self.bin = bin_folder if bin_folder.is_absolute() else self.root / bin_folder
        self.shown_bin = bin_folder
        self.errors = []  # (path, line from 1, message, diff lines)
        self.warnings = []
        self.regions = {}  # of the files read so far
        self.used_tags = set()
        self.commands = set()
        self.outputs = {}  # command -> (exit code, text) or a message
        self.documentation = Documentation(self.list_of)
        self.stories = {}  # name -> the story, or what is wrong with it
        self.pages = self.read_pages()

    def error(self, path, line, message, diff=()):
        self.errors.append((str(path), line + 1, message, list(diff)))

    def read_pages(self):
        pages = {}
        for pattern in PAGE_PATTERNS:
            for path in sorted(self.root.glob(pattern)):
                shown = path.relative_to(self.root)
                if shown in pages or not path.is_file() or is_foreign(shown):
                    continue
                try:
                    pages[shown] = read_page(shown, path.read_text(encoding="utf-8"))
                except UnicodeDecodeError:
                    self.error(shown, 0, "is not UTF-8")
        if not pages:
            self.error("README.md", 0, "no page was found to check")
        return pages

    # Sources

    def regions_of(self, path):
        if path not in self.regions:
            text = (self.root / path).read_text(encoding="utf-8", errors="replace")
            self.regions[path], problems = read_regions(text)
            for line, message in problems:
                self.error(path, line, message)
        return self.regions[path]

    def read_all_sources(self):
        for folder in SOURCE_FOLDERS:
            for path in sorted((self.root / folder).rglob("*")):
                if is_foreign(path):
                    continue
                if path.suffix in SOURCE_SUFFIXES or path.name == "CMakeLists.txt":
                    self.regions_of(path.relative_to(self.root))
        if (self.root / "CMakeLists.txt").is_file():
            self.regions_of(Path("CMakeLists.txt"))

    def code(self, block):
        """(region, where from), or raises LookupError with what is wrong."""
        name, _, tag = block.argument.partition("#")
        if not tag or " " in block.argument:
            raise LookupError(f"wrong announcement, its form is {FORMS['code']}")
        path = Path(os.path.normpath(name))
        if path.is_absolute() or ".." in path.parts or not (self.root / path).is_file():
            raise LookupError(f"no file '{name}'")
        self.used_tags.add((path, tag))
        regions = self.regions_of(path)
        if tag not in regions:
            raise LookupError(f"no tag '{tag}' in {name}")
        if path.suffix in {".cpp", ".hpp"} and block.language != "cpp":
            raise LookupError("the fence of C++ code begins with ```cpp")
        return regions[tag][1], f"differs from {block.argument}"

    # Programs

    @staticmethod
    def command_of(block):
        """(words, exit code), or raises LookupError with what is wrong."""
        try:
            words = shlex.split(block.argument)
        except ValueError as problem:
            raise LookupError(f"wrong announcement: {problem}") from None
        exit_codes = [word for word in words if re.fullmatch(r"exit=\d+", word)]
        words = [word for word in words if word not in exit_codes]
        if len(exit_codes) > 1 or not words or "/" in words[0]:
            raise LookupError(f"wrong announcement, its form is {FORMS[block.kind]}")
        return tuple(words), int(exit_codes[0][5:]) if exit_codes else 0

    def run(self, words):
        program = self.bin / words[0]
        if not program.is_file():
            return f"no program '{words[0]}' in {self.shown_bin}: build it first"
        environment = {**os.environ, "NO_COLOR": "1", "TERM": "dumb"}
        try:
            child = subprocess.Popen([str(program), *words[1:]], cwd=self.root, env=environment,
                                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                     stderr=subprocess.DEVNULL, start_new_session=True)
        except OSError as problem:
            return f"'{words[0]}' cannot be started: {problem.strerror}"
        with child:
            try:
                out, _ = child.communicate(timeout=RUN_LIMIT_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                return f"'{shlex.join(words)}' did not end within {RUN_LIMIT_SECONDS} s"
        return child.returncode, out.decode("utf-8", errors="replace").rstrip("\n")

    def list_of(self, program):
        result = self.run((program, "--list", "--json"))
        return result if isinstance(result, str) else result[1]

    def run_all(self):
        """Runs each distinct command once, two at a time."""
        for page in self.pages.values():
            for block in page.blocks:
                if block.kind in ("run", "table"):
                    try:
                        self.commands.add(self.command_of(block)[0])
                    except LookupError:
                        pass  # reported with its block
        with ThreadPoolExecutor(max_workers=2) as pool:
            ordered = sorted(self.commands)
            self.outputs = dict(zip(ordered, pool.map(self.run, ordered)))

    def output(self, block):
        """(output, where from), or raises LookupError with what is wrong."""
        words, exit_code = self.command_of(block)
        result = self.outputs[words]
        if isinstance(result, str):
            raise LookupError(result)
        if result[0] == CANNOT_RUN_HERE:
            raise CannotRunHere(f"not compared, '{shlex.join(words)}' cannot run on this machine")
        if result[0] != exit_code:
            raise LookupError(f"'{shlex.join(words)}' ended with exit code {result[0]}, "
                              f"not {exit_code}")
        if not result[1]:
            raise LookupError(f"'{shlex.join(words)}' printed nothing on standard output")
        text = result[1]
        if block.kind == "table":
            text = "\n".join(line for line in text.split("\n") if line.startswith("|"))
            if not text:
                raise LookupError(f"'{shlex.join(words)}' printed no table")
        problem = self.documentation.problem(words[0], text)
        if problem:
            raise LookupError(f"'{shlex.join(words)}' {problem}")
        return text, f"differs from what '{shlex.join(words)}' prints"

    # Pictures

    def story(self, name):
        if name not in self.stories:
            try:
                path = self.root / draw.STORIES / f"{name}.json"
                self.stories[name] = draw.Story(self.root, path)
            except Wrong as problem:
                self.stories[name] = str(problem).replace(f"{self.root}/", "")
        return self.stories[name]

    def picture(self, page, block):
        """(lines, where from), or raises LookupError with what is wrong."""
        if not re.fullmatch(r"[\w-]+", block.argument):
            raise LookupError(f"wrong announcement, its form is {FORMS['picture']}")
        story = self.story(block.argument)
        if isinstance(story, str):
            raise LookupError(story)
        for name, text in story.files().items():
            path = self.root / name
            if not path.is_file() or path.read_text(encoding="utf-8", errors="replace") != text:
                raise LookupError(f"{name} is not what the recordings give: tools/draw.py --all")
        return story.block(page.path), f"differs from what the story '{block.argument}' says"

    # Pages

    def check_unannounced(self, page, block):
        size = block.end - block.first
        if block.kind == "sketch":
            if block.language not in CPP_NAMES:
                self.error(page.path, block.line, "a sketch is a cpp block")
        elif not block.language:
            self.error(page.path, block.line, "a fence without a language: name one, such as "
                       "cpp, sh or text")
        elif block.language in CPP_NAMES and size > LONGEST_UNANNOUNCED_CPP:
            self.error(page.path, block.line, f"{size} lines of cpp that nothing checks: announce "
                       f"them with {FORMS['code']} or {FORMS['sketch']}")

    def new_content(self, page, block):
        """What the block must show, or None if it already does or nobody knows."""
        old = block.content(page.lines)
        try:
            if block.kind == "code":
                new, difference = self.code(block)
                old_form, new_form = old, new
            elif block.kind == "picture":
                new, difference = self.picture(page, block)
                old_form, new_form = old, new
            else:
                new, difference = self.output(block)
                program = self.command_of(block)[0][0]
                old_form, new_form = (self.documentation.form(program, text) for text in (old, new))
            if block.fence and re.search(rf"^\s*{re.escape(block.fence)}", new, re.MULTILINE):
                raise LookupError("the content has a fence in it: use a longer one around it")
        except CannotRunHere as reason:
            self.warnings.append(f"{page.path}:{block.line + 1}: warning: {reason}")
            return None
        except LookupError as problem:
            self.error(page.path, block.line, problem.args[0])
            return None
        if old_form == new_form:
            return None
        origin = {"code": "source", "picture": "story"}.get(block.kind, "program")
        diff = list(difflib.unified_diff(old_form.split("\n"), new_form.split("\n"), "page", origin,
                                         n=1, lineterm=""))
        if len(diff) > DIFF_LINES:
            diff = diff[:DIFF_LINES] + [f"... {len(diff) - DIFF_LINES} more lines"]
        self.error(page.path, block.line, difference, diff)
        return new

    def check_blocks(self):
        """{path: [(block, new content)]} of what differs; everything wrong is in errors."""
        changes = {}
        for page in self.pages.values():
            for line, message in page.problems:
                self.error(page.path, line, message)
            for block in page.blocks:
                if block.kind in ("", "sketch"):
                    self.check_unannounced(page, block)
                    continue
                new = self.new_content(page, block)
                if new is not None:
                    changes.setdefault(page.path, []).append((block, new))
        return changes

    def check_facts_in_prose(self):
        for page in self.pages.values():
            for line, name, value in facts_of(page):
                if name not in self.documentation.names():
                    continue
                values = [fact.value for fact in self.facts_above(page, line) if fact.name == name]
                if value not in values and (values or "_" in name):
                    above = f"shows {' or '.join(values)}" if values else "has no such fact"
                    self.error(page.path, line, f"`{name} {value}`: the output above {above}")

    def facts_above(self, page, line):
        above = [block for block in page.blocks
                 if block.kind in ("run", "table") and block.end <= line]
        try:
            return self.documentation.facts_in(self.command_of(above[-1])[0][0],
                                               above[-1].content(page.lines))
        except LookupError:  # none above, or reported with its block
            return []

    def check_tags(self):
        for path, regions in sorted(self.regions.items()):
            for tag, (line, _) in regions.items():
                if (path, tag) not in self.used_tags and not tag.startswith("tidy-"):
                    self.warnings.append(f"{path}:{line + 1}: warning: tag '{tag}' is on no page")

    def check_links(self):
        for page in self.pages.values():
            links, undefined = links_of(page)
            for line, name in undefined:
                self.error(page.path, line, f"no definition of the link [{name}]")
            for line, target in links:
                problem = self.link_problem(page, target)
                if problem:
                    self.error(page.path, line, problem)

    def link_problem(self, page, target):
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:|//", target):
            return None
        name, _, anchor = target.partition("#")
        name, anchor = urllib.parse.unquote(name), urllib.parse.unquote(anchor)
        if name.startswith("/"):
            path = Path(os.path.normpath(name.lstrip("/")))
        else:
            path = Path(os.path.normpath(page.path.parent / name)) if name else page.path
        if ".." in path.parts:
            return f"link '{target}' leads out of the repository"
        if not (self.root / path).exists():
            return f"link '{target}' leads nowhere: no {path}"
        if not anchor:
            return None
        if path.suffix == ".html":  # of the player
            known = (self.root / draw.STORIES / f"{anchor}.json").is_file()
        elif path in self.pages:
            known = anchor in anchors_of(self.pages[path])
        else:
            known = self.is_line(path, anchor)
            self.note_linked_tag(path, anchor)
        return None if known else f"link '{target}' leads nowhere: no '#{anchor}' in {path}"

    def note_linked_tag(self, path, anchor):
        """A tag is on a page, too, where a link leads to its line."""
        if path in self.regions:
            self.used_tags.update((path, tag) for tag, (line, _) in self.regions[path].items()
                                  if anchor == f"L{line + 1}")

    def is_line(self, path, anchor):
        lines = re.fullmatch(r"L(\d+)(?:-L(\d+))?", anchor)
        if not lines or not (self.root / path).is_file():
            return False
        count = (self.root / path).read_bytes().count(b"\n")
        return all(1 <= int(number) <= count for number in lines.groups() if number)

    def update(self, changes):
        for path, blocks in changes.items():
            lines = self.pages[path].lines
            for block, new in sorted(blocks, key=lambda change: -change[0].first):
                lines[block.first:block.end] = [
                    f"{block.indent}{line}" if line else "" for line in new.split("\n")]
                self.errors = [error for error in self.errors
                               if not (error[0] == str(path) and error[1] == block.line + 1)]
            (self.root / path).write_text("\n".join(lines), encoding="utf-8")
            for block, _ in blocks:
                print(f"{path}:{block.line + 1}: updated")

    def check(self, update):
        self.read_all_sources()
        self.run_all()
        changes = self.check_blocks()
        if update:
            self.update(changes)
        self.check_facts_in_prose()
        self.check_links()
        self.check_tags()
        return not self.errors

    def report(self):
        for warning in self.warnings:
            print(warning)
        for path, line, message, diff in sorted(self.errors):
            print(f"{path}:{line}: {message}")
            for text in diff:
                print(f"    {text}".rstrip())
        blocks = sum(block.kind in ("code", "run", "table", "picture")
                     for page in self.pages.values() for block in page.blocks)
        verdict = f"{len(self.errors)} wrong" if self.errors else "all true"
        print(f"docs: {len(self.pages)} pages, {blocks} announced blocks, "
              f"{len(self.commands)} commands run: {verdict}")


class Arguments(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"docs: {message}: try --help\n")


def main(words=None):
    parser = Arguments(prog="tools/docs.py", allow_abbrev=False, description=__doc__,
                       formatter_class=argparse.RawDescriptionHelpFormatter)
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--check", action="store_true", help="report each difference")
    mode.add_argument("--update", action="store_true", help="rewrite the blocks that differ")
    parser.add_argument("--bin", type=Path, default=Path("build/release/bin"), metavar="DIR",
                        help="where the programs are (default: %(default)s)")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent,
                        metavar="DIR", help="the repository (default: this script's)")
    arguments = parser.parse_args(words)
    docs = Docs(arguments.root, arguments.bin)
    is_true = docs.check(arguments.update)
    docs.report()
    return 0 if is_true else 1


if __name__ == "__main__":
    sys.exit(main())
