"""The flight recorder as an operator uses it, its files as other programs read them."""

import collections
import os
import shutil
import signal
import subprocess
import time

import pytest

from lab import kernel, netns, program
from lab.admission import start_leaf, start_root, tell
from lab.site import GROUP as CHANNEL_AND_PORT
from lab.site import ROOT

GROUP, PORT = "239.1.1.1", 5000
OTHER_GROUP = "239.1.1.2"
LEAF, SENDER = "10.77.0.12", "10.77.0.13"
PACKETS = 40
SNAP = 100
INBOUND, OUTBOUND = "0x00000001", "0x00000002"

Packet = collections.namedtuple("Packet", "time length kept flags comment source destination")


def read(path):
    """What tshark finds in a file."""
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")
    fields = ("frame.time_epoch", "frame.len", "frame.cap_len", "frame.packet_flags",
              "frame.comment", "ip.src", "ip.dst")
    said = netns.run("tshark", "-r", str(path), "-T", "fields", "-E", "separator=|",
                     *(word for field in fields for word in ("-e", field))).stdout
    return [Packet(*line.split("|")) for line in said.splitlines()]


def about(path):
    """What capinfos says of the file as a whole."""
    if shutil.which("capinfos") is None:
        pytest.skip("capinfos is not installed")
    return netns.run("capinfos", str(path)).stdout


def join(*groups):
    return [word for group in groups for word in ("--join", f"{group}:{PORT}")]


def test_a_signal_writes_what_came_and_why_some_was_dropped(bridge, tmp_path):
    """The last packets, in nanoseconds of the wall clock, as a capture beside it has them."""
    device = bridge.device("leaf", LEAF)
    sender = bridge.host("sender", SENDER)
    capture = bridge.lab.capture(bridge.namespace, device.port, "udp")
    output = tmp_path / "output"
    leaf = program.leaf(device, *join(GROUP, OTHER_GROUP), "--output", output, "--record", PACKETS,
                        "--record-snap", SNAP, "--record-file", tmp_path / "record")
    leaf.wait("connected", lambda event: event["group"] == f"{OTHER_GROUP}:{PORT}")
    bridge.settle().wait_entries(OTHER_GROUP, bool)
    out = bridge.lab.closing(kernel.Sender(sender.namespace, SENDER))
    out.send(GROUP, PORT, kernel.payloads(100, 200))
    out.send(OTHER_GROUP, PORT + 1, kernel.payloads(5, 50))  # nobody listens at that port
    capture.wait(lambda frame: frame.udp and frame.udp.destination_port == PORT + 1)
    time.sleep(0.5)

    leaf.process.send_signal(signal.SIGUSR1)
    recorded = leaf.wait("recorded", within=10)
    assert (recorded["packets"], recorded["why"]) == (PACKETS, "SIGUSR1")
    path = recorded["file"]
    assert path.startswith(str(tmp_path / "record-")) and path.endswith(".pcapng")
    packets = read(path)
    assert len(packets) == PACKETS
    dropped = [packet for packet in packets if packet.comment]
    assert {(packet.comment, packet.destination) for packet in dropped} == {
        ("dropped: no_subscriber", OTHER_GROUP)}
    assert len(dropped) == 5
    data = [packet for packet in packets if packet.destination == GROUP]
    reports = [packet for packet in packets if packet.flags == OUTBOUND]
    assert {packet.destination for packet in reports} <= {"224.0.0.22"}
    queries = [packet for packet in packets if packet.destination == "224.0.0.1"]
    assert len(data) + len(dropped) + len(reports) + len(queries) == PACKETS
    assert len(data) > PACKETS / 2
    assert {(packet.length, packet.kept, packet.flags) for packet in data} == {
        ("242", str(SNAP), INBOUND)}
    beside = [frame.time for frame in capture.frames if frame.udp.destination_port == PORT]
    for packet, seen in zip(data, beside[-len(data):], strict=True):
        assert abs(float(packet.time) - seen) < 0.5
    assert all(len(packet.time.split(".")[1]) == 9 for packet in packets)
    said = about(path)
    assert "Interface #0 info" in said and "Time precision = nanoseconds (9)" in said
    assert f"Name = {device.interface}" in said
    assert os.stat(path).st_mode & 0o777 == 0o600

    leaf.process.send_signal(signal.SIGUSR1)  # and again: what has come since
    again = leaf.wait("recorded", lambda event: event["file"] != path, within=10)
    assert again["packets"] < PACKETS
    out.send(GROUP, PORT, kernel.payloads(10, 200))
    leaf.wait("status", lambda event: event["delivered"] == 110)
    assert leaf.stop()["delivered"] == 110


