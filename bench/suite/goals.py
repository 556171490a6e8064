"""What has to be reached: ratios between what ran side by side, so that the machine cancels out; of
a feed, for which nothing runs side by side, a rate. Medians over the rounds."""

import statistics

from . import fan_out, plan
from .results import ratios


class Goal:
    """`measured` is None where a side of the ratio was not measured."""

    def __init__(self, name, measured, at_least=None, at_most=None):
        self.name = name
        self.measured = measured
        self._at_least = at_least
        self._at_most = at_most

    @property
    def wanted(self):
        return f">={self._at_least}" if self._at_least is not None else f"<={self._at_most}"

    @property
    def reached(self):
        if self.measured is None:
            return None
        if self._at_least is not None:
            return self.measured >= self._at_least
        return self.measured <= self._at_most

    def line(self):
        measured = "none" if self.measured is None else f"{self.measured:.2f}"
        return f"goal {self.name} measured {measured} wanted {self.wanted}"

    def as_json(self):
        return {"name": self.name, "measured": self.measured, "wanted": self.wanted,
                "reached": self.reached}


def _median_ratio(one, other):
    both = ratios(one, other)
    return statistics.median(both) if both else None


def _replicas(results, mode):
    """ns by (leaves, payload) at the corners of the goal."""
    found = {}
    for leaves in fan_out.QUICK_LEAVES:
        for payload in fan_out.QUICK_PAYLOADS:
            ns = results.median(fan_out.subject(mode), leaves=leaves, payload=payload)
            if ns is not None:
                found[leaves, payload] = ns
    return found


def _fan_out_goals(results):
    """The bare cost has no payload and no leaves: each corner is compared with the bare one beside
    it, and the dearest counts."""
    replicate, bare = _replicas(results, "replicate"), _replicas(results, "bare")
    corners = [replicate[corner] / bare[corner] for corner in replicate if corner in bare]
    costs = replicate.values()
    return [Goal("replicate_to_bare", max(corners, default=None), at_most=1.3),
            Goal("replicate_dearest_to_cheapest", max(costs) / min(costs) if costs else None,
                 at_most=1.3)]


def all_goals(results):
    def values(subject, **circumstances):
        return results.values(subject, **circumstances)

    frame = 64 + plan.HEADERS
    leaf = {groups: values(plan.LEAF, payload=64, groups=groups) for groups in plan.GROUPS}
    shared = values(plan.SHARED, payload=64)
    trip = {"payload": 64, "percentile": 50}
    return [
        Goal("root_to_txonly",
             _median_ratio(values(plan.ROOT_MOLD, payload=64),
                           values(plan.TXONLY, frame=frame + plan.MOLD)), at_least=1.2),
        Goal("leaf_to_rxonly",
             _median_ratio(leaf[plan.LEAF_GROUPS], values(plan.RXONLY, frame=frame)), at_least=0.5),
        # Costs are the inverse of rates.
        Goal("cost_of_100000_groups_to_1000", _median_ratio(leaf[1000], leaf[100_000]),
             at_most=1.3),
        *_fan_out_goals(results),
        Goal("feed_million_messages_per_second",
             results.median(plan.FEED, message=40, lines=2, udp_checksum=False), at_least=50),
        Goal("processes_to_gso", _median_ratio(shared, values(plan.GSO, payload=64)), at_least=1.5),
        Goal("processes_to_sendmmsg", _median_ratio(shared, values(plan.SENDMMSG, payload=64)),
             at_least=30),
        Goal("round_trip_to_bare",
             _median_ratio(values(plan.TRIP, **trip), values(plan.TRIP_BARE, **trip)), at_most=1.3),
    ]
