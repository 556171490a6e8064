"""What scripts/bench makes of its figures: ratios, goals, the budget of cores, comparisons, the README."""

import json
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "bench"))

from suite import budget, fan_out, feed_loss, goals, instructions, plan, readme, tables, testpmd  # noqa: E402
from suite.results import Results, ratios  # noqa: E402


def goal(results, name):
    return next(g for g in goals.all_goals(results) if g.name == name)


class ResultsTest(unittest.TestCase):
    def test_ratios_are_of_the_rounds_that_have_both(self):
        self.assertEqual(ratios({0: 4.0, 1: 9.0, 3: 1.0}, {0: 2.0, 1: 3.0, 2: 7.0}), [2.0, 3.0])

    def test_what_is_written_as_json_is_read_back(self):
        results = Results()
        results.add(0, "a", 1.5, "Mpps", payload=64)
        results.add(2, "a", 2.5, "Mpps", payload=64)
        results.add(0, "a", 9.0, "Mpps", payload=256)
        results.skipped["veth"] = "not root"
        results.failed.append(("b", "it crashed"))
        again = Results.from_json(json.loads(json.dumps(results.as_json())))
        self.assertEqual(again.values("a", payload=64), {0: 1.5, 2: 2.5})
        self.assertEqual(again.median("a", payload=64), 2.0)
        self.assertEqual(again.as_json(), results.as_json())

    def test_what_was_not_measured_has_no_median(self):
        self.assertIsNone(Results().median("a", payload=64))


class GoalsTest(unittest.TestCase):
    def root_and_testpmd(self, pairs):
        results = Results()
        for number, (root, txonly) in enumerate(pairs):
            results.add(number, plan.ROOT_MOLD, root, "Mpps", payload=64)
            results.add(number, plan.TXONLY, txonly, "Mpps", frame=126)
        return results

    def test_the_median_of_the_ratios_within_rounds_counts(self):
        # The ratio of the medians would be 3.
        found = goal(self.root_and_testpmd([(30, 10), (60, 40), (20, 10)]), "root_to_txonly")
        self.assertEqual(found.line(), "goal root_to_txonly measured 2.00 wanted >=1.2")
        self.assertTrue(found.reached)

    def test_a_goal_with_a_side_missing_is_neither_reached_nor_missed(self):
        found = goal(Results(), "processes_to_gso")
        self.assertEqual(found.line(), "goal processes_to_gso measured none wanted >=1.5")
        self.assertIsNone(found.reached)

    def test_cost_by_groups_is_the_inverse_of_the_rates(self):
        results = Results()
        results.add(0, plan.LEAF, 30.0, "Mpps", payload=64, groups=1000)
        results.add(0, plan.LEAF, 20.0, "Mpps", payload=64, groups=100_000)
        found = goal(results, "cost_of_100000_groups_to_1000")
        self.assertAlmostEqual(found.measured, 1.5)
        self.assertFalse(found.reached)

    def test_the_dearest_corner_of_the_fan_out_counts(self):
        results = Results()
        for leaves, payload, ns in ((64, 64, 10), (64, 1400, 12), (10_000, 64, 11),
                                    (10_000, 1400, 15)):
            results.add(0, fan_out.subject("replicate"), ns, "ns a replica", leaves=leaves,
                        payload=payload)
            results.add(0, fan_out.subject("bare"), 10, "ns a replica", leaves=leaves,
                        payload=payload)
        self.assertAlmostEqual(goal(results, "replicate_to_bare").measured, 1.5)
        self.assertAlmostEqual(goal(results, "replicate_dearest_to_cheapest").measured, 1.5)


    def test_a_feed_has_a_rate_to_reach(self):
        results = Results()
        for number, rate in enumerate((49.0, 51.0, 60.0)):
            results.add(number, plan.FEED, rate, "million messages/s", message=40, lines=2,
                        udp_checksum=False)
        results.add(0, plan.FEED, 80.0, "million messages/s", message=40, lines=1,
                    udp_checksum=False)
        found = goal(results, "feed_million_messages_per_second")
        self.assertEqual(found.line(),
                         "goal feed_million_messages_per_second measured 51.00 wanted >=50")
        self.assertIn("messages of 40 B, 2 lines", tables.feeds(results))
        self.assertIn("messages of 40 B, one line", tables.feeds(results))

    def test_a_feed_with_losses_has_a_line_for_each_case_that_was_measured(self):
        results = Results()
        for case in (1, feed_loss.STORM):
            for place, name in enumerate((*feed_loss.LATENCIES, *feed_loss.COUNTS)):
                results.add(0, f"{plan.FEED_LOSS}, {name}", 10 + place, "us", loss=case)
        shown = tables.feed_losses(results).splitlines()
        self.assertEqual(len(shown), 4)
        self.assertEqual([cell.strip() for cell in shown[2].split("|")][1:6],
                         ["1 % of each line", "10.0", "11.0", "12.0", "13.0"])
        self.assertIn(feed_loss.STORM, shown[3])

    def test_of_a_feeds_steps_the_cost_of_a_message_and_of_a_packet_is_shown(self):
        steps = [{"name": "pack/message:40", "per_message": 3.14, "per_packet": 107.2},
                 {"name": "classify", "ns": 5.0}]
        shown = tables.feed_steps(steps)
        self.assertIn("| 3.14 ", shown)
        self.assertIn("| 107.20", shown)
        self.assertNotIn("classify", shown)
        self.assertEqual(tables.feed_steps(steps[1:]), "")