def test_an_operator_has_a_roots_packets_written_where_he_says(site, tmp_path):
    """`joinleaf tell PATH record FILE`; a place that cannot be is an error, and all goes on."""
    socket = tmp_path / "commands"
    root = start_root(site.root, CHANNEL_AND_PORT, *site.feed(rate=500), "--commands", socket,
                      "--record", 1000, "--record-file", tmp_path / "record")
    root.wait("listening")
    leaf = start_leaf(site.one, site.root, "--output", "null")
    leaf.wait("status", lambda event: event["delivered"] > 100)
    path = tmp_path / "what happened.pcapng"
    answer = tell(socket, f"record {path}")
    assert len(answer) == 1 and answer[0].startswith("ok: recorded ")
    assert answer[0].endswith(f" packets to {path}")
    packets = read(path)
    sent = [packet for packet in packets if packet.source == ROOT and packet.length == "1042"]
    assert len(sent) > 100
    assert {packet.flags for packet in sent} == {OUTBOUND}
    assert {packet.comment for packet in sent} == {""}

    assert tell(socket, f"record {tmp_path}/no/such", f"record {tmp_path}") == [
        f"error: cannot record to {tmp_path}/no/such: No such file or directory; "
        "name another place",
        f"error: cannot record to {tmp_path}: Is a directory; name another place"]
    answer = tell(socket, "record")
    assert answer[0].startswith("ok: recorded ") and f" packets to {tmp_path}/record-" in answer[0]
    before = leaf.events[-1]["read_at"]
    leaf.wait("status", lambda event: event["read_at"] > before and event["pps"] > 0)
    leaf.stop()
    root.stop()


def test_drops_of_a_kind_have_a_file_written(bridge, tmp_path):
    """--record-on: with what came before and after, told as a note."""
    device = bridge.device("leaf", LEAF)
    sender = bridge.host("sender", SENDER)
    leaf = program.leaf(device, *join(GROUP), "--output", "null", "--record", 1000,
                        "--record-file", tmp_path / "record", "--record-on", "no_subscriber")
    leaf.connected()
    bridge.settle().wait_entries(GROUP, bool)
    out = bridge.lab.closing(kernel.Sender(sender.namespace, SENDER))
    out.send(GROUP, PORT, kernel.payloads(20, 200))
    out.send(GROUP, PORT + 1, kernel.payloads(1, 200))
    out.send(GROUP, PORT, kernel.payloads(20, 200))
    note = leaf.wait("note", lambda event: event["what"].startswith("recorded"), within=10)
    assert note["what"].endswith("(dropped: no_subscriber)")
    files = list(tmp_path.glob("record-*.pcapng"))
    assert len(files) == 1
    packets = [packet for packet in read(files[0]) if packet.destination == GROUP]
    dropped = [packet.comment for packet in packets].index("dropped: no_subscriber")
    assert dropped > 0 and len(packets) > dropped + 1
    leaf.stop()


def test_without_a_recorder_the_signal_does_nothing(bridge):
    device = bridge.device("leaf", LEAF)
    leaf = program.leaf(device, *join(GROUP), "--output", "null")
    leaf.connected()
    leaf.process.send_signal(signal.SIGUSR1)
    time.sleep(0.3)
    leaf.stop()
    assert "recorded" not in [event["event"] for event in leaf.events]


def test_a_place_that_cannot_be_is_told_before_anything_starts(tmp_path):
    done = subprocess.run(
        [program.PROGRAM, "leaf", "--port", "nosuch0", "--address", "10.0.0.1/24", *join(GROUP),
         "--output", "null", "--record", "10", "--record-file", f"{tmp_path}/no/such"],
        capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert done.stderr == (
        f"joinleaf leaf: cannot record to {tmp_path}/no/such: No such file or directory; "
        "name another place with --record-file\n")
