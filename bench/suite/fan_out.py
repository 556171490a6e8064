"""What a replica costs: bench/fan_out takes its contenders in turn, slice by slice."""

import json

from . import programs

# The corners that the goal names.
QUICK_LEAVES = (64, 10_000)
QUICK_PAYLOADS = (64, 1400)


def subject(mode):
    return f"fan-out, {mode}"


def _program(build):
    return build / "bench" / "fan_out"


def unavailable(build):
    return None if _program(build).exists() else "this build has no bench/fan_out"


def rows(build, quick, kernel):
    """One for each mode, number of leaves and payload: {"mode","n","payload","ns"}."""
    options = [] if kernel else ["--no-kernel"]
    if quick:
        options += ["--leaves", *QUICK_LEAVES, "--payload", *QUICK_PAYLOADS]
    said = programs.run(_program(build), *options, timeout=300)
    return [row for line in said.splitlines() if line.startswith("{")
            for row in _rows_of(json.loads(line))]


def _rows_of(line):
    """Of a line for one mode, or of one that has them all side by side with their medians."""
    if "mode" in line:
        return [line]
    return [{"mode": mode, "n": line["leaves"], "payload": line["payload"], "ns": figures["median"]}
            for mode, figures in line.items() if isinstance(figures, dict)]
