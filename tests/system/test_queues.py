"""Ports with several queues, and what a port does for us: the same as without."""

import os
import subprocess

import pytest

from lab import kernel, program, topology, wire

LEAF, SENDER = "10.77.0.12", "10.77.0.13"
PORT = 5000
GROUPS = [f"239.1.1.{i}" for i in range(1, 9)]
LOSSES = {"receive_queue_full", "relay_queue_full", "control_queue_full"}


def joins(groups):
    return [word for group in groups for word in ("--join", f"{group}:{PORT}")]


def test_a_leaf_with_two_queues_receives_every_group_whole(lab, tmp_path):
    device = topology.Device(lab, "leaf", LEAF)
    host = topology.Host(lab, "sender", SENDER)
    topology.direct_wire(lab, device, host)
    output = tmp_path / "output"
    sent = {group: kernel.payloads(1000, label=group) for group in GROUPS}
    total = sum(map(len, sent.values()))

    leaf = program.leaf(device, *joins(GROUPS), "--queues", 2, "--cpu", lab.next_cpu(),
                        "--count", total, "--duration", 30, "--output", output)
    leaf.wait("connected", lambda event: event["group"] == f"{GROUPS[-1]}:{PORT}")
    # Each group comes from a port of its own: flows, which the kernel spreads over the queues.
    senders = {group: lab.closing(kernel.Sender(host.namespace, SENDER)) for group in GROUPS}
    for first in range(0, 1000, 50):
        for group in GROUPS:
            senders[group].send(group, PORT, sent[group][first:first + 50], per_second=10000)

    summary = leaf.finish()
    assert leaf.wait("closed")["reason"] == "count"
    assert summary["delivered"] == total
    assert not LOSSES & set(summary["drops"]), summary["drops"]
    assert summary["missed"] == summary["no_mbuf"] == 0
    received = output.read_bytes()
    payloads = [received[i:i + 200] for i in range(0, len(received), 200)]
    for group in GROUPS:
        label = f"{group} ".encode()
        assert [p for p in payloads if p.startswith(label)] == sent[group], "whole and in order"
    assert summary["port"]["queues"] == 2
    assert len({worker["lcore"] for worker in summary["workers"]}) == 2
    for worker in summary["workers"]:
        assert worker["turns"] > 0
        assert 0 < worker["busy_share"] <= 1, "both queues had their part"


def test_a_root_with_two_queues_sends_all_and_hears_its_leaves(site, tmp_path):
    """What leaves send comes in by either queue."""
    data = os.urandom(300_000)
    (tmp_path / "input").write_bytes(data)
    at = f"{site.root.management}:7000"
    root = program.root(site.root, "--group", "239.1.1.1:5000", "--listen", at, "--queues", 2,
                        "--cpu", site.lab.next_cpu(), "--output", tmp_path / "collected",
                        "--input", tmp_path / "input", "--wait-leaves", 1, "--rate", 2000,
                        "--linger-ms", 1000)
    root.wait("listening")
    leaf = program.leaf(site.one, "--root", at, "--output", tmp_path / "copy",
                        "--send", tmp_path / "input", "--rate", 2000)
    root.wait("leaf_joined")
    summary = root.finish()
    leaf.finish()
    assert (tmp_path / "copy").read_bytes() == data
    assert (tmp_path / "collected").read_bytes() == data
    assert summary["port"]["queues"] == 2


def test_a_bit_rate_is_held(lab, tmp_path):
    device = topology.Device(lab, "root", SENDER)
    host = topology.Host(lab, "leaf", LEAF)
    topology.direct_wire(lab, device, host)
    source = tmp_path / "input"
    source.write_bytes(bytes(2_000_000))
    summary = program.root(device, "--group", "239.1.1.1:5000", "--input", source,
                           "--bit-rate", "20M").finish()
    on_wire = (1472 + 28 + 14 + 24) * 8
    assert summary["sent_bytes"] == 2_000_000
    # A burst may be ahead of the rate; a machine that is busy makes it slower.
    assert summary["pps"] * on_wire <= 20e6 * 1.06
    assert summary["pps"] * on_wire >= 20e6 * 0.5


def test_a_worker_that_may_rest_does(lab):
    device = topology.Device(lab, "leaf", LEAF)
    host = topology.Host(lab, "sender", SENDER)
    topology.direct_wire(lab, device, host)
    leaf = program.leaf(device, *joins(GROUPS[:1]), "--idle-sleep-us", 1000, "--duration", 2,
                        "--output", "null")
    leaf.connected()
    sent = kernel.payloads(200)
    lab.closing(kernel.Sender(host.namespace, SENDER)).send(GROUPS[0], PORT, sent, per_second=500)
    summary = leaf.finish()
    assert summary["delivered"] == 200
    [worker] = summary["workers"]
    assert worker["busy_share"] < 0.1
    assert worker["turns"] < 1_500_000, "polling on, it would have turned several millions of times"


