"""Damaged frames from the wire: never a crash, never a wrong delivery, always counted."""

from lab import kernel, program, topology, wire

# No single bit turns one into the other.
LEAF, HOST = "10.77.0.12", "10.77.0.19"
GROUP, PORT = "239.1.1.1", 5000
PAYLOAD = b"the one right payload!"
SOURCE_MAC_BITS = range(6 * 8, 12 * 8)
# "More fragments" and the offset: the kernel keeps fragments back, to put them together, before
# net_af_packet sees them.
FRAGMENT_BITS = range(20 * 8 + 2, 22 * 8)


def flipped(frame):
    """The frame with each of its bits changed."""
    for bit in range(8 * len(frame)):
        if bit not in FRAGMENT_BITS:
            damaged = bytearray(frame)
            damaged[bit // 8] ^= 0x80 >> bit % 8
            yield bytes(damaged)


def run(lab, frames, mark):
    """A leaf that received the frames, then `mark` until one of these arrived; its summary."""
    device = topology.Device(lab, "leaf", LEAF)
    host = topology.Host(lab, "host", HOST)
    topology.direct_wire(lab, device, host)
    output = f"{lab.directory}/output"
    leaf = program.leaf(device, "--join", f"{GROUP}:{PORT}", "--output", output)
    leaf.connected()
    port = lab.closing(kernel.RawPort(host.namespace))
    for frame in frames:
        port.send(frame)
    port.send(mark)
    leaf.wait("status", lambda s: s["received"] >= len(frames) + 1, within=10)
    summary = leaf.stop()
    with open(output, "rb") as file:
        return summary, file.read()


def test_no_single_bit_change_is_delivered_wrongly(lab):
    valid = wire.ethernet(wire.group_mac(GROUP), wire.udp(HOST, GROUP, PORT, PAYLOAD))
    frames = list(flipped(valid))
    summary, delivered = run(lab, frames, mark=valid)

    # The sender's MAC is the one part that nothing protects and nobody has to look at.
    assert 1 <= summary["delivered"] <= 1 + len(SOURCE_MAC_BITS)
    assert delivered == PAYLOAD * summary["delivered"]
    assert summary["received"] == len(frames) + 1
    assert summary["received"] == summary["delivered"] + sum(summary["drops"].values())


def test_no_truncation_is_delivered(lab):
    payload = bytes(range(200))
    valid = wire.ethernet(wire.group_mac(GROUP), wire.udp(HOST, GROUP, PORT, payload))
    frames = [valid[:length] for length in range(14, len(valid))]
    summary, delivered = run(lab, frames, mark=valid)

    assert delivered == payload
    assert summary["received"] == len(frames) + 1
    assert summary["received"] == 1 + sum(summary["drops"].values())
    assert summary["drops"]["truncated_frame"] > 150


def test_damaged_igmp_and_arp_do_no_harm(lab):
    query = wire.ethernet(wire.group_mac(wire.ALL_SYSTEMS), wire.ipv4(
        HOST, wire.ALL_SYSTEMS, wire.query(GROUP, ["10.77.0.50"], code=1)))
    arp = wire.ethernet(b"\xff" * 6, wire.arp_request(b"\x02\0\0\0\0\x66", HOST, LEAF),
                        ethertype=0x0806)
    valid = wire.ethernet(wire.group_mac(GROUP), wire.udp(HOST, GROUP, PORT, PAYLOAD))
    frames = [damaged for frame in (query, arp) for damaged in flipped(frame)]
    frames += [frame[:length] for frame in (query, arp) for length in range(14, len(frame))]
    summary, delivered = run(lab, frames, mark=valid)

    assert delivered == PAYLOAD
    assert summary["received"] == len(frames) + 1
