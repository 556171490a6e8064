"""Wires, bridges and hosts between namespaces; everything a test built goes with its Lab."""

import itertools
import json
import os
import re
import time

from . import lint, netns
from .capture import Capture

QUERIER_ADDRESS = "10.77.0.1"


def remove_leftovers():
    """Removes the namespaces of runs that were killed before they could."""
    for line in netns.run("ip", "netns", "list").stdout.splitlines():
        name = re.match(r"jl-(\d+)-", line)
        if name and not os.path.exists(f"/proc/{name[1]}"):
            netns.run("ip", "netns", "del", line.split()[0], check=False)


class Lab:
    """The namespaces of one test, named with a prefix that is unique on the machine."""

    _numbers = itertools.count(1)

    def __init__(self, directory, prefix=None):
        self.directory = str(directory)
        self.prefix = prefix or f"jl-{os.getpid()}-{next(self._numbers)}-"
        self.devices = []
        self.programs = []
        self._namespaces = {}
        self._closers = []
        cpus = sorted(os.sched_getaffinity(0), reverse=True)
        self._cpus = itertools.cycle(cpus)

    def namespace(self, name):
        if name not in self._namespaces:
            self._namespaces[name] = netns.Namespace(self.prefix + name)
        return self._namespaces[name]

    def wire(self, one, one_interface, other, other_interface):
        """A veth pair between two namespaces, both ends up."""
        one.ip(f"link add {one_interface} type veth peer name {other_interface} netns {other.name}",
               f"link set {one_interface} up")
        other.ip(f"link set {other_interface} up")

    def closing(self, thing):
        """Has it closed with the lab, latest first."""
        self._closers.append(thing.close)
        return thing

    def capture(self, namespace, interface, expression=""):
        path = f"{self.directory}/{namespace.name}-{interface}-{len(self._closers)}.pcap"
        capture = Capture(namespace, interface, path, expression)
        self._closers.append(capture.stop)
        return capture

    def next_cpu(self):
        """Workers poll: programs that run side by side are better on CPUs of their own."""
        return next(self._cpus)

    def tell_of_programs(self):
        """After a failure: how far each joinleaf had come."""
        for program in self.programs:
            program.end()
            print(f"{program.what}: {program.events}\n{program.said}")

    def flawed_frames(self):
        """IGMP frames that a device under test sent and should not have sent so."""
        return [flaw for device in self.devices for flaw in device.flawed_frames()]

    def close(self):
        while self._closers:
            self._closers.pop()()
        while self._namespaces:
            self._namespaces.popitem()[1].close()


class Host:
    """A namespace with one interface, eth0, that the kernel speaks on."""

    interface = "eth0"

    def __init__(self, lab, name, address, length=24):
        self.lab = lab
        self.namespace = lab.namespace(name)
        self.address = address
        self.length = length

    def configure(self):
        """After the wire is there. Checksums are computed: the other end may not be a kernel."""
        self.namespace.ip(f"addr add {self.address}/{self.length} dev eth0",
                          "link set eth0 up",
                          "route add 224.0.0.0/4 dev eth0")
        self.namespace.run("ethtool", "-K", "eth0", "tx", "off")

    @property
    def mac(self):
        links = json.loads(self.namespace.run("ip", "-j", "link", "show", "eth0").stdout)
        return links[0]["address"]


class Device(Host):
    """A namespace whose eth0 the kernel leaves alone: joinleaf's port.

    Control frames are captured at the other end of its wire and judged when the lab goes.
    """

    capture = None

    def configure(self):
        self.namespace.ip("addr flush dev eth0", "link set eth0 up")
        self.lab.devices.append(self)

    def watch(self, namespace, interface):
        self.capture = self.lab.capture(namespace, interface, "igmp or arp or icmp")

    def flawed_frames(self):
        if not self.capture or not self.capture.stop().igmp(self.address):
            return []
        return lint.check(self.capture.frames, self.address) + lint.tshark_check(
            self.capture.path, self.address)


