"""Rooted sessions between real processes: joins, keys, faults and strangers.

Data goes over a snooping bridge with a querier, admission over TCP on a bridge of its own.
"""

import os
import signal
import time

import pytest

from lab import admission, kernel, program, wire
from lab.admission import start_leaf, start_root
from lab.site import CHANNEL, GROUP, ONE, REPORT, TWO, Site

DEAD_AFTER = 2.0
LATER = 1.0  # seconds that a root may take to tell, after dead_after


def left(root, name, since, within):
    """The reason that the root gives for the leaf's end; not later than it may be."""
    event = root.wait("leaf_left", lambda e: e["name"] == name, within + 5)
    assert event["read_at"] - since <= within, event
    return event["reason"]


def test_a_leaf_asks_and_receives_a_file_complete(site, tmp_path):
    """M6, M20, M26: and M4, the root's end in good order is the leaf's."""
    sent = admission.payload_file(tmp_path / "sent", 5000)
    received = tmp_path / "received"
    root = start_root(site.root, GROUP, "--input", sent, "--chunk", 1000, "--rate", 5000,
                      "--wait-leaves", 1, "--name", "feed")
    listening = root.wait("listening")
    assert listening["at"] == f"{site.root.management}:7000" and not listening["tls"]
    root.wait("note", lambda e: "without TLS" in e["what"])
    leaf = start_leaf(site.one, site.root, "--output", received, "--name", "one")
    connected = leaf.connected()
    assert connected["root"] == f"{site.root.management}:7000"
    assert connected["group"] == GROUP
    joined = root.wait("leaf_joined")
    assert (joined["name"], joined["data_address"], joined["invited"]) == ("one", ONE, False)
    site.one.capture.wait_igmp(ONE, REPORT)
    root.finish()
    ended_at = time.time()
    assert leaf.wait("closed")["reason"] == "session_closed"
    leaf.finish()
    assert received.read_bytes() == sent.read_bytes()
    site.has_left(site.one, ended_at - 5)


def test_the_root_invites(site, tmp_path):
    """M5, M20: and the invited leaf receives all of it."""
    sent = admission.payload_file(tmp_path / "sent", 1000)
    received = tmp_path / "received"
    root = program.root(site.root, "--group", GROUP, "--invite", f"{site.one.management}:7001",
                        "--wait-leaves", 1, "--input", sent, "--chunk", 1000, "--rate", 5000)
    # Nobody listens there yet; it goes on trying.
    leaf = program.leaf(site.one, "--listen", f"{site.one.management}:7001", "--output", received)
    leaf.connected()
    assert root.wait("leaf_joined")["invited"]
    root.finish()
    assert leaf.wait("closed")["reason"] == "session_closed"
    leaf.finish()
    assert received.read_bytes() == sent.read_bytes()


def test_two_leaves_receive_the_same(site, tmp_path):
    """M20: the root's data reaches every leaf; a listening root publishes meanwhile (M13)."""
    sent = admission.payload_file(tmp_path / "sent", 3000)
    root = start_root(site.root, GROUP, "--input", sent, "--chunk", 1000, "--rate", 3000,
                      "--wait-leaves", 2)
    root.wait("listening")
    leaves = [start_leaf(device, site.root, "--output", tmp_path / device.address)
              for device in (site.one, site.two)]
    root.finish()
    for leaf, device in zip(leaves, (site.one, site.two)):
        leaf.finish()
        assert (tmp_path / device.address).read_bytes() == sent.read_bytes()


@pytest.mark.parametrize("scheme, heard", [("rooted", 0), ("rooted-control", 20)])
def test_what_a_stranger_sends_to_the_group(site, tmp_path, scheme, heard):
    """M3, M21, M22: heard where every member may speak, and nowhere else."""
    group = "239.1.1.1:5000"
    outsider = site.bridge.host("outsider", "10.77.0.99")
    root = start_root(site.root, group, *site.feed(rate=20), "--scheme", scheme)
    root.wait("listening")
    received = tmp_path / "received"
    leaf = start_leaf(site.one, site.root, "--output", received)
    leaf.connected()
    sender = site.lab.closing(kernel.Sender(outsider.namespace, outsider.address))
    sender.send("239.1.1.1", 5000, [b"stranger".ljust(1000, b".")] * 20, per_second=100)
    time.sleep(0.5)
    leaf.stop()
    assert received.read_bytes().count(b"stranger") == heard
    root.stop()


