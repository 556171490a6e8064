"""What the operator of a running root says to it: by a socket, or on standard input."""

import json
import os
import subprocess
import time

from lab import admission, netns, program
from lab.admission import start_leaf, start_root, tell
from lab.site import CHANNEL, GROUP, LEAVE, ONE, TWO

RATE = 1000


def test_an_expelled_leaf_alone_is_out_at_once(site, tmp_path):
    """M25, M26: FD_CLOSE, no more data, and the IGMP leave; the other leaf loses nothing."""
    at_one = site.lab.capture(site.bridge.namespace, site.one.port, "udp")
    socket = tmp_path / "commands"
    root = start_root(site.root, GROUP, *site.feed(rate=RATE), "--commands", socket)
    root.wait("listening")
    received = {name: tmp_path / name for name in ("one", "two")}
    one, two = (start_leaf(device, site.root, "--name", name, "--output", received[name])
                for name, device in (("one", site.one), ("two", site.two)))
    for leaf in one, two:
        leaf.wait("status", lambda e: e["delivered"] > RATE)

    began = time.time()
    told = netns.run(program.PROGRAM, "tell", str(socket), "expel", "one")
    told_at = time.time()
    assert told.stdout.startswith("ok: expelled leaf ") and f"data address {ONE}" in told.stdout
    closed = one.wait("closed", within=5)
    assert closed["reason"] == "expelled"
    assert closed["read_at"] - told_at < 1.0
    assert admission.exit_code(one) == 1
    assert f"the root {site.root.management}:7000 has expelled this leaf" in one.said
    site.has_left(site.one, began)
    left = root.wait("leaf_left")
    assert (left["name"], left["reason"]) == ("one", "expelled")

    now = time.time()
    two.wait("status", lambda e: e["read_at"] > now + 1)
    assert [e for e in two.events if e["event"] == "closed"] == []
    assert site.two.capture.said(TWO, since=began).count(LEAVE) == 0
    two.stop()
    assert root.stop()["leaves"] == {"joined": 2, "left": 2, "refused": 0, "now": 0}
    numbers = admission.numbers_in(received["two"])
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    numbers = admission.numbers_in(received["one"])
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    last = next(f for f in at_one.stop().frames
                if int.from_bytes(f.udp.payload[:8], "big") == numbers[-1])
    assert began - 0.2 < last.time < told_at + 0.5, "it delivered until then and not for longer"
    again = netns.run(program.PROGRAM, "tell", str(socket), "leaves", check=False)
    assert again.returncode == 1
    assert again.stderr.startswith(f"joinleaf tell: cannot reach {socket}: No such file")


