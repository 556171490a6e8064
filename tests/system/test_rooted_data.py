"""What leaves send: to the root alone by unicast, or to every member, between real processes."""

import signal

import pytest

from lab import admission, kernel, program, topology, wire
from lab.admission import start_leaf, start_root
from lab.site import ONE, ROOT, TWO

ANY_CHANNEL = "239.1.1.1"
ANY_GROUP = f"{ANY_CHANNEL}:5000"
PORT = 5000
FROM_ROOT, FROM_ONE, FROM_TWO = 0, 1_000_000, 2_000_000  # where the numbers of each begin
ROUTER, BEYOND_ROUTER, BEYOND = "10.77.0.254", "10.79.0.1", "10.79.0.12"


def numbers_from(path, first):
    """Those of one sender, in the order in which they were written."""
    return [n for n in admission.numbers_in(path) if first <= n < first + 1_000_000]


def data_of(capture, source):
    return [f for f in capture.frames if f.udp and f.ipv4.source == source]


def senders(summary):
    return {s["address"]: (s["name"], s["is_leaf"], s["datagrams"]) for s in summary["senders"]}


def test_a_leafs_data_goes_to_the_root_alone(site, tmp_path):
    """M3, M20, M21: by unicast to the root's own MAC address; no leaf hears another."""
    lab = site.lab
    wires = {device: lab.capture(site.bridge.namespace, device.port, "udp")
             for device in (site.root, site.one, site.two)}
    feed = admission.Feed(lab, "feed")
    collected = tmp_path / "collected"
    # Not in 232/8: were a leaf to send to the group, nothing would hold it back.
    root = start_root(site.root, ANY_GROUP, "--input", feed.path, "--chunk", 1000, "--rate", 2000,
                      "--output", collected)
    root.wait("listening")
    inputs = {ONE: admission.payload_file(tmp_path / "one", 300, first=FROM_ONE),
              TWO: admission.payload_file(tmp_path / "two", 200, first=FROM_TWO)}
    leaves = {
        device: start_leaf(device, site.root, "--name", device.namespace.name.split("-")[-1],
                           "--output", tmp_path / f"got-{device.address}",
                           "--send", inputs[device.address], "--chunk", 1000, "--rate", 1000)
        for device in (site.one, site.two)}
    for leaf in leaves.values():
        assert leaf.connected()["sends_to"] == f"{ROOT}:{PORT}"
    assert leaves[site.one].wait("all_sent")["datagrams"] == 300
    assert leaves[site.two].wait("all_sent")["datagrams"] == 200
    feed.send(FROM_ROOT, 100)  # the leaves still listen: both are in the session until it ends
    feed.close()
    heard = root.finish()
    for leaf in leaves.values():
        assert leaf.wait("closed")["reason"] == "session_closed"
        leaf.finish()

    assert numbers_from(collected, FROM_ONE) == list(range(FROM_ONE, FROM_ONE + 300))
    assert numbers_from(collected, FROM_TWO) == list(range(FROM_TWO, FROM_TWO + 200))
    assert senders(heard) == {ONE: ("one", True, 300), TWO: ("two", True, 200)}
    assert heard["delivered"] == 500
    for device in (site.one, site.two):
        assert admission.numbers_in(tmp_path / f"got-{device.address}") == list(range(100))
    root_mac = wire.mac(site.root.mac)
    for device, other in ((site.one, site.two), (site.two, site.one)):
        own = data_of(wires[device].stop(), device.address)
        assert own and {(f.destination, f.ipv4.destination) for f in own} == {(root_mac, ROOT)}
        assert data_of(wires[other].stop(), device.address) == []


def test_a_leaf_that_only_sends_joins_no_group(site, tmp_path):
    """M8: it tells the network nothing, hears nothing, and is done when all is sent."""
    collected = tmp_path / "collected"
    root = start_root(site.root, ANY_GROUP, "--output", collected)
    root.wait("listening")
    sent = admission.payload_file(tmp_path / "sent", 100)
    leaf = start_leaf(site.one, site.root, "--send", sent, "--chunk", 1000, "--name", "one")
    assert leaf.connected()["sources"] == "IN{}"
    summary = leaf.finish()
    assert leaf.wait("closed")["reason"] == "end_of_input"
    assert (summary["sent"], summary["delivered"]) == (100, 0)
    assert root.wait("leaf_left")["reason"] == "closed"
    # One whose session ends before it has sent all says so.
    late = start_leaf(site.two, site.root, "--send", sent, "--chunk", 1000, "--rate", 10)
    late.connected()
    delivered = root.stop()["delivered"]
    assert admission.exit_code(late) == 1
    assert "the root ended the session before all was sent" in late.said
    assert delivered < 200
    assert collected.read_bytes()[:100_000] == sent.read_bytes()
    assert site.one.capture.igmp(ONE) == []


