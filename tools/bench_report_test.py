#!/usr/bin/env python3
"""Tests of the page that tools/bench_report.py writes and of its plots, on made-up results."""

import sys
import tempfile
import unittest
import xml.etree.ElementTree
from pathlib import Path

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


def written(data):
    return bench_page.write(data, instructions_of_a_spawn=931)


def row(page, words):
    return next(line for line in page.splitlines() if words in line)


class Page(unittest.TestCase):
    def test_makes_each_ratio_within_a_round_and_shows_median_and_range(self):
        page, _ = written(results([50, 90]))

        mark = row(page, "cancel → all ended, spawned inside, against tokio")
        self.assertIn("0.47× (0.45–0.50)", mark)

    def test_says_of_each_mark_whether_it_is_reached(self):
        fast, _ = written(results([10, 20]))
        slow, _ = written(results([80, 160]))

        words = "cancel → all ended, spawned inside, against tokio"
        self.assertIn("| reached |", row(fast, words))
        self.assertIn("| **not reached** |", row(slow, words))

    def test_does_not_call_reached_what_was_not_measured(self):
        page, plots = written(results([]))

        self.assertIn("| not measured |", row(page, "a look at the token"))
        self.assertIn("| not measured |", row(page, "spawned inside, against tokio"))
        self.assertIn("| not measured |", row(page, "`mutex_problem`, all of it"))
        self.assertNotIn("contention.svg", page + "".join(plots))

    def test_names_what_was_left_out_and_that_the_run_was_quick(self):
        page, _ = written(results([10, 20]))

        self.assertIn("- left out: mimalloc\n", page)
        self.assertIn("A quick run", page)

    def test_has_as_many_cells_in_each_row_of_a_table_as_in_its_header(self):
        page, _ = written(results([10, 20]))

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


class Check(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        bench_report.write_pages(self.root, results([50, 90]))

    def falsify(self, name, was, becomes):
        path = self.root / "docs" / name
        text = path.read_text(encoding="utf-8")
        self.assertIn(was, text)
        path.write_text(text.replace(was, becomes, 1), encoding="utf-8")
        return bench_report.differences(self.root)

    def test_finds_nothing_where_nobody_has_changed_a_thing(self):
        self.assertEqual(bench_report.differences(self.root), [])

    def test_finds_a_falsified_digit_on_the_page_in_a_plot_and_in_the_results(self):
        for name, was, becomes in (("benchmarks.md", "0.47× (0.45", "0.46× (0.45"),
                                   ("benchmarks/cancel.svg", 'x="', 'x="1'),
                                   ("benchmarks/results.json", '"cancel_ns": 50', '"cancel_ns": 51')):
            with self.subTest(name):
                bench_report.write_pages(self.root, results([50, 90]))
                self.assertNotEqual(self.falsify(name, was, becomes), [])

    def test_says_in_a_line_that_there_is_nothing_to_compare_with(self):
        results = self.root / "docs/benchmarks/results.json"
        for spoil in results.unlink, lambda: results.write_text("{"), lambda: results.write_text("{}"):
            spoil()
            with self.assertRaisesRegex(bench_report.Failed, "^cannot compare with"):
                bench_report.check(self.root)

    def test_finds_a_page_that_was_cut_short(self):
        path = self.root / "docs/benchmarks.md"
        path.write_text("".join(path.read_text(encoding="utf-8").splitlines(True)[:-1]))

        self.assertIn("docs/benchmarks.md", bench_report.differences(self.root)[0])


class Plan(unittest.TestCase):
    def test_takes_turns_between_the_programs(self):
        runs = [run for _, run in bench_report.all_runs(bench_report.FULL)]

        self.assertEqual([run.program for run in runs[:4]], ["ours", "tokio", "ours", "tokio"])

    def test_has_no_run_twice(self):
        keys = [run.key() for _, run in bench_report.all_runs(bench_report.FULL)]

        self.assertEqual(len(keys), len(set(keys)))


if __name__ == "__main__":
    unittest.main()
