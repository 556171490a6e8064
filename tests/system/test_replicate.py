"""A root that replicates, on a network that carries no multicast: a unicast copy for each leaf."""

import os
import signal

import pytest

from lab import admission, topology
from lab.admission import start_leaf, start_root

GROUP = "239.1.1.1:5000"
ROOT, ONE, TWO, THREE = (f"10.77.0.{host}" for host in (11, 12, 13, 14))


class Site:
    """A root and three leaves on a switch that drops every multicast frame."""

    def __init__(self, lab):
        self.lab = lab
        self.bridge = topology.Bridge(lab, snooping=False, querier=False)
        self.management = admission.Management(lab)
        self.root = self.device("root", ROOT)
        self.leaves = [self.device(name, address)
                       for name, address in (("one", ONE), ("two", TWO), ("three", THREE))]

    def device(self, name, address):
        device = self.management.attach(self.bridge.device(name, address))
        self.bridge.namespace.run("bridge", "link", "set", "dev", device.port, "mcast_flood", "off")
        return device

    def start(self, sent, *more):
        root = start_root(self.root, GROUP, "--input", sent, "--chunk", 1000, "--rate", 1000, *more)
        root.wait("listening")
        return root

    def igmp(self):
        """What anybody said by IGMP."""
        return [frame for device in (self.root, *self.leaves)
                for frame in device.capture.igmp(device.address)]


@pytest.fixture
def site(lab):
    return Site(lab)


def test_every_leaf_receives_all_without_multicast(site, tmp_path):
    """M20: the same leaves, the same program; nobody speaks IGMP."""
    sent = admission.payload_file(tmp_path / "sent", 2000)
    root = site.start(sent, "--wait-leaves", 3, "--fan-out", "replicate")
    received = [tmp_path / f"received-{i}" for i in range(3)]
    leaves = [start_leaf(device, site.root, "--output", path)
              for device, path in zip(site.leaves, received)]
    for leaf in leaves:
        assert leaf.connected()["group"] == GROUP
    root.finish()
    for leaf, path in zip(leaves, received):
        assert leaf.wait("closed")["reason"] == "session_closed"
        leaf.finish()
        assert path.read_bytes() == sent.read_bytes()
    summary = root.wait("summary")
    assert summary["sent"] == 3 * 2000
    assert site.igmp() == []


def test_the_same_by_multicast_reaches_nobody(site, tmp_path):
    """That the switch above does drop multicast."""
    sent = admission.payload_file(tmp_path / "sent", 500)
    root = site.start(sent, "--wait-leaves", 1)
    leaf = start_leaf(site.leaves[0], site.root, "--output", tmp_path / "received")
    leaf.connected()
    root.finish()
    leaf.wait("closed")
    leaf.finish()
    assert leaf.wait("summary")["delivered"] == 0


def test_a_frozen_or_dead_leaf_delays_nobody(site, tmp_path):
    """One leaf stops, one dies, a third comes late; who is there all the while has all."""
    count = 8000
    sent = admission.payload_file(tmp_path / "sent", count)
    root = site.start(sent, "--wait-leaves", 2, "--fan-out", "replicate", "--dead-after", 3)
    stays = start_leaf(site.leaves[0], site.root, "--output", tmp_path / "stays", "--name", "stays")
    freezes = start_leaf(site.leaves[1], site.root, "--output", "null", "--name", "freezes")
    stays.connected()
    freezes.connected()
    root.wait("leaf_joined", lambda e: e["name"] == "freezes")  # the root has heard it confirm
    os.kill(freezes.process.pid, signal.SIGSTOP)
    left = root.wait("leaf_left", lambda e: e["name"] == "freezes", 8)
    assert left["reason"] == "timed_out"
    late = start_leaf(site.leaves[2], site.root, "--output", tmp_path / "late", "--name", "late")
    late.connected()
    root.finish()
    os.kill(freezes.process.pid, signal.SIGKILL)
    for leaf in (stays, late):
        assert leaf.wait("closed")["reason"] == "session_closed"
        leaf.finish()
    assert (tmp_path / "stays").read_bytes() == sent.read_bytes()
    numbers = admission.numbers_in(tmp_path / "late")
    assert numbers == list(range(numbers[0], count)) and 0 < numbers[0] < count