class Bridge:
    """A Linux bridge as a snooping switch and querier; intervals in seconds."""

    def __init__(self, lab, name="br", version=3, snooping=True, querier=True, query_interval=4.0,
                 response_interval=1.0, last_member_interval=0.5, membership_interval=10.0):
        self.lab = lab
        self.namespace = lab.namespace(name)
        self.response_interval = response_interval
        self.last_member_interval = last_member_interval
        self._snoops = snooping and querier
        self._ports = itertools.count(1)

        def centiseconds(seconds):
            return round(seconds * 100)

        self.namespace.ip(
            f"link add br0 type bridge mcast_snooping {int(snooping)} mcast_igmp_version {version}"
            f" mcast_query_use_ifaddr 1 mcast_stats_enabled 1"
            f" mcast_query_interval {centiseconds(query_interval)}"
            f" mcast_query_response_interval {centiseconds(response_interval)}"
            f" mcast_startup_query_interval {centiseconds(response_interval)}"
            f" mcast_startup_query_count 2"
            f" mcast_last_member_interval {centiseconds(last_member_interval)}"
            f" mcast_last_member_count 2"
            f" mcast_membership_interval {centiseconds(membership_interval)}",
            # After the response interval: for as long it floods what nobody joined.
            f"link set br0 type bridge mcast_querier {int(querier)}",
            *([f"addr add {QUERIER_ADDRESS}/24 dev br0"] if querier else []),
            "link set br0 up")
        self._up_at = time.monotonic()

    def attach(self, host, watched=True):
        """A wire from the bridge to the host, which it returns; devices are watched."""
        port = f"p{next(self._ports)}"
        self.lab.wire(self.namespace, port, host.namespace, "eth0")
        self.namespace.ip(f"link set {port} master br0")
        host.port = port
        host.configure()
        if watched and isinstance(host, Device):
            host.watch(self.namespace, port)
        return host

    def host(self, name, address):
        return self.attach(Host(self.lab, name, address))

    def device(self, name, address):
        return self.attach(Device(self.lab, name, address))

    def uplink(self, other, port="uplink"):
        """A wire to another bridge, whose end of it is called `port`, too."""
        self.lab.wire(self.namespace, port, other.namespace, port)
        for end in (self, other):
            end.namespace.ip(f"link set {port} master br0")

    def settle(self):
        """Until the bridge holds back what nobody joined: its first query's response time."""
        if self._snoops:
            time.sleep(max(0, self._up_at + self.response_interval + 0.1 - time.monotonic()))
        return self

    def set(self, **options):
        """Bridge options at run time, as ip-link(8) names them."""
        words = " ".join(f"{name} {value}" for name, value in options.items())
        self.namespace.ip(f"link set br0 type bridge {words}")

    def query(self):
        """Has the querier send a general query now (it starts over)."""
        self.set(mcast_querier=0)
        self.set(mcast_querier=1)

    def entries(self, group, port=None):
        """The bridge's forwarding entries of a group, as bridge(8) prints them."""
        shown = json.loads(self.namespace.run(
            "bridge", "-j", "-d", "-s", "mdb", "show", "dev", "br0").stdout)
        return [entry for part in shown for entry in part.get("mdb", [])
                if entry["grp"] == group and port in (None, entry["port"])]

    def wait_entries(self, group, accept, within=3.0, port=None):
        """Waits until `accept` takes the group's entries; the time it was."""
        deadline = time.monotonic() + within
        while True:
            late = time.monotonic() > deadline
            entries = self.entries(group, port)
            if accept(entries):
                return time.time()
            if late:
                raise AssertionError(f"entries of {group} within {within} s: {entries}")
            time.sleep(0.02)


def direct_wire(lab, device, host):
    """A device and a host with nothing between them, watched at the host's end."""
    lab.wire(device.namespace, "eth0", host.namespace, "eth0")
    host.configure()
    device.configure()
    device.watch(host.namespace, "eth0")
