"""What is measured, and in which order: rounds, in each of which everything runs once, so that a
ratio compares what ran within the same minute or two."""

import json
import shutil
import sys

from . import fan_out, feed_loss, links, machine, programs, testpmd
from .programs import Failed

SIZES = (64, 256, 1024, 1472)  # payload octets
MESSAGES = (40, 200)  # octets of a feed's messages
GROUPS = (1, 1000, 10_000, 100_000)
LEAF_GROUPS = 10_000
HEADERS = 42  # Ethernet, IPv4 and UDP in front of a payload
RECORDED = 16_384  # packets that the flight recorder remembers
MOLD = 20  # a header of MoldUDP64's size, which a publisher writes in front of its message
PERCENTILES = {"p50_ns": 50, "p99_ns": 99, "p999_ns": 99.9}

# Subjects, as the tables, goals and plots name them.
ROOT = "root on null"
ROOT_MOLD = "root on null, MoldUDP64-sized header"
LEAF = "leaf on null"
RING = "root to leaf on a ring, two lcores"
TXONLY = "testpmd txonly on null"
RXONLY = "testpmd rxonly on null"
SHARED = "two processes, virtio_user and vhost"
VETH = "two processes, veth by AF_PACKET"
SENDMMSG = "kernel, veth, sendmmsg and recvmmsg"
GSO = "kernel, veth, UDP GSO and GRO"
IPERF = "iperf 2, veth"
TRIP = "round trip, virtio_user and vhost"
TRIP_BARE = "round trip, virtio_user and vhost, bare port"
TRIP_VETH = "round trip, veth by AF_PACKET"
TRIP_VETH_BARE = "round trip, veth by AF_PACKET, bare port"
TRIP_KERNEL = "round trip, veth, kernel UDP"
FEED = "feed, publish to message on rings, one lcore"
FEED_LOSS = "feed, two processes, veth by AF_PACKET, repair"
CONNECTED = "leaf, start to connected"
RESIDENT = "leaf, resident memory"
ADMISSION = "admission"
ADMISSION_TLS = {"none": "TCP", "psk": "TLS, pre-shared keys", "cert": "TLS, certificates"}


