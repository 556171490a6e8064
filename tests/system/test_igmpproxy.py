"""Behind igmpproxy, a querier that knows version 2 alone: the fallback brings data."""

import os
import shutil
import subprocess
import time

import pytest

from lab import kernel, program, topology, wire

GROUP, PORT = "239.4.4.4", 5000
LEAF, SOURCE, QUERIER = "10.88.2.12", "10.88.1.2", "10.88.2.1"
CONFIGURATION = """
quickleave
phyint outside upstream ratelimit 0 threshold 1
  altnet 10.88.0.0/16
phyint inside downstream ratelimit 0 threshold 1
"""


@pytest.fixture
def proxied(lab):
    """(the source, a device, a function that starts the proxy)."""
    if shutil.which("igmpproxy") is None:
        pytest.skip("igmpproxy is not installed")
    proxy = lab.namespace("proxy")
    proxy.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0",
              "net.ipv4.conf.default.rp_filter=0")
    source = topology.Host(lab, "source", SOURCE)
    switch = topology.Bridge(lab, "switch", snooping=False, querier=False)
    lab.wire(proxy, "outside", source.namespace, "eth0")
    lab.wire(proxy, "inside", switch.namespace, "uplink")
    switch.namespace.ip("link set uplink master br0")
    source.configure()
    proxy.ip("addr add 10.88.1.1/24 dev outside", f"addr add {QUERIER}/24 dev inside")
    device = switch.attach(topology.Device(lab, "leaf", LEAF))
    path = f"{lab.directory}/igmpproxy.conf"
    with open(path, "w") as file:
        file.write(CONFIGURATION)

    # igmpproxy sums up memory that it has not set; Meson's perturbed heap makes its checksums wrong.
    calm = {name: value for name, value in os.environ.items() if name != "MALLOC_PERTURB_"}

    def start():
        return proxy.start("igmpproxy", "-n", path, env=calm, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)

    return source, device, start


def test_the_leaf_falls_back_to_version_2_and_receives(lab, proxied):
    source, device, start = proxied
    leaf = program.leaf(device, "--join", f"{GROUP}:{PORT}", "--output", "null")
    leaf.connected()
    start()
    query = device.capture.wait_igmp(QUERIER, "query(0.0.0.0)", within=10)
    assert len(query.igmp) == 8
    # Its response time is 10 s.
    device.capture.wait_igmp(LEAF, f"v2({GROUP})", within=11)

    sender = lab.closing(kernel.Sender(source.namespace, SOURCE, ttl=16))
    sender.send(GROUP, PORT, kernel.payloads(200))
    leaf.wait("status", lambda s: s["delivered"] >= 150, within=5)

    left = time.time()
    summary = leaf.stop()
    leave = device.capture.wait_igmp(LEAF, f"leave({GROUP})", since=left)
    assert leave.ipv4.destination == wire.ALL_ROUTERS
    assert summary["querier"]["version_in_force"] == 2
    assert summary["querier"]["address"] == QUERIER

    # It asks whether anybody else wants the group, and nobody does.
    asked = device.capture.wait_igmp(QUERIER, f"query({GROUP})", within=3, since=leave.time)
    time.sleep(1.2)
    assert device.capture.said(LEAF, since=asked.time) == []
