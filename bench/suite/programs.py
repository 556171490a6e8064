"""Runs the programs of a build: to their end, or as a receiver that is told when to end."""

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import time

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)
_START = 30  # seconds that a program may take to be ready, on a busy machine
_END = 30


class Failed(Exception):
    """A measurement that gave no figure, and why."""


def _prepared(cpu):
    """What a child does first: it dies with us, and keeps to its CPU."""
    def prepare():
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if cpu is not None:
            os.sched_setaffinity(0, {cpu})
    return prepare


def run(*command, cpu=None, timeout=120):
    """Standard output of a command that has to succeed."""
    command = [str(word) for word in command]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL, preexec_fn=_prepared(cpu))
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(str(error)) from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Failed(f"{os.path.basename(command[0])} ended with {done.returncode}: "
                     f"{said[-1] if said else 'it said nothing'}")
    return done.stdout


def run_json(*command, **options):
    """The JSON object in the last line that a command prints."""
    lines = run(*command, **options).splitlines()
    try:
        return json.loads(lines[-1])
    except (IndexError, ValueError) as error:
        raise Failed(f"{os.path.basename(command[0])} printed no JSON: {lines[-1:]}") from error


class Peer:
    """A program that says {"ready":true}, and its result in one more line when it ends."""

    def __init__(self, *command):
        self._name = os.path.basename(str(command[0]))
        self._lines = b""
        self._process = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, preexec_fn=_prepared(None))

    def _line(self, within):
        """The next line of standard output; None when it ended first."""
        out = self._process.stdout.fileno()
        deadline = time.monotonic() + within
        while b"\n" not in self._lines:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([out], [], [], left)[0]:
                raise Failed(f"{self._name} said nothing within {within} s")
            read = os.read(out, 65536)
            if not read:
                return None
            self._lines += read
        line, self._lines = self._lines.split(b"\n", 1)
        try:
            return json.loads(line)
        except ValueError as error:
            raise Failed(f"{self._name} said: {line.decode(errors='replace')}") from error

    def _expect(self, within):
        line = self._line(within)
        if line is None:
            said = self._process.stderr.read().decode().strip()
            raise Failed(said or f"{self._name} ended without a word")
        return line

    def ready(self):
        self._expect(_START)

    def result(self, seconds=0):
        """Of one that ends by itself after so long."""
        return self._expect(seconds + _END)

    def told_to_end(self):
        self._process.send_signal(signal.SIGTERM)
        return self._expect(_END)

    def close(self):
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process.stdout.close()
        self._process.stderr.close()


@contextlib.contextmanager
def peer(*command):
    started = Peer(*command)
    try:
        yield started
    finally:
        started.close()
