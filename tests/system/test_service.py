"""A root or leaf under a service manager, which the test plays: notifications, watchdog, journal."""

import ctypes
import json
import os
import signal
import socket
import time

import pytest

from lab import netns, program, wire

LEAF, SENDER = "10.77.0.12", "10.77.0.13"
GROUP = "239.1.1.1:5000"
WATCHDOG = 0.6  # seconds that the manager waits for a sign of life

_PTRACE_DETACH, _PTRACE_SEIZE, _PTRACE_INTERRUPT = 17, 0x4206, 0x4207
_WALL = 0x40000000


class Manager:
    """The notify socket of a service manager."""

    def __init__(self, path):
        self.path = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self.heard = []  # (when, {key: value})

    def environment(self, **more):
        return {**os.environ, "NOTIFY_SOCKET": self.path, **more}

    def listen(self, seconds, until=lambda said: False):
        """Hears what is said for so long, or until it is what is waited for; that."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                text = self._socket.recv(4096).decode()
            except TimeoutError:
                return None
            said = dict(line.split("=", 1) for line in text.splitlines())
            self.heard.append((time.monotonic(), said))
            if until(said):
                return said
        return None

    def wait(self, key, value=None, within=20.0):
        said = self.listen(within, lambda s: key in s and value in (None, s[key]))
        assert said, f"no {key}={value} within {within} s: {self.heard[-10:]}"
        return said

    def signs_of_life(self, seconds):
        begin = len(self.heard)
        self.listen(seconds)
        return sum("WATCHDOG" in said for _, said in self.heard[begin:])


@pytest.fixture
def manager(tmp_path):
    return Manager(tmp_path / "notify")


def start(device, role, *words, env):
    """The program with an environment of its own; what it says goes to files."""
    log = open(f"{device.lab.directory}/service.log", "w+")
    command = program.arguments(device, role, "--cpu", device.lab.next_cpu(), *words)
    process = device.namespace.start(*map(str, command), stdout=log, stderr=log, env=env)
    process.log = log
    return device.lab.closing(_Closing(process))


class _Closing:
    def __init__(self, process):
        self.process = process
        self.log = process.log

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def close(self):
        netns.stop(self.process, signal.SIGKILL)
        self.log.close()


class Held:
    """One thread of a process, stopped while the others run."""

    def __init__(self, thread):
        self._thread = thread
        self._ptrace(_PTRACE_SEIZE)
        self._ptrace(_PTRACE_INTERRUPT)
        os.waitpid(thread, _WALL)

    def _ptrace(self, request):
        libc = ctypes.CDLL(None, use_errno=True)
        libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        if libc.ptrace(request, self._thread, None, None) != 0:
            raise OSError(ctypes.get_errno(), f"ptrace {request:#x}")

    def let_go(self):
        self._ptrace(_PTRACE_DETACH)


def thread_of(process, name):
    for thread in os.listdir(f"/proc/{process.pid}/task"):
        with open(f"/proc/{process.pid}/task/{thread}/comm") as comm:
            if comm.read().strip().startswith(name):
                return int(thread)
    raise AssertionError(f"no thread {name}")


def test_a_leaf_tells_how_it_goes(bridge, manager, tmp_path):
    device = bridge.device("leaf", LEAF)
    file = tmp_path / "leaf.toml"
    file.write_text(f'join = "{GROUP}"\noutput = "null"\n')
    leaf = start(device, "leaf", "--config", file, env=manager.environment())
    ready = manager.wait("READY")
    assert ready["STATUS"] == "on eth0: 1 joined, 0 datagrams delivered"
    # Joined means joined: the report is on the wire.
    assert f"TO_EX({GROUP.split(':')[0]}{{}})" in device.capture.said(LEAF)

    file.write_text(f'join = ["{GROUP}", "239.1.1.2:5000"]\noutput = "null"\n')
    leaf.process.send_signal(signal.SIGHUP)
    reloading = manager.wait("RELOADING", "1")
    assert abs(int(reloading["MONOTONIC_USEC"]) / 1e6 - time.monotonic()) < 5
    manager.wait("READY", "1")
    assert "2 joined" in manager.wait("STATUS")["STATUS"]

    leaf.process.send_signal(signal.SIGTERM)
    manager.wait("STOPPING", "1")
    assert leaf.process.wait(10) == 0
    # Nobody asked for signs of life.
    assert not any("WATCHDOG" in said for _, said in manager.heard)


def test_a_root_is_ready_when_it_can_publish(bridge, manager):
    device = bridge.device("root", SENDER)
    root = start(device, "root", "--group", GROUP, "--input", "/dev/zero", "--rate", 1000,
                 env=manager.environment())
    assert manager.wait("READY")["STATUS"] == "on eth0: 0 datagrams sent"
    assert ": 0 datagrams" not in manager.wait("STATUS")["STATUS"]
    root.process.send_signal(signal.SIGTERM)
    manager.wait("STOPPING", "1")
    assert root.process.wait(10) == 0


def test_a_start_that_fails_is_never_ready(bridge, manager):
    device = bridge.device("leaf", LEAF)
    leaf = start(device, "leaf", "--join", GROUP, "--output", "/nowhere/copy",
                 env=manager.environment())
    assert leaf.process.wait(20) == 1
    manager.listen(0.2)
    assert not any("READY" in said for _, said in manager.heard)


@pytest.mark.parametrize("who", ["rte-worker", "jl-control"])
def test_the_watchdog_is_fed_only_while_all_goes_on(bridge, manager, who):
    device = bridge.device("leaf", LEAF)
    leaf = start(device, "leaf", "--join", GROUP, "--output", "null", "--queues", 1,
                 env=manager.environment(WATCHDOG_USEC=str(int(WATCHDOG * 1e6))))
    manager.wait("READY")
    assert manager.signs_of_life(3 * WATCHDOG) >= 5

    held = Held(thread_of(leaf.process, who))
    manager.signs_of_life(WATCHDOG)  # what was on its way
    assert manager.signs_of_life(4 * WATCHDOG) == 0, "a stuck thread is as good as dead"
    held.let_go()
    manager.wait("WATCHDOG", "1", within=5)
    assert manager.signs_of_life(3 * WATCHDOG) >= 5
    leaf.process.send_signal(signal.SIGTERM)
    manager.wait("STOPPING", "1")
    assert leaf.process.wait(10) == 0


def test_signs_of_life_are_for_whom_the_manager_asks(bridge, manager):
    device = bridge.device("leaf", LEAF)
    start(device, "leaf", "--join", GROUP, "--output", "null",
          env=manager.environment(WATCHDOG_USEC="300000", WATCHDOG_PID="1"))
    manager.wait("READY")
    assert manager.signs_of_life(1) == 0


def test_lines_for_the_journal_have_their_priority(bridge, manager):
    device = bridge.device("leaf", LEAF)
    path = f"{device.lab.directory}/service.log"
    open(path, "w").close()
    status = os.stat(path)
    env = {**os.environ, "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
    leaf = start(device, "leaf", "--join", GROUP, "--output", "/nowhere/copy", env=env)
    assert leaf.process.wait(20) == 1
    assert [line[:17] for line in leaf.said().splitlines()] == ["<3>joinleaf leaf:"]
    wrong = start(device, "leaf", "--mtu", 1, env=env)
    assert wrong.process.wait(20) == 2
    assert all(line.startswith("<3>") for line in wrong.said().splitlines())


def start_with_state(device, path, *words):
    return program.leaf(device, *words, "--output", "null", "--state", path)


def reports(device, since):
    """What the leaf told by IGMP, record by record."""
    return " ".join(device.capture.said(LEAF, since=since))


def wait_record(device, record, since):
    device.capture.wait(lambda f: f.igmp and f.ipv4.source == LEAF
                        and record in wire.describe(f.igmp), since=since)


def test_the_next_start_sends_the_leaves_of_one_that_was_killed(bridge, tmp_path):
    device = bridge.device("leaf", LEAF)
    path = tmp_path / "leaf.state"
    kept, gone = "239.1.1.2", "239.1.1.3"
    killed = start_with_state(device, path, "--join", f"{kept}:5000", "--join", f"{gone}:5000")
    killed.wait("connected", lambda e: e["group"].startswith(gone))
    bridge.wait_entries(gone, bool, port=device.port)
    time.sleep(1.2)  # the joins are repeated within a second
    before = time.time()
    killed.process.kill()
    killed.process.wait()
    assert path.exists()
    assert "TO_IN" not in reports(device, before), "nothing tells that it has gone"

    again = start_with_state(device, path, "--join", f"{kept}:5000", "--join", "239.1.1.4:5000")
    again.wait("connected", lambda e: e["group"].startswith("239.1.1.4"))
    wait_record(device, f"TO_IN({gone}{{}})", before)
    assert f"TO_IN({kept}" not in reports(device, before)
    bridge.wait_entries(gone, lambda entries: not entries, within=6, port=device.port)
    assert [e for e in again.events if e["event"] == "note" and f"leaves {gone}" in e["what"]]
    again.stop()
    assert not path.exists(), "nothing is owed after a good end"


@pytest.mark.parametrize("damage", ["corrupt", "foreign", "stale"])
def test_a_state_file_that_is_of_no_use_is_told_and_sends_nothing(bridge, tmp_path, damage):
    device = bridge.device("leaf", LEAF)
    path = tmp_path / "leaf.state"
    gone = "239.1.1.3"
    killed = start_with_state(device, path, "--join", f"{gone}:5000")
    killed.connected()
    killed.process.kill()
    killed.process.wait()
    text = path.read_text()
    if damage == "corrupt":
        path.write_text(text[: len(text) // 2])
    else:
        state = json.loads(text)
        state.update({"address": "10.77.0.99/24"} if damage == "foreign"
                     else {"alive_at": state["alive_at"] - 1000})
        path.write_text(json.dumps(state))
    before = time.time()
    again = start_with_state(device, path, "--join", "239.1.1.4:5000")
    again.connected()
    assert [e for e in again.events if e["event"] == "note"
            and f"the state file {path} is of no use" in e["what"]]
    time.sleep(1.2)
    assert gone not in reports(device, before)
    again.stop()
