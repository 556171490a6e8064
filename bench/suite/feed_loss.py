"""A feed between two processes on a network that loses: how long messages take from the port to the
application, and what repair costs. Two lines by a bridge; losses by chance on each."""

import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import time

from . import links, programs
from .programs import Failed

from lab import feed, netns, program, topology  # (links has put the system tests' folder on the path)
from lab.site import Site

LOSSES = (0, 0.01, 1, 20)  # percent of the datagrams of each line
STORM = "nothing, but 100 others ask"  # nothing is lost, but by a hundred others, who ask for it all the time
CASES = (*LOSSES, STORM)
MESSAGE = 40  # octets
RATE = 40_000  # messages a second, each in a datagram of its own, so that each loss counts
MESSAGES = 120_000
_REPAIR_PORT = 6000
_SESSION = "BENCH"
LATENCIES = ("p50", "p99", "p99_9", "max")
COUNTS = ("lost on A", "lost on B", "requests", "repaired", "missing", "to others")


def unavailable():
    return links.unavailable() or netns.unavailable()


def _write_messages(path):
    body = bytes(MESSAGE - 8)
    with open(path, "wb") as file:
        for number in range(1, MESSAGES + 1):
            file.write(struct.pack(">HQ", MESSAGE, number) + body)


class _Storm:
    """Of a hundred leaves in the namespace of another one."""

    def __init__(self, site):
        network, own = site.two.management.rsplit(".", 1)
        addresses = [f"{network}.{int(own) + 50 + i}" for i in range(100)]
        site.two.namespace.ip(*(f"addr add {address}/24 dev mgmt0" for address in addresses))
        self._process = site.two.namespace.start(
            sys.executable, str(pathlib.Path(__file__).with_name("askers.py")), site.root.management,
            str(_REPAIR_PORT), _SESSION, *addresses, stdout=subprocess.PIPE, text=True)

    def end(self):
        self._process.terminate()
        return json.loads(self._process.communicate(timeout=10)[0])


def _one(site, case, path):
    feed.lose(site.bridge, site.root, 0 if case == STORM else case)
    server = f"{site.root.management}:{_REPAIR_PORT}"
    # Two programs of several threads on two CPUs: who has nothing to do leaves its CPU to others.
    lines = ("--framing", "moldudp64", "--idle-sleep-us", 20)
    receiving = program.leaf(site.one, *feed.joins(), *lines, "--output", "null", "--repair", server,
                             "--gap-deadline-ms", 2000)
    for group in (feed.LINE_A, feed.LINE_B):
        receiving.wait("connected", lambda event, group=group: event["group"] == group)
    feed.wait_for_lines(site.bridge, site.one)
    sending = program.root(site.root, *lines, "--session", _SESSION, "--group", feed.LINE_A, "--line", feed.LINE_B,
                           "--input", path, "--rate", RATE, "--flush-at", MESSAGE + 2,
                           "--end-for-ms", 1500, "--repair-listen", server, "--history-messages",
                           MESSAGES)
    storm = None
    if case == STORM:
        sending.wait("session")
        time.sleep(0.5)  # so that what they ask for has been sent
        storm = _Storm(site)
    told = receiving.finish(within=30 + 5 * MESSAGES / RATE)["feed"]
    others = storm.end() if storm else {"answered": 0}
    sending.finish()
    feed.lose_nothing(site.bridge)
    return {**{name: told["latency_us"][name] for name in LATENCIES},
            "lost on A": told["lines"][0]["lost"], "lost on B": told["lines"][1]["lost"],
            "requests": told["repair"]["requests"], "repaired": told["repaired"]["won"],
            "missing": told["missing"]["messages"], "to others": others["answered"]}


def rows(build):
    """{case: figures}; latencies in us, all else in messages."""
    program.PROGRAM = str(build / "apps" / "joinleaf" / "joinleaf")
    topology.remove_leftovers()
    with tempfile.TemporaryDirectory(prefix="joinleaf-bench-") as directory:
        path = os.path.join(directory, "input")
        _write_messages(path)
        lab = topology.Lab(directory, f"jl-{os.getpid()}-feed-")
        try:
            site = Site(lab, topology.Bridge(lab))
            return {case: _one(site, case, path) for case in CASES}
        except (AssertionError, OSError, RuntimeError, subprocess.SubprocessError) as error:
            raise Failed(str(error).splitlines()[0]) from error
        finally:
            lab.close()
