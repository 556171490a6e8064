"""Data between joinleaf and kernel hosts, through a Linux bridge that snoops IGMP."""

import hashlib
import random

import pytest

from lab import kernel, program, topology

GROUP, PORT = "232.1.1.1", 5000
ANY_GROUP = "239.1.1.1"
LEAF, SENDER, OTHER = "10.77.0.12", "10.77.0.13", "10.77.0.14"


def join(*sources, group=GROUP):
    return ["--join", f"{group}:{PORT}", *(word for s in sources for word in ("--source", s))]


def to(group=GROUP):
    return ["--group", f"{group}:{PORT}"]


@pytest.mark.parametrize("group, sources", [(GROUP, [SENDER]), (ANY_GROUP, [])],
                         ids=["source-specific", "any-source"])
def test_every_payload_of_a_kernel_sender_arrives_and_is_counted(bridge, tmp_path, group, sources):
    sender = bridge.host("sender", SENDER)
    device = bridge.device("leaf", LEAF)
    sent = kernel.payloads(1000) + kernel.payloads(1, 1472) + kernel.payloads(1, 1)
    output = tmp_path / "output"

    leaf = program.leaf(device, *join(*sources, group=group), "--count", len(sent),
                        "--output", output)
    leaf.connected()
    bridge.settle().wait_entries(group, bool)
    bridge.lab.closing(kernel.Sender(sender.namespace, SENDER)).send(group, PORT, sent)

    summary = leaf.finish()
    assert output.read_bytes() == b"".join(sent)
    assert summary["delivered"] == len(sent)
    assert summary["delivered_bytes"] == sum(map(len, sent))
    assert not {"bad_udp_checksum", "bad_ipv4_checksum", "no_subscriber"} & set(summary["drops"])
    assert leaf.wait("closed")["reason"] == "count"


def test_every_chunk_of_a_root_reaches_a_kernel_receiver(bridge, tmp_path):
    device = bridge.device("root", SENDER)
    receiver = bridge.host("receiver", OTHER)
    data = random.Random(1).randbytes(1_000_000)
    source = tmp_path / "input"
    source.write_bytes(data)

    member = bridge.lab.closing(kernel.Member(receiver.namespace, port=PORT)).join(GROUP, SENDER)
    bridge.settle().wait_entries(GROUP, bool)
    root = program.root(device, *to(), "--rate", 5000, "--input", source)

    received = member.receive(680, within=program.START_TIME)
    summary = root.finish()
    assert b"".join(received) == data
    assert {len(chunk) for chunk in received[:-1]} == {1472}, "the largest payload that fits 1500"
    assert summary["sent"] == 680
    assert summary["sent_bytes"] == len(data)
    assert root.wait("closed")["reason"] == "end_of_input"


def test_who_did_not_join_receives_nothing(bridge, tmp_path):
    sender = bridge.host("sender", SENDER)
    device = bridge.device("leaf", LEAF)
    bystander = bridge.host("other", OTHER)
    bystander_link = bridge.lab.capture(bystander.namespace, "eth0", "udp")
    leaf = program.leaf(device, *join(SENDER), "--count", 300, "--output", "null")
    leaf.connected()
    bridge.settle().wait_entries(GROUP, bool)

    bridge.lab.closing(kernel.Sender(sender.namespace, SENDER)).send(
        GROUP, PORT, kernel.payloads(300))

    assert leaf.finish()["delivered"] == 300
    assert bystander_link.stop().frames == []


