"""Two processes and what lies between them: shared memory (virtio_user and vhost) or a veth pair,
with joinleaf, the bare port, the kernel's sockets or iperf at both ends."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

from . import machine, programs
from .programs import Failed

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "system"))
from lab import netns, topology  # noqa: E402  (the namespaces that the system tests use)

SEGMENTS = 44  # datagrams that the kernel is given at a time for segmentation
_LARGEST_UDP = 65507
_BATCH = 64
_GROUP = "239.1.0.0"
# Of virtio_user: descriptors and their use in one place move fewer cache lines between two cores.
_RINGS = "packed_vq=1,queue_size=256"


def unavailable():
    """Why no two processes can be measured side by side; None when they can."""
    if len(machine.cpus()) < 2:
        return "two processes that poll need two CPUs"
    return None


class SharedMemory:
    """vhost at the receiver, which comes first, and virtio_user at the sender."""

    def __init__(self, build):
        self._link = build / "bench" / "link"
        self._directory = tempfile.TemporaryDirectory(prefix="joinleaf-bench-")

    def close(self):
        self._directory.cleanup()

    def _pair(self, first, second, payload, seconds):
        path = os.path.join(self._directory.name, "vhost")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        cpus = machine.cpus()
        with programs.peer(self._link, first, "--port", f"net_vhost0,iface={path},queues=1",
                           "--payload", payload, "--cpu", cpus[-1]) as one:
            one.ready()
            with programs.peer(self._link, second, "--port",
                               f"net_virtio_user0,path={path},{_RINGS}", "--payload", payload,
                               "--seconds", seconds, "--cpu", cpus[0]) as two:
                two.ready()
                return two.result(seconds), one.told_to_end()

    def root_to_leaf(self, payload, seconds):
        return _crossing(*self._pair("leaf", "root", payload, seconds))

    def round_trip(self, payload, seconds):
        return _trips(self._pair("echo", "ping", payload, seconds)[0])

    def bare_round_trip(self, payload, seconds):
        return _trips(self._pair("bare-echo", "bare-ping", payload, seconds)[0])


class Veth:
    """Two namespaces with a veth pair for DPDK, on which the kernel is silent, and two with one for
    the kernel's own sockets. They go when it is closed."""

    def __init__(self, build):
        self._link = build / "bench" / "link"
        self._kernel = build / "bench" / "kernel_udp"
        topology.remove_leftovers()
        self._lab = topology.Lab(tempfile.gettempdir(), f"jl-{os.getpid()}-bench-")
        try:
            self._dpdk = self._wire("d")
            self._sockets = self._wire("k")
            for space, last in zip(self._sockets, (1, 2)):
                space.ip(f"addr add 10.0.0.{last}/24 dev eth0", "route add 224.0.0.0/4 dev eth0")
        except BaseException:
            self.close()
            raise

    @staticmethod
    def unavailable():
        return unavailable() or netns.unavailable()

    def close(self):
        self._lab.close()

    def _wire(self, name):
        ends = [self._lab.namespace(name + end) for end in ("1", "2")]
        self._lab.wire(ends[0], "eth0", ends[1], "eth0")
        return ends

    @staticmethod
    def _peer(space, *command):
        return programs.peer("ip", "netns", "exec", space.name, *command)

    def _ports(self, first, second, payload, seconds):
        """Both ends on AF_PACKET ports, with slots as joinleaf makes them for an MTU of 1500."""
        port = "net_af_packet0,iface=eth0,framesz=2048,blocksz=65536,framecnt=4096,qpairs=1"
        cpus = machine.cpus()
        with self._peer(self._dpdk[1], self._link, first, "--port", port, "--payload", payload,
                        "--cpu", cpus[-1]) as one:
            one.ready()
            with self._peer(self._dpdk[0], self._link, second, "--port", port, "--payload", payload,
                            "--seconds", seconds, "--cpu", cpus[0]) as two:
                two.ready()
                return two.result(seconds), one.told_to_end()

    def _udp(self, first, second, payload, seconds, segments=1):
        cpus = machine.cpus()
        common = ("--payload", payload, "--batch", _BATCH, "--segments", segments)
        with self._peer(self._sockets[1], self._kernel, first, "--address", "10.0.0.2", "--cpu",
                        cpus[-1], *common) as one:
            one.ready()
            with self._peer(self._sockets[0], self._kernel, second, "--address", "10.0.0.1",
                            "--cpu", cpus[0], "--seconds", seconds, *common) as two:
                two.ready()
                sent = two.result(seconds)
                time.sleep(0.1)  # what waits in the receiver's socket
                return sent, one.told_to_end()

    def root_to_leaf(self, payload, seconds):
        return _crossing(*self._ports("leaf", "root", payload, seconds))

    def round_trip(self, payload, seconds):
        return _trips(self._ports("echo", "ping", payload, seconds)[0])

    def bare_round_trip(self, payload, seconds):
        return _trips(self._ports("bare-echo", "bare-ping", payload, seconds)[0])

    def sendmmsg(self, payload, seconds):
        return _crossing(*self._udp("receive", "send", payload, seconds))

    def gso(self, payload, seconds):
        segments = min(SEGMENTS, _LARGEST_UDP // payload)
        return _crossing(*self._udp("receive", "send", payload, seconds, segments))

    def kernel_round_trip(self, payload, seconds):
        return _trips(self._udp("echo", "ping", payload, seconds)[0])

    @staticmethod
    def _last_words(server):
        """It ends with its client, unless what said so was lost as well: then it is told."""
        try:
            return server.communicate(timeout=3)[0]
        except subprocess.TimeoutExpired:
            server.send_signal(signal.SIGINT)
        try:
            return server.communicate(timeout=10)[0]
        except subprocess.TimeoutExpired as error:
            raise Failed("the iperf server did not end") from error

    def iperf(self, payload, seconds):
        """iperf 2 as it comes, told to send as fast as it can."""
        server = self._sockets[1].start("iperf", "-s", "-u", "-y", "C", "-P", "1", "-B", _GROUP,
                                        "-l", str(payload), stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        try:
            time.sleep(0.3)  # until it has joined: it does not say so
            programs.run("ip", "netns", "exec", self._sockets[0].name, "iperf", "-c", _GROUP, "-u",
                         "-b", "100g", "-l", payload, "-t", seconds, "-T", "1", "-y", "C")
            said = self._last_words(server)
        finally:
            netns.stop(server)
        # Its fields: time, address, port, address, port, id, interval, octets, bits/s, jitter,
        # lost, all, ...
        reports = [line.split(",") for line in said.splitlines() if line.count(",") >= 12]
        if not reports:
            raise Failed("the iperf server reported nothing")
        octets, lost, total = int(reports[-1][7]), int(reports[-1][10]), int(reports[-1][11])
        received = octets / payload
        return {"mpps": received / seconds / 1e6, "loss": lost / total if total > 0 else None}


def _crossing(sent, received):
    """Rate at the receiver, and the part of what was sent that it did not get."""
    if received["received"] == 0:
        raise Failed(f"none of {sent['sent']} datagrams arrived")
    if received["mpps"] == 0:
        raise Failed(f"one burst of {received['received']} datagrams arrived: no rate")
    return {"mpps": received["mpps"], "loss": 1 - received["received"] / sent["sent"],
            "late": received["late"], "burst": received["burst"]}


def _trips(pinged):
    if pinged["samples"] == 0:
        raise Failed(f"no datagram came back, {pinged['lost']} lost")
    return pinged
