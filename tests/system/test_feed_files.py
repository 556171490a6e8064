"""What a feed is read from and written to: captures, lines and lengths, at a pace."""

import struct
import subprocess
import time

import pytest

from lab import feed, netns, program, topology

ROOT, LEAF = "10.77.0.11", "10.77.0.12"


@pytest.fixture
def pair(lab):
    """A root and a leaf on one wire."""
    one = topology.Device(lab, "root", ROOT)
    two = topology.Device(lab, "leaf", LEAF)
    topology.direct_wire(lab, one, two)
    return one, two


def leaf(device, output, *words):
    running = program.leaf(device, *feed.joins(feed.LINE_A), "--framing", "moldudp64", "--output",
                           output, *words)
    running.connected()
    return running


def root(device, source, *words):
    return program.root(device, "--framing", "moldudp64", "--group", feed.LINE_A, "--input", source,
                        "--end-for-ms", 500, *words)


def refused(device, *words):
    done = device.namespace.run(*program.arguments(
        device, "root", "--framing", "moldudp64", "--group", feed.LINE_A, "--end-for-ms", 100,
        *words), check=False)
    assert done.returncode == 1
    return done.stderr.strip().splitlines()[-1]


def times_of(path):
    shown = netns.run("tshark", "-r", str(path), "-T", "fields", "-e", "frame.time_epoch").stdout
    return [float(line) for line in shown.split()]


def frame_to_line_a(payload):
    """Without a UDP checksum."""
    group, port = feed.LINE_A.split(":")
    address = bytes(int(part) for part in group.split("."))
    udp = struct.pack(">HHHH", 4000, int(port), 8 + len(payload), 0) + payload
    header = bytearray(struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0x4000, 1, 17, 0,
                               bytes([10, 77, 0, 11]), address))
    total = sum(header[i] << 8 | header[i + 1] for i in range(0, 20, 2))
    total = (total & 0xFFFF) + (total >> 16)
    header[10:12] = struct.pack(">H", ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF)
    return bytes.fromhex("01005e010101020000000001") + b"\x08\x00" + bytes(header) + udp


def test_a_capture_that_was_written_is_replayed_at_its_pace(pair, tmp_path):
    """From a feed to a capture, by tshark's judgement a good one, and from there to a feed again."""
    one, two = pair
    sent = feed.messages(600)
    (tmp_path / "input").write_bytes(feed.as_lengths(sent))
    written = tmp_path / "feed.pcapng"
    receiving = leaf(two, written, "--output-format", "pcapng")
    root(one, tmp_path / "input", "--session", "MONDAY", "--rate", 300, "--delay-us", 0).finish()
    receiving.finish()

    told = netns.run("capinfos", "-M", str(written)).stdout
    assert "pcapng" in told and "nanoseconds (9)" in told and "Ethernet" in told, told
    shown = netns.run("tshark", "-r", str(written), "-d", "udp.port==5000,moldudp64", "-o",
                      "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-T", "fields",
                      "-e", "moldudp64.session", "-e", "moldudp64.count", "-e",
                      "_ws.malformed", "-e", "_ws.expert.severity").stdout
    lines = [line.split("\t") for line in shown.splitlines()]
    assert {line[0].strip() for line in lines} == {"MONDAY"}
    assert sum(int(line[1], 0) for line in lines[:-1]) == 600
    assert int(lines[-1][1], 0) == 0xFFFF, "the end of the session is in it"
    assert all(line[2] == "" and line[3] in feed.NO_COMPLAINT for line in lines)

    copy = tmp_path / "copy.pcapng"
    receiving = leaf(two, copy, "--output-format", "pcapng")
    began = time.monotonic()
    replaying = root(one, written, "--input-format", "pcap", "--pace", "x2")
    replaying.wait("summary")
    assert time.monotonic() - began >= 1.0, "two seconds of feed at twice its pace"
    told = replaying.finish()["feed"]
    receiving.finish()
    assert told["messages"] == 600
    assert told["capture"]["missing"] == 0 and told["capture"]["frames"] == len(lines)
    before, after = times_of(written)[:-1], times_of(copy)[:-1]
    assert (after[-1] - after[0]) == pytest.approx((before[-1] - before[0]) / 2, rel=0.2)

    again = tmp_path / "again"
    receiving = leaf(two, again)
    root(one, copy, "--input-format", "pcap", "--pace", "full").finish()
    receiving.finish()
    assert again.read_bytes() == feed.as_lengths(sent)


