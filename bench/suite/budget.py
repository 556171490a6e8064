"""How many cores line rate takes, from what one packet costs on one core. The ports measured are
virtual: what a NIC's driver takes on top is not in it."""

from . import plan

SPEEDS = (10, 25, 100, 400)  # Gb/s
_ON_THE_WIRE = 4 + 20  # check sequence; preamble, start and gap
_SMALLEST_FRAME = 64  # with its check sequence


def packets_per_second(gigabits, payload):
    frame = max(payload + plan.HEADERS + 4, _SMALLEST_FRAME)
    return gigabits * 1e9 / ((frame - 4 + _ON_THE_WIRE) * 8)


def cores(gigabits, payload, ns):
    return packets_per_second(gigabits, payload) * ns / 1e9


def rows(results):
    """One for each payload and side: payload, side, ns a packet, cores for each speed."""
    table = []
    for payload in plan.SIZES:
        for side, mpps in (("root", results.median(plan.ROOT, payload=payload)),
                           ("leaf", results.median(plan.LEAF, payload=payload,
                                                   groups=plan.LEAF_GROUPS))):
            if mpps:
                ns = 1e3 / mpps
                table.append({"payload": payload, "side": side, "ns": ns,
                              "cores": {speed: cores(speed, payload, ns) for speed in SPEEDS}})
    return table