class BudgetTest(unittest.TestCase):
    def test_line_rate_of_the_smallest_frame_is_the_one_everybody_knows(self):
        self.assertAlmostEqual(budget.packets_per_second(10, 18) / 1e6, 14.88, places=2)

    def test_a_payload_that_is_padded_fills_no_smaller_frame(self):
        self.assertEqual(budget.packets_per_second(10, 1), budget.packets_per_second(10, 18))

    def test_one_core_is_busy_when_packets_come_as_fast_as_it_takes_them(self):
        ns = 1e9 / budget.packets_per_second(25, 256)
        self.assertAlmostEqual(budget.cores(25, 256, ns), 1.0)
        self.assertAlmostEqual(budget.cores(100, 256, ns), 4.0)


class InstructionsTest(unittest.TestCase):
    kept = {"tolerance": 0.03, "compiler": "gcc 1", "steps": {"a": 100.0, "b": 50.0}}

    def compare(self, steps, compiler="gcc 1"):
        rows, within = instructions.compare({"compiler": compiler, "steps": steps}, self.kept)
        return {row[0]: row[4] for row in rows}, within

    def test_within_the_tolerance_nothing_is_said(self):
        self.assertEqual(self.compare({"a": 102.9, "b": 48.6}), ({"a": "", "b": ""}, True))

    def test_beyond_it_either_way_is_told(self):
        self.assertEqual(self.compare({"a": 104.0, "b": 48.0}),
                         ({"a": "MORE", "b": "fewer"}, False))

    def test_steps_that_come_and_go_are_told(self):
        self.assertEqual(self.compare({"a": 100.0, "c": 1.0}),
                         ({"a": "", "b": "gone", "c": "new"}, False))

    def test_counts_of_another_compiler_prove_nothing(self):
        self.assertIsNone(self.compare({"a": 200.0, "b": 50.0}, "gcc 2")[1])

    def test_the_base_line_in_the_repository_can_be_read(self):
        baseline = instructions.read_baseline()
        self.assertGreater(len(baseline["steps"]), 10)
        self.assertEqual(instructions.compare(baseline, baseline)[1], True)


class OutputsTest(unittest.TestCase):
    def test_the_columns_of_a_table_are_as_wide_as_their_widest_cell(self):
        self.assertEqual(tables.table(["a", "bb"], [["ccc", 1]]),
                         "| a   | bb |\n| --- | -- |\n| ccc | 1  |")

    def test_readme_keeps_all_but_what_is_between_the_marks(self):
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / "README.md"
            path.write_text(f"before\n{readme.BEGIN}\nold\n{readme.END}\nafter\n")
            with mock.patch.object(readme, "README", path):
                readme.write("new")
                readme.write("newer")
            self.assertEqual(path.read_text(),
                             f"before\n{readme.BEGIN}\n\nnewer\n\n{readme.END}\nafter\n")

    def test_the_marks_are_in_the_readme_of_the_repository(self):
        text = readme.README.read_text()
        self.assertEqual((text.count(readme.BEGIN), text.count(readme.END)), (1, 1))


class ParsingTest(unittest.TestCase):
    def test_testpmd_begins_with_zero_and_a_broken_second(self):
        lines = ["Rx-pps: 0", "Rx-pps:   5", "  Rx-pps:    100   Rx-bps: 1", "Rx-pps: 110",
                 "Rx-pps: 1"]
        process = mock.Mock(stdout=iter(lines))
        self.assertEqual(testpmd._rates(process, testpmd._RATE["rxonly"], 2), [100, 110])

    def test_fan_out_lines_by_mode_and_side_by_side(self):
        one = {"mode": "copy", "n": 8, "payload": 64, "ns": 20.0}
        self.assertEqual(fan_out._rows_of(one), [one])
        both = {"leaves": 8, "payload": 64, "udp_checksum": True, "replicate_to_bare": 1.5,
                "bare": {"median": 5.0, "best": 4.0}, "copy": {"median": 20.0, "best": 19.0},
                "sendmmsg": None}
        self.assertEqual(fan_out._rows_of(both),
                         [{"mode": "bare", "n": 8, "payload": 64, "ns": 5.0}, one])


if __name__ == "__main__":
    unittest.main()
