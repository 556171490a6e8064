"""joinleaf doctor, as an operator runs it: each line ok, warn, fail or skip, with its cure."""

import json
import subprocess

from lab import program, topology

LEAF = "10.77.0.12"


def doctor(device, *words):
    """Runs it to its end. Returns the findings by topic, and the exit code."""
    process = device.namespace.start(program.PROGRAM, "doctor", "--json", *words,
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    told, said = process.communicate(timeout=60)
    assert said == ""
    lines = [json.loads(line) for line in told.splitlines()]
    assert lines[-1]["event"] == "summary"
    findings = [line for line in lines if line["event"] == "finding"]
    counted = {level: sum(f["level"] == level for f in findings)
               for level in ("ok", "warn", "fail", "skip")}
    assert {level: lines[-1][level] for level in counted} == counted
    assert process.returncode == (1 if counted["fail"] else 0)
    return {finding["topic"]: finding for finding in findings}


def test_a_querier_is_heard_and_the_port_is_fit(lab):
    bridge = topology.Bridge(lab)
    device = bridge.device("leaf", LEAF)
    process = device.namespace.start(
        program.PROGRAM, "doctor", "--json", "--port", "eth0", "--address", f"{LEAF}/24",
        "--querier-wait", "20", stdout=subprocess.PIPE, text=True)
    told = ""
    while '"topic":"kernel"' not in told:  # the port is opened next
        told += process.stdout.readline()
    for _ in range(20):
        bridge.query()
        try:
            told += process.communicate(timeout=1)[0]
            break
        except subprocess.TimeoutExpired:
            continue
    findings = {f["topic"]: f for f in map(json.loads, told.splitlines()) if "topic" in f}
    assert process.returncode == 0
    assert findings["querier"]["level"] == "ok", findings["querier"]
    assert topology.QUERIER_ADDRESS in findings["querier"]["text"]
    assert findings["link"]["level"] == "ok"
    assert findings["filter"]["text"].startswith("promiscuous")


def test_what_is_amiss_comes_with_a_command_that_cures_it(lab):
    bridge = topology.Bridge(lab, querier=False)
    device = bridge.device("leaf", LEAF)
    port = ("--port", "eth0", "--address", f"{LEAF}/24", "--querier-wait", "1")

    device.namespace.run("ip", "link", "set", "dev", "eth0", "down")
    found = doctor(device, *port)
    assert found["link"]["level"] == "fail"
    assert found["querier"]["level"] == "skip", "the port was not opened"
    device.namespace.run(*found["link"]["cure"].removeprefix("sudo ").split())

    found = doctor(device, *port, "--mtu", "9000")
    assert found["mtu"]["level"] == "fail"
    device.namespace.run(*found["mtu"]["cure"].removeprefix("sudo ").split())

    device.namespace.run("ip", "address", "add", "192.0.2.9/24", "dev", "eth0")
    found = doctor(device, *port, "--mtu", "9000")
    assert found["kernel"]["level"] == "warn"
    warning, command = found["kernel"]["cure"].split("sudo ")
    assert "way in" in warning
    device.namespace.run(*command.split())

    found = doctor(device, *port)
    assert found["kernel"]["level"] == "ok"
    assert found["link"]["level"] == "ok"
    assert found["querier"]["level"] == "skip", "a second proves nothing"


def test_a_card_that_is_not_there_is_a_failure(lab):
    device = topology.Bridge(lab).device("leaf", LEAF)
    found = doctor(device, "--port", "0000:ff:1f.7")
    assert found["driver"]["level"] == "fail"
    assert "dpdk-devbind.py" in found["driver"]["cure"]
