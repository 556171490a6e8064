"""Sequenced feeds: messages, files of them, and losses on their lines."""

import json
import random
import struct
import time

LINE_A, LINE_B = "239.1.1.1:5000", "239.1.1.2:5001"

# tshark's _ws.expert.severity: nothing, or a comment, as on the end of each session.
NO_COMPLAINT = ("", "1048576")

_RULES = """
table netdev jl {{
  chain lossy {{
    type filter hook ingress device "{port}" priority 0; policy accept;
    {rules}
  }}
}}
"""


def messages(count, longest=40, seed=1):
    """Messages of any octets, each with its number in front, so that none is like another."""
    chance = random.Random(seed)
    return [struct.pack(">Q", number) + chance.randbytes(chance.randrange(longest - 7))
            for number in range(1, count + 1)]


def as_lengths(all_messages):
    """The layout of ITCH files."""
    return b"".join(struct.pack(">H", len(message)) + message for message in all_messages)


def from_lengths(octets):
    found, at = [], 0
    while at < len(octets):
        (length,) = struct.unpack_from(">H", octets, at)
        assert at + 2 + length <= len(octets), "a message is cut off"
        found.append(octets[at + 2 : at + 2 + length])
        at += 2 + length
    return found


def numbers(all_messages):
    return [struct.unpack_from(">Q", message)[0] for message in all_messages]


def write_long(path, count):
    """A file of so many messages as large as its number, made piece by piece."""
    with open(path, "wb") as file:
        for first in range(1, count + 1, 100_000):
            last = min(first + 100_000, count + 1)
            file.write(b"".join(struct.pack(">HQ", 8, number) for number in range(first, last)))


def lose(bridge, device, percent, groups=(LINE_A, LINE_B)):
    """So many of the datagrams that come from the device to each group are lost, by chance."""
    rules = "\n    ".join(
        f"ip daddr {group.split(':')[0]} "
        f"numgen random mod 100000 < {round(percent * 1000)} counter drop" for group in groups)
    bridge.namespace.run("nft", "-f", "-", input=_RULES.format(port=device.port, rules=rules))


def lose_nothing(bridge):
    bridge.namespace.run("nft", "delete", "table", "netdev", "jl")


def lost(bridge):
    """Datagrams lost so far, of each group."""
    listed = json.loads(bridge.namespace.run("nft", "-j", "list", "table", "netdev", "jl").stdout)
    return [word["counter"]["packets"] for item in listed["nftables"] if "rule" in item
            for word in item["rule"]["expr"] if "counter" in word]


def ranges(missing):
    """Numbers, oldest first, as (first, count) of what follows each other."""
    found = []
    for number in missing:
        if found and sum(found[-1]) == number:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((number, 1))
    return found


def joins(*groups):
    return [word for group in groups or (LINE_A, LINE_B) for word in ("--join", group)]


def wait_for_link(device, interface, within=5.0):
    """The kernel tells of a carrier a little after both ends are up."""
    deadline = time.monotonic() + within
    while True:
        late = time.monotonic() > deadline
        shown = device.namespace.run("ip", "-j", "link", "show", interface).stdout
        if json.loads(shown)[0]["operstate"] == "UP":
            return
        assert not late, f"{interface} has no carrier within {within} s"
        time.sleep(0.02)


def wait_for_lines(bridge, device, *groups):
    """Until the bridge forwards each of them to the device."""
    bridge.settle()
    for group in groups or (LINE_A, LINE_B):
        bridge.wait_entries(group.split(":")[0], bool, port=device.port)
    time.sleep(0.1)
