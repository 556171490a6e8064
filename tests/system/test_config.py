"""A configuration file, and what happens when it is read again while the program runs."""

import signal
import subprocess
import time

import pytest

from lab import admission, netns, program, wire
from lab.admission import start_leaf, start_root, tell
from lab.site import GROUP as SESSION

LEAF, SENDER, OTHER = "10.77.0.12", "10.77.0.13", "10.77.0.14"
ONE, TWO, THREE = "239.1.1.1", "239.1.1.2", "239.1.1.3"


def write(path, **values):
    """Writes a file with these keys."""
    def text(value):
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, list):
            return "[" + ", ".join(f'"{element}"' for element in value) + "]"
        return str(value) if isinstance(value, int) else f'"{value}"'
    path.write_text("".join(f"{key.replace('_', '-')} = {text(value)}\n"
                            for key, value in values.items()))
    return path


def reload(process, accept=lambda event: True):
    """Sends SIGHUP; what it said of it."""
    before = time.time()
    process.process.send_signal(signal.SIGHUP)
    return process.wait("reloaded", lambda e: e["read_at"] >= before and accept(e), within=10)


def wait_record(device, record, since):
    """A report of the leaf with that record, among others perhaps."""
    device.capture.wait(lambda f: f.igmp and f.ipv4.source == LEAF
                        and record in wire.describe(f.igmp), since=since)


@pytest.fixture
def leaf_file(tmp_path):
    return tmp_path / "leaf.toml"


def test_a_leaf_follows_its_file(bridge, leaf_file):
    device = bridge.device("leaf", LEAF)
    groups = [f"{ONE}:5000", f"{TWO}:5000"]
    write(leaf_file, join=groups, output="null")
    leaf = program.leaf(device, "--config", leaf_file)
    leaf.wait("connected", lambda e: e["group"] == groups[1])

    # A group joined and one left; what needs a restart is named and stays.
    changed = time.time()
    write(leaf_file, join=[groups[0], f"{THREE}:5000"], output="null", mtu=1400)
    told = reload(leaf)
    assert (told["applied"], told["needs_restart"]) == (["join"], ["mtu"])
    wait_record(device, f"TO_IN({TWO}{{}})", changed)
    wait_record(device, f"TO_EX({THREE}{{}})", changed)
    assert leaf.wait("left")["group"] == groups[1]
    assert not [said for said in device.capture.said(LEAF, since=changed) if ONE in said]

    # Only named sources: another kind of join.
    changed = time.time()
    write(leaf_file, join=groups[:1], source=[SENDER], output="null", mtu=1400)
    told = reload(leaf)
    assert (told["applied"], told["needs_restart"]) == (["join", "source"], ["mtu"])
    wait_record(device, f"TO_IN({THREE}{{}})", changed)
    bridge.wait_entries(ONE, lambda entries: any(
        e["filter_mode"] == "include" and e.get("src") == SENDER for e in entries), within=8,
        port=device.port)

    # Another list of them: told as the difference.
    changed = time.time()
    write(leaf_file, join=groups[:1], source=[SENDER, OTHER], output="null", mtu=1400)
    assert reload(leaf)["applied"] == ["source"]
    wait_record(device, f"ALLOW({ONE}{{{OTHER}}})", changed)
    leaf.stop()


def test_a_file_that_is_wrong_changes_nothing(bridge, leaf_file):
    device = bridge.device("leaf", LEAF)
    write(leaf_file, join=[f"{ONE}:5000"], output="null")
    leaf = program.leaf(device, "--config", leaf_file)
    leaf.connected()
    bridge.settle()

    changed = time.time()
    write(leaf_file, join=[f"{TWO}:5000"], output="null", mtu=60, zebra=1)
    leaf.process.send_signal(signal.SIGHUP)
    leaf.wait("error", lambda e: e["what"] == "not reloaded: all stays as it was", within=10)
    said = [e["what"] for e in leaf.events if e["event"] == "error"]
    assert said[:2] == [f"{leaf_file}:3:7: mtu: '60' will not do; use a whole number from 68 to "
                        "65535",
                        f"{leaf_file}:4:1: zebra: there is no such key; `joinleaf leaf --help` "
                        "lists them, each with two dashes in front"]
    leaf_file.unlink()
    leaf.process.send_signal(signal.SIGHUP)
    leaf.wait("error", lambda e: "No such file" in e["what"], within=10)
    time.sleep(0.5)
    assert not [text for text in device.capture.said(LEAF, since=changed) if TWO in text]
    write(leaf_file, join=[f"{ONE}:5000"], output="null")
    assert reload(leaf)["applied"] == []
    leaf.stop()


