"""A root and two leaves on a snooping bridge, and on a management network."""

from . import admission

CHANNEL = "232.1.1.1"
GROUP = f"{CHANNEL}:5000"
ROOT, ONE, TWO, THREE = (f"10.77.0.{host}" for host in (11, 12, 13, 14))
REPORT = f"ALLOW({CHANNEL}{{{ROOT}}})"
LEAVE = f"BLOCK({CHANNEL}{{{ROOT}}})"


class Site:
    """A root and two leaves, each on both networks."""

    def __init__(self, lab, bridge):
        self.lab = lab
        self.bridge = bridge
        self.management = admission.Management(lab)
        self.root = self.device("root", ROOT)
        self.one = self.device("one", ONE)
        self.two = self.device("two", TWO)
        bridge.settle()

    def device(self, name, address):
        return self.management.attach(self.bridge.device(name, address))

    def cut_data(self, device):
        self.bridge.namespace.ip(f"link set {device.port} down")

    def feed(self, seconds=60, rate=200):
        """What a root publishes for as long as a test takes."""
        path = f"{self.lab.directory}/feed"
        admission.payload_file(path, seconds * rate)
        return ("--input", path, "--chunk", 1000, "--rate", rate)

    def has_left(self, device, since, within=3.0):
        """The IGMP leave is on the wire, and the bridge forwards nothing there."""
        device.capture.wait_igmp(device.address, LEAVE, within, since)
        self.bridge.wait_entries(CHANNEL, lambda entries: not entries, within, device.port)
