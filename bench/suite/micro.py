"""The pure steps, in CPU time, by Google Benchmark."""

import json

from . import programs

_PROGRAMS = ("path_bench", "igmp_bench", "feed_bench")
_LEAST = 0.02  # seconds each
PARTS = ("per_message", "per_packet")  # a feed's steps have both, in ns


def measure(build):
    """{"name","cpu_ns","items_per_second","ns"} for each; `ns` is that of one packet, group or
    record where a step handles several at a time. A step that measures memory has "octets", one of
    a feed has PARTS."""
    found = []
    for program in _PROGRAMS:
        said = programs.run(build / "bench" / "micro" / program, "--benchmark_format=json",
                            f"--benchmark_min_time={_LEAST}", timeout=300)
        for step in json.loads(said)["benchmarks"]:
            if step.get("run_type") == "aggregate":
                continue
            scale = {"ns": 1, "us": 1e3, "ms": 1e6}[step["time_unit"]]
            rate = step.get("items_per_second")
            cpu = step["cpu_time"] * scale
            found.append({"name": step["name"], "cpu_ns": cpu, "items_per_second": rate,
                          "ns": 1e9 / rate if rate else cpu,
                          "octets": step.get("bytes_per_group"),
                          **{name: step[name] * 1e9 for name in PARTS if name in step}})
    return found
