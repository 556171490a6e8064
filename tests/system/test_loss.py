"""A report that is lost on its way is made good by its repeat."""

import json
import time

from lab import program

LEAF, SENDER = "10.77.0.12", "10.77.0.13"
GROUP, PORT = "232.6.6.6", 5000

# Drops the first of every three IGMP messages that come in at a port; counts all of them.
RULES = """
table netdev jl {{
  chain lossy {{
    type filter hook ingress device "{port}" priority 0; policy accept;
    ip protocol igmp numgen inc mod 3 < {dropped} counter drop
    ip protocol igmp counter
  }}
}}
"""


def counters(bridge):
    """How many IGMP messages the rules dropped and let pass."""
    listed = json.loads(bridge.namespace.run("nft", "-j", "list", "table", "netdev", "jl").stdout)
    return [word["counter"]["packets"] for item in listed["nftables"] if "rule" in item
            for word in item["rule"]["expr"] if "counter" in word]


def lossy_join(bridge, dropped, *words):
    device = bridge.device("leaf", LEAF)
    bridge.set(mcast_querier=0)  # a query would be a second chance
    bridge.namespace.run(
        "nft", "-f", "-", input=RULES.format(port=device.port, dropped=dropped))
    program.leaf(device, "--join", f"{GROUP}:{PORT}", "--source", SENDER, "--output", "null",
                 *words).connected()
    return device, device.capture.wait_igmp(LEAF, f"ALLOW({GROUP}{{{SENDER}}})")


def test_a_lost_first_report_is_made_good_within_a_second(bridge):
    device, first = lossy_join(bridge, 1)
    entries = bridge.entries(GROUP)
    # The repeat comes at random within the second, now and then before the bridge was asked.
    assert entries == [] or counters(bridge) == [1, 1]
    there = bridge.wait_entries(GROUP, bool)
    assert there - first.time <= 1.2
    assert counters(bridge) == [1, 1]


def test_robustness_3_makes_two_lost_reports_good(bridge):
    device, first = lossy_join(bridge, 2, "--robustness", 3)
    there = bridge.wait_entries(GROUP, bool)
    assert there - first.time <= 2.3
    assert counters(bridge) == [2, 1]
    time.sleep(1.2)
    assert counters(bridge) == [2, 1], "and nothing more"
