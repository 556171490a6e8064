#!/usr/bin/python3
"""Builds applications against the joinleaf that is installed, and runs them.

usage: applications.py EXAMPLES     the installed examples, as in /usr/share/doc/joinleaf/examples

They are projects of their own, outside of joinleaf's tree: the examples, and application/, where lines
go from one end of a wire to the other. The compiler finds the library by pkg-config, and the programs
find it by the dynamic linker.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

APPLICATION = pathlib.Path(__file__).resolve().parent / "application"
PORT_AND_GROUP = ["null", "10.9.0.1/24", "239.1.1.1:5000"]
LINES = [f"10.9.0.1: line {number}" for number in range(1, 101)]
BUILD_TIME = 300
RUN_TIME = 60


def compiler():
    return os.environ.get("CXX") or ("ccache g++" if shutil.which("ccache") else "g++")


def build(sources, project):
    """Copies `sources` to `project` and builds them there; returns where the programs are."""
    shutil.copytree(sources, project)
    built = project / "build"
    for command in (["meson", "setup", built, project], ["ninja", "-C", built]):
        run = subprocess.run(command, env={**os.environ, "CXX": compiler()}, timeout=BUILD_TIME,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             check=False)
        if run.returncode:
            raise AssertionError(f"{command[0]} failed:\n{run.stdout}")
    return built


def run_feed(built):
    """Every line that is published is received, in order."""
    feed = subprocess.run([built / "feed"], timeout=RUN_TIME, capture_output=True, text=True,
                          check=False)
    lines = [line for line in feed.stdout.splitlines() if not line.startswith(("TELEMETRY", "EAL"))]
    if feed.returncode or lines != LINES:
        raise AssertionError(f"feed exits with {feed.returncode}:\n{feed.stdout}{feed.stderr}")


def run_examples(built):
    """The publisher publishes, and the subscriber joins its group."""
    with subprocess.Popen([built / "publisher", *PORT_AND_GROUP], stderr=subprocess.PIPE,
                          text=True) as publisher, \
            subprocess.Popen([built / "subscriber", *PORT_AND_GROUP], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True) as subscriber:
        try:
            # Both end by themselves after a minute; this one says at once that it has joined.
            said = subscriber.stdout.readline()
            publishing = publisher.poll() is None
        finally:
            publisher.kill()
            subscriber.kill()
        if said != "joined 239.1.1.1:5000\n" or not publishing:
            raise AssertionError(f"the subscriber says {said!r}, {subscriber.stderr.read()!r}; "
                                 f"the publisher says {publisher.stderr.read()!r}")


def main():
    with tempfile.TemporaryDirectory(prefix="joinleaf-applications-") as directory:
        directory = pathlib.Path(directory)
        run_feed(build(APPLICATION, directory / "application"))
        run_examples(build(pathlib.Path(sys.argv[1]), directory / "examples"))


if __name__ == "__main__":
    main()