def test_a_file_of_100_mb_arrives_unchanged(bridge, tmp_path):
    root_device = bridge.device("root", SENDER)
    leaf_device = bridge.device("leaf", LEAF)
    data = random.Random(100).randbytes(100_000_000)
    source, output = tmp_path / "input", tmp_path / "output"
    source.write_bytes(data)
    chunks = -(-len(data) // 1472)

    leaf = program.leaf(leaf_device, *join(SENDER), "--count", chunks, "--duration", 60,
                        "--output", output)
    leaf.connected()
    bridge.settle().wait_entries(GROUP, bool)
    root = program.root(root_device, *to(), "--rate", 10000, "--input", source)

    sent, received = root.finish(within=60), leaf.finish(within=60)
    assert sent["sent"] == chunks
    assert received["delivered"] == chunks, received
    digest = hashlib.sha256(data).hexdigest()
    assert hashlib.sha256(output.read_bytes()).hexdigest() == digest
    output.unlink()


def test_a_snooping_switch_keeps_a_wrong_source_away(bridge):
    sender = bridge.host("sender", SENDER)
    device = bridge.device("leaf", LEAF)
    leaf = program.leaf(device, *join(OTHER), "--output", "null")
    leaf.connected()
    bridge.settle().wait_entries(GROUP, bool)

    bridge.lab.closing(kernel.Sender(sender.namespace, SENDER)).send(
        GROUP, PORT, kernel.payloads(100))

    summary = leaf.stop()
    assert summary["delivered"] == 0
    assert summary["received_bytes"] < 100 * 200, "the switch itself held the data back"


def test_a_wrong_source_is_dropped_and_counted_where_no_switch_filters(lab, tmp_path):
    bridge = topology.Bridge(lab, snooping=False, querier=False)
    sender = bridge.host("sender", SENDER)
    other = bridge.host("other", OTHER)
    device = bridge.device("leaf", LEAF)
    output = tmp_path / "output"
    wanted = kernel.payloads(50, label="wanted")

    leaf = program.leaf(device, *join(OTHER), "--count", 50, "--output", output)
    leaf.connected()
    lab.closing(kernel.Sender(sender.namespace, SENDER)).send(GROUP, PORT, kernel.payloads(100))
    lab.closing(kernel.Sender(other.namespace, OTHER)).send(GROUP, PORT, wanted)

    summary = leaf.finish()
    assert output.read_bytes() == b"".join(wanted)
    assert summary["drops"]["source_filtered"] == 100


def test_an_excluded_source_is_dropped_and_others_arrive(lab, tmp_path):
    bridge = topology.Bridge(lab, snooping=False, querier=False)
    sender = bridge.host("sender", SENDER)
    other = bridge.host("other", OTHER)
    device = bridge.device("leaf", LEAF)
    output = tmp_path / "output"
    wanted = kernel.payloads(50, label="wanted")

    leaf = program.leaf(device, *join(group=ANY_GROUP), "--exclude", SENDER, "--count", 50,
                        "--output", output)
    leaf.connected()
    lab.closing(kernel.Sender(sender.namespace, SENDER)).send(ANY_GROUP, PORT, kernel.payloads(30))
    lab.closing(kernel.Sender(other.namespace, OTHER)).send(ANY_GROUP, PORT, wanted)

    summary = leaf.finish()
    assert output.read_bytes() == b"".join(wanted)
    assert summary["drops"]["source_filtered"] == 30


def test_another_port_or_group_is_nobodys_and_counted(lab):
    bridge = topology.Bridge(lab, snooping=False, querier=False)
    sender = bridge.host("sender", SENDER)
    device = bridge.device("leaf", LEAF)
    leaf = program.leaf(device, *join(SENDER), "--output", "null", "--count", 1)
    leaf.connected()

    socket = lab.closing(kernel.Sender(sender.namespace, SENDER))
    socket.send(GROUP, PORT + 1, kernel.payloads(20))
    # The same MAC address as the group that we joined: 32 groups share one.
    socket.send("232.129.1.1", PORT, kernel.payloads(30))
    socket.send(GROUP, PORT, kernel.payloads(1))

    summary = leaf.finish()
    assert summary["delivered"] == 1
    assert summary["drops"]["no_subscriber"] == 50


@pytest.mark.parametrize("scope", [1, 2, 32, 255])
def test_the_scope_is_the_ttl(lab, tmp_path, scope):
    device = topology.Device(lab, "root", SENDER)
    host = topology.Host(lab, "host", OTHER)
    topology.direct_wire(lab, device, host)
    seen = lab.capture(host.namespace, "eth0", "udp")
    source = tmp_path / "input"
    source.write_bytes(b"some data")

    root = program.root(device, *to(ANY_GROUP), "--scope", scope, "--input", source)

    frame = seen.wait(lambda f: f.udp, within=program.START_TIME)
    assert root.finish()["sent"] == 1
    assert frame.ipv4.ttl == scope
    assert frame.ipv4.dont_fragment
    assert frame.udp.payload == b"some data"


def test_scope_0_never_reaches_the_wire(lab, tmp_path):
    device = topology.Device(lab, "root", SENDER)
    host = topology.Host(lab, "host", OTHER)
    topology.direct_wire(lab, device, host)
    everything = lab.capture(host.namespace, "eth0")
    source = tmp_path / "input"
    source.write_bytes(bytes(100_000))

    program.root(device, *to(ANY_GROUP), "--scope", 0, "--input", source).finish()

    assert [f for f in everything.stop().frames if f.udp] == []
