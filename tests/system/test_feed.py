"""A sequenced feed between two processes: two lines, losses, repair, and who comes late."""

import os
import signal
import time

import pytest

from lab import feed, netns, program, topology

ROOT, LEAF, OTHER, THIRD = (f"10.77.0.{host}" for host in (11, 12, 13, 14))
GENERATOR = os.path.join(os.path.dirname(__file__), "lab", "mold_generator.py")
REPAIR_PORT = 6000

# A busy machine's root packs its datagrams full, so that they are few. Of these few, too, both
# lines have to lose some: the losses below are that high.


def root(device, path, *words, end_for=1500):
    return program.root(device, "--framing", "moldudp64", "--group", feed.LINE_A, "--line",
                        feed.LINE_B, "--input", path, "--end-for-ms", end_for, *words)


def leaf(device, output, *words, groups=(feed.LINE_A, feed.LINE_B)):
    return program.leaf(device, *feed.joins(*groups), "--framing", "moldudp64", "--output", output,
                        *words)


def both_connected(running):
    for group in (feed.LINE_A, feed.LINE_B):
        running.wait("connected", lambda event, group=group: event["group"] == group)


def repaired(site, tmp_path, count, rate, percent):
    """A feed with losses on each line, and a leaf with repair; its summary."""
    feed.write_long(tmp_path / "input", count)
    output = tmp_path / "output"
    feed.lose(site.bridge, site.root, percent)
    server = f"{site.root.management}:{REPAIR_PORT}"
    receiving = leaf(site.one, output, "--repair", server, "--gap-deadline-ms", 3000)
    both_connected(receiving)
    feed.wait_for_lines(site.bridge, site.one)
    sending = root(site.root, tmp_path / "input", "--rate", rate, "--flush-at", 60,
                   "--repair-listen", server, "--history-messages", count)
    summary = receiving.finish(within=60 + 3 * count / rate)
    assert receiving.wait("closed")["reason"] == "end_of_session"
    sent = sending.finish()
    assert sent["feed"]["messages"] == count
    assert netns.run("cmp", str(tmp_path / "input"), str(output)).returncode == 0
    lost = feed.lost(site.bridge)
    assert min(lost) > 0, "both lines have lost some"
    return summary, sent


def assert_complete(summary, sent, count):
    told = summary["feed"]
    assert told["messages"] == count
    assert told["gaps"] == 0 and told["missing"] == {"messages": 0, "list": [], "not_listed": 0}
    assert told["session"] == sent["feed"]["session"]
    a, b = told["lines"]
    assert (a["line"], b["line"]) == (feed.LINE_A, feed.LINE_B)
    assert a["lost"] > 0 and b["lost"] > 0
    assert a["won"] + b["won"] + told["repaired"]["won"] == count
    assert sent["repairs"][0]["requests"].get("answered", 0) == told["repair"]["answers"]
    assert told["repaired"]["won"] == count - a["won"] - b["won"] > 0
    assert told["latency_us"]["p50"] <= told["latency_us"]["p99_9"] <= told["latency_us"]["max"]


def test_two_lines_with_losses_and_repair_bring_every_message(site, tmp_path):
    count = 300_000
    summary, sent = repaired(site, tmp_path, count, rate=60_000, percent=10)
    assert_complete(summary, sent, count)


@pytest.mark.long
def test_ten_million_messages_arrive_whole(site, tmp_path):
    count = int(os.environ.get("JOINLEAF_FEED_MESSAGES", 10_000_000))
    summary, sent = repaired(site, tmp_path, count, rate=150_000, percent=1)
    assert_complete(summary, sent, count)


def test_without_repair_the_gaps_that_are_named_are_what_is_missing(site, tmp_path):
    count = 50_000
    sent = feed.messages(count)
    (tmp_path / "input").write_bytes(feed.as_lengths(sent))
    feed.lose(site.bridge, site.root, 20)
    receiving = leaf(site.one, tmp_path / "output", "--gap-deadline-ms", 50, "--gaps",
                     tmp_path / "gaps")
    both_connected(receiving)
    feed.wait_for_lines(site.bridge, site.one)
    root(site.root, tmp_path / "input", "--rate", 20_000, "--flush-at", 60).finish(within=60)
    told = receiving.finish()["feed"]

    received = feed.from_lengths((tmp_path / "output").read_bytes())
    got = feed.numbers(received)
    assert got == sorted(set(got)), "in order, each once"
    by_number = dict(zip(range(1, count + 1), sent))
    assert all(by_number[number] == message for number, message in zip(got, received))
    # What was lost on both lines before the first that was heard of is not known to have been. A
    # heartbeat tells of a message before it comes.
    first = receiving.wait("session")["first"]
    assert first <= got[0]
    missing = feed.ranges(sorted(set(range(first, count + 1)) - set(got)))
    assert missing, "one in twenty-five packets is lost on both lines"
    assert [(gap["first"], gap["count"]) for gap in told["missing"]["list"]] == missing
    assert told["missing"]["messages"] == sum(n for _, n in missing)
    assert told["missing"]["not_listed"] == 0
    assert {gap["session"] for gap in told["missing"]["list"]} == {told["session"]}
    written = [line.split() for line in (tmp_path / "gaps").read_text().splitlines()]
    assert [(int(first), int(n)) for _, first, n in written] == missing
    assert {session for session, *_ in written} == {told["session"]}
    assert "requests" in told["repair"] and told["repair"]["requests"] == 0