class Bench:
    """The programs of one build, and what they have measured so far."""

    def __init__(self, build, seconds, results):
        self.build = build
        self.seconds = seconds
        self.results = results
        self._number = 0
        self._shared = None
        self._veth = None

    def __enter__(self):
        self._skip_what_cannot_be()
        if "two processes" not in self.results.skipped:
            self._shared = links.SharedMemory(self.build)
        if "veth" not in self.results.skipped:
            try:
                self._veth = links.Veth(self.build)
            except (RuntimeError, OSError) as error:
                self.close()
                raise Failed(f"no veth between namespaces: {error}") from error
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for wire in (self._veth, self._shared):
            if wire is not None:
                wire.close()
        self._veth = self._shared = None

    def _skip_what_cannot_be(self):
        no_iperf = None if shutil.which("iperf") else "iperf is not installed"
        for part, why in (("testpmd", testpmd.unavailable()),
                          ("two processes", links.unavailable()),
                          ("veth", links.Veth.unavailable()),
                          ("iperf", links.Veth.unavailable() or no_iperf),
                          ("feed with losses", feed_loss.unavailable()),
                          ("fan-out", fan_out.unavailable(self.build))):
            if why:
                self.results.skipped[part] = why

    def _try(self, what, measure):
        """What it gives, or None when it failed, which is remembered."""
        try:
            return measure()
        except Failed as error:
            self.results.failed.append((what, str(error)))
            print(f"  {what}: {error}", file=sys.stderr)
            return None

    def _add(self, subject, value, unit, **circumstances):
        self.results.add(self._number, subject, value, unit, **circumstances)

    # ---- The whole path in one process ----

    def _whole_path(self, subject, mode, payload, *options, **circumstances):
        # Where testpmd has its forwarding core; the two lcores of a ring have all.
        cpu = None if mode == "ring" else machine.cpus()[-1]
        measured = self._try(f"{subject}, {payload} B", lambda: programs.run_json(
            self.build / "bench" / "whole_path", mode, "--payload", payload, "--seconds",
            self.seconds, *options, cpu=cpu))
        if measured:
            self._add(subject, measured["mpps"], "Mpps", payload=payload, **circumstances)

    def root(self, payload):
        self._whole_path(ROOT, "root-null", payload)

    def root_mold(self, payload):
        self._whole_path(ROOT_MOLD, "root-null", payload, "--mold")

    def leaf(self, payload, groups=LEAF_GROUPS):
        self._whole_path(LEAF, "leaf-null", payload, "--groups", groups, groups=groups)

    def ring(self, payload):
        self._whole_path(RING, "ring", payload)

    def with_udp_checksum(self, payload):
        self._whole_path(f"{ROOT}, UDP checksum", "root-null", payload, "--udp-checksum")
        self._whole_path(f"{LEAF}, UDP checksum", "leaf-null", payload, "--groups", LEAF_GROUPS,
                         "--udp-checksum", groups=LEAF_GROUPS)

    def feed(self, message, lines=2, udp_checksum=False):
        how = f"{message} B, {lines} lines" + (", UDP checksum" if udp_checksum else "")
        options = ["--udp-checksum"] if udp_checksum else []
        measured = self._try(f"{FEED}, {how}", lambda: programs.run_json(
            self.build / "bench" / "feed_path", "--message", message, "--lines", lines,
            "--seconds", self.seconds, *options, cpu=machine.cpus()[-1]))
        if measured:
            self._add(FEED, measured["messages_per_second"] / 1e6, "million messages/s",
                      message=message, lines=lines, udp_checksum=udp_checksum)

    def recorder(self, payload):
        """With the flight recorder on and off, by turns within one run."""
        for subject, mode, *options in ((ROOT, "root-null"),
                                        (LEAF, "leaf-null", "--groups", LEAF_GROUPS)):
            measured = self._try(f"{subject}, recorder", lambda: programs.run_json(
                self.build / "bench" / "whole_path", mode, "--payload", payload, "--seconds",
                2 * self.seconds, "--recorder", RECORDED, *options, cpu=machine.cpus()[-1]))
            if measured:
                self._add(f"{subject}, recorder on", measured["mpps"], "Mpps", payload=payload)
                self._add(f"{subject}, recorder off beside it", 1e3 / measured["ns_without"],
                          "Mpps", payload=payload)

    def testpmd(self, subject, frame):
        if "testpmd" in self.results.skipped:
            return
        mode = "txonly" if subject == TXONLY else "rxonly"
        mpps = self._try(f"{subject}, {frame} B", lambda: testpmd.mpps(mode, frame, self.seconds))
        if mpps:
            self._add(subject, mpps, "Mpps", frame=frame)

    def start(self):
        """What starting a leaf costs: milliseconds to `connected`, and resident megabytes."""
        out = self._try("start of a leaf", lambda: programs.run(
            self.build / "apps" / "joinleaf" / "joinleaf", "leaf", "--port", "null", "--address",
            "10.0.0.2/24", "--join", "239.1.1.1:5000", "--output", "null", "--duration", "0.3",
            "--json"))
        if out is None:
            return
        events = {event["event"]: event for event in map(json.loads, out.splitlines())}
        self._add(CONNECTED, events["connected"]["since_start_ms"], "ms")
        self._add(RESIDENT, events["summary"]["resident_mb"], "MB")

    # ---- Two processes ----

    def _crossing(self, subject, measure, payload):
        crossing = self._try(f"{subject}, {payload} B", lambda: measure(payload, self.seconds))
        if crossing is None:
            return
        self._add(subject, crossing["mpps"], "Mpps", payload=payload)
        if crossing["loss"] is not None:
            self._add(f"{subject}, loss", crossing["loss"] * 100, "%", payload=payload)
        if "burst" in crossing:
            self._add(f"{subject}, burst", crossing["burst"], "datagrams", payload=payload)
            self._add(f"{subject}, late", crossing["late"], "datagrams", payload=payload)

    def _trip(self, subject, measure, payload=64):
        trips = self._try(subject, lambda: measure(payload, self.seconds))
        if trips is None:
            return
        for name, percentile in PERCENTILES.items():
            self._add(subject, trips[name], "ns", payload=payload, percentile=percentile)
        self._add(f"{subject}, lost", trips["lost"], "datagrams", payload=payload)

    def shared_memory(self, payload):
        if self._shared:
            self._crossing(SHARED, self._shared.root_to_leaf, payload)

    def veth(self, payload):
        if self._veth:
            self._crossing(VETH, self._veth.root_to_leaf, payload)

    def kernel(self, payload):
        if self._veth:
            self._crossing(GSO, self._veth.gso, payload)
            self._crossing(SENDMMSG, self._veth.sendmmsg, payload)

    def iperf(self, payload):
        if self._veth and "iperf" not in self.results.skipped:
            self._crossing(IPERF, self._veth.iperf, payload)

    def round_trips(self):
        if self._shared:
            self._trip(TRIP, self._shared.round_trip)
            self._trip(TRIP_BARE, self._shared.bare_round_trip)

    def veth_round_trips(self):
        if self._veth:
            self._trip(TRIP_VETH, self._veth.round_trip)
            self._trip(TRIP_VETH_BARE, self._veth.bare_round_trip)
            self._trip(TRIP_KERNEL, self._veth.kernel_round_trip)

    # ---- Admission ----

    def admission(self):
        """Once; it takes its own time."""
        for tls, channel in ADMISSION_TLS.items():
            leaves = 2000 if tls == "cert" else 10_000  # certificates take a minute for all
            row = self._try(f"admission, {channel}", lambda: programs.run_json(
                self.build / "bench" / "admission_load", "--leaves", leaves, "--tls", tls))
            if row is None:
                continue
            self._number = 0
            for name, value, unit in (
                    ("leaves", row["leaves"], ""),
                    ("admissions", row["admissions_per_second"], "/s"),
                    ("root's time", row["root_us_each"], "us"),
                    ("root's memory", row["root_octets_each"], "octets"),
                    ("wait p50", row["wait_ms"]["p50"], "ms"),
                    ("wait p99", row["wait_ms"]["p99"], "ms"),
                    ("data before", row["data_mpps"]["before"], "Mpps beside"),
                    ("data meanwhile", row["data_mpps"]["meanwhile"], "Mpps beside"),
                    ("data after", row["data_mpps"]["after"], "Mpps beside")):
                self._add(f"{ADMISSION}, {name}", value, unit, channel=channel)

    # ---- A feed with losses ----

    def feed_loss(self):
        """Once; each part of it counts many thousands of messages."""
        if "feed with losses" in self.results.skipped:
            return
        self._number = 0
        rows = self._try("feed with losses", lambda: feed_loss.rows(self.build))
        for case, figures in (rows or {}).items():
            for name, value in figures.items():
                unit = "us" if name in feed_loss.LATENCIES else "messages"
                self._add(f"{FEED_LOSS}, {name}", value, unit, loss=case)

    # ---- Rounds ----

    def quick_round(self, number):
        """What the goals need, pairs side by side."""
        self._number = number
        self.root_mold(64)
        self.testpmd(TXONLY, 64 + MOLD + HEADERS)
        self.leaf(64)
        self.testpmd(RXONLY, 64 + HEADERS)
        self.leaf(64, 1000)
        self.leaf(64, 100_000)
        for message in MESSAGES:
            self.feed(message)
        self.shared_memory(64)
        self.kernel(64)
        self.round_trips()

    def full_round(self, number):
        self.quick_round(number)
        self.leaf(64, 1)
        for payload in SIZES:
            self.root(payload)
            self.testpmd(TXONLY, payload + HEADERS)
            if payload != 64:  # the others have been measured above
                self.leaf(payload)
                self.testpmd(RXONLY, payload + HEADERS)
            self.ring(payload)
        self.with_udp_checksum(64)
        for message in MESSAGES:
            self.feed(message, lines=1)
            self.feed(message, udp_checksum=True)
        self.recorder(64)
        for payload in SIZES:
            if payload != 64:
                self.shared_memory(payload)
                self.kernel(payload)
            self.veth(payload)
            self.iperf(payload)
        self.veth_round_trips()
        self.start()

    def fan_out(self, quick):
        """Has its own rounds inside."""
        if "fan-out" in self.results.skipped:
            return
        kernel = "veth" not in self.results.skipped and not quick
        rows = self._try("fan-out", lambda: fan_out.rows(self.build, quick, kernel))
        self._number = 0
        for row in rows or []:
            self._add(fan_out.subject(row["mode"]), row["ns"], "ns a replica",
                      leaves=row["n"], payload=row["payload"])
