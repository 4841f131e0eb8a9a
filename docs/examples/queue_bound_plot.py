#!/usr/bin/env python3
"""The figure of docs/what-to-use-when.md, from the table that queue_bound prints:

    build/release/bin/queue_bound | docs/examples/queue_bound_plot.py > docs/pictures/queue_bound.svg
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import svg_plot  # noqa: E402

rows = [[float(cell) for cell in line.split()] for line in sys.stdin.readlines()[1:]]
names = {1: "messages a ms", 2: "wait of a message, µs", 3: "sender waits, of 1,000 messages"}
lines = [svg_plot.Line(name, [(row[0], row[column]) for row in rows])
         for column, name in names.items()]
print(svg_plot.chart("A bounded queue between two tasks of one thread", "capacity", "",
                     lines, [row[0] for row in rows]), end="")
