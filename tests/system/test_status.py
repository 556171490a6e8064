"""How an operator sees a running joinleaf: telemetry, metrics, and joinleaf stat."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import pexpect
import pyte
import pytest

from lab import kernel, netns, program
from lab.admission import start_leaf, start_root
from lab.site import GROUP, ONE

CHANNEL, PORT = "239.1.1.1", 5000
LEAF, SENDER = "10.77.0.12", "10.77.0.13"
METRICS = "127.0.0.1:9464"
DASHBOARD = pathlib.Path(__file__).parents[2] / "apps/joinleaf/grafana/joinleaf.json"
TABLES = ["runtime", "ports", "workers", "groups", "health", "sessions", "refusals", "losses",
          "drops", "igmp", "feeds", "feed_lines", "repairs", "repair_requests", "leaves"]


def folder(process):
    return pathlib.Path(f"/var/run/dpdk/joinleaf-{process.pid}")


def ask(process, *commands):
    """What Debian's own client prints for them; by command."""
    done = netns.run("dpdk-telemetry.py", "-f", folder(process).name,
                     input="".join(f"{command}\n" for command in commands))
    answers = {}
    for line in done.stdout.splitlines():
        answers.update(json.loads(line))
    return answers


def rows(process, table):
    answer = ask(process, f"/joinleaf/{table}")[f"/joinleaf/{table}"]
    assert answer["total"] == len(answer["rows"])
    return list(answer["rows"].values())


def beside(leaf, *argv, **options):
    """Runs a command in the namespace of a running joinleaf, whose loopback has its metrics."""
    return netns.run("nsenter", "--net", "--target", str(leaf.process.pid), *map(str, argv),
                     **options)


def scrape(leaf):
    return beside(leaf, "curl", "--silent", "--fail", f"http://{METRICS}/metrics").stdout


def families(text):
    """The names of the metrics that have a value."""
    return {line.split("{")[0].split(" ")[0] for line in text.splitlines()
            if line and not line.startswith("#")}


def value(text, name, **labels):
    """The one value of that name with these labels among its own."""
    found = []
    for line in text.splitlines():
        if re.match(rf"{name}[ {{]", line) and all(f'{k}="{v}"' in line
                                                   for k, v in labels.items()):
            found.append(float(line.rsplit(" ", 1)[1]))
    assert len(found) == 1, f"{name} {labels}: {found}"
    return found[0]


def stat(*arguments, **options):
    return netns.run(program.PROGRAM, "stat", *map(str, arguments), **options)


@pytest.fixture
def fed(bridge):
    """A leaf with two groups, one of which brings ten datagrams, and metrics."""
    device = bridge.device("leaf", LEAF)
    sender = bridge.host("sender", SENDER)
    leaf = program.leaf(device, "--join", f"{CHANNEL}:{PORT}", "--join", "239.1.1.2:5000",
                        "--output", "null", "--metrics", METRICS)
    for group in CHANNEL, "239.1.1.2":
        leaf.wait("connected", lambda e: e["group"].startswith(group))
    bridge.settle().wait_entries(CHANNEL, bool)
    source = bridge.lab.closing(kernel.Sender(sender.namespace, SENDER))
    source.send(CHANNEL, PORT, kernel.payloads(10))
    leaf.wait("status", lambda s: s["delivered"] == 10
              and all(join["health"] != "no_querier" for join in s["joins"]))
    leaf.feed = lambda: source.send(CHANNEL, PORT, kernel.payloads(10))
    return leaf


