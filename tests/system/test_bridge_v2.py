"""IGMPv2 against a Linux bridge that queries in version 2, and among kernel members."""

import time

from lab import kernel, program, topology, wire

GROUP, PORT = "239.3.3.3", 5000
LEAF, MEMBER, ASKER, SENDER = "10.77.0.12", "10.77.0.13", "10.77.0.14", "10.77.0.15"


def start_leaf(device, *words):
    leaf = program.leaf(device, "--join", f"{GROUP}:{PORT}", "--output", "null", *words)
    leaf.connected()
    return leaf


def test_reports_data_and_leave_in_version_2(lab):
    bridge = topology.Bridge(lab, version=2, response_interval=1.0)
    device = bridge.device("leaf", LEAF)
    sender = bridge.host("sender", SENDER)
    leaf = start_leaf(device)
    asked = time.time()
    bridge.query()
    query = device.capture.wait_igmp(topology.QUERIER_ADDRESS, "query(0.0.0.0)", since=asked)
    assert len(query.igmp) == 8
    answer = device.capture.wait_igmp(LEAF, f"v2({GROUP})", since=query.time)
    assert 0 < answer.time - query.time <= bridge.response_interval + 0.1

    bridge.settle().wait_entries(GROUP, bool)
    lab.closing(kernel.Sender(sender.namespace, SENDER)).send(GROUP, PORT, kernel.payloads(100))
    leaf.wait("status", lambda s: s["delivered"] == 100, within=5)

    left = time.time()
    summary = leaf.stop()
    leave = device.capture.wait_igmp(LEAF, f"leave({GROUP})", since=left)
    gone = bridge.wait_entries(GROUP, lambda entries: not entries, within=4)
    assert gone - leave.time <= 2 * bridge.last_member_interval + 0.5
    assert summary["querier"]["version"] == 2
    assert summary["querier"]["version_in_force"] == 2
    # CMP-9: nothing of version 3 after the first query of version 2.
    assert {f.igmp[0] for f in device.capture.igmp(LEAF, since=query.time)} <= {
        wire.V2_REPORT, wire.V2_LEAVE}


def test_a_join_in_version_2_is_reported_at_once_and_again(lab):
    """V2-2: the report, then once or twice more within 10 s each."""
    bridge = topology.Bridge(lab, version=2, response_interval=0.5, query_interval=1.0,
                             membership_interval=3.0)
    device = bridge.device("leaf", LEAF)
    start_leaf(device)
    first = device.capture.wait_igmp(LEAF, f"v2({GROUP})", within=5)
    device.capture.wait_igmp(LEAF, f"v2({GROUP})", within=5, since=first.time + 1e-6)


def hub_with_member(lab):
    """A leaf, a kernel member and somebody who asks, on a wire where all hear all."""
    hub = topology.Bridge(lab, snooping=False, querier=False)
    device, other = hub.device("leaf", LEAF), hub.host("member", MEMBER)
    asker = lab.closing(kernel.RawPort(hub.host("asker", ASKER).namespace))
    member = lab.closing(kernel.Member(other.namespace)).join(GROUP)
    return device, member, asker


def ask(asker, tenths):
    """A general IGMPv2 query with that response time."""
    asker.send(wire.ethernet(wire.group_mac(wire.ALL_SYSTEMS), wire.ipv4(
        ASKER, wire.ALL_SYSTEMS, wire.short_message(wire.QUERY, code=tenths))))
    return time.time()


def reports(device, since):
    return [(f.ipv4.source, f.time) for source in (LEAF, MEMBER)
            for f in device.capture.igmp(source, since) if wire.describe(f.igmp) == f"v2({GROUP})"]


def test_one_member_of_a_wire_reports_for_all(lab):
    """V2-6 with a kernel member on the next port: whoever is first silences the other."""
    device, _, asker = hub_with_member(lab)
    start_leaf(device)
    time.sleep(1.2)  # both joins are repeated within 1 s
    for _ in range(3):
        asked = ask(asker, 30)
        time.sleep(3.2)
        heard = reports(device, asked)
        assert heard, "nobody answered"
        first = min(at for _, at in heard)
        # Two that choose the same moment cannot hear each other in time.
        assert all(at - first < 0.05 for _, at in heard), heard


def test_a_report_of_a_third_member_silences_ours(lab):
    device, _, asker = hub_with_member(lab)
    start_leaf(device)
    time.sleep(1.2)
    for _ in range(3):
        asked = ask(asker, 10)
        asker.send(wire.ethernet(wire.group_mac(GROUP), wire.ipv4(
            ASKER, GROUP, wire.short_message(wire.V2_REPORT, GROUP))))
        time.sleep(1.3)
        # Every delay is within 1 s; only what was due before the third's report came may be heard.
        assert all(at - asked < 0.05 for _, at in reports(device, asked))