def test_a_root_changes_its_rate_and_its_policy(site, tmp_path):
    policy, file, socket = (tmp_path / name for name in ("policy.toml", "root.toml", "commands"))
    policy.write_text('default = "deny"\n')
    path = tmp_path / "feed"
    admission.payload_file(path, 100_000)
    settings = {"input": path, "chunk": 1000, "policy": policy, "commands": socket}
    write(file, rate=100, **settings)
    root = start_root(site.root, SESSION, "--config", file)
    root.wait("listening")
    refused = start_leaf(site.one, site.root, "--output", "null")
    assert admission.exit_code(refused) == 1

    policy.write_text('default = "allow"\n')
    write(file, rate=2000, **settings)
    assert reload(root)["applied"] == ["rate"]
    leaf = start_leaf(site.one, site.root, "--output", "null")
    leaf.connected()
    now = time.time()
    fast = root.wait("status", lambda e: e["read_at"] > now + 2)
    assert 1500 < fast["pps"] < 2500

    # The operator's reload is the same; a policy that is wrong leaves the rate alone, too.
    write(file, rate=100, **settings)
    assert "in force now: rate" in tell(socket, "reload")[-1]
    policy.write_text('default = "perhaps"\n')
    write(file, rate=3000, **settings)
    told = netns.run(program.PROGRAM, "tell", str(socket), "reload", check=False)
    assert told.returncode == 1
    now = time.time()
    slow = root.wait("status", lambda e: e["read_at"] > now + 2)
    assert slow["pps"] < 150
    leaf.stop()
    root.stop()


def test_a_policy_that_has_moved_is_read_where_the_file_says(site, tmp_path):
    old, new, file, socket = (tmp_path / name for name in ("old.toml", "new.toml", "root.toml",
                                                           "commands"))
    old.write_text('default = "deny"\n')
    path = tmp_path / "feed"
    admission.payload_file(path, 100_000)
    settings = {"input": path, "rate": 100, "commands": socket}
    write(file, policy=old, **settings)
    root = start_root(site.root, SESSION, "--config", file)
    root.wait("listening")

    old.rename(new)
    new.write_text('default = "allow"\n')
    write(file, policy=new, **settings)
    assert reload(root)["applied"] == ["policy"]
    leaf = start_leaf(site.one, site.root, "--output", "null")
    leaf.connected()

    # What is wrong with it is told to whoever has asked for it.
    new.write_text('default = "perhaps"\n')
    told = netns.run(program.PROGRAM, "tell", str(socket), "reload", check=False)
    assert told.returncode == 1
    assert f"{new}:1: default should be" in told.stdout
    assert "not reloaded: all stays as it was" in told.stderr
    root.wait("error", lambda e: f"{new}:1: default should be" in e["what"])
    leaf.stop()
    root.stop()


def test_without_a_configuration_a_hangup_reads_the_policy_again(site, tmp_path):
    policy = tmp_path / "policy.toml"
    policy.write_text('default = "deny"\n')
    root = start_root(site.root, SESSION, *site.feed(), "--policy", policy)
    root.wait("listening")
    policy.write_text('default = "allow"\n')
    assert reload(root)["applied"] == []
    leaf = start_leaf(site.one, site.root, "--output", "null")
    leaf.connected()
    leaf.stop()
    root.stop()


def test_without_a_file_a_hangup_changes_nothing(bridge):
    device = bridge.device("leaf", LEAF)
    leaf = program.leaf(device, "--join", f"{ONE}:5000", "--output", "null")
    leaf.connected()
    leaf.process.send_signal(signal.SIGHUP)
    leaf.wait("note", lambda e: "SIGHUP changes nothing" in e["what"], within=5)
    leaf.stop()


def test_what_is_printed_can_be_fed_back(tmp_path):
    file = write(tmp_path / "leaf.toml", command="leaf", port="null", address=f"{LEAF}/24",
                 join=[f"{ONE}:5000"], output="null")

    def printed(*words):
        run = subprocess.run([program.PROGRAM, *map(str, words), "--print-config"],
                             capture_output=True, text=True, timeout=10, check=True)
        return run.stdout

    once = printed("--config", file, "--mtu", 1400)
    assert "mtu = 1400" in once and f"# {file}:2:8" in once
    again = tmp_path / "again.toml"
    again.write_text(once)
    values = [line.split("  ")[0] for line in once.splitlines() if not line.startswith("#")]
    fed_back = printed("--config", again).splitlines()
    assert [line.split("  ")[0] for line in fed_back if not line.startswith("#")] == values