def test_what_an_operator_may_say(site, tmp_path):
    """M5, M12: leaves, invite, and an answer to whatever is wrong."""
    socket = tmp_path / "commands"
    root = start_root(site.root, GROUP, *site.feed(), "--output", "null", "--commands", socket)
    root.wait("listening")
    assert tell(socket, "leaves") == ["ok: 0 leaves"]
    wrong = netns.run(program.PROGRAM, "tell", str(socket), "expel", "desk", check=False)
    assert (wrong.returncode, wrong.stdout, wrong.stderr) == (
        1, "", "joinleaf tell: no leaf here is 'desk'; 'leaves' lists those that are\n")
    assert tell(socket, "frob", "expel", "expel desk", "invite here") == [
        "error: 'frob' is not a command; 'help' lists them",
        "error: say whom to expel, by number, data address or name, as in 'expel desk-7'",
        "error: no leaf here is 'desk'; 'leaves' lists those that are",
        "error: invite: 'here' has no port; write address and port as in 192.0.2.1:7000"]
    sent = admission.payload_file(tmp_path / "sent", 10)
    start_leaf(site.one, site.root, "--name", "desk", "--output", "null", "--send", sent,
               "--chunk", 1000).wait("all_sent")
    at = f"{site.two.management}:7001"
    assert tell(socket, f"invite {at}", f"invite {at}") == [
        f"ok: invites {at}, again every second until it comes",
        f"error: {at} is being invited already"]
    invited = program.leaf(site.two, "--listen", at, "--name", "desk", "--output", "null")
    invited.connected()
    assert root.wait("leaf_joined", lambda e: e["leaf"] == 2)["invited"]
    one, two, count = tell(socket, "leaves")
    assert one.startswith("leaf 1: desk at ")
    assert one.endswith(f", data address {ONE}, has sent 10 datagrams")
    assert two.startswith(f"leaf 2: desk at {site.two.management}:")
    assert count == "ok: 2 leaves"
    assert tell(socket, "expel desk") == [
        "error: 'desk' fits 2 leaves; say which by its number: 1, 2"]
    assert tell(socket, f"expel {TWO}")[0].startswith("ok: expelled leaf 2: desk")
    assert invited.wait("closed")["reason"] == "expelled"
    assert tell(socket, "leaves")[1:] == ["ok: 1 leaf"]
    # Who was invited and has gone may be invited again.
    assert tell(socket, f"invite {at}")[0].startswith("ok: invites")
    assert admission.exit_code(invited) == 1
    again = program.leaf(site.two, "--listen", at, "--output", "null")
    again.connected()
    root.process.kill()
    root.process.wait()
    assert socket.exists(), "what this is about"
    after = start_root(site.root, GROUP, *site.feed(), "--commands", socket)
    after.wait("listening")
    assert tell(socket, "leaves") == ["ok: 0 leaves"]
    after.stop()
    assert not socket.exists()


def test_the_policy_is_read_again(site, tmp_path):
    """What the file says now holds for whoever asks now; who is in stays; a wrong file is told of."""
    socket, policy = tmp_path / "commands", tmp_path / "policy.toml"

    def allow(name):
        policy.write_text(f'[[rule]]\nname = "only"\naction = "allow"\nleaf = "{name}"\n')

    allow("one")
    root = start_root(site.root, GROUP, *site.feed(), "--policy", policy, "--commands", socket)
    root.wait("listening")
    one = start_leaf(site.one, site.root, "--name", "one", "--output", "null")
    one.connected()
    assert admission.exit_code(
        start_leaf(site.two, site.root, "--name", "two", "--output", "null")) == 1
    allow("two")
    assert tell(socket, "reload") == [
        "ok: the policy and the TLS files are read again, and hold for whoever asks now"]
    two = start_leaf(site.two, site.root, "--name", "two", "--output", "null")
    two.connected()
    policy.write_text("[[rule]\n")
    why, verdict = tell(socket, "reload")
    assert "policy.toml:1: " in why and verdict == "error: not reloaded: all stays as it was"
    root.wait("error", lambda e: "policy.toml:1: " in e["what"])
    now = time.time()
    for leaf in one, two:
        leaf.wait("status", lambda e: e["read_at"] > now + 1 and e["delivered"] > 0)
    assert root.stop()["leaves"]["refused"] == 1


def test_commands_on_standard_input(site):
    """Answers are events with --json; the end of the input is not the root's."""
    reading, writing = os.pipe()
    root = site.root.namespace.start(
        *program.arguments(site.root, "root", "--json", "--group", GROUP, "--output", "null",
                           "--commands", "-"),
        "--listen", f"{site.root.management}:7000",
        stdin=reading, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    os.close(reading)

    def event(name):
        while (found := json.loads(root.stdout.readline()))["event"] != name:
            pass
        return found

    def answer():
        return event("answer")["what"]

    os.write(writing, b"leaves\n")
    assert answer() == "ok: 0 leaves\n"
    start_leaf(site.one, site.root, "--name", "one", "--output", "null")
    event("leaf_joined")
    os.write(writing, b"expel one\n")
    assert answer().startswith("ok: expelled leaf 1: one at ")
    os.close(writing)
    time.sleep(0.2)
    assert root.poll() is None
    root.terminate()
    root.communicate(timeout=15)
    assert root.returncode == 0
