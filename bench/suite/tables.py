"""What was measured, as tables for people: on a terminal and in the README."""

import statistics

from . import budget, fan_out, feed_loss, plan
from . import micro as micro_steps


def table(heads, rows):
    rows = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    lines = [heads, ["-" * width for width in widths], *rows]
    return "\n".join(f"| {' | '.join(map(str.ljust, line, widths))} |" for line in lines)


def _spread(values, digits):
    low, high = min(values), max(values)
    return f"{low:.{digits}f} to {high:.{digits}f}"


def _circumstances(series):
    words = []
    for name, text in (("payload", "{} B"), ("frame", "frames of {} B"), ("groups", "{} groups")):
        if name in series:
            words.append(text.format(series[name]))
    return ", ".join(words)


def _size(series):
    return series.get("payload", series.get("frame")), series.get("groups", 0)


def rates(results):
    """Everything measured in packets per second, with the loss beside it."""
    rows = []
    measured = [series for series in results.all() if series["unit"] == "Mpps"]
    subjects = list(dict.fromkeys(series["subject"] for series in measured))
    for series in sorted(measured, key=lambda s: (subjects.index(s["subject"]), _size(s))):
        values = list(series["values"].values())
        middle = statistics.median(values)
        loss = results.median(f"{series['subject']}, loss", payload=series.get("payload"))
        rows.append([series["subject"], _circumstances(series), f"{middle:.2f}",
                     _spread(values, 2), f"{1e3 / middle:.1f}",
                     "" if loss is None else f"{loss:.2f} %"])
    return table(["what", "how", "Mpps", "range", "ns a packet", "lost"], rows)


def round_trips(results):
    rows = []
    for subject in (plan.TRIP, plan.TRIP_BARE, plan.TRIP_VETH, plan.TRIP_VETH_BARE,
                    plan.TRIP_KERNEL):
        row = [results.median(subject, payload=64, percentile=p)
               for p in plan.PERCENTILES.values()]
        if None not in row:
            lost = results.median(f"{subject}, lost", payload=64)
            rows.append([subject, *(f"{ns / 1e3:.2f}" for ns in row), f"{lost:.0f}"])
    return table(["one datagram of 64 B at a time", "p50 (us)", "p99", "p99.9", "lost"],
                 rows) if rows else ""


def fan_outs(results):
    """ns a replica: modes beside each other."""
    measured = [s for s in results.all() if s["subject"].startswith(fan_out.subject(""))]
    if not measured:
        return ""
    modes = list(dict.fromkeys(s["subject"] for s in measured))
    corners = list(dict.fromkeys((s["payload"], s["leaves"]) for s in measured))
    rows = []
    for payload, leaves in corners:
        costs = [results.median(mode, payload=payload, leaves=leaves) for mode in modes]
        rows.append([f"{leaves} leaves, {payload} B",
                     *("" if ns is None else f"{ns:.1f}" for ns in costs)])
    return table(["ns a replica", *(m.removeprefix(fan_out.subject("")) for m in modes)], rows)


def feeds(results):
    """Messages a second, from an application to another."""
    rows = []
    for series in sorted(results.all(plan.FEED),
                         key=lambda s: (s["message"], -s["lines"], s["udp_checksum"])):
        values = list(series["values"].values())
        middle = statistics.median(values)
        lines = "one line" if series["lines"] == 1 else f"{series['lines']} lines"
        checksum = ", UDP checksum" if series["udp_checksum"] else ""
        rows.append([f"messages of {series['message']} B, {lines}{checksum}", f"{middle:.1f}",
                     _spread(values, 1), f"{1e3 / middle:.1f}"])
    return table([plan.FEED, "million a second", "range", "ns a message"], rows) if rows else ""


def feed_losses(results):
    """Of a feed between two processes, by the losses of its lines."""
    names = (*feed_loss.LATENCIES, *feed_loss.COUNTS)
    rows = []
    for case in feed_loss.CASES:
        row = [results.median(f"{plan.FEED_LOSS}, {name}", loss=case) for name in names]
        if None not in row:
            rows.append([case if case == feed_loss.STORM else f"{case} % of each line", *(f"{us:.1f}" for us in row[:4]),
                         *(f"{n:.0f}" for n in row[4:])])
    heads = ["p50 (us, port to application)", *(n.replace("_", ".") for n in names[1:])]
    return table([f"{plan.FEED_LOSS}: loss", *heads], rows) if rows else ""


def feed_steps(steps):
    """What root and leaf do for a feed's messages, measured step by step."""
    rows = [[step["name"], *(f"{step[part]:.2f}" for part in micro_steps.PARTS)]
            for step in steps if all(part in step for part in micro_steps.PARTS)]
    return table(["feed, messages of 40 and 200 B packed to the MTU (CPU time)", "ns a message",
                  "ns a packet of a line"], rows) if rows else ""


def admissions(results):
    """What it costs a root to let leaves in, and what that does to the data plane beside it."""
    names = ("leaves", "admissions", "root's time", "root's memory", "wait p50", "wait p99",
             "data before", "data meanwhile", "data after")
    rows = []
    for channel in plan.ADMISSION_TLS.values():
        row = [results.median(f"{plan.ADMISSION}, {name}", channel=channel) for name in names]
        if None not in row:
            rows.append([channel, *(f"{v:.0f}" for v in row[:4]), *(f"{v:.1f}" for v in row[4:])])
    return table(["admission by", "leaves", "a second", "root (us each)", "root (octets each)",
                  "wait p50 (ms)", "p99", "data plane beside (Mpps) before", "meanwhile",
                  "after, with all there"], rows) if rows else ""


def others(results):
    rows = []
    for subject in (plan.CONNECTED, plan.RESIDENT):
        for series in results.all(subject):
            values = list(series["values"].values())
            rows.append([subject, f"{statistics.median(values):.1f} {series['unit']}",
                         _spread(values, 1)])
    return table(["what", "median", "range"], rows) if rows else ""


def budgets(results):
    rows = [[f"{row['side']}, {row['payload']} B", f"{row['ns']:.1f}",
             *(f"{row['cores'][speed]:.2f}" for speed in budget.SPEEDS)]
            for row in budget.rows(results)]
    heads = ["cores for line rate", "ns a packet", *(f"{s} Gb/s" for s in budget.SPEEDS)]
    return table(heads, rows) if rows else ""


def instructions(rows):
    def number(value, digits=1):
        return "" if value is None else f"{value:.{digits}f}"

    return table(["instructions for each", "kept", "now", "change (%)", ""],
                 [[name, number(old), number(new), number(change), verdict]
                  for name, old, new, change, verdict in rows])


def micro(steps):
    def cost(step):
        octets = step.get("octets")
        return f"{step['ns']:.2f} ns" if octets is None else f"{octets:.0f} octets"

    return table(["pure step", "each (CPU time)"], [[step["name"], cost(step)] for step in steps])
