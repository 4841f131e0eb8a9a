"""The facts that programs print, found in their output and compared with what is documented.

A program documents its facts in `--list --json`, a table of several programs the program and the
experiment of each column. CONTRIBUTING.md says what each word of it allows.
"""

import functools
import json
import operator
import re
from dataclasses import dataclass, field

# What lets another value stand on a page than in a fresh run. A test holds these words and the list
# in CONTRIBUTING.md together. The word "is" lets none.
BOUNDS = {"at_least": operator.ge, "at_most": operator.le}
EXCEPTIONS = {*BOUNDS, "varies"}

NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
NOT_MEASURED = "-"
OUTCOME = "outcome"

# "leak · leaked · as documented", or "  owners_left   1" and lines aligned under the value.
OUTPUT = re.compile(r"^(?P<experiment>[\w-]+) · (?P<outcome>\w+) · "
                    r"|^  (?P<name>\w+_\w+(?= )|\w+(?=  )) +(?P<value>\S.*(?:\n {3,}\S.*)*)", re.M)
ROW = re.compile(r"^\|.*", re.M)
# "  cancelled                  yes                      no", under a line with the halves.
HALVES = re.compile(r"^(?P<number>\d\d) .* · .*\n\n +(?P<heads>(?:broken|correct)(?: +correct)?)$", re.M)
HALVES_ROW = re.compile(r"^  (?P<name>\w+)(?P<cells>(?: +\S+(?: \S+)*)+)$", re.M)
HALVES_CELL = re.compile(r"(?P<value>\S+(?: \S+)*?)(?: \((?:at least|at most) [^)]*\)| \(varies\))?(?=  |$)")
# Behind such a value: as wide as the value leaves room for.
HALVES_PADDING = re.compile(r"( \((?:at least|at most) [^)]*\)| \(varies\)|) {2,}")
CELL = re.compile(r"\| (?:\*\*)?(?P<value>[^|]*?)(?: !\*\*)? (?=\|)")


@dataclass(frozen=True)
class Fact:
    place: object  # the experiment, or the column of the table
    name: str
    begin: int  # of the value in the text
    end: int
    text: str  # the value as it is shown
    documented: dict = field(default_factory=dict)  # {"is": 2}; empty: not at all

    @property
    def value(self):
        return plain(self.text)

    @property
    def is_exact(self):
        return not self.documented or not EXCEPTIONS.issuperset(self.documented)

    def form(self):
        """What must be on the page: the value, unless it keeps what is documented of it."""
        if self.is_exact or self.text == NOT_MEASURED:
            return self.text
        number = NUMBER.fullmatch(self.text)
        for word in BOUNDS.keys() & self.documented.keys():
            if not number or not BOUNDS[word](float(self.text), self.documented[word]):
                return self.text
        conditions = "".join(f", {word} {what}" for word, what in self.documented.items())
        return f"<{'number' if number else 'word'}{conditions}>"

    def is_as_documented(self):
        if not self.documented:
            return self.text == NOT_MEASURED
        if "is" in self.documented:
            return self.value == plain(shown(self.documented["is"]))
        return self.form() != self.text


def shown(value):
    """A value of JSON as the programs show it to people."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return NOT_MEASURED
    if isinstance(value, list):
        return ", ".join(map(shown, value)) or "none"
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def plain(value):
    """On one line and without commas: an array that needs more than one line has none."""
    return " ".join(value.replace(",", " ").split())


def found_in_output(text):
    place = None
    for match in OUTPUT.finditer(text):
        place = match["experiment"] or place
        group = "value" if match["name"] else OUTCOME
        yield Fact(place, match["name"] or OUTCOME, *match.span(group), match[group])


def found_in_table(text, names):
    for line in list(ROW.finditer(text))[2:]:
        cells = list(CELL.finditer(text, *line.span()))
        for column, cell in enumerate(cells[1:]):
            row = cells[0]["value"]
            yield Fact(column, names.get(row, row), *cell.span("value"), cell["value"])


def found_in_halves(text):
    head = HALVES.match(text)
    places = [f"{head['number']}-{side}" for side in head["heads"].split()]
    table_end = text.index("\n\n", head.end())
    for line in HALVES_ROW.finditer(text, head.end(), table_end):
        for place, cell in zip(places, HALVES_CELL.finditer(text, *line.span("cells"))):
            yield Fact(place, line["name"], *cell.span("value"), cell["value"])


class Documentation:
    """What the programs document of their facts; each is asked once."""

    def __init__(self, ask):
        self.ask = ask  # (program) -> the text of its `--list --json`
        self.read = {}

    def of(self, program):
        """({experiment or column: {fact: documented}}, {row of a table: fact}); both are empty if
        the program documents no facts."""
        if program not in self.read:
            try:
                self.read[program] = self.understand(json.loads(self.ask(program)))
            except (ValueError, LookupError, TypeError):
                self.read[program] = {}, {}
        return self.read[program]

    def understand(self, listed):
        if "columns" not in listed:
            outcomes = {one["name"]: {OUTCOME: {"is": one["expected"]}} if "expected" in one else {}
                        for one in listed["experiments"]}
            return {one["name"]: outcomes[one["name"]] | one["facts"]
                    for one in listed["experiments"]}, {}
        names = {OUTCOME: OUTCOME, **{row["meaning"]: row["fact"] for row in listed["rows"]}}
        columns = [self.of(column["program"])[0][column["experiment"]]
                   for column in listed["columns"]]
        return {number: {name: facts[name] for name in names.values() if name in facts}
                for number, facts in enumerate(columns)}, names

    def names(self):
        """Of all facts that the programs asked so far document."""
        return {name for facts, _ in self.read.values() for one in facts.values() for name in one}

    def facts_in(self, program, text):
        """The facts in its output, in their order; none if it documents none."""
        documented, names = self.of(program)
        if HALVES.match(text):
            found = found_in_halves(text)
        else:
            found = found_in_table(text, names) if names else found_in_output(text)
        return [Fact(fact.place, fact.name, fact.begin, fact.end, fact.text,
                     documented.get(fact.place, {}).get(fact.name, {}))
                for fact in found] if documented else []

    @functools.cache
    def form(self, program, text):
        """The output without what may differ from run to run."""
        halves = HALVES.match(text)
        for fact in reversed(self.facts_in(program, text)):
            form, rest = fact.form(), text[fact.end:]
            if halves and form != fact.text and (padding := HALVES_PADDING.match(rest)):
                rest = f"{padding[1]}  {rest[padding.end():]}"
            text = text[:fact.begin] + form + rest
        return text

    @functools.cache
    def problem(self, program, text):
        """What in a fresh output is not as documented, or None."""
        found = self.facts_in(program, text)
        for fact in found:
            if not fact.is_as_documented():
                what = ", ".join(f"{word} {shown(what)}" for word, what in fact.documented.items())
                return f"prints '{fact.name} {fact.value}' and documents {what or 'no such fact'}"
        for place in dict.fromkeys(fact.place for fact in found):
            for name in self.of(program)[0].get(place, {}):
                if not any((fact.place, fact.name) == (place, name) for fact in found):
                    return f"documents the fact '{name}' and does not print it"
        return None
