"""joinleaf in a namespace: started, its JSON lines read as they come, ended by its pid."""

import json
import os
import signal
import subprocess
import threading
import time

from . import netns

PROGRAM = os.environ.get("JOINLEAF_PROGRAM", "build/apps/joinleaf/joinleaf")
# Microseconds that an idle worker rests: the kernel's switch and the peers need the CPUs, too.
REST = 50
START_TIME = 20.0  # seconds that a start may take on a machine that is busy with other things


def arguments(device, role, *more):
    """The command line for a device of the lab."""
    return [PROGRAM, role, "--port", device.interface,
            "--address", f"{device.address}/{device.length}", *map(str, more)]


class Joinleaf:
    """A running root or leaf."""

    def __init__(self, device, role, *more, polls=False):
        self.log = f"{device.lab.directory}/{device.namespace.name}-{role}-{time.monotonic_ns()}.log"
        self.what = f"{role} on {device.namespace.name}"
        device.lab.programs.append(self)
        self._changed = threading.Condition()
        self._events = []
        self._ended = False
        rest = () if polls or "--idle-sleep-us" in more else ("--idle-sleep-us", REST)
        with open(self.log, "w") as log:
            self.process = device.namespace.start(
                *arguments(device, role, "--json", "--cpu", device.lab.next_cpu(), *rest, *more),
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            now = time.time()
            try:
                event = json.loads(line)
            except ValueError:
                event = {"event": "not JSON", "line": line}
            with self._changed:
                self._events.append({**event, "read_at": now})
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    @property
    def said(self):
        """What it wrote for people."""
        with open(self.log) as log:
            return log.read()

    @property
    def events(self):
        with self._changed:
            return list(self._events)

    def wait(self, name, accept=lambda event: True, within=START_TIME):
        """The first event of that name that `accept` takes."""
        def found():
            return next((e for e in self._events if e["event"] == name and accept(e)), None)

        with self._changed:
            self._changed.wait_for(lambda: found() or self._ended, within)
            event = found()
        if event is None:
            raise AssertionError(f"no '{name}' within {within} s: {self.events}\n{self.said}")
        return event

    def connected(self):
        """Waits until the join is done; the event."""
        return self.wait("connected")

    def finish(self, within=30.0):
        """Waits for its end by itself; the summary. The exit code has to be 0."""
        try:
            code = self.process.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still runs after {within} s: {self.events[-3:]}\n{self.said}")
        assert code == 0, f"exit code {code}: {self.events[-3:]}\n{self.said}"
        return self.wait("summary", within=5)

    def stop(self, number=signal.SIGINT, within=15.0):
        """Asks it to end; the summary."""
        self.process.send_signal(number)
        return self.finish(within)

    def end(self):
        """Asks it to end, whatever comes of it."""
        netns.stop(self.process, signal.SIGINT)
        self._reader.join(5)

    def close(self):
        netns.stop(self.process, signal.SIGKILL)


def leaf(device, *more, polls=False):
    return device.lab.closing(Joinleaf(device, "leaf", *more, polls=polls))


def root(device, *more, polls=False):
    return device.lab.closing(Joinleaf(device, "root", *more, polls=polls))
