"""The figures in README.md, between two marks; nothing else of it is touched."""

import pathlib

from . import machine, tables

README = pathlib.Path(__file__).resolve().parents[2] / "README.md"
PLOTS = README.parent / "bench" / "plots"
BEGIN = "<!-- measured: begin (scripts/bench --from FILE --readme writes what is between) -->"
END = "<!-- measured: end -->"


def section(described, rounds, results, goals, pictures=(), steps=()):
    """`pictures`: files below README's folder, shown as they are; `steps`: of micro."""
    shown = "\n".join(f"![{picture.stem.replace('_', ' ')}]({picture.relative_to(README.parent)})"
                      for picture in pictures)
    parts = [f"Medians of {rounds} rounds on {machine.in_words(described)}.",
             tables.table(["goal, a ratio within a round where no unit is named", "measured", "wanted"],
                          [[goal.name, "none" if goal.measured is None else f"{goal.measured:.2f}",
                            goal.wanted] for goal in goals]),
             tables.rates(results), tables.round_trips(results), tables.fan_outs(results),
             tables.feeds(results), tables.feed_steps(steps), tables.feed_losses(results),
             tables.admissions(results), tables.budgets(results),
             shown]
    return "\n\n".join(part for part in parts if part)


def write(text):
    readme = README.read_text()
    if readme.count(BEGIN) != 1 or readme.count(END) != 1:
        raise SystemExit(f"scripts/bench: the marks for the figures are not in {README}")
    before, rest = readme.split(BEGIN)
    after = rest.split(END)[1]
    README.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")
