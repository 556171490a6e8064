"""Frames as bytes: Ethernet, 802.1Q, IPv4, UDP and IGMP, read and written without a library."""

import socket
import struct
from typing import NamedTuple

IGMP, UDP = 2, 17
ALL_SYSTEMS, ALL_ROUTERS, IGMPV3_ROUTERS = "224.0.0.1", "224.0.0.2", "224.0.0.22"
ROUTER_ALERT = b"\x94\x04\x00\x00"

QUERY, V1_REPORT, V2_REPORT, V2_LEAVE, V3_REPORT = 0x11, 0x12, 0x16, 0x17, 0x22
RECORD_NAMES = {1: "IS_IN", 2: "IS_EX", 3: "TO_IN", 4: "TO_EX", 5: "ALLOW", 6: "BLOCK"}
RECORD_TYPES = {name: number for number, name in RECORD_NAMES.items()}
_MESSAGE_NAMES = {QUERY: "query", V1_REPORT: "v1", V2_REPORT: "v2", V2_LEAVE: "leave"}


def checksum(data):
    """The Internet checksum (RFC 1071); over bytes that contain a right one it is 0."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def group_mac(group):
    octets = socket.inet_aton(group)
    return bytes((0x01, 0x00, 0x5E, octets[1] & 0x7F, octets[2], octets[3]))


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


# Reading.


class Record(NamedTuple):
    type: int
    group: str
    sources: tuple
    auxiliary_words: int = 0

    def __str__(self):
        name = RECORD_NAMES.get(self.type, f"TYPE_{self.type}")
        return f"{name}({self.group}{{{','.join(sorted(self.sources))}}})"


class Ipv4(NamedTuple):
    header: bytes
    payload: bytes  # as long as the total length says, without Ethernet padding
    tos: int
    total_length: int
    dont_fragment: bool
    fragment: bool
    ttl: int
    protocol: int
    source: str
    destination: str

    @property
    def options(self):
        return self.header[20:]


class Udp(NamedTuple):
    source_port: int
    destination_port: int
    length: int
    checksum: int
    payload: bytes


class Frame(NamedTuple):
    time: float  # seconds of the real-time clock
    data: bytes
    vlans: tuple  # of 12-bit ids, outermost first
    ethertype: int
    payload: bytes

    @property
    def destination(self):
        return self.data[0:6]

    @property
    def source(self):
        return self.data[6:12]

    @property
    def ipv4(self):
        p = self.payload
        if self.ethertype != 0x0800 or len(p) < 20 or p[0] >> 4 != 4:
            return None
        tos, total, _, fragment, ttl, protocol = struct.unpack("!xBHHHBB", p[:10])
        header_length = (p[0] & 15) * 4
        return Ipv4(
            p[:header_length], p[header_length:total], tos, total, bool(fragment & 0x4000),
            bool(fragment & 0x3FFF), ttl, protocol,
            socket.inet_ntoa(p[12:16]), socket.inet_ntoa(p[16:20]),
        )

    @property
    def igmp(self):
        ip = self.ipv4
        return ip.payload if ip and ip.protocol == IGMP else None

    @property
    def udp(self):
        ip = self.ipv4
        if not ip or ip.protocol != UDP or len(ip.payload) < 8:
            return None
        return Udp(*struct.unpack("!4H", ip.payload[:8]), ip.payload[8:])

    def __str__(self):
        ip = self.ipv4
        what = describe(self.igmp) if self.igmp else f"ethertype {self.ethertype:04x}"
        return f"{self.time:.6f} {ip.source} > {ip.destination} {what}" if ip else what


def frame(data, time=0.0):
    vlans, at = [], 12
    ethertype = int.from_bytes(data[at : at + 2], "big")
    while ethertype in (0x8100, 0x88A8):
        vlans.append(int.from_bytes(data[at + 2 : at + 4], "big") & 0xFFF)
        at += 4
        ethertype = int.from_bytes(data[at : at + 2], "big")
    return Frame(time, data, tuple(vlans), ethertype, data[at + 2 :])


def records(report):
    """The group records of a v3 report and how many octets they take; trusts no length."""
    found, at = [], 8
    for _ in range(int.from_bytes(report[6:8], "big")):
        if at + 8 > len(report):
            raise ValueError("fewer records than the report says")
        kind, auxiliary, count = struct.unpack("!BBH", report[at : at + 4])
        end = at + 8 + 4 * count
        if end + 4 * auxiliary > len(report):
            raise ValueError("a record is longer than the report")
        sources = tuple(socket.inet_ntoa(report[i : i + 4]) for i in range(at + 8, end, 4))
        found.append(Record(kind, socket.inet_ntoa(report[at + 4 : at + 8]), sources, auxiliary))
        at = end + 4 * auxiliary
    return found, at


def describe(message):
    """An IGMP message on one line, sources sorted: `ALLOW(232.1.1.1{10.0.0.5})`."""
    if message[0] == V3_REPORT:
        try:
            return " ".join(sorted(map(str, records(message)[0])))
        except ValueError as error:
            return f"v3 report: {error}"
    name = _MESSAGE_NAMES.get(message[0], f"type {message[0]:02x}")
    return f"{name}({socket.inet_ntoa(message[4:8])})"


def is_arp_reply(frame):
    return frame.ethertype == 0x0806 and frame.payload[6:8] == b"\0\2"


def udp_checksum_is_right(frame):
    """Whether the UDP checksum is there and fits (a zero says that there is none)."""
    ip = frame.ipv4
    pseudo = ip.header[12:20] + struct.pack("!HH", UDP, len(ip.payload))
    return frame.udp.checksum != 0 and checksum(pseudo + ip.payload) == 0


# Writing. Every flaw that a test needs is an argument.


def igmp(kind, code, rest, wrong_checksum=False):
    message = struct.pack("!BBH", kind, code, 0) + rest
    value = checksum(message) ^ (0x1234 if wrong_checksum else 0)
    return message[:2] + struct.pack("!H", value) + message[4:]


def query(group="0.0.0.0", sources=(), code=5, s_flag=0, robustness=2, interval_code=125, flags=0,
          count=None, tail=b"", **options):
    """An IGMPv3 query; `code` is the Max Resp Code, in tenths of a second below 128."""
    rest = socket.inet_aton(group) + struct.pack(
        "!BBH", flags << 4 | s_flag << 3 | robustness, interval_code,
        len(sources) if count is None else count)
    return igmp(QUERY, code, rest + b"".join(map(socket.inet_aton, sources)) + tail, **options)


def short_message(kind, group="0.0.0.0", code=0, **options):
    """The 8 octets of IGMPv1 and IGMPv2."""
    return igmp(kind, code, socket.inet_aton(group), **options)


def record(kind, group, sources=()):
    return (struct.pack("!BBH", RECORD_TYPES[kind], 0, len(sources)) + socket.inet_aton(group)
            + b"".join(map(socket.inet_aton, sources)))


def report(*group_records, **options):
    return igmp(V3_REPORT, 0, struct.pack("!HH", 0, len(group_records)) + b"".join(group_records),
                **options)


def ipv4(source, destination, payload, protocol=IGMP, ttl=1, tos=0xC0, options=ROUTER_ALERT,
         fragment=0x4000):
    header_length = 20 + len(options)
    header = struct.pack(
        "!BBHHHBBH4s4s", 0x40 | header_length // 4, tos, header_length + len(payload), 0, fragment,
        ttl, protocol, 0, socket.inet_aton(source), socket.inet_aton(destination)) + options
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def udp(source, destination, destination_port, payload, source_port=40000, ttl=8):
    """An IPv4 packet with a UDP datagram, both checksums right."""
    length = 8 + len(payload)
    pseudo = (socket.inet_aton(source) + socket.inet_aton(destination)
              + struct.pack("!HH", UDP, length))
    ports = struct.pack("!HHH", source_port, destination_port, length)
    value = checksum(pseudo + ports + b"\0\0" + payload) or 0xFFFF
    return ipv4(source, destination, ports + struct.pack("!H", value) + payload, protocol=UDP,
                ttl=ttl, tos=0, options=b"")


def arp_request(sender_mac, sender, target):
    return (struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + sender_mac + socket.inet_aton(sender)
            + bytes(6) + socket.inet_aton(target))


def ethernet(destination, payload, source=b"\x02\0\0\0\0\x66", vlans=(), ethertype=0x0800):
    """A frame padded to the 60 octets of the shortest on a wire."""
    tags = b"".join(
        struct.pack("!HH", 0x88A8 if i + 1 < len(vlans) else 0x8100, vlan)
        for i, vlan in enumerate(vlans))
    data = destination + source + tags + struct.pack("!H", ethertype) + payload
    return data.ljust(60, b"\0")
