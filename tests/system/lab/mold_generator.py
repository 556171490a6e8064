"""Sends a MoldUDP64 feed that joinleaf has no part in, by scapy:
mold_generator.py SOURCE GROUP PORT FILE, where FILE holds messages behind their lengths.

Written from the protocol's specification alone."""

import struct
import sys

from scapy.all import IP, UDP, Ether, LongField, Packet, ShortField, StrFixedLenField
from scapy.all import StrLenField, bind_layers, conf, sendp

MESSAGES_A_PACKET = 7


class Message(Packet):
    fields_desc = [ShortField("length", 0), StrLenField("data", b"", length_from=lambda p: p.length)]


class Mold(Packet):
    fields_desc = [StrFixedLenField("session", b" " * 10, 10), LongField("sequence", 1),
                   ShortField("count", 0)]


bind_layers(UDP, Mold)


def packet(source, group, port, sequence, count, messages=()):
    octets = b"".join(bytes(Message(length=len(m), data=m)) for m in messages)
    first, second, third, fourth = (int(part) for part in group.split("."))
    mac = f"01:00:5e:{second & 0x7f:02x}:{third:02x}:{fourth:02x}"
    return (Ether(dst=mac) / IP(src=source, dst=group, ttl=1) / UDP(sport=4000, dport=port)
            / Mold(session=b"SCAPY".ljust(10), sequence=sequence, count=count) / octets)


def main(source, group, port, path):
    conf.verb = 0
    with open(path, "rb") as file:
        octets = file.read()
    messages = []
    while octets:
        (length,) = struct.unpack_from(">H", octets)
        messages.append(octets[2 : 2 + length])
        octets = octets[2 + length :]
    packets = [packet(source, group, port, 1, 0)]
    for at in range(0, len(messages), MESSAGES_A_PACKET):
        some = messages[at : at + MESSAGES_A_PACKET]
        packets.append(packet(source, group, port, at + 1, len(some), some))
    packets.append(packet(source, group, port, len(messages) + 1, 0))
    packets.append(packet(source, group, port, len(messages) + 1, 0xFFFF))
    sendp(packets, iface="eth0", inter=0.0005)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
