"""A kernel host and our leaf, with the same membership and the same queries, answer alike.

Where the kernel errs (RFC 9776 or the decisions of this project say otherwise) the case names the
answer that is right.
"""

import time

import pytest

from lab import kernel, program, topology, wire

TESTER, HOST = "10.99.0.1", "10.99.0.2"
RESPONSE_TENTHS = 2
WINDOW = RESPONSE_TENTHS / 10 + 0.15

SSM, ANY, PARTLY, PORT = "232.7.7.7", "239.7.7.7", "239.8.8.8", 5000
FIVE, SIX, FIFTY, FIFTY_ONE, NINETY_NINE = (f"10.99.0.{n}" for n in (5, 6, 50, 51, 99))
MEMBERSHIPS = {
    "include": (SSM, "--source", FIVE, "--source", SIX),
    "any": (ANY,),
    "exclude": (PARTLY, "--exclude", FIFTY),
}
ALL_INCLUDED = [f"IS_IN({SSM}{{{FIVE},{SIX}}})"]


class Pair:
    """Two hosts with the same address and membership, each on a wire of its own to the tester."""

    def __init__(self, lab, membership):
        group, *words = MEMBERSHIPS[membership]
        self.tester = lab.namespace("tester")
        self.device = topology.Device(lab, "leaf", HOST)
        host = topology.Host(lab, "kernel", HOST)
        self.captures, self.ports = [], []
        for interface, other in (("kernel", host), ("ours", self.device)):
            lab.wire(self.tester, interface, other.namespace, "eth0")
            other.configure()
            self.captures.append(lab.capture(self.tester, interface, "igmp"))
            self.ports.append(lab.closing(kernel.RawPort(self.tester, interface)))
        self.device.capture = self.captures[1]
        self.macs = [wire.mac(host.mac), wire.mac(self.device.mac)]

        self.member = lab.closing(kernel.Member(host.namespace, port=PORT))
        sources = words[1::2]
        if words[:1] == ["--source"]:
            for source in sources:
                self.member.join(group, source)
        else:
            self.member.join(group)
            for source in sources:
                self.member.block(group, source)
        program.leaf(self.device, "--join", f"{group}:{PORT}", "--output", "null",
                     *words).connected()
        time.sleep(1.3)  # the joins' repeats are over

    def ask(self, packets, window=WINDOW):
        """Sends the packets to both; what each answered within the window, sorted."""
        start = time.time()
        for packet in packets:
            destination = wire.frame(wire.ethernet(bytes(6), packet)).ipv4.destination
            for port, mac in zip(self.ports, self.macs):
                to = mac if destination == HOST else wire.group_mac(destination)
                port.send(wire.ethernet(to, packet))
        time.sleep(window)
        return [sorted(c.said(HOST, since=start)) for c in self.captures]


class Pairs:
    """Pairs one after the other: a worker polls, and there are few CPUs."""

    def __init__(self, factory):
        self._factory = factory
        self._lab = self._membership = self._pair = None
        self.flawed_frames = []

    def of(self, membership, fresh=False):
        """The pair with that membership; a fresh one has heard no query yet."""
        if fresh or membership != self._membership:
            self.close()
            self._membership = membership
            self._lab = topology.Lab(self._factory.mktemp("lab"))
            self._pair = Pair(self._lab, membership)
        return self._pair

    def close(self):
        self._membership = None
        if self._lab:
            self.flawed_frames += self._lab.flawed_frames()
            self._lab.close()
            self._lab = None


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    built = Pairs(tmp_path_factory)
    try:
        yield built
    finally:
        built.close()
    assert built.flawed_frames == []


def general(destination=wire.ALL_SYSTEMS, source=TESTER, code=RESPONSE_TENTHS, query=(), **ipv4):
    return wire.ipv4(source, destination, wire.query(code=code, **dict(query)), **ipv4)


def specific(group, *sources, destination=None, **query):
    return wire.ipv4(TESTER, destination or group,
                     wire.query(group, sources, code=RESPONSE_TENTHS, **query))


def raw_query(octets):
    """A query of 8 to 11 octets in all, or fewer."""
    return wire.ipv4(TESTER, wire.ALL_SYSTEMS, wire.igmp(wire.QUERY, RESPONSE_TENTHS, octets))