def test_dpdks_own_client_reads_every_table(fed):
    process = fed.process
    fed.feed()  # or the group is silent
    fed.wait("status", lambda s: s["delivered"] == 20, within=5)
    groups = {row["group"]: row for row in rows(process, "groups")}
    heard, unheard = groups[f"{CHANNEL}:{PORT}"], groups["239.1.1.2:5000"]
    assert (heard["health"], heard["delivered_datagrams"]) == ("receiving", 20)
    assert (unheard["health"], unheard["delivered_datagrams"]) == ("no_data", 0)
    assert heard["datagram_age_ns"] < 10e9 and "datagram_age_ns" not in unheard
    commands = ask(process, "/")["/"]
    assert sorted(c for c in commands if c.startswith("/joinleaf/")) == sorted(
        f"/joinleaf/{table}" for table in TABLES)
    port, = rows(process, "ports")
    assert port["address"] == f"{LEAF}/24"
    assert port["driver"] == "net_af_packet"
    assert port["delivered_datagrams"] == 20
    assert (port["link_up"], port["querier_heard"], port["igmp_version"]) == (1, 1, 3)
    worker, = rows(process, "workers")
    assert worker["frames"] >= 10 and worker["per_frame_ns"] > 0
    assert rows(process, "losses")[0]["application_queue"] == 0
    assert rows(process, "igmp")[0]["v3_queries"] > 0


def test_processes_do_not_meet_and_leave_nothing_behind(bridge, fed):
    other = program.leaf(bridge.device("other", "10.77.0.14"), "--join", f"{CHANNEL}:{PORT}",
                         "--output", "null")
    other.connected()
    assert rows(other.process, "ports")[0]["address"] == "10.77.0.14/24"
    assert rows(fed.process, "ports")[0]["address"] == f"{LEAF}/24"
    killed = folder(other.process)
    other.process.kill()
    other.process.wait()
    assert killed.exists()
    fed.stop()
    assert not folder(fed.process).exists()

    third = program.leaf(bridge.device("third", "10.77.0.15"), "--join", f"{CHANNEL}:{PORT}",
                         "--output", "null")
    third.connected()
    assert not killed.exists(), "the next process removes what a killed one has left"


def test_without_rights_or_hugepages_the_socket_is_the_users(tmp_path):
    runtime = tmp_path / "user"
    runtime.mkdir()
    os.chown(runtime, 65534, 65534)
    for parent in runtime.parents:
        if parent != pathlib.Path("/tmp") and parent.is_relative_to("/tmp"):
            parent.chmod(0o755)
    shutil.copy(program.PROGRAM, runtime / "joinleaf")
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(runtime)}
    environment.pop("RUNTIME_DIRECTORY", None)
    root = subprocess.Popen(
        [runtime / "joinleaf", "root", "--port", "null", "--address", "10.9.0.1/24", "--group",
         f"{CHANNEL}:{PORT}", "--input", "/dev/zero", "--rate", "1000", "--idle-sleep-us", "100"],
        env=environment, user=65534, group=65534, extra_groups=[], stderr=subprocess.PIPE, text=True)
    try:
        socket = runtime / "dpdk" / f"joinleaf-{root.pid}" / "dpdk_telemetry.v2"
        assert any("publishes to" in line for line in root.stderr)
        assert socket.stat().st_uid == 65534
        assert socket.parent.parent.stat().st_mode & 0o077 == 0, "others may not look"
        seen = subprocess.run([program.PROGRAM, "stat", "--json"], env=environment, user=65534,
                              group=65534, extra_groups=[], capture_output=True, text=True)
        assert seen.returncode == 0, seen.stderr
        assert json.loads(seen.stdout)["pid"] == root.pid
    finally:
        netns.stop(root, signal.SIGINT)
    assert not socket.parent.exists()


@contextlib.contextmanager
def leaf_with(runtime):
    """A leaf on no network whose RUNTIME_DIRECTORY that is."""
    leaf = subprocess.Popen(
        [program.PROGRAM, "leaf", "--port", "null", "--address", "10.9.0.2/24", "--join",
         f"{CHANNEL}:{PORT}", "--output", "null", "--idle-sleep-us", "100"],
        env={**os.environ, "RUNTIME_DIRECTORY": str(runtime)}, stderr=subprocess.PIPE, text=True)
    try:
        assert any("joined" in line for line in leaf.stderr)
        yield leaf
    finally:
        netns.stop(leaf, signal.SIGINT)