def test_every_member_hears_every_other(site, tmp_path):
    """M3, M22: admission by the root, data to all; the root hears non-members, too."""
    lab = site.lab
    outsider = site.bridge.host("outsider", "10.77.0.99")
    at_one = lab.capture(site.bridge.namespace, site.one.port, "udp")
    feeds = {first: admission.Feed(lab, f"feed-{first}")
             for first in (FROM_ROOT, FROM_ONE, FROM_TWO)}
    root = start_root(site.root, ANY_GROUP, "--input", feeds[FROM_ROOT].path, "--chunk", 1000,
                      "--output", tmp_path / "root", "--scheme", "rooted-control")
    root.wait("listening")
    members = {"root": root}
    for name, device, first in (("one", site.one, FROM_ONE), ("two", site.two, FROM_TWO)):
        members[name] = start_leaf(device, site.root, "--name", name, "--output", tmp_path / name,
                                   "--send", feeds[first].path, "--chunk", 1000)
    for member in members.values():
        assert member.connected()["sources"] == "EX{}"
    assert members["one"].connected()["sends_to"] == ANY_GROUP
    site.bridge.wait_entries(
        ANY_CHANNEL,
        lambda entries: {d.port for d in (site.root, site.one, site.two)}
        <= {e["port"] for e in entries})
    for first, feed in feeds.items():
        feed.send(first, 50)
    stranger = lab.closing(kernel.Sender(outsider.namespace, outsider.address))
    stranger.send(ANY_CHANNEL, PORT, [b"\xff" * 1000] * 10, per_second=200)
    expected = {"root": 110, "one": 110, "two": 110}
    for name, count in expected.items():
        members[name].wait("status", lambda e, count=count: e["delivered"] == count, within=10)
    for name in "one", "two":
        members[name].process.send_signal(signal.SIGINT)
    for name in "one", "two":
        members[name].finish()
    heard = root.stop()

    for name, own in (("root", FROM_ROOT), ("one", FROM_ONE), ("two", FROM_TWO)):
        for first in (FROM_ROOT, FROM_ONE, FROM_TWO):
            wanted = [] if first == own else list(range(first, first + 50))
            assert numbers_from(tmp_path / name, first) == wanted, (name, first)
    assert senders(heard) == {ONE: ("one", True, 50), TWO: ("two", True, 50),
                              "10.77.0.99": ("", False, 10)}
    own = data_of(at_one.stop(), ONE)
    assert {(f.destination, f.ipv4.ttl) for f in own} == {(wire.group_mac(ANY_CHANNEL), 1)}


def test_members_of_a_group_hear_each_other(site, tmp_path):
    """M3, M22: any-source, nobody asked; M23: as far as its scope; M24: nobody hears itself."""
    listener = site.bridge.host("listener", "10.77.0.99")
    member = site.lab.closing(kernel.Member(listener.namespace, port=PORT)).join(ANY_CHANNEL)
    at_one = site.lab.capture(site.bridge.namespace, site.one.port, "udp")
    feed = admission.Feed(site.lab, "feed", size=100)
    one = program.leaf(site.one, "--join", ANY_GROUP, "--output", "null", "--send", feed.path,
                       "--chunk", 100, "--scope", 7)
    two = program.leaf(site.two, "--join", ANY_GROUP, "--output", tmp_path / "two", "--count", 20)
    one.connected()
    two.connected()
    site.bridge.wait_entries(ANY_CHANNEL, lambda entries: len({e["port"] for e in entries}) == 3)
    feed.send(FROM_ONE, 20)
    feed.close()
    assert two.finish()["delivered"] == 20
    assert len(member.receive(20)) == 20
    assert one.wait("all_sent")["datagrams"] == 20
    assert one.stop()["delivered"] == 0, "M24: loopback is off"
    assert {f.ipv4.ttl for f in data_of(at_one.stop(), ONE)} == {7}


