"""Source filters and last-member queries against a Linux bridge with an IGMPv3 querier."""

import threading
import time

from lab import kernel, program, topology

GROUP, ANY_GROUP, PORT = "232.2.2.2", "239.2.2.2", 5000
LEAF, SENDER, OTHER, UNWANTED = "10.77.0.12", "10.77.0.13", "10.77.0.14", "10.77.0.50"


def sources_of(entries):
    """{source: blocked} of the entries that stand for one source."""
    return {e["src"]: "blocked" in e["flags"] for e in entries if "src" in e}


def start_leaf(device, group, *words):
    leaf = program.leaf(device, "--join", f"{group}:{PORT}", "--output", "null", *words)
    leaf.connected()
    return leaf


def test_each_included_source_has_an_entry(bridge):
    device = bridge.device("leaf", LEAF)
    wanted = [f"10.77.0.{n}" for n in range(21, 29)]
    start_leaf(device, GROUP, *(word for source in wanted for word in ("--source", source)))
    bridge.wait_entries(GROUP, lambda e: sources_of(e) == dict.fromkeys(wanted, False))


def test_an_excluded_source_is_blocked_and_others_pass(bridge):
    device = bridge.device("leaf", LEAF)
    start_leaf(device, ANY_GROUP, "--exclude", UNWANTED, "--exclude", OTHER)
    device.capture.wait_igmp(LEAF, f"TO_EX({ANY_GROUP}{{{OTHER},{UNWANTED}}})")
    bridge.wait_entries(ANY_GROUP, lambda e: sources_of(e) == {UNWANTED: True, OTHER: True})
    assert "exclude" in {e["filter_mode"] for e in bridge.entries(ANY_GROUP) if "src" not in e}


def test_the_bridge_itself_holds_an_excluded_source_back(bridge):
    device = bridge.device("leaf", LEAF)
    sender, other = bridge.host("sender", SENDER), bridge.host("other", OTHER)
    leaf = start_leaf(device, ANY_GROUP, "--exclude", SENDER, "--count", 40)
    # A blocked source is held back from the moment its timer has run out.
    bridge.settle().wait_entries(ANY_GROUP, lambda e: sources_of(e) == {SENDER: True})
    time.sleep(0.1)
    data = bridge.lab.capture(bridge.namespace, device.port, "udp")

    bridge.lab.closing(kernel.Sender(sender.namespace, SENDER)).send(
        ANY_GROUP, PORT, kernel.payloads(40))
    bridge.lab.closing(kernel.Sender(other.namespace, OTHER)).send(
        ANY_GROUP, PORT, kernel.payloads(40))
    assert leaf.finish()["delivered"] == 40
    assert {f.ipv4.source for f in data.stop().frames} == {OTHER}


def test_leaving_takes_two_last_member_intervals_and_no_more(bridge):
    for group, words in ((GROUP, ("--source", SENDER)), (ANY_GROUP, ())):
        device = bridge.device(f"leaf{len(words)}", f"10.77.0.{30 + len(words)}")
        leaf = start_leaf(device, group, *words)
        bridge.wait_entries(group, bool)
        asked = time.time()
        leaf.process.send_signal(2)
        report = device.capture.wait(
            lambda f: f.time > asked and f.igmp and f.ipv4.source == device.address)
        gone = bridge.wait_entries(group, lambda entries: not entries, within=4)
        leaf.finish()
        # The second BLOCK or TO_IN, up to 1 s after the first, starts the querier's count again.
        limit = 1 + 2 * bridge.last_member_interval + 0.5
        assert bridge.last_member_interval <= gone - report.time < limit


def test_a_leaf_that_stays_answers_the_query_for_one_that_leaves(lab):
    """Two members behind one port of the switch: the querier asks before it cuts them off."""
    bridge = topology.Bridge(lab)
    hub = topology.Bridge(lab, "hub", snooping=False, querier=False)
    bridge.uplink(hub)
    sender = bridge.host("sender", SENDER)
    device, neighbour = hub.device("leaf", LEAF), hub.host("neighbour", OTHER)
    leaf = start_leaf(device, GROUP, "--source", SENDER)
    member = lab.closing(kernel.Member(neighbour.namespace, port=PORT)).join(GROUP, SENDER)
    bridge.settle().wait_entries(GROUP, bool)
    time.sleep(1.1)  # the join's repeats are over

    data = lab.capture(hub.namespace, device.port, "udp")
    stream = threading.Thread(target=lab.closing(kernel.Sender(sender.namespace, SENDER)).send,
                              args=(GROUP, PORT, kernel.payloads(600), 200))
    stream.start()
    left = time.time()
    member.leave(GROUP, SENDER)
    device.capture.wait_igmp(OTHER, f"BLOCK({GROUP}{{{SENDER}}})", since=left)
    query = device.capture.wait_igmp(
        topology.QUERIER_ADDRESS, f"query({GROUP})", since=left)
    device.capture.wait_igmp(LEAF, f"IS_IN({GROUP}{{{SENDER}}})", since=query.time)
    stream.join()

    leaf.wait("status", lambda s: s["received"] >= 600, within=5)
    on_the_wire = len([f for f in data.stop().frames if f.ipv4.destination == GROUP])
    assert on_the_wire == 600, "the querier cut the stream off"
    assert leaf.stop()["delivered"] == 600
