"""dpdk-testpmd on net_null: what the same port does without us."""

import os
import re
import shutil
import signal
import statistics
import subprocess
import time

from . import machine
from .programs import Failed

_START = 30
_RATE = {"txonly": re.compile(r"Tx-pps:\s+(\d+)"), "rxonly": re.compile(r"Rx-pps:\s+(\d+)")}


def unavailable():
    return None if shutil.which("dpdk-testpmd") else "dpdk-testpmd is not installed (dpdk-dev)"


def mpps(mode, frame, seconds):
    """Of one forwarding core: the median of what it prints each second."""
    vdev = f"net_null0,size={frame}" + (",no-rx=1" if mode == "txonly" else "")
    cpus = machine.cpus()
    command = ["dpdk-testpmd", "--no-huge", "-m", "256", "--no-pci", "--no-telemetry",
               "--no-shconf", f"--file-prefix=joinleaf-bench-{os.getpid()}",
               "--lcores", f"0@{cpus[0]},1@{cpus[-1]}", f"--vdev={vdev}", "--",
               f"--forward-mode={mode}", "--burst=32", "--stats-period=1", "--auto-start",
               "--total-num-mbufs=16384"]
    if mode == "txonly":
        command.append(f"--txpkts={frame}")
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    try:
        rates = _rates(process, _RATE[mode], max(1, round(seconds)))
    finally:
        process.send_signal(signal.SIGINT)  # with --stats-period it reads no commands
        try:
            process.communicate(timeout=_START)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
    if not rates:
        raise Failed(f"dpdk-testpmd measured nothing; try it by hand: {' '.join(command)}")
    return statistics.median(rates) / 1e6


def _rates(process, pattern, wanted):
    """Its first whole seconds: it says 0 until it forwards, then a second that began late."""
    rates = []
    deadline = time.monotonic() + _START + wanted
    for line in process.stdout:
        found = pattern.search(line)
        if found and int(found[1]) > 0:
            rates.append(int(found[1]))
        if len(rates) > wanted or time.monotonic() > deadline:
            break
    return rates[1:]