NOTHING = []
# (membership, case, packets, the right answer where the kernel errs)
CASES = [
    ("include", "general", [general()], None),
    ("include", "wrong checksum", [general(query={"wrong_checksum": True})], None),
    ("include", "no Router Alert", [general(options=b"")], None),
    ("include", "Router Alert value 7", [general(options=b"\x94\x04\x00\x07")], None),
    ("include", "TTL 2", [general(ttl=2)], NOTHING),
    ("include", "TOS 0", [general(tos=0)], None),
    ("include", "from 0.0.0.0", [general(source="0.0.0.0")], None),
    ("include", "from another subnet", [general(source="192.0.2.9")], None),
    ("include", "to our unicast address", [general(destination=HOST)], None),
    ("include", "to 224.0.0.2", [general(destination=wire.ALL_ROUTERS)], None),
    ("include", "to the joined group", [general(destination=SSM)], NOTHING),
    ("include", "11 octets", [raw_query(bytes(7))], None),
    ("include", "9 octets", [raw_query(bytes(5))], None),
    ("include", "7 octets", [raw_query(bytes(3))], None),
    ("include", "trailing octets", [general(query={"tail": b"abcdefgh"})], None),
    ("include", "5 sources said, none there", [general(query={"count": 5})], None),
    ("include", "general with a source", [general(query={"sources": [FIVE]})], None),
    ("include", "reserved flags", [general(query={"flags": 15})], None),
    ("include", "S flag", [general(query={"s_flag": 1})], None),
    ("include", "response time 0", [general(code=0)], None),
    ("include", "robustness 0", [general(query={"robustness": 0})], None),
    ("include", "group", [specific(SSM)], None),
    ("include", "group, to 224.0.0.1", [specific(SSM, destination=wire.ALL_SYSTEMS)], None),
    ("include", "group and source", [specific(SSM, FIVE)], None),
    ("include", "group and a foreign source", [specific(SSM, NINETY_NINE)], None),
    ("include", "group and both kinds", [specific(SSM, FIVE, NINETY_NINE)], None),
    ("include", "two sources in two queries merge",
     [specific(SSM, FIVE), specific(SSM, SIX)], None),
    ("include", "source, then group: all", [specific(SSM, FIVE), specific(SSM)], None),
    ("include", "group, then source: all", [specific(SSM), specific(SSM, FIVE)], None),
    ("include", "group not joined", [specific("239.9.9.9")], None),
    ("include", "group 224.0.0.1", [specific(wire.ALL_SYSTEMS)], None),
    ("include", "type 0x99", [wire.ipv4(TESTER, wire.ALL_SYSTEMS, wire.igmp(0x99, 5, bytes(8)))],
     None),
    ("include", "report of another host", [wire.ipv4(
        TESTER, wire.IGMPV3_ROUTERS, wire.report(wire.record("TO_EX", ANY)))], None),
    ("any", "general", [general()], None),
    ("any", "group", [specific(ANY)], None),
    ("any", "group and source", [specific(ANY, FIFTY)], [f"IS_IN({ANY}{{{FIFTY}}})"]),
    ("exclude", "general", [general()], None),
    ("exclude", "group", [specific(PARTLY)], None),
    ("exclude", "the excluded source", [specific(PARTLY, FIFTY)], None),
    ("exclude", "another source", [specific(PARTLY, FIFTY_ONE)],
     [f"IS_IN({PARTLY}{{{FIFTY_ONE}}})"]),
    ("exclude", "both sources", [specific(PARTLY, FIFTY, FIFTY_ONE)],
     [f"IS_IN({PARTLY}{{{FIFTY_ONE}}})"]),
]


@pytest.mark.parametrize("membership, packets, right", [
    pytest.param(membership, packets, right, id=f"{membership}: {case}")
    for membership, case, packets, right in CASES])
def test_a_query_is_answered_as_the_kernel_does_or_as_the_rfc_says(
        pairs, membership, packets, right):
    kernels, ours = pairs.of(membership).ask(packets)
    assert ours == (kernels if right is None else right)


def test_the_comparison_is_not_of_silence_with_silence(pairs):
    assert pairs.of("include").ask([general()]) == [ALL_INCLUDED, ALL_INCLUDED]


def short_query(group="0.0.0.0", destination=None, code=RESPONSE_TENTHS):
    return wire.ipv4(TESTER, destination or wire.ALL_SYSTEMS,
                     wire.short_message(wire.QUERY, group, code=code))


def test_a_group_specific_query_of_version_2_does_not_change_the_version(pairs):
    """CMP-4; the kernel switches to version 2 for minutes."""
    pair = pairs.of("any", fresh=True)
    _, ours = pair.ask([short_query(ANY, destination=ANY)])
    assert ours == [f"IS_EX({ANY}{{}})"]
    assert pair.ask([general()])[1] == [f"IS_EX({ANY}{{}})"]


def test_version_2_alike(pairs):
    pair = pairs.of("any", fresh=True)
    report = [f"v2({ANY})"]
    for packet in (short_query(), general(), short_query(ANY, destination=ANY),
                   wire.ipv4(TESTER, wire.ALL_SYSTEMS, wire.short_message(
                       wire.QUERY, code=RESPONSE_TENTHS), options=b"")):
        assert pair.ask([packet]) == [report, report]
    assert pair.ask([short_query("239.9.9.9", destination="239.9.9.9")]) == [[], []]


@pytest.mark.long
def test_version_1_alike(pairs):
    """A version 1 query has no response time of its own: 10 s."""
    pair = pairs.of("any", fresh=True)
    report = [f"v1({ANY})"]
    assert pair.ask([short_query(code=0)], window=10.3) == [report, report]
    assert pair.ask([short_query(code=2)], window=10.3) == [report, report]


@pytest.mark.long
def test_a_floating_point_response_time_of_12_8_s(pairs):
    assert pairs.of("include").ask([general(code=0x80)], window=13.1) == [
        ALL_INCLUDED, ALL_INCLUDED]