def test_frames_are_what_tshark_takes_for_moldudp64(site, tmp_path):
    sent = feed.messages(1000)
    source = tmp_path / "input"
    os.mkfifo(source)
    capture = site.lab.capture(site.bridge.namespace, site.root.port, "udp")
    running = root(site.root, source, "--session", "TSHARK", "--heartbeat-ms", 50, end_for=1100)
    running.wait("session")
    with open(source, "wb") as pipe:
        for part in (sent[:900], sent[900:]):
            pipe.write(feed.as_lengths(part))
            pipe.flush()
            time.sleep(0.5)
    running.finish()
    time.sleep(0.2)
    capture.stop()

    fields = ["moldudp64.session", "moldudp64.sequence", "moldudp64.count", "ip.dst",
              "_ws.malformed", "_ws.expert.severity"]
    shown = netns.run("tshark", "-r", capture.path, "-d", "udp.port==5000,moldudp64", "-d",
                      "udp.port==5001,moldudp64", "-T", "fields", "-E", "occurrence=f",
                      *(word for field in fields for word in ("-e", field))).stdout
    packets = [line.split("\t") for line in shown.splitlines()]
    assert {packet[0].strip() for packet in packets} == {"TSHARK"}
    assert all(packet[4] == "" and packet[5] in feed.NO_COMPLAINT for packet in packets)
    for group in (feed.LINE_A, feed.LINE_B):
        line = [(int(packet[1]), int(packet[2], 0)) for packet in packets
                if packet[3] == group.split(":")[0]]
        expected = 1
        for sequence, count in (each for each in line if each[1] not in (0, 0xFFFF)):
            assert sequence == expected
            expected += count
        assert expected == 1001
        assert {901, 1001} <= {sequence for sequence, count in line if count == 0}, "heartbeats"
        ends = [each for each in line if each[1] == 0xFFFF]
        assert ends and all(each == (1001, 0xFFFF) for each in ends)


def test_a_feed_by_another_hand_is_received_whole(bridge, tmp_path):
    pytest.importorskip("scapy")
    device = bridge.device("leaf", LEAF)
    host = bridge.host("sender", OTHER)
    sent = feed.messages(3000, longest=60)
    (tmp_path / "input").write_bytes(feed.as_lengths(sent))
    receiving = leaf(device, tmp_path / "output", groups=(feed.LINE_A,))
    receiving.connected()
    feed.wait_for_lines(bridge, device, feed.LINE_A)
    group, port = feed.LINE_A.split(":")
    host.namespace.run("/usr/bin/python3", GENERATOR, OTHER, group, port, str(tmp_path / "input"),
                       timeout=60)
    told = receiving.finish()["feed"]
    assert (tmp_path / "output").read_bytes() == feed.as_lengths(sent)
    assert told["session"] == "SCAPY"
    assert told["messages"] == 3000
    assert told["gaps"] == 0
    assert told["malformed"] == {}


def test_who_comes_late_gets_all_from_the_history(site, tmp_path):
    sent = feed.messages(20_000)
    (tmp_path / "input").write_bytes(feed.as_lengths(sent))
    server = f"{site.root.management}:{REPAIR_PORT}"
    # Two leaves that start beside a root that sends have to share CPUs: they wait and it answers
    # for long enough.
    sending = root(site.root, tmp_path / "input", "--rate", 5000, "--repair-listen", server,
                   end_for=12000)
    sending.wait("status", lambda event: event["messages"] > 5000)
    late = leaf(site.one, tmp_path / "all", "--repair", server, "--start", "history",
                "--gap-deadline-ms", 10_000)
    middle = leaf(site.two, tmp_path / "some", "--repair", server, "--start", 1001,
                  "--gap-deadline-ms", 10_000)
    assert late.finish(within=60)["feed"]["missing"]["messages"] == 0
    assert middle.finish(within=60)["feed"]["missing"]["messages"] == 0
    assert (tmp_path / "all").read_bytes() == feed.as_lengths(sent)
    assert (tmp_path / "some").read_bytes() == feed.as_lengths(sent[1000:])
    assert sending.finish()["repairs"][0]["leaves"] == 2


