"""Instruction counts of the pure steps under callgrind, compared with those that are kept in the
repository. They are the same in every run, however busy the machine is; another compiler, another C
library or a processor without AVX2, for which memcpy is another one, gives others."""

import json
import pathlib
import re
import shutil
import tempfile

from . import programs
from .programs import Failed

BASELINE = pathlib.Path(__file__).resolve().parents[1] / "instructions.json"
_MEASURED = "joinleaf_measured"


def unavailable():
    return None if shutil.which("valgrind") else "valgrind is not installed"


def count(build):
    """{"compiler":.., "steps":{name: instructions for one packet, record or burst}}."""
    program = build / "bench" / "micro" / "instructions"
    with tempfile.TemporaryDirectory(prefix="joinleaf-bench-") as directory:
        out = pathlib.Path(directory) / "callgrind"
        described = programs.run_json(
            "valgrind", "--tool=callgrind", f"--callgrind-out-file={out}",
            f"--toggle-collect={_MEASURED}", f"--dump-after={_MEASURED}", program)
        if not described["optimized"]:
            raise Failed(f"{program} is not built with optimization; its counts say nothing")
        steps = {}
        for number, step in enumerate(described["steps"], 1):
            total = re.search(r"^totals: (\d+)$", pathlib.Path(f"{out}.{number}").read_text(),
                              re.MULTILINE)
            steps[step["name"]] = round(int(total[1]) / step["items"], 2)
    return {"compiler": described["compiler"], "steps": steps}


def read_baseline():
    return json.loads(BASELINE.read_text())


def update_baseline(counted):
    kept = {"tolerance": read_baseline()["tolerance"], **counted}
    BASELINE.write_text(json.dumps(kept, indent=1) + "\n")


def compare(counted, baseline):
    """A row for each step: name, kept, counted, change in percent, verdict. And whether all are
    within the tolerance; None when the compilers differ, for then nothing follows."""
    tolerance = baseline["tolerance"]
    rows, within = [], True
    names = [*baseline["steps"], *(n for n in counted["steps"] if n not in baseline["steps"])]
    for name in names:
        old, new = baseline["steps"].get(name), counted["steps"].get(name)
        if old is None or new is None:
            rows.append((name, old, new, None, "new" if old is None else "gone"))
            within = False
            continue
        change = (new - old) / old
        verdict = "" if abs(change) <= tolerance else "MORE" if change > 0 else "fewer"
        within = within and not verdict
        rows.append((name, old, new, change * 100, verdict))
    if counted["compiler"] != baseline["compiler"]:
        within = None
    return rows, within