@pytest.mark.parametrize("words, code, said", [
    (["--queues", "1000"], 1, "1000 workers need as many CPUs"),
    (["--queues", "2", "--cpu", "0"], 2, "each queue has a worker on a CPU of its own"),
], ids=["more than CPUs", "more than CPUs named"])
def test_queues_that_cannot_be_are_refused_in_one_line(words, code, said):
    done = subprocess.run(
        [program.PROGRAM, "leaf", "--port", "null", "--address", f"{LEAF}/24", *joins(GROUPS[:1]),
         "--output", "null", *words], capture_output=True, text=True, timeout=20)
    assert done.returncode == code
    assert said in done.stderr and done.stderr.count("\n") == 1


def test_more_queues_than_the_port_has_are_refused_in_one_line(lab):
    device = topology.Device(lab, "leaf", LEAF)
    host = topology.Host(lab, "host", SENDER)
    topology.direct_wire(lab, device, host)
    done = device.namespace.run(
        program.PROGRAM, "leaf", "--port", "net_pcap0,iface=eth0", "--address", f"{LEAF}/24",
        *joins(GROUPS[:1]), "--output", "null", "--queues", "2", "--cpu", "0", "--cpu", "0",
        "--quiet", check=False)
    assert done.returncode == 1
    assert "cannot have 2 queues; 1 at most" in done.stderr and done.stderr.count("\n") == 1


class TapDevice(topology.Device):
    """A leaf on a TAP interface, whose driver verifies and computes checksums in the port's place."""

    interface = "net_tap0,iface=eth0"


class VethDevice(topology.Device):
    """A leaf on an interface that does nothing for us."""

    def __init__(self, lab, name, address):
        super().__init__(lab, name, address)
        self.far = topology.Host(lab, "far", SENDER)
        topology.direct_wire(lab, self, self.far)


@pytest.mark.parametrize("kind", [VethDevice, TapDevice], ids=["in software", "by the port"])
def test_checksums_are_judged_alike_by_the_port_and_in_software(lab, tmp_path, kind):
    if kind is TapDevice and not os.path.exists("/dev/net/tun"):
        pytest.skip("no /dev/net/tun")
    device = kind(lab, "leaf", LEAF)
    output = tmp_path / "output"
    leaf = program.leaf(device, *joins(GROUPS[:1]), "--output", output)
    leaf.connected()
    raw = lab.closing(kernel.RawPort(getattr(device, "far", device).namespace))

    def frame(payload):
        return bytearray(wire.ethernet(wire.group_mac(GROUPS[0]),
                                       wire.udp(SENDER, GROUPS[0], PORT, payload)))

    good = kernel.payloads(20)
    for payload in good:
        raw.send(bytes(frame(payload)))
        for at in (14 + 8, 14 + 20 + 8 + 5):  # the time to live, the payload
            damaged = frame(payload)
            damaged[at] ^= 1
            raw.send(bytes(damaged))
    leaf.wait("status", lambda s: s["received"] >= 60, within=5)
    summary = leaf.stop()
    assert output.read_bytes() == b"".join(good)
    assert summary["drops"]["bad_ipv4_checksum"] == 20
    assert summary["drops"]["bad_udp_checksum"] == 20
    offloads = {"receive_ipv4_checksum", "receive_udp_checksum"}
    expected = offloads if kind is TapDevice else set()
    assert offloads & set(summary["port"]["offloads"]) == expected


@pytest.mark.parametrize("kind", [VethDevice, TapDevice], ids=["in software", "by the port"])
def test_checksums_are_right_whoever_computes_them(lab, tmp_path, kind):
    if kind is TapDevice and not os.path.exists("/dev/net/tun"):
        pytest.skip("no /dev/net/tun")
    device = kind(lab, "root", LEAF)
    source = tmp_path / "input"
    data = os.urandom(100_001)
    source.write_bytes(data)
    root = program.root(device, "--group", f"{GROUPS[0]}:{PORT}", "--chunk", 333,
                        "--input", source, "--rate", 200)
    root.connected()
    seen = lab.capture(getattr(device, "far", device).namespace, "eth0", "udp")
    seen.wait(lambda f: f.udp and f.udp.payload == data[-(len(data) % 333):], within=10)
    summary = root.finish()
    frames = [f for f in seen.stop().frames if f.udp]
    assert frames and all(wire.udp_checksum_is_right(f) for f in frames)
    does = "transmit_udp_checksum" in summary["port"]["offloads"]
    assert does == (kind is TapDevice)
