"""The judge of IGMP frames itself: what it accepts, and every flaw that it has to find."""

import struct

import pytest

from lab import lint, wire

SOURCE = "10.0.0.1"
# Packets made with scapy and confirmed by tshark.
GOLDEN = {
    "TO_EX(239.1.2.3{})":
        "46c00028000040000102f9f80a000001e0000016940400002200e8f90000000104000000ef010203",
    "ALLOW(232.1.1.1{10.0.0.5})":
        "46c0002c000040000102f9f40a000001e0000016940400002200e5f50000000105000001e80101010a000005",
    "ALLOW(232.1.1.1{10.0.0.7}) BLOCK(232.1.1.1{10.0.0.5})":
        "46c00038000040000102f9e80a000001e0000016940400002200ece90000000205000001e80101010a000007"
        "06000001e80101010a000005",
    "v2(239.1.2.3)": "46c00020000040000102e9120a000001ef010203940400001600f8faef010203",
    "leave(239.1.2.3)": "46c00020000040000102fa140a000001e0000002940400001700f7faef010203",
    "v1(239.1.2.3)": "46c00020000040000102e9120a000001ef010203940400001200fcfaef010203",
}


def framed(packet, group=None):
    destination = ".".join(map(str, packet[16:20]))
    return wire.frame(wire.ethernet(wire.group_mac(group or destination), packet))


def v3(*records, **ipv4_options):
    return framed(wire.ipv4(SOURCE, wire.IGMPV3_ROUTERS, wire.report(*records), **ipv4_options))


ALLOW = wire.record("ALLOW", "232.1.1.1", ["10.0.0.5"])


@pytest.mark.parametrize("text", GOLDEN)
def test_golden_packets_are_read_and_accepted(text):
    frame = framed(bytes.fromhex(GOLDEN[text]))
    assert wire.describe(frame.igmp) == text
    assert lint.check([frame], SOURCE) == []


def test_what_we_write_is_what_the_golden_packets_say():
    assert v3(ALLOW).payload[:44].hex() == GOLDEN["ALLOW(232.1.1.1{10.0.0.5})"]
    leave = wire.ipv4(SOURCE, wire.ALL_ROUTERS, wire.short_message(wire.V2_LEAVE, "239.1.2.3"))
    assert leave.hex() == GOLDEN["leave(239.1.2.3)"]


@pytest.mark.parametrize("flaw, frame", {
    "TTL 2": v3(ALLOW, ttl=2),
    "TOS 0x0": v3(ALLOW, tos=0),
    "no Router Alert": v3(ALLOW, options=b""),
    "a fragment": v3(ALLOW, fragment=0x2000),
    "to 224.0.0.1": framed(wire.ipv4(SOURCE, wire.ALL_SYSTEMS, wire.report(ALLOW))),
    "the MAC is not": framed(
        wire.ipv4(SOURCE, wire.IGMPV3_ROUTERS, wire.report(ALLOW)), "224.0.0.23"),
    "IGMP checksum": framed(
        wire.ipv4(SOURCE, wire.IGMPV3_ROUTERS, wire.report(ALLOW, wrong_checksum=True))),
    "empty source list": v3(wire.record("ALLOW", "232.1.1.1")),
    "EXCLUDE in 232": v3(wire.record("TO_EX", "232.1.1.1")),
    "a source twice": v3(wire.record("ALLOW", "232.1.1.1", ["10.0.0.5", "10.0.0.5"])),
    "not a group": v3(wire.record("TO_EX", "10.1.1.1")),
    "224.0.0.1 is never reported": v3(wire.record("TO_EX", "224.0.0.1")),
    "without records": v3(),
    "octets after the last record": v3(ALLOW + b"\0\0\0\0"),
    "fewer records": framed(wire.ipv4(SOURCE, wire.IGMPV3_ROUTERS, wire.igmp(
        wire.V3_REPORT, 0, struct.pack("!HH", 0, 2) + ALLOW))),
    "longer than the report": v3(ALLOW[:-1]),
    "reserved": framed(wire.ipv4(SOURCE, wire.IGMPV3_ROUTERS, wire.igmp(
        wire.V3_REPORT, 7, struct.pack("!HH", 0, 1) + ALLOW))),
    "auxiliary data": v3(b"\x05\x01" + ALLOW[2:] + b"\0\0\0\0"),
    "no such record type": v3(b"\x09" + ALLOW[1:]),
    "not to 224.0.0.2": framed(
        wire.ipv4(SOURCE, "239.1.2.3", wire.short_message(wire.V2_LEAVE, "239.1.2.3"))),
    "not to 239.1.2.3": framed(
        wire.ipv4(SOURCE, "224.0.0.1", wire.short_message(wire.V2_REPORT, "239.1.2.3"))),
    "not 8": framed(wire.ipv4(SOURCE, "239.1.2.3", wire.igmp(
        wire.V2_REPORT, 0, bytes((239, 1, 2, 3, 0, 0, 0, 0))))),
    "the second octet": framed(
        wire.ipv4(SOURCE, "239.1.2.3", wire.short_message(wire.V2_REPORT, "239.1.2.3", code=9))),
    "a host does not send": framed(wire.ipv4(SOURCE, wire.ALL_SYSTEMS, wire.query())),
}.items(), ids=lambda value: value if isinstance(value, str) else "")
def test_every_flaw_is_found(flaw, frame):
    assert any(flaw in text for text in lint.check([frame], SOURCE)), lint.check([frame], SOURCE)


def test_a_wrong_ip_header_checksum_is_found():
    packet = bytearray(wire.ipv4(SOURCE, wire.IGMPV3_ROUTERS, wire.report(ALLOW)))
    packet[10] ^= 0x55
    assert "header checksum" in lint.check([framed(bytes(packet))], SOURCE)[0]


def test_frames_of_others_are_not_judged():
    assert lint.check([v3(ALLOW, ttl=2)], "10.0.0.2") == []


def test_tshark_finds_the_same_kind_of_flaw(tmp_path):
    def pcap(frame):
        path = tmp_path / "frame.pcap"
        header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
        size = len(frame.data)
        path.write_bytes(header + struct.pack("<4I", 1, 0, size, size) + frame.data)
        return str(path)

    assert lint.tshark_check(pcap(v3(ALLOW)), SOURCE) == []
    for flawed in (v3(ALLOW, ttl=2), v3(ALLOW, options=b""), v3(ALLOW, tos=0),
                   framed(wire.ipv4(SOURCE, wire.IGMPV3_ROUTERS,
                                    wire.report(ALLOW, wrong_checksum=True)))):
        assert len(lint.tshark_check(pcap(flawed), SOURCE)) == 1
