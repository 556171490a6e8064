"""The machine that was measured: figures without it mean nothing."""

import os
import pathlib
import platform
import shutil
import subprocess
import time

BUSY = 0.3  # load for each CPU from which on figures are noise


def cpus():
    """The CPUs this process may use, ascending."""
    return sorted(os.sched_getaffinity(0))


def _cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _free_hugepages():
    pages = pathlib.Path("/sys/kernel/mm/hugepages").glob("*/free_hugepages")
    return sum(int(page.read_text()) for page in pages)


def _said_by(*command):
    if shutil.which(command[0]) is None:
        return None
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip().splitlines()[0] if done.returncode == 0 and done.stdout else None


def describe():
    return {
        "cpu": _cpu_model(),
        "cpus": len(cpus()),
        "kernel": platform.release(),
        "dpdk": _said_by("pkg-config", "--modversion", "libdpdk"),
        "hugepages": _free_hugepages() > 0,
        "load": os.getloadavg()[0],
        "date": time.strftime("%Y-%m-%d"),
    }


def is_busy(described):
    return described["load"] > BUSY * described["cpus"]


def in_words(described):
    pages = "hugepages reserved" if described["hugepages"] else "no hugepages reserved"
    return (f"{described['cpu']}, {described['cpus']} CPUs, Linux {described['kernel']}, "
            f"DPDK {described['dpdk']}, {pages}, {described['date']}, "
            f"load {described['load']:.1f} at the start")