def test_stat_finds_a_process_where_its_environment_says(tmp_path):
    with leaf_with(tmp_path) as leaf:
        assert json.loads(stat("--json", "--pid", leaf.pid).stdout)["pid"] == leaf.pid


def test_stat_finds_what_the_unit_runs():
    """RuntimeDirectory=joinleaf/%i"""
    runtime = pathlib.Path(f"/run/joinleaf/test-{os.getpid()}")
    runtime.mkdir(parents=True)
    try:
        with leaf_with(runtime) as leaf:
            done = stat("--json", check=False)  # others may run on this host: then it lists them
            assert str(leaf.pid) in done.stdout + done.stderr
            listed = netns.run("dpdk-telemetry.py", "-f", f"joinleaf-{leaf.pid}",
                               input="/joinleaf/ports\n",
                               env={**os.environ, "RUNTIME_DIRECTORY": str(runtime)})
            assert "10.9.0.2/24" in listed.stdout
    finally:
        shutil.rmtree(runtime)
        with contextlib.suppress(OSError):
            runtime.parent.rmdir()


def test_where_no_socket_can_be_the_program_says_so_and_runs(tmp_path):
    nowhere = tmp_path / ("long" * 30)
    nowhere.mkdir()
    done = subprocess.run(
        [program.PROGRAM, "root", "--port", "null", "--address", "10.9.0.1/24", "--group",
         f"{CHANNEL}:{PORT}", "--input", "/dev/null", "--idle-sleep-us", "100"],
        env={**os.environ, "RUNTIME_DIRECTORY": str(nowhere)}, capture_output=True, text=True,
        timeout=60)
    assert done.returncode == 0, done.stderr
    assert "no telemetry, so that neither `joinleaf stat` nor dpdk-telemetry.py" in done.stderr
    assert "is too long for a Unix socket; set RUNTIME_DIRECTORY" in done.stderr


def test_metrics_are_as_prometheus_wants_them(fed):
    text = scrape(fed)
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True,
                             text=True, timeout=30)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
    assert value(text, "joinleaf_port_delivered_datagrams_total") == 10
    assert value(text, "joinleaf_group_delivered_datagrams_total", group=f"{CHANNEL}:{PORT}") == 10
    assert value(text, "joinleaf_group_health", group="239.1.1.2:5000", health="no_data") == 1
    assert value(text, "joinleaf_joined_groups", health="no_data") == 1
    assert value(text, "joinleaf_port_lost_frames_total", place="nic") == 0
    assert value(text, "joinleaf_rows_left_out", table="groups") == 0
    fed.feed()
    deadline = time.time() + 5
    while time.time() < deadline:
        text = scrape(fed)
        if value(text, "joinleaf_port_delivered_datagrams_total") == 20:
            break
    assert value(text, "joinleaf_port_delivered_datagrams_total") == 20, "each scrape looks anew"


