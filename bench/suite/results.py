"""What was measured, by subject and circumstances, with one value for each round."""

import statistics


class Results:
    """A subject is what was measured ('root on null'), circumstances how ({'payload': 64})."""

    def __init__(self):
        self._series = {}
        self.skipped = {}  # part: why
        self.failed = []   # (what, why)

    @staticmethod
    def _key(subject, circumstances):
        return (subject, *sorted(circumstances.items()))

    def add(self, number, subject, value, unit, **circumstances):
        key = self._key(subject, circumstances)
        series = self._series.setdefault(
            key, {"subject": subject, **circumstances, "unit": unit, "values": {}})
        series["values"][number] = value

    def all(self, subject=None):
        return [s for s in self._series.values() if subject in (None, s["subject"])]

    def values(self, subject, **circumstances):
        """By round; empty where it was not measured."""
        series = self._series.get(self._key(subject, circumstances))
        return series["values"] if series else {}

    def median(self, subject, **circumstances):
        values = self.values(subject, **circumstances)
        return statistics.median(values.values()) if values else None

    def as_json(self):
        """A list, with the values in the order of the rounds."""
        series = [{**s, "values": {str(n): v for n, v in s["values"].items()},
                   "median": statistics.median(s["values"].values())}
                  for s in self._series.values()]
        return {"series": series, "skipped": self.skipped,
                "failed": [{"what": what, "why": why} for what, why in self.failed]}

    @classmethod
    def from_json(cls, read):
        results = cls()
        for series in read["series"]:
            kept = {k: v for k, v in series.items()
                    if k not in ("subject", "unit", "values", "median")}
            for number, value in series["values"].items():
                results.add(int(number), series["subject"], value, series["unit"], **kept)
        results.skipped = read["skipped"]
        results.failed = [(f["what"], f["why"]) for f in read["failed"]]
        return results


def ratios(one, other):
    """Round by round, of the rounds that have both."""
    return [one[number] / other[number] for number in one if number in other]
