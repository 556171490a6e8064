"""Tagged ports: 802.1Q and 802.1ad, on the data and on everything else."""

import pytest

from lab import kernel, program, topology, wire

LEAF, HOST = "10.77.0.12", "10.77.0.13"
GROUP, PORT = "239.1.1.1", 5000

TAGS = pytest.mark.parametrize("vlan, tags", [("100", (100,)), ("100.200", (100, 200))],
                               ids=["one tag", "two tags"])


@pytest.fixture
def link(lab):
    device = topology.Device(lab, "device", LEAF)
    host = topology.Host(lab, "host", HOST)
    topology.direct_wire(lab, device, host)
    # The kernel lets one tag pass on top of the MTU, but not two.
    for end in (device, host):
        end.namespace.ip("link set eth0 mtu 1508")
    device.everything = lab.capture(host.namespace, "eth0")
    device.peer = lab.closing(kernel.RawPort(host.namespace))
    return device


@TAGS
def test_a_leaf_reports_and_receives_with_its_tags_alone(link, vlan, tags):
    leaf = program.leaf(link, "--join", f"{GROUP}:{PORT}", "--vlan", vlan,
                        "--output", f"{link.lab.directory}/output")
    leaf.connected()
    report = link.everything.wait_igmp(LEAF, f"TO_EX({GROUP}{{}})")
    assert report.vlans == tags

    def send(payload, vlans):
        link.peer.send(wire.ethernet(
            wire.group_mac(GROUP), wire.udp(HOST, GROUP, PORT, payload), vlans=vlans))

    wanted = kernel.payloads(20, label="tagged")
    for payload in wanted:
        send(b"untagged", ())
        send(b"another tag", (*tags[:-1], 300))
        send(payload, tags)
    leaf.wait("status", lambda s: s["received"] >= 60, within=5)
    summary = leaf.stop()
    with open(f"{link.lab.directory}/output", "rb") as output:
        assert output.read() == b"".join(wanted)
    assert summary["drops"]["other_vlan"] == 40


@TAGS
def test_queries_and_arp_are_answered_with_the_tags_they_came_with(link, vlan, tags):
    program.leaf(link, "--join", f"{GROUP}:{PORT}", "--vlan", vlan, "--output", "null").connected()
    link.everything.wait_igmp(LEAF, f"TO_EX({GROUP}{{}})")

    query = wire.ipv4(HOST, GROUP, wire.query(GROUP, code=2))
    link.peer.send(wire.ethernet(wire.group_mac(GROUP), query))
    link.peer.send(wire.ethernet(wire.group_mac(GROUP), query, vlans=tags))
    answer = link.everything.wait_igmp(LEAF, f"IS_EX({GROUP}{{}})")
    assert answer.vlans == tags

    request = wire.arp_request(b"\x02\0\0\0\0\x66", HOST, LEAF)
    link.peer.send(wire.ethernet(b"\xff" * 6, request, vlans=tags, ethertype=0x0806))
    own = wire.mac(link.mac)
    link.everything.wait(lambda f: f.source == own and wire.is_arp_reply(f))
    assert {f.vlans for f in link.everything.frames if f.source == own} == {tags}


@TAGS
def test_a_root_sends_with_its_tags(link, vlan, tags):
    data = bytes(range(256)) * 100
    path = f"{link.lab.directory}/input"
    with open(path, "wb") as file:
        file.write(data)
    root = program.root(link, "--group", f"{GROUP}:{PORT}", "--vlan", vlan, "--input", path)
    sent = root.finish()["sent"]
    frames = [f for f in link.everything.stop().frames if f.udp]
    assert len(frames) == sent
    assert {f.vlans for f in frames} == {tags}
    assert b"".join(f.udp.payload for f in frames) == data
    assert max(len(f.payload) for f in frames) <= 1500
    for f in frames:
        assert wire.checksum(f.ipv4.header) == 0 and wire.udp_checksum_is_right(f)