def test_who_is_refused_by_policy(site, tmp_path):
    """M16: the leaf is told, the root goes on and lets in who may."""
    policy = tmp_path / "policy.toml"
    policy.write_text(
        'default = "deny"\n[[rule]]\nname = "desks"\naction = "allow"\nleaf = "desk-*"\n')
    root = start_root(site.root, GROUP, *site.feed(), "--policy", policy)
    root.wait("listening")
    stranger = start_leaf(site.one, site.root, "--output", "null", "--name", "passer-by")
    assert admission.exit_code(stranger) == 1
    assert "joinleaf leaf: " in stranger.said
    assert root.wait("refused")["endpoint"].startswith(site.one.management)
    assert site.one.capture.igmp(ONE) == []
    leaf = start_leaf(site.two, site.root, "--output", "null", "--name", "desk-7")
    leaf.connected()
    leaf.stop()
    assert root.stop()["leaves"] == {"joined": 1, "left": 1, "refused": 1, "now": 0}


def test_pre_shared_keys(site, tmp_path):
    """M18: the root knows by which key; M17: a wrong one never becomes a leaf."""
    key, other = "0123456789abcdef" * 4, "fedcba9876543210" * 4
    root = start_root(site.root, GROUP, *site.feed(), "--tls-psk",
                      admission.write_keys(tmp_path / "root.psk", one=key, two=other))
    assert root.wait("listening")["tls"]
    assert not [e for e in root.events if e["event"] == "note" and "without TLS" in e["what"]]
    right = start_leaf(site.one, site.root, "--output", "null", "--tls-psk",
                       admission.write_keys(tmp_path / "one.psk", one=key))
    right.connected()
    assert root.wait("leaf_joined")["identity"] == "one"
    for wrong in ("--tls-psk", admission.write_keys(tmp_path / "wrong.psk", two=key)), ():
        leaf = start_leaf(site.two, site.root, "--output", "null", *wrong)
        assert admission.exit_code(leaf) == 1
        assert "joinleaf leaf: " in leaf.said
    assert site.two.capture.igmp(TWO) == []
    right.stop()
    assert root.stop()["leaves"]["joined"] == 1


def test_certificates(site, tmp_path):
    """M18: mutual certificates; expired ones and those of others are turned down (M17)."""
    authority = admission.Authority(tmp_path / "ours")
    stranger = admission.Authority(tmp_path / "theirs")
    root = start_root(site.root, GROUP, *site.feed(), *authority.issue("feed.example"))
    root.wait("listening")
    right = start_leaf(site.one, site.root, "--output", "null", *authority.issue("desk-7.example"))
    right.connected()
    assert "desk-7.example" in root.wait("leaf_joined")["identity"]
    for wrong in (stranger.trusting(authority, "desk-7.example"),
                  (*authority.issue("desk-9.example"), "--tls-peer", "other.example")):
        leaf = start_leaf(site.two, site.root, "--output", "null", *wrong)
        assert admission.exit_code(leaf) == 1
        assert "joinleaf leaf: " in leaf.said
    # The program does not show a certificate that has expired; openssl does.
    for options, said in ((authority.issue("desk-8", expired=True), "certificate expired"),
                          (stranger.trusting(authority, "desk-8"), "unknown ca"),
                          ((), "certificate required")):
        assert said in admission.openssl_connects(site.two.namespace, site.root.management, 7000,
                                                  options)
    assert site.two.capture.igmp(TWO) == []
    right.stop()
    assert root.stop()["leaves"]["joined"] == 1


def test_a_root_whose_certificate_has_expired(site, tmp_path):
    """M6: it does not start, and a leaf does not join one that did."""
    authority = admission.Authority(tmp_path / "ours")
    expired = authority.issue("feed", expired=True)
    root = start_root(site.root, GROUP, *site.feed(), *expired)
    assert admission.exit_code(root) == 1
    assert "expired" in root.said
    site.lab.closing(admission.OpensslListens(site.root.namespace, 7000, expired))
    leaf = start_leaf(site.one, site.root, "--output", "null", *authority.issue("desk-7"))
    assert admission.exit_code(leaf) == 1
    assert "permission denied" in leaf.said.lower()
    assert site.one.capture.igmp(ONE) == []


