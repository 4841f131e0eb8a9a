#!/usr/bin/env python3
"""Tests of the page that tools/bench_report.py writes and of its plots, on made-up results."""

import sys
import unittest
import xml.etree.ElementTree

sys.dont_write_bytecode = True
import bench_page  # noqa: E402  (beside this file)
import bench_report  # noqa: E402
import svg_plot  # noqa: E402

SIZES = [100, 1000, 10000]


def results(cancel_ns, tokio_cancel_ns=(100, 200)):
    """Of parked tasks only, a value for each round."""
    runs = {}
    for program, values in ("ours", cancel_ns), ("tokio", tokio_cancel_ns):
        for tasks in SIZES:
            for spawn in "inside", "outside":
                run = bench_report.Run(program, "park", tasks, "token", spawn, "child")
                runs[run.key()] = [{"cancel_ns": value, "spawn_ns": 1000, "bytes": 500,
                                    "cancel_call_ms": 0.5} for value in values]
    return {"machine": [("memory", "1 GiB")], "quick": True, "minutes": 1.5, "sizes": SIZES,
            "runs": runs, "google": {}, "demonstrations": {}, "left_out": ["mimalloc"]}


def row(page, words):
    return next(line for line in page.splitlines() if words in line)


class Page(unittest.TestCase):
    def test_makes_each_ratio_within_a_round_and_shows_median_and_range(self):
        page, _ = bench_page.write(results([50, 90]))

        mark = row(page, "cancel → all ended, spawned inside, against tokio")
        self.assertIn("0.47× (0.45–0.50)", mark)

    def test_says_of_each_mark_whether_it_is_reached(self):
        fast, _ = bench_page.write(results([10, 20]))
        slow, _ = bench_page.write(results([80, 160]))

        words = "cancel → all ended, spawned inside, against tokio"
        self.assertIn("| reached |", row(fast, words))
        self.assertIn("| **not reached** |", row(slow, words))

    def test_does_not_call_reached_what_was_not_measured(self):
        page, plots = bench_page.write(results([]))

        self.assertIn("| not measured |", row(page, "a look at the token"))
        self.assertIn("| not measured |", row(page, "spawned inside, against tokio"))
        self.assertNotIn("contention.svg", page + "".join(plots))

    def test_names_what_was_left_out_and_that_the_run_was_quick(self):
        page, _ = bench_page.write(results([10, 20]))

        self.assertIn("- left out: mimalloc\n", page)
        self.assertIn("A quick run", page)

    def test_has_as_many_cells_in_each_row_of_a_table_as_in_its_header(self):
        page, _ = bench_page.write(results([10, 20]))

        width = None
        for line in page.replace("\\|", "").splitlines():
            if not line.startswith("|"):
                width = None
                continue
            width = width or line.count("|")
            self.assertEqual(line.count("|"), width, line)


class Plot(unittest.TestCase):
    def test_is_well_formed_and_names_axes_ticks_and_lines(self):
        lines = [svg_plot.Line("a < b", [(10, 5), (1000, 500)]), svg_plot.Line("empty", [])]

        svg = svg_plot.chart("Title", "tasks", "ns", lines, [10, 1000])

        words = [element.text for element in xml.etree.ElementTree.fromstring(svg).iter()
                 if element.tag.endswith("}text")]
        self.assertLessEqual({"Title", "tasks", "ns", "a < b", "10", "1,000"}, set(words))
        self.assertNotIn("empty", words)


class Plan(unittest.TestCase):
    def test_takes_turns_between_the_programs(self):
        runs = [run for _, run in bench_report.all_runs(bench_report.FULL)]

        self.assertEqual([run.program for run in runs[:4]], ["ours", "tokio", "ours", "tokio"])

    def test_has_no_run_twice(self):
        keys = [run.key() for _, run in bench_report.all_runs(bench_report.FULL)]

        self.assertEqual(len(keys), len(set(keys)))


if __name__ == "__main__":
    unittest.main()