def test_the_dashboard_asks_for_metrics_that_there_are(site, tmp_path):
    """Every name in it: in a scrape of a root of a feed with a leaf, or of that leaf."""
    messages = tmp_path / "messages"
    messages.write_text("a message\n" * 60_000)
    root = start_root(site.root, GROUP, "--framing", "moldudp64", "--input", messages,
                      "--input-format", "lines", "--rate", 1000, "--metrics", METRICS)
    root.wait("listening")
    leaf = start_leaf(site.one, site.root, "--output", "null", "--metrics", METRICS)
    leaf.wait("status", lambda s: s["delivered"] > 100)
    texts = [scrape(one) for one in (root, leaf)]
    dashboard = json.loads(DASHBOARD.read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    expressions += [v["query"]["query"] for v in dashboard["templating"]["list"]
                    if v["type"] == "query"]
    asked = {name for e in expressions for name in re.findall(r"\bjoinleaf_\w+", e)}
    assert len(asked) > 15
    assert asked - (families(texts[0]) | families(texts[1])) == set()
    identifiers = [panel["id"] for panel in dashboard["panels"]]
    assert len(identifiers) == len(set(identifiers))

    assert value(texts[1], "joinleaf_feed_latency_seconds", quantile="0.5") > 0
    assert value(texts[1], "joinleaf_feed_latency_seconds_count") > 0
    assert value(texts[0], "joinleaf_session_members") == 1
    assert value(texts[0], "joinleaf_session_admitted_leaves_total") == 1
    there, = rows(root.process, "leaves")
    assert (there["data_address"], there["stage"]) == (ONE, "member")


def test_metrics_that_cannot_be_served_are_told_in_one_line(fed):
    def refused(address):
        done = beside(fed, program.PROGRAM, "root", "--port", "null", "--address", "10.9.0.1/24",
                      "--group", f"{CHANNEL}:{PORT}", "--input", "/dev/null", "--quiet",
                      "--idle-sleep-us", "100", "--metrics", address, check=False)
        assert done.returncode == 1 and done.stderr.count("\n") == 1
        return done.stderr

    assert f"cannot serve metrics at {METRICS}: Address already in use" in refused(METRICS)
    assert "cannot serve metrics at 192.0.2.1:9464" in refused("192.0.2.1:9464")


def test_stat_once_tells_rates_and_joins(fed):
    looking = subprocess.Popen([program.PROGRAM, "stat", "--pid", str(fed.process.pid),
                                "--interval", "2"], stdout=subprocess.PIPE, text=True)
    while looking.poll() is None:
        fed.feed()
        time.sleep(0.1)
    text = looking.stdout.read()
    assert looking.returncode == 0
    assert text.startswith(f"process {fed.process.pid}  ")
    assert re.search(rf"{CHANNEL}:{PORT} +EX{{}} +receiving +[1-9][0-9]* +[0-9]+ ", text), text
    assert re.search(r"239.1.1.2:5000 +EX{} +no_data +0 +0", text), text
    assert re.search(r"net_af_packet +up ", text), text


def test_stat_as_json_is_what_telemetry_has(fed):
    seen = json.loads(stat("--json", "--pid", fed.process.pid).stdout)
    assert seen["pid"] == fed.process.pid
    assert [*seen] == ["pid", "command", *TABLES]
    assert "--join" in seen["command"]
    assert seen["ports"][0]["mac"] == rows(fed.process, "ports")[0]["mac"]
    by_path = json.loads(stat(folder(fed.process) / "dpdk_telemetry.v2", "--json").stdout)
    assert by_path["pid"] == fed.process.pid


def test_stat_of_what_is_not_there_says_so():
    done = stat("--pid", os.getpid(), check=False)
    assert done.returncode == 1
    assert f"process {os.getpid()} is no running joinleaf of yours" in done.stderr
    done = stat("/nonexistent", check=False)
    assert done.returncode == 1 and "cannot look at /nonexistent" in done.stderr


class Screen:
    """joinleaf stat on a terminal, and what a person sees there."""

    def __init__(self, process, rows=24, columns=100):
        self.seen = pyte.Screen(columns, rows)
        self._stream = pyte.Stream(self.seen)
        self.child = pexpect.spawn(
            program.PROGRAM, ["stat", "--pid", str(process.pid), "--interval", "0.3"],
            dimensions=(rows, columns), encoding="utf-8",
            env={**os.environ, "TERM": "linux", "LC_ALL": "C.UTF-8"})

    def look(self):
        try:
            self._stream.feed(self.child.read_nonblocking(65536, timeout=0.1))
        except (pexpect.TIMEOUT, pexpect.EOF):
            pass
        return [line.rstrip() for line in self.seen.display]

    def wait(self, holds, within=10):
        """Looks until the lines are as wanted."""
        deadline = time.time() + within
        lines = self.look()
        while not holds(lines):
            assert time.time() < deadline, "\n".join(lines)
            lines = self.look()
        return lines

    def resize(self, rows, columns):
        self.seen.resize(rows, columns)
        self.child.setwinsize(rows, columns)

    def press(self, key):
        self.child.send(key)

    def end(self):
        """Waits for the end; what it said last, and its exit code."""
        deadline = time.time() + 10
        while self.child.isalive() and time.time() < deadline:
            self.look()
        last = self.look()
        self.child.close()
        return last, self.child.exitstatus

    def close(self):
        self.child.close(force=True)


DOWN, UP, END, HOME = "\x1b[B", "\x1b[A", "\x1b[4~", "\x1b[1~"  # of TERM=linux


def test_stat_on_a_terminal_lives_scrolls_and_goes(bridge, fed):
    screen = bridge.lab.closing(Screen(fed.process))
    lines = screen.wait(lambda lines: "q quit" in lines[-1])
    assert lines[0].startswith(f"process {fed.process.pid}  ")
    assert lines[1] == "Ports (1)"
    assert "lines 1-" in lines[-1]
    screen.wait(lambda lines: any(re.search(r"239.1.1.1:5000 .* [0-9]+ +10 ", l) for l in lines))

    screen.resize(10, 60)
    lines = screen.wait(lambda lines: "lines 1-8 of" in lines[9])
    assert lines[1] == "Ports (1)"
    screen.press(DOWN)
    lines = screen.wait(lambda lines: "lines 2-9 of" in lines[9])
    assert "driver" in lines[1]
    screen.press(UP)
    screen.wait(lambda lines: lines[1] == "Ports (1)")
    screen.press(END)
    screen.wait(lambda lines: re.search(r"-(\d+) of \1", lines[9]))
    screen.press(HOME)
    screen.wait(lambda lines: lines[1] == "Ports (1)")

    screen.resize(40, 120)
    screen.wait(lambda lines: "q quit" in lines[39])
    screen.press("p")
    still = screen.wait(lambda lines: "PAUSED" in lines[39])
    fed.feed()
    fed.wait("status", lambda s: s["delivered"] == 20, within=5)
    time.sleep(0.5)
    assert screen.look() == still
    screen.press("p")
    screen.wait(lambda lines: "PAUSED" not in lines[39]
                and any(re.search(r"239.1.1.1:5000 .* 20 ", l) for l in lines))
    screen.press("q")
    assert screen.end()[1] == 0


def test_stat_on_a_terminal_shows_in_red_what_is_dropped_now(bridge):
    device = bridge.device("leaf", LEAF)
    sender = bridge.host("sender", SENDER)
    source = bridge.lab.closing(kernel.Sender(sender.namespace, SENDER))
    leaf = program.leaf(device, "--join", f"{CHANNEL}:{PORT}", "--output", "null")
    leaf.connected()
    bridge.settle().wait_entries(CHANNEL, bool)
    screen = bridge.lab.closing(Screen(leaf.process, rows=40, columns=120))
    screen.wait(lambda lines: "q quit" in lines[39])

    def red():
        return {row for row in range(40)
                if any(cell.fg == "red" for cell in screen.seen.buffer[row].values())}

    deadline = time.time() + 10
    while time.time() < deadline:
        source.send(CHANNEL, PORT + 1, kernel.payloads(10))
        lines = screen.look()
        if any("no_subscriber" in lines[row] for row in red()):
            break
    else:
        raise AssertionError("\n".join(lines))


def test_stat_on_a_terminal_ends_when_its_process_does(bridge, fed):
    screen = bridge.lab.closing(Screen(fed.process))
    screen.wait(lambda lines: lines[1] == "Ports (1)")
    fed.stop()
    said, code = screen.end()
    assert code == 1
    assert any(f"joinleaf stat: process {fed.process.pid} has ended" in line for line in said)