@pytest.mark.parametrize("fault, reason", [
    ("closed", "closed"), ("killed", "reset"), ("frozen", "timed_out"),
    ("data cable cut", "network_down"), ("management cable cut", "timed_out")])
def test_how_a_leaf_goes(site, fault, reason):
    """M25: the root gets FD_CLOSE with the reason in time, and the other leaf is not touched."""
    root = start_root(site.root, GROUP, *site.feed(), "--dead-after", DEAD_AFTER)
    root.wait("listening")
    leaf = start_leaf(site.one, site.root, "--output", "null", "--name", "one")
    other = start_leaf(site.two, site.root, "--output", "null", "--name", "two")
    leaf.connected()
    other.connected()
    for name in "one", "two":
        root.wait("leaf_joined", lambda e, name=name: e["name"] == name)
    began = time.time()
    {"closed": lambda: leaf.process.send_signal(signal.SIGINT),
     "killed": leaf.process.kill,
     "frozen": lambda: leaf.process.send_signal(signal.SIGSTOP),
     "data cable cut": lambda: site.cut_data(site.one),
     "management cable cut": lambda: site.management.cut(site.one)}[fault]()
    done = time.time()
    within = DEAD_AFTER + LATER if reason == "timed_out" else LATER
    assert left(root, "one", done, within) == reason
    if fault == "frozen":
        leaf.process.send_signal(signal.SIGCONT)
    if fault in ("frozen", "data cable cut", "management cable cut"):
        ended = leaf.wait("closed", within=DEAD_AFTER + LATER + 3)
        assert ended["reason"] in ("timed_out", "network_down", "reset"), ended
        assert admission.exit_code(leaf) == 1
    if fault == "management cable cut":
        site.has_left(site.one, began, DEAD_AFTER + LATER)
    now = time.time()
    received = other.wait("status", lambda e: e["read_at"] > now)["delivered"]
    other.wait("status", lambda e: e["delivered"] > received)
    assert not [e for e in root.events if e["event"] == "leaf_left" and e["name"] == "two"]
    other.stop()
    assert left(root, "two", time.time() - 15, 15) == "closed"
    root.stop()


@pytest.mark.parametrize("fault, reason, code", [
    ("closed", "session_closed", 0), ("killed", "reset", 1), ("frozen", "timed_out", 1),
    ("cut off", "timed_out", 1)])
def test_when_the_root_goes_every_leaf_leaves(site, fault, reason, code):
    """M4, M26: each gets FD_CLOSE in time, and leaves the group by IGMP."""
    root = start_root(site.root, GROUP, *site.feed(), "--dead-after", DEAD_AFTER)
    root.wait("listening")
    leaves = {device: start_leaf(device, site.root, "--output", "null")
              for device in (site.one, site.two)}
    for device, leaf in leaves.items():
        leaf.connected()
        site.bridge.wait_entries(CHANNEL, bool, port=device.port)
    leaf.wait("status", lambda e: e["delivered"] > 0)
    began = time.time()
    {"closed": lambda: root.process.send_signal(signal.SIGINT),
     # Its connections end when the kernel has taken it apart.
     "killed": lambda: (root.process.kill(), root.process.wait()),
     "frozen": lambda: root.process.send_signal(signal.SIGSTOP),
     "cut off": lambda: site.management.cut(site.root)}[fault]()
    done = time.time()
    within = DEAD_AFTER + LATER if reason == "timed_out" else LATER
    for device, leaf in leaves.items():
        closed = leaf.wait("closed", within=within + 5)
        assert closed["reason"] == reason
        assert closed["read_at"] - done <= within
        site.has_left(device, began)
    for leaf in leaves.values():
        assert admission.exit_code(leaf) == code, leaf.said


def test_a_leaf_that_was_killed_may_come_back(site):
    """M12, M25: under the same name, as a new leaf."""
    root = start_root(site.root, GROUP, *site.feed())
    root.wait("listening")
    numbers = []
    for _ in range(2):
        leaf = start_leaf(site.one, site.root, "--output", "null", "--name", "one")
        leaf.connected()
        leaf.wait("status", lambda e: e["delivered"] > 0)
        leaf.process.kill()
        leaf.process.wait()
        numbers.append(root.wait("leaf_left", lambda e: e["leaf"] not in numbers)["leaf"])
    assert len(set(numbers)) == 2
    assert root.stop()["leaves"] == {"joined": 2, "left": 2, "refused": 0, "now": 0}


