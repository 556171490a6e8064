"""The same figures as pictures, each as SVG and as PNG."""

import statistics

from . import fan_out, feed_loss, plan


def unavailable():
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return "matplotlib is not installed (python3-matplotlib)"
    return None


class _Picture:
    def __init__(self, title, x, y, logarithmic_x=True, logarithmic_y=False):
        import matplotlib
        matplotlib.use("Agg")
        matplotlib.rcParams["svg.hashsalt"] = "joinleaf"  # the same figures give the same file
        from matplotlib import pyplot

        self._pyplot = pyplot
        self._figure, self.axes = pyplot.subplots(figsize=(8, 5))
        self.axes.set(title=title, xlabel=x, ylabel=y)
        if logarithmic_x:
            self.axes.set_xscale("log", base=2)
        if logarithmic_y:
            self.axes.set_yscale("log")
        self.axes.grid(True, which="both", alpha=0.3)
        self._drawn = False

    def line(self, label, points, dashed=False):
        """points: {x: values}; the line joins the medians, the bars are the ranges."""
        if not points:
            return
        xs = sorted(points)
        middles = [statistics.median(points[x]) for x in xs]
        below = [m - min(points[x]) for m, x in zip(middles, xs)]
        above = [max(points[x]) - m for m, x in zip(middles, xs)]
        self.axes.errorbar(xs, middles, yerr=[below, above], label=label, marker="o", capsize=3,
                           linestyle="--" if dashed else "-")
        self._drawn = True

    def ticks(self, values, labels=None):
        self.axes.set_xticks(values, labels or [f"{v:,}".replace(",", " ") for v in values])
        self.axes.minorticks_off()

    def save(self, directory, name, kinds):
        """The files written; none when there was nothing to draw."""
        written = []
        if self._drawn:
            self.axes.set_ylim(bottom=None if self.axes.get_yscale() == "log" else 0)
            self.axes.legend(fontsize="small")
            self._figure.tight_layout()
            for kind in kinds:
                options = {"svg": {"metadata": {"Date": None}}, "png": {"dpi": 120}}[kind]
                path = directory / f"{name}.{kind}"
                self._figure.savefig(path, **options)
                written.append(path)
        self._pyplot.close(self._figure)
        return written


def _points(results, subject, along, shift=0, invert=False, scale=1.0, **fixed):
    """{value of `along`: measured values} of a subject whose other circumstances are `fixed`."""
    points = {}
    for series in results.all(subject):
        if along in series and all(series.get(k) == v for k, v in fixed.items()):
            values = series["values"].values()
            points[series[along] + shift] = [1e3 / v if invert else v * scale for v in values]
    return points


def _rate_by_size(results, save):
    picture = _Picture("One core, virtual ports", "payload (octets)", "Mpps")
    picture.line("root", _points(results, plan.ROOT, "payload"))
    picture.line("testpmd txonly", {
        size: values for size, values in
        _points(results, plan.TXONLY, "frame", shift=-plan.HEADERS).items() if size in plan.SIZES},
        dashed=True)
    picture.line("leaf, 10 000 groups",
                 _points(results, plan.LEAF, "payload", groups=plan.LEAF_GROUPS))
    picture.line("testpmd rxonly", _points(results, plan.RXONLY, "frame", shift=-plan.HEADERS),
                 dashed=True)
    picture.line("root to leaf, ring, two lcores", _points(results, plan.RING, "payload"))
    picture.ticks(plan.SIZES)
    return save(picture, "rate_by_size")


def _rate_between_processes(results, save):
    picture = _Picture("Two processes, as received", "payload (octets)", "Mpps",
                       logarithmic_y=True)
    for subject in (plan.SHARED, plan.VETH):
        picture.line(subject, _points(results, subject, "payload"))
    for subject in (plan.GSO, plan.SENDMMSG, plan.IPERF):
        picture.line(subject, _points(results, subject, "payload"), dashed=True)
    picture.ticks(plan.SIZES)
    return save(picture, "rate_between_processes")


def _cost_by_groups(results, save):
    picture = _Picture("A leaf on null, 64 octets", "groups joined", "ns a packet")
    picture.axes.set_xscale("log", base=10)
    picture.line("leaf", _points(results, plan.LEAF, "groups", invert=True, payload=64))
    picture.ticks(plan.GROUPS)
    return save(picture, "cost_by_groups")


def _cost_by_fan_out(results, save):
    picture = _Picture("Fan-out on null", "leaves", "ns a replica")
    leaves = set()
    for payload in fan_out.QUICK_PAYLOADS:
        for mode in ("replicate", "copy", "bare"):
            points = _points(results, fan_out.subject(mode), "leaves", payload=payload)
            leaves |= points.keys()
            picture.line(f"{mode}, {payload} octets", points, dashed=mode != "replicate")
    picture.ticks(sorted(leaves))
    return save(picture, "cost_by_fan_out")


def _latency(results, save):
    picture = _Picture("One datagram of 64 octets at a time", "percentile", "round trip (us)",
                       logarithmic_x=False, logarithmic_y=True)
    order = list(plan.PERCENTILES.values())
    for subject, dashed in ((plan.TRIP, False), (plan.TRIP_BARE, True), (plan.TRIP_VETH, False),
                            (plan.TRIP_VETH_BARE, True), (plan.TRIP_KERNEL, True)):
        points = _points(results, subject, "percentile", scale=1e-3)
        picture.line(subject, {order.index(p): values for p, values in points.items()}, dashed)
    picture.ticks(range(len(order)), [f"p{p}" for p in order])
    return save(picture, "latency_percentiles")


def _feed_latency(results, save):
    picture = _Picture("A feed by two lines between two processes, with losses on each",
                       "percentile", "port to application (us)", logarithmic_x=False,
                       logarithmic_y=True)
    for case in feed_loss.CASES:
        points = {}
        for place, name in enumerate(feed_loss.LATENCIES):
            values = results.values(f"{plan.FEED_LOSS}, {name}", loss=case)
            if values:
                points[place] = list(values.values())
        storm = case == feed_loss.STORM
        picture.line("nothing lost, 100 others ask for repair" if storm
                     else f"{case} % lost on each line", points, dashed=storm)
    picture.ticks(range(len(feed_loss.LATENCIES)),
                  [name.replace("_", ".") for name in feed_loss.LATENCIES])
    return save(picture, "feed_latency")


def draw(results, directory, kinds=("svg", "png")):
    """All of which there are figures; returns the files."""
    directory.mkdir(parents=True, exist_ok=True)

    def save(picture, name):
        return picture.save(directory, name, kinds)

    return [path for picture in (_rate_by_size, _rate_between_processes, _cost_by_groups,
                                 _cost_by_fan_out, _latency, _feed_latency)
            for path in picture(results, save)]
