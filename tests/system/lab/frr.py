"""Two PIM routers of FRR between a source and a switch with members; r1 is the IGMP querier.

    source 10.88.1.2 -- 10.88.1.1 r2 10.88.12.2 -- 10.88.12.1 r1 10.88.2.1 -- switch -- members
"""

import json
import os
import shutil
import tempfile
import time

from . import topology

DAEMONS = "/usr/lib/frr"
SOURCE, QUERIER, RENDEZVOUS = "10.88.1.2", "10.88.2.1", "10.88.12.2"
RESPONSE_TIME, QUERY_INTERVAL = 1.0, 2.0
LAST_MEMBER_TIME = 2.0  # two queries, 1 s apart
MEMBERSHIP_TIME = 2 * QUERY_INTERVAL + RESPONSE_TIME

_COMMON = """
ip prefix-list SSM permit 232.0.0.0/8 le 32
ip pim ssm prefix-list SSM
ip pim join-prune-interval 5
"""
_R1 = _COMMON + """
debug igmp packets
debug igmp events
interface core
 ip pim
 ip pim hello 2
interface lan
 ip pim
 ip pim hello 2
 ip igmp
 ip igmp version 3
 ip igmp query-max-response-time 10
 ip igmp query-interval 2
 ip igmp last-member-query-interval 10
 ip igmp last-member-query-count 2
"""
_R2 = _COMMON + """
interface core
 ip pim
 ip pim hello 2
interface lan
 ip pim
 ip pim hello 2
"""


def unavailable():
    for daemon in ("zebra", "pimd"):
        if not os.access(f"{DAEMONS}/{daemon}", os.X_OK):
            return f"frr is not installed ({DAEMONS}/{daemon})"
    return None if shutil.which("vtysh") else "vtysh is not installed"


class Routers:
    def __init__(self, lab):
        self.lab = lab
        # FRR gives up its rights early: its files are its own user's, in a place it can reach.
        self.directory = tempfile.mkdtemp(prefix="joinleaf-frr-")
        os.chmod(self.directory, 0o755)
        self.r1, self.r2 = lab.namespace("r1"), lab.namespace("r2")
        self.source = topology.Host(lab, "source", SOURCE)
        self.switch = topology.Bridge(lab, "switch", querier=False)
        self._wire()
        queries = lab.capture(self.switch.namespace, "uplink", "igmp")
        for router, configuration in (("r1", _R1), ("r2", _R2)):
            self._start(router, configuration)
        self._wait_for_neighbours()
        for router in ("r1", "r2"):
            self.configure(router, f"ip pim rp {RENDEZVOUS} 224.0.0.0/4")
        # The switch holds back what nobody joined once the first query's response time is over.
        first = queries.wait_igmp(QUERIER, "query(0.0.0.0)", within=10)
        queries.stop()
        time.sleep(max(0, first.time + RESPONSE_TIME + 0.1 - time.time()))
        self._started = len(self._whole_log())

    def _wire(self):
        for router in (self.r1, self.r2):
            router.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0",
                       "net.ipv4.conf.default.rp_filter=0")
        self.lab.wire(self.r2, "lan", self.source.namespace, "eth0")
        self.lab.wire(self.r2, "core", self.r1, "core")
        self.lab.wire(self.r1, "lan", self.switch.namespace, "uplink")
        self.switch.namespace.ip("link set uplink master br0")
        self.source.configure()
        self.source.namespace.ip("route add default via 10.88.1.1")
        self.r2.ip("addr add 10.88.1.1/24 dev lan", "addr add 10.88.12.2/24 dev core",
                   "route add 10.88.2.0/24 via 10.88.12.1")
        self.r1.ip("addr add 10.88.2.1/24 dev lan", "addr add 10.88.12.1/24 dev core",
                   "route add 10.88.1.0/24 via 10.88.12.2")

    def _start(self, router, configuration):
        folder = f"{self.directory}/{router}"
        os.mkdir(folder)
        for daemon, text in (("zebra", ""), ("pimd", configuration)):
            with open(f"{folder}/{daemon}.conf", "w") as file:
                file.write(text)
        for name in (folder, *(f"{folder}/{file}" for file in os.listdir(folder))):
            shutil.chown(name, "frr", "frr")
        for daemon in ("zebra", "pimd"):
            self.lab.namespace(router).start(
                f"{DAEMONS}/{daemon}", "-u", "frr", "-g", "frr", "-P", "0",
                "-f", f"{folder}/{daemon}.conf", "-i", f"{folder}/{daemon}.pid",
                "-z", f"{folder}/zserv.api", "--vty_socket", folder,
                "--log", f"file:{folder}/{daemon}.log", "--log-level", "debugging")
            self._wait(lambda: os.path.exists(f"{folder}/{daemon}.vty"), f"{router}'s {daemon}")

    def _wait(self, there, what, within=20.0):
        deadline = time.monotonic() + within
        while not there():
            if time.monotonic() > deadline:
                raise RuntimeError(f"{what} is not there within {within} s")
            time.sleep(0.05)

    def _wait_for_neighbours(self):
        # A rendezvous point is refused before the routes of the kernel are known.
        self._wait(lambda: all(self.show(r, "ip pim neighbor").get("core") for r in ("r1", "r2")),
                   "a PIM neighbour")
        self._wait(lambda: "10.88.1.0/24" in self.vtysh("r1", "show ip route"), "r1's route")
        self._wait(lambda: "10.88.12.0/24" in self.vtysh("r2", "show ip route"), "r2's route")

    def vtysh(self, router, *commands):
        words = [word for command in commands for word in ("-c", command)]
        return self.lab.namespace(router).run(
            "vtysh", "--vty_socket", f"{self.directory}/{router}", *words, check=False).stdout

    def show(self, router, what):
        """The JSON of a show command."""
        try:
            return json.loads(self.vtysh(router, f"show {what} json") or "{}")
        except ValueError:
            return {}

    def configure(self, router, *commands):
        self.vtysh(router, "configure terminal", *commands)

    def _whole_log(self):
        with open(f"{self.directory}/r1/pimd.log") as file:
            return file.read().splitlines()

    def log(self):
        """What r1's pimd has logged since the routers were ready."""
        return self._whole_log()[self._started :]

    def device(self, name, last):
        """A device under test behind the switch, with the address 10.88.2.`last`."""
        return self.switch.attach(topology.Device(self.lab, name, f"10.88.2.{last}"))

    def host(self, name, last):
        return self.switch.attach(topology.Host(self.lab, name, f"10.88.2.{last}"))

    def close(self):
        shutil.rmtree(self.directory)