def test_a_capture_by_tcpdump_of_two_lines_asks_for_one(pair, tmp_path):
    one, two = pair
    sent = feed.messages(500)
    (tmp_path / "input").write_bytes(feed.as_lengths(sent))
    capture = one.lab.capture(two.namespace, "eth0", "udp")
    root(one, tmp_path / "input", "--line", feed.LINE_B, "--rate", 2000).finish()
    time.sleep(0.2)
    capture.stop()
    said = refused(one, "--input", capture.path, "--input-format", "pcap")
    assert feed.LINE_A in said and feed.LINE_B in said and "--input-flow" in said
    receiving = leaf(two, tmp_path / "output")
    summary = root(one, capture.path, "--input-format", "pcap", "--input-flow", feed.LINE_B,
                   "--pace", "full").finish()
    receiving.finish()
    assert (tmp_path / "output").read_bytes() == feed.as_lengths(sent)
    assert summary["feed"]["capture"]["other_flows"] > 0


def test_a_capture_that_is_cut_off_is_sent_as_far_as_it_goes(pair, tmp_path):
    one, two = pair
    sent = feed.messages(500)
    (tmp_path / "input").write_bytes(feed.as_lengths(sent))
    capture = one.lab.capture(two.namespace, "eth0", "udp")
    root(one, tmp_path / "input", "--rate", 2000).finish()
    time.sleep(0.2)
    capture.stop()
    cut = tmp_path / "cut.pcap"
    with open(capture.path, "rb") as whole:
        cut.write_bytes(whole.read()[: capture.size() // 2])
    receiving = leaf(two, tmp_path / "output")
    said = refused(one, "--input", cut, "--input-format", "pcap", "--pace", "full")
    assert f"{cut}: at octet " in said and "is cut off after" in said
    receiving.finish()
    received = feed.from_lengths((tmp_path / "output").read_bytes())
    assert 0 < len(received) < 500
    assert received == sent[: len(received)]


def test_lines_of_a_pipe_leave_as_they_come(pair, tmp_path):
    one, two = pair
    output = tmp_path / "output"
    receiving = leaf(two, output, "--output-format", "lines")
    running = one.namespace.start(
        *program.arguments(one, "root", "--framing", "moldudp64", "--group", feed.LINE_A, "--input",
                           "-", "--input-format", "lines", "--end-for-ms", 300),
        stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    running.stdin.write("one\ntwo\n")
    running.stdin.flush()
    deadline = time.monotonic() + program.START_TIME
    while output.read_text() != "one\ntwo\n" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert output.read_text() == "one\ntwo\n", "though the input has not ended"
    running.stdin.write("three")
    running.stdin.close()
    receiving.finish()
    assert running.wait(10) == 0
    assert output.read_text() == "one\ntwo\nthree\n"


def test_progress_is_told_with_the_time_that_is_left(pair, tmp_path):
    one, _ = pair
    feed.write_long(tmp_path / "input", 6000)
    running = root(one, tmp_path / "input", "--rate", 1500)
    running.finish()
    told = [event for event in running.events if event["event"] == "status"]
    sending = [event for event in told if event["messages"] < 6000]
    assert len(sending) >= 2
    shares = [event["progress"] for event in sending]
    assert shares == sorted(shares) and 0 < shares[0] < shares[-1] < 1
    last = sending[-1]
    assert last["eta_s"] == pytest.approx((6000 - last["messages"]) / 1500, abs=1.0)


def test_a_message_that_fits_no_datagram_is_named(pair, tmp_path):
    one, _ = pair
    (tmp_path / "input").write_bytes(feed.as_lengths([b"fits", b"x" * 1451]))
    said = refused(one, "--input", tmp_path / "input")
    assert "message 2 has 1451 octets" in said and "at most 1450" in said and "--mtu" in said


def test_a_leaf_that_stops_at_a_gap_says_so(pair, tmp_path):
    one, two = pair
    receiving = leaf(two, tmp_path / "output", "--on-gap", "stop", "--gap-deadline-ms", 20)
    tell = ("import socket,struct;s=socket.socket(socket.AF_PACKET,socket.SOCK_RAW);"
            "s.bind(('eth0',0))")
    frames = []
    for sequence, message in ((1, b"a"), (3, b"c")):
        payload = b"STRAY".ljust(10) + struct.pack(">QHH", sequence, 1, 1) + message
        frames.append(frame_to_line_a(payload))
    one.namespace.run("/usr/bin/python3", "-c",
                      tell + f"\nfor f in {frames!r}: s.send(f)")
    receiving.process.wait(20)
    assert receiving.process.returncode == 1
    summary = receiving.wait("summary")
    assert summary["feed"]["missing"]["list"] == [{"session": "STRAY", "first": 2, "count": 1}]
    assert "stopped at a gap" in receiving.said
    assert (tmp_path / "output").read_bytes() == feed.as_lengths([b"a"])
