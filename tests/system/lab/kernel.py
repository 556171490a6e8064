"""Kernel sockets in a namespace: the members and senders that joinleaf has to get on with."""

import errno
import select
import socket
import struct
import time

_MCAST_JOIN_GROUP, _MCAST_BLOCK_SOURCE, _MCAST_LEAVE_GROUP = 42, 43, 45
_MCAST_JOIN_SOURCE_GROUP, _MCAST_LEAVE_SOURCE_GROUP = 46, 47
_IP_MULTICAST_ALL = 49
_SO_RCVBUFFORCE = 33


def _address(ip):
    return struct.pack("=HH4s120x", socket.AF_INET, 0, socket.inet_aton(ip))


class Member:
    """A kernel UDP socket that joins groups on one interface, and what it receives."""

    def __init__(self, namespace, interface="eth0", port=0):
        with namespace.entered():
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._index = socket.if_nametoindex(interface)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 64 << 20)
        self.socket.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
        self.socket.bind(("", port))

    def _option(self, option, group, source=None):
        request = struct.pack("=I4x", self._index) + _address(group)
        if source:
            request += _address(source)
        self.socket.setsockopt(socket.IPPROTO_IP, option, request)

    def join(self, group, source=None):
        self._option(_MCAST_JOIN_SOURCE_GROUP if source else _MCAST_JOIN_GROUP, group, source)
        return self

    def leave(self, group, source=None):
        self._option(_MCAST_LEAVE_SOURCE_GROUP if source else _MCAST_LEAVE_GROUP, group, source)
        return self

    def block(self, group, source):
        self._option(_MCAST_BLOCK_SOURCE, group, source)
        return self

    def receive(self, count, within=10.0):
        """Up to `count` payloads, fewer when they do not come in time."""
        payloads = []
        deadline = time.monotonic() + within
        while len(payloads) < count:
            ready, _, _ = select.select([self.socket], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                break
            payloads.append(self.socket.recv(65536))
        return payloads

    def close(self):
        self.socket.close()


class Sender:
    """A kernel UDP socket that sends from one address to groups."""

    def __init__(self, namespace, address, ttl=8):
        with namespace.entered():
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 0))
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, ttl)

    def send(self, group, port, payloads, per_second=2000):
        """Sends each payload in turn, evenly spread; the time at which the last one left."""
        start = time.monotonic()
        for i, payload in enumerate(payloads):
            wait = start + i / per_second - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            self.socket.sendto(payload, (group, port))
        return time.time()

    def close(self):
        self.socket.close()


class StaticMulticast:
    """A kernel that forwards one channel from one interface to another, and asks nobody."""

    _MRT_INIT, _MRT_ADD_VIF, _MRT_ADD_MFC = 200, 202, 204
    _USE_INDEX = 8

    def __init__(self, namespace, source, group, incoming, outgoing):
        with namespace.entered():
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_IGMP)
            indices = [socket.if_nametoindex(name) for name in (incoming, outgoing)]
        self.socket.setsockopt(socket.IPPROTO_IP, self._MRT_INIT, 1)
        for number, index in enumerate(indices):
            vif = struct.pack("=HBBIi4x", number, self._USE_INDEX, 1, 0, index)
            self.socket.setsockopt(socket.IPPROTO_IP, self._MRT_ADD_VIF, vif)
        thresholds = bytes((0, 1)).ljust(32, b"\0")
        entry = struct.pack("=4s4sH32s2xIIIi", socket.inet_aton(source), socket.inet_aton(group),
                            0, thresholds, 0, 0, 0, 0)
        self.socket.setsockopt(socket.IPPROTO_IP, self._MRT_ADD_MFC, entry)

    def close(self):
        self.socket.close()


class RawPort:
    """A packet socket: frames as they are given, whatever they are."""

    def __init__(self, namespace, interface="eth0"):
        with namespace.entered():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.bind((interface, 0))

    def send(self, frame):
        while True:
            try:
                self.socket.send(frame)
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                time.sleep(0.001)

    def close(self):
        self.socket.close()


def payloads(count, size=200, label="datagram"):
    """`count` payloads of `size` octets, each one different."""
    return [f"{label} {i:08d} ".encode().ljust(size, bytes((i % 251,))) for i in range(count)]