def test_a_root_that_starts_again_is_another_session(site, tmp_path):
    first, second = feed.messages(200_000, seed=1), feed.messages(2000, seed=2)
    (tmp_path / "first").write_bytes(feed.as_lengths(first))
    (tmp_path / "second").write_bytes(feed.as_lengths(second))
    receiving = leaf(site.one, tmp_path / "output")
    both_connected(receiving)
    feed.wait_for_lines(site.bridge, site.one)
    crashing = root(site.root, tmp_path / "first", "--rate", 2000)
    crashing.wait("status", lambda event: event["messages"] > 1000)
    crashing.process.send_signal(signal.SIGKILL)
    crashing.process.wait()
    root(site.root, tmp_path / "second", "--rate", 2000).finish(within=60)
    receiving.finish()
    begun = [event for event in receiving.events if event["event"] == "session"]
    assert len(begun) == 2 and begun[0]["session"] != begun[1]["session"]
    assert [event["first"] for event in begun] == [1, 1]
    received = feed.from_lengths((tmp_path / "output").read_bytes())
    assert received[-2000:] == second
    assert received[:-2000] == first[:len(received) - 2000], "of the first what it had sent"


def test_lines_on_ports_of_their_own_do_without_each_other(lab, tmp_path):
    """The port of the second line is cut in the middle."""
    one, two = topology.Device(lab, "root", ROOT), topology.Device(lab, "leaf", LEAF)
    topology.direct_wire(lab, one, two)
    lab.wire(one.namespace, "eth1", two.namespace, "eth1")
    for end in (one, two):
        feed.wait_for_link(end, "eth1")
    count = 30_000
    feed.write_long(tmp_path / "input", count)
    receiving = leaf(two, tmp_path / "output", "--line-port", "eth1", "--line-address",
                     "10.88.0.12/24")
    both_connected(receiving)
    sending = root(one, tmp_path / "input", "--rate", 10_000, "--line-port", "eth1",
                   "--line-address", "10.88.0.11/24")
    sending.wait("status", lambda event: event["messages"] > 5000)
    one.namespace.ip("link set eth1 down")
    told = receiving.finish(within=60)
    sending.process.wait(20)
    assert (tmp_path / "output").read_bytes() == (tmp_path / "input").read_bytes()
    a, b = told["feed"]["lines"]
    assert a["received"] == count
    assert 5000 < b["received"] < count
    assert told["further_ports"][0]["spec"] == "eth1"
    assert told["further_ports"][0]["received"] > 0
    assert sending.wait("summary")["port"]["link_up"] is True
    assert sending.wait("summary")["further_ports"][0]["link_up"] is False


def test_an_admitted_leaf_needs_to_know_the_root_alone(site, tmp_path):
    """The root says where the lines are, and who repairs."""
    count = 20_000
    feed.write_long(tmp_path / "input", count)
    feed.lose(site.bridge, site.root, 30)
    at = site.root.management
    sending = root(site.root, tmp_path / "input", "--rate", 10_000, "--flush-at", 60, "--listen",
                   f"{at}:7000", "--wait-leaves", 1, "--repair-listen", f"{at}:{REPAIR_PORT}")
    sending.wait("listening")
    # The very first message may be lost on both lines: who begins with it asks for it.
    receiving = program.leaf(site.one, "--root", f"{at}:7000", "--output", tmp_path / "output",
                             "--start", 1, "--gap-deadline-ms", 3000)
    told = receiving.finish(within=60)["feed"]
    sending.finish()
    assert (tmp_path / "output").read_bytes() == (tmp_path / "input").read_bytes()
    assert [line["line"] for line in told["lines"]] == [feed.LINE_A, feed.LINE_B]
    assert told["repaired"]["won"] > 0


def test_a_repair_server_answers_in_the_roots_place(site, tmp_path):
    sent = feed.messages(5000)
    (tmp_path / "input").write_bytes(feed.as_lengths(sent))
    server = f"{site.two.management}:{REPAIR_PORT}"
    keeping = site.lab.closing(program.Joinleaf(site.two, "repair", *feed.joins(),
                                                "--repair-listen", server))
    both_connected(keeping)
    feed.wait_for_lines(site.bridge, site.two)
    root(site.root, tmp_path / "input", "--rate", 5000).finish(within=60)
    late = leaf(site.one, tmp_path / "output", "--repair", server, "--start", 1, "--session",
                keeping.wait("session")["session"], "--duration", 3)
    both_connected(late)
    feed.wait_for_lines(site.bridge, site.one)
    # The end of the session is over; another heartbeat has to tell the leaf where it stands.
    session = keeping.wait("session")["session"]
    host = site.bridge.host("teller", THIRD)
    tell = ("import socket,struct;s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);"
            f"s.sendto(b'{session}'.ljust(10)+struct.pack('>QH',5001,0),('239.1.1.1',5000))")
    host.namespace.run("/usr/bin/python3", "-c", tell)
    late.finish()
    assert (tmp_path / "output").read_bytes() == feed.as_lengths(sent)
    summary = keeping.stop()
    assert summary["repairs"][0]["messages"] >= 5000
    assert summary["feed"]["messages"] == 5000
