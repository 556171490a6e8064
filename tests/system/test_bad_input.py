"""Wrong use and failures: one clear line, the right exit code, and nothing changed."""

import os
import subprocess
import time

import pytest

from lab import kernel, program, topology

LEAF, SENDER = "10.77.0.12", "10.77.0.13"
WRONG_USE, FAILURE = 2, 1

JOIN = ("--join", "239.1.1.1:5000", "--output", "null")
PUBLISH = ("--group", "239.1.1.1:5000", "--input", "/dev/null")


@pytest.fixture(scope="module")
def wire(module_lab):
    """A device and a watcher that sees every frame that it sends."""
    device = topology.Device(module_lab, "device", LEAF)
    watcher = topology.Host(module_lab, "watcher", SENDER)
    topology.direct_wire(module_lab, device, watcher)
    device.everything = module_lab.capture(watcher.namespace, "eth0")
    return device


def state(device):
    """What a failed start must leave as it was."""
    link = device.namespace.run("ip", "-d", "link", "show", "eth0").stdout
    addresses = device.namespace.run("ip", "addr", "show").stdout
    return link, addresses, sorted(os.listdir(device.lab.directory))


def refused(device, code, role, *words, mention, prefix=(), replace=None):
    """Runs joinleaf, which has to refuse with `code` and one line that holds `mention`."""
    before, frames = state(device), len(device.everything.frames)
    command = program.arguments(device, role, *words)
    for option, value in (replace or {}).items():
        command[command.index(option) + 1] = value
    began = time.time()
    process = device.namespace.start(
        *prefix, *command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    told, said = process.communicate(timeout=60)

    assert process.returncode == code, said
    assert said.startswith(f"joinleaf {role}: "), said
    assert said.count("\n") == 1 and said.endswith("\n"), said
    assert mention.lower() in said.lower(), said
    assert told == ""
    assert state(device) == before
    # One that was killed long ago may have had this number, and left its folder.
    left = f"/var/run/dpdk/joinleaf-{process.pid}"
    assert not os.path.exists(left) or os.path.getmtime(left) < began - 1, "files of DPDK"
    time.sleep(0.05)
    assert len(device.everything.frames) == frames, "nothing was to be sent"


@pytest.mark.parametrize("group", ["10.1.1.1:5000", "223.255.255.255:5000", "240.0.0.1:5000",
                                   "239.1.1:5000", "239.1.1.256:5000", "multicast:5000"])
@pytest.mark.parametrize("role, option", [("leaf", "--join"), ("root", "--group")])
def test_a_group_has_to_be_a_multicast_address(wire, role, option, group):
    rest = ("--output", "null") if role == "leaf" else ("--input", "/dev/null")
    refused(wire, WRONG_USE, role, option, group, *rest, mention=group.split(":")[0])


@pytest.mark.parametrize("port", ["0", "65536", "-1", "", "http"])
def test_a_udp_port_is_1_to_65535(wire, port):
    refused(wire, WRONG_USE, "leaf", "--join", f"239.1.1.1:{port}", "--output", "null",
            mention="port")
    refused(wire, WRONG_USE, "root", "--group", f"239.1.1.1:{port}", "--input", "/dev/null",
            mention="port")


@pytest.mark.parametrize("source", ["239.1.1.2", "255.255.255.255", "0.0.0.0", "127.0.0.1", "me"])
def test_a_source_is_a_unicast_address(wire, source):
    refused(wire, WRONG_USE, "leaf", "--join", "232.1.1.1:5000", "--source", source,
            "--output", "null", mention=source)


def test_any_source_is_not_to_be_had_in_232(wire):
    refused(wire, WRONG_USE, "leaf", "--join", "232.1.1.1:5000", "--output", "null",
            mention="--source")
    refused(wire, WRONG_USE, "leaf", "--join", "232.1.1.1:5000", "--exclude", SENDER,
            "--output", "null", mention="--source")


def test_sources_are_either_wanted_or_unwanted(wire):
    refused(wire, WRONG_USE, "leaf", *JOIN, "--source", SENDER, "--exclude", "10.77.0.50",
            mention="--exclude")


@pytest.mark.parametrize("address", ["239.1.1.1/24", "0.0.0.0/24", "10.77.0.12/33", "10.77.0.12/",
                                     "10.77.0/24"])
def test_the_port_has_a_unicast_address(wire, address):
    refused(wire, WRONG_USE, "leaf", *JOIN, replace={"--address": address}, mention="--address")


@pytest.mark.parametrize("vlan", ["0", "4095", "x", "100.200.300"])
def test_a_vlan_is_1_to_4094(wire, vlan):
    refused(wire, WRONG_USE, "leaf", *JOIN, "--vlan", vlan, mention="vlan")


@pytest.mark.parametrize("chunk", ["1473", "65000", "0"])
def test_a_chunk_has_to_fit_the_mtu(wire, chunk):
    refused(wire, WRONG_USE, "root", *PUBLISH, "--chunk", chunk, mention="chunk")


def test_an_mtu_has_to_fit_the_interface(wire):
    """The kernel would drop what is too long without a word."""
    refused(wire, FAILURE, "root", *PUBLISH, "--mtu", "9000", mention="ip link set eth0 mtu 9000")
    refused(wire, FAILURE, "root", *PUBLISH, "--vlan", "100.200", mention="1492")


@pytest.mark.parametrize("scope", ["256", "-1", "x"])
def test_a_scope_is_0_to_255(wire, scope):
    refused(wire, WRONG_USE, "root", *PUBLISH, "--scope", scope, mention="scope")


@pytest.mark.parametrize("words", [
    ("--join", "239.1.1.1:5000"),
    ("--output", "null"),
    (*JOIN, "--no-such-option"),
    (*JOIN, "--count", "-1"),
], ids=["no output", "no group", "unknown option", "negative count"])
def test_wrong_options_are_wrong_use(wire, words):
    refused(wire, WRONG_USE, "leaf", *words, mention="--")


def test_an_interface_that_does_not_exist(wire):
    refused(wire, FAILURE, "leaf", *JOIN, replace={"--port": "nosuch0"}, mention="nosuch0")
    refused(wire, FAILURE, "root", *PUBLISH, replace={"--port": "nosuch0"}, mention="nosuch0")


def test_no_permission_to_open_the_interface(wire):
    without_rights = ("setpriv", "--bounding-set", "-all", "--inh-caps", "-all")
    refused(wire, FAILURE, "leaf", *JOIN, prefix=without_rights, mention="permi")


def test_not_enough_memory(wire):
    refused(wire, FAILURE, "leaf", *JOIN, prefix=("prlimit", "--as=300000000"), mention="memory")


@pytest.mark.parametrize("path", ["no-such-file", "."], ids=["missing", "a folder"])
def test_an_input_that_cannot_be_read(wire, path):
    path = os.path.join(wire.lab.directory, path)
    refused(wire, FAILURE, "root", "--group", "239.1.1.1:5000", "--input", path, mention=path)


def test_an_output_that_cannot_be_written(wire):
    path = os.path.join(wire.lab.directory, "no-such-folder", "output")
    refused(wire, FAILURE, "leaf", "--join", "239.1.1.1:5000", "--output", path, mention=path)


def test_a_full_disk_ends_the_leaf_which_leaves_its_group(lab):
    device = topology.Device(lab, "leaf", LEAF)
    host = topology.Host(lab, "host", SENDER)
    topology.direct_wire(lab, device, host)
    leaf = program.leaf(device, "--join", "239.1.1.1:5000", "--output", "/dev/full")
    leaf.connected()
    lab.closing(kernel.Sender(host.namespace, SENDER)).send(
        "239.1.1.1", 5000, kernel.payloads(2000, 1400))

    assert leaf.process.wait(15) == FAILURE
    [line] = [text for text in leaf.said.splitlines() if "space" in text]
    assert line.startswith("joinleaf leaf: ") and "/dev/full" in line
    device.capture.wait_igmp(LEAF, "TO_IN(239.1.1.1{})")