class Routed:
    """A leaf on a subnet of its own, behind a router that forwards and knows no multicast routing
    protocol."""

    def __init__(self, site):
        lab = site.lab
        self.router = site.bridge.host("router", ROUTER)
        namespace = self.router.namespace
        site.bridge.namespace.run("bridge", "link", "set", "dev", self.router.port,
                                  "mcast_router", "2")
        self.leaf = topology.Device(lab, "beyond", BEYOND)
        lab.wire(namespace, "eth1", self.leaf.namespace, "eth0")
        namespace.ip(f"addr add {BEYOND_ROUTER}/24 dev eth1")
        namespace.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        self.leaf.configure()
        self.leaf.watch(namespace, "eth1")
        site.management.attach(self.leaf)
        self.wire = lab.capture(namespace, "eth1", "udp")
        lab.closing(kernel.StaticMulticast(namespace, ROOT, ANY_CHANNEL, "eth0", "eth1"))

    def mac(self, interface):
        return wire.mac(self.router.namespace.run(
            "cat", f"/sys/class/net/{interface}/address").stdout.strip())


@pytest.fixture
def routed(site):
    return Routed(site)


def test_a_leaf_beyond_a_router_sends_by_the_gateway(site, routed, tmp_path):
    """M20, M21, M23: the root's data crosses the router by its scope, the leaf's by its gateway."""
    at_root = site.lab.capture(site.bridge.namespace, site.root.port, "udp")
    feed = admission.Feed(site.lab, "feed")
    collected, received = tmp_path / "collected", tmp_path / "received"
    root = start_root(site.root, ANY_GROUP, "--input", feed.path, "--chunk", 1000, "--rate", 2000,
                      "--scope", 2, "--output", collected)
    root.wait("listening")
    sent = admission.payload_file(tmp_path / "sent", 200, first=FROM_ONE)
    # What waits in a Linux router for the root's MAC address may be overtaken by what comes then.
    routed.router.namespace.run("ping", "-c", "1", "-W", "5", ROOT)
    leaf = start_leaf(routed.leaf, site.root, "--gateway", BEYOND_ROUTER, "--name", "far",
                      "--output", received, "--send", sent, "--chunk", 1000, "--rate", 2000)
    assert leaf.connected()["sends_to"] == f"{ROOT}:{PORT}"
    leaf.wait("all_sent")
    feed.send(FROM_ROOT, 100)
    feed.close()
    assert senders(root.finish()) == {BEYOND: ("far", True, 200)}
    leaf.finish()
    assert collected.read_bytes() == sent.read_bytes()
    assert admission.numbers_in(received) == list(range(100))
    frames = routed.wire.stop()
    assert {(f.destination, f.ipv4.destination, f.ipv4.ttl)
            for f in data_of(frames, BEYOND)} == {(routed.mac("eth1"), ROOT, 64)}
    assert {f.ipv4.ttl for f in data_of(frames, ROOT)} == {1}
    assert {(f.source, f.destination, f.ipv4.ttl) for f in data_of(at_root.stop(), BEYOND)} == {
        (routed.mac("eth0"), wire.mac(site.root.mac), 63)}


def test_without_a_way_to_the_root_a_leaf_says_so(site, routed, tmp_path):
    """M21: and nothing of its data is on the wire."""
    root = start_root(site.root, ANY_GROUP, "--output", "null")
    root.wait("listening")
    sent = admission.payload_file(tmp_path / "sent", 100)
    beyond = "cannot send to 10.77.0.11:5000: it is beyond the subnet of 10.79.0.12/24; name the way"
    for words, said in ((("--output", "null"), beyond), ((), "--gateway"),
                        (("--gateway", "10.79.0.99"), "100 of 100 datagrams did not leave")):
        leaf = start_leaf(routed.leaf, site.root, "--send", sent, "--chunk", 1000, *words)
        assert admission.exit_code(leaf) == 1
        assert said in leaf.said
    assert leaf.wait("summary")["drops"]["unresolved_neighbour"] == 100
    assert root.stop()["delivered"] == 0
    assert data_of(routed.wire.stop(), BEYOND) == []