@pytest.mark.parametrize("count, say, drips", [
    pytest.param(200, lambda number: os.urandom(64), False, id="garbage"),
    pytest.param(500, lambda number: b"\0\0\0\x20\x0a", True, id="slow-loris"),
    pytest.param(10_000, lambda number: b"", False, id="10000 connects")])
def test_strangers_do_no_harm(site, tmp_path, count, say, drips):
    """M17, M19: an honest leaf is let in within a second, and the data flow loses nothing."""
    rate = 1000
    root = start_root(site.root, GROUP, *site.feed(seconds=40, rate=rate))
    root.wait("listening")
    received = tmp_path / "received"
    member = start_leaf(site.one, site.root, "--output", received)
    member.connected()
    stranger = admission.Stranger(site.lab)
    site.management.attach(stranger)
    flood = site.lab.closing(admission.Flood(
        stranger.namespace, site.root.management, 7000, count, say, drips))
    deadline = time.time() + 20
    while flood.connected < count and time.time() < deadline:
        time.sleep(0.05)
    assert flood.connected >= count
    honest = start_leaf(site.two, site.root, "--output", "null")
    assert honest.connected()["connect_ms"] < 1000
    time.sleep(2.5)  # longer than a stranger may take for its first message
    assert flood.ended_by_root > 0
    flood.close()
    honest.stop()
    member.stop()
    numbers = admission.numbers_in(received)
    assert len(numbers) > 2 * rate
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    root.stop()


@pytest.mark.parametrize("kind", ["wrong key", "expired certificate"])
def test_wrong_credentials_do_no_harm(site, tmp_path, kind):
    """M17: tried again and again, amid garbage; an honest leaf is in within a second, and the data
    flow loses nothing."""
    if kind == "wrong key":
        key, other = "0123456789abcdef" * 4, "fedcba9876543210" * 4
        good = ("--tls-psk", admission.write_keys(tmp_path / "leaf.psk", desk=key))
        ours, bad = good, ("-psk", other, "-psk_identity", "desk")
    else:
        authority = admission.Authority(tmp_path / "ours")
        ours, good = authority.issue("feed"), authority.issue("desk")
        bad = authority.issue("desk-8", expired=True)
    rate = 1000
    root = start_root(site.root, GROUP, *site.feed(seconds=40, rate=rate), *ours)
    root.wait("listening")
    received = tmp_path / "received"
    member = start_leaf(site.one, site.root, "--output", received, *good)
    member.connected()
    # Two of them: the address that garbage comes from is turned away before it can try a key.
    strangers = [admission.Stranger(site.lab, name) for name in ("stranger", "noise")]
    for stranger in strangers:
        site.management.attach(stranger)
    tries = site.lab.closing(admission.OpensslTriesAgain(
        strangers[0].namespace, site.root.management, 7000, bad))
    flood = site.lab.closing(admission.Flood(
        strangers[1].namespace, site.root.management, 7000, 100, lambda number: os.urandom(64)))
    member.wait("status", lambda e: e["delivered"] > rate and len(tries.told) > 10)
    honest = start_leaf(site.two, site.root, "--output", "null", *good)
    assert honest.connected()["connect_ms"] < 1000
    tries.close()
    flood.close()
    refusal = "alert illegal parameter" if kind == "wrong key" else "certificate expired"
    assert all(refusal in told for told in tries.told), tries.told[-1]
    assert flood.ended_by_root > 0
    honest.process.send_signal(signal.SIGINT)
    member.stop()
    honest.finish()
    numbers = admission.numbers_in(received)
    assert len(numbers) > rate
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert root.stop()["leaves"]["joined"] == 2


def test_the_leave_is_what_the_querier_asks_for(lab):
    """M26: an IGMPv2 querier gets a leave message."""
    from lab import topology
    site = Site(lab, topology.Bridge(lab, version=2))
    root = start_root(site.root, "239.1.1.1:5000", *site.feed())
    root.wait("listening")
    leaf = start_leaf(site.one, site.root, "--output", "null")
    leaf.connected()
    site.bridge.query()
    site.one.capture.wait(lambda f: f.igmp and wire.describe(f.igmp) == "v2(239.1.1.1)")
    began = time.time()
    root.stop()
    assert leaf.wait("closed")["reason"] == "session_closed"
    site.one.capture.wait_igmp(ONE, "leave(239.1.1.1)", since=began)
    leaf.finish()
