"""What must hold for every IGMP frame that joinleaf sends (RFC 9776, RFC 2236), frame by frame.

Two judges: our own reading, record by record, and tshark's dissector.
"""

import ipaddress
import shutil
import subprocess

from . import wire

_LENGTH_8 = (wire.V1_REPORT, wire.V2_REPORT, wire.V2_LEAVE)
_SOURCE_SPECIFIC = ipaddress.ip_network("232.0.0.0/8")

# Everything that tshark calls wrong, and the header rules of RFC 9776 §4.
_TSHARK_FLAWS = " || ".join((
    "igmp.checksum.status != 1",
    "ip.checksum.status != 1",
    "_ws.malformed",
    '_ws.expert.severity == "Error"',
    "ip.ttl != 1",
    "!(ip.opt.ra == 0)",
    "ip.hdr_len != 24",
    "ip.dsfield != 0xc0",
    "igmp.aux_data_len > 0",
    "igmp.record_type > 6",
    "igmp.record_type == 0",
    "igmp.maddr == 224.0.0.1",
    "(igmp.type == 0x22 && (ip.dst != 224.0.0.22 || eth.dst != 01:00:5e:00:00:16))",
    "(igmp.type == 0x17 && ip.dst != 224.0.0.2)",
))


def flaws(frame):
    """The rules that an IGMP frame of ours breaks."""
    ip, message = frame.ipv4, frame.igmp
    found = [text for wrong, text in (
        (wire.checksum(ip.header) != 0, "the IPv4 header checksum is wrong"),
        (ip.ttl != 1, f"TTL {ip.ttl} is not 1"),
        (ip.tos != 0xC0, f"TOS {ip.tos:#x} is not 0xc0"),
        (ip.options != wire.ROUTER_ALERT, "no Router Alert alone in the options"),
        (ip.fragment, "a fragment"),
        (len(frame.payload) < ip.total_length, "shorter than its total length"),
        (frame.destination != wire.group_mac(ip.destination), "the MAC is not the destination's"),
        (wire.checksum(message) != 0, "the IGMP checksum is wrong"),
    ) if wrong]
    if message[0] == wire.V3_REPORT:
        return found + _report_flaws(ip, message)
    if message[0] in _LENGTH_8:
        return found + _short_flaws(ip, message)
    return found + [f"a host does not send type {message[0]:#x}"]


def _report_flaws(ip, message):
    found = []
    if ip.destination != wire.IGMPV3_ROUTERS:
        found.append(f"a v3 report to {ip.destination}")
    if message[1] or message[4] or message[5]:
        found.append("reserved octets or flags are not 0")
    try:
        group_records, length = wire.records(message)
    except ValueError as error:
        return found + [str(error)]
    if length != len(message):
        found.append(f"{len(message) - length} octets after the last record")
    if not group_records:
        found.append("a report without records")
    for record in group_records:
        found += [f"{record}: {text}" for text in _record_flaws(record)]
    return found


def _record_flaws(record):
    name = wire.RECORD_NAMES.get(record.type)
    group = ipaddress.ip_address(record.group)
    return [text for wrong, text in (
        (name is None, "no such record type"),
        (record.auxiliary_words, "auxiliary data"),
        (name in ("IS_IN", "ALLOW", "BLOCK") and not record.sources, "an empty source list"),
        (name in ("IS_EX", "TO_EX") and group in _SOURCE_SPECIFIC, "EXCLUDE in 232.0.0.0/8"),
        (len(set(record.sources)) != len(record.sources), "a source twice"),
        (not group.is_multicast, "not a group"),
        (record.group == wire.ALL_SYSTEMS, "224.0.0.1 is never reported"),
    ) if wrong]


def _short_flaws(ip, message):
    found = []
    group = ".".join(map(str, message[4:8]))
    if len(message) != 8:
        found.append(f"{len(message)} octets, not 8")
    if message[1]:
        found.append("the second octet is not 0")
    expected = wire.ALL_ROUTERS if message[0] == wire.V2_LEAVE else group
    if ip.destination != expected:
        found.append(f"sent to {ip.destination}, not to {expected}")
    if group == wire.ALL_SYSTEMS:
        found.append("224.0.0.1 is never reported")
    return found


def check(frames, source):
    """Flawed IGMP frames among those that `source` sent, each as text."""
    return [
        f"{frame}: {'; '.join(found)}"
        for frame in frames
        if frame.igmp and frame.ipv4.source == source and (found := flaws(frame))
    ]


def tshark_check(pcap, source):
    """IGMP frames of `source` that tshark finds wrong, one line each; none when it is missing."""
    if shutil.which("tshark") is None:
        return []
    done = subprocess.run(
        ["tshark", "-n", "-r", pcap, "-o", "ip.check_checksum:TRUE",
         "-Y", f"igmp && ip.src == {source} && ({_TSHARK_FLAWS})"],
        capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise RuntimeError(f"tshark: {done.stderr}")
    return done.stdout.splitlines()
