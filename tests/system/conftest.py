"""Fixtures of the system tests, and TAP on standard output for Meson (--tap)."""

import os
import signal
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from lab import netns, topology  # noqa: E402
from lab.site import Site  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def _machine():
    """Skips where namespaces are not allowed; has a terminated run clean up as well."""
    reason = netns.unavailable()
    if reason:
        pytest.skip(reason)
    topology.remove_leftovers()
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Lets the fixtures see that the test itself has failed."""
    report = (yield).get_result()
    if report.when == "call":
        item.failed = report.failed


def _judged_lab(directory, node=None):
    built = topology.Lab(directory)
    try:
        yield built
        if getattr(node, "failed", False):
            built.tell_of_programs()
        flawed = built.flawed_frames()
    finally:
        built.close()
    assert not flawed, "\n".join(flawed)


@pytest.fixture
def lab(tmp_path, request):
    """Namespaces for one test; every IGMP frame that joinleaf sent in them is judged at the end."""
    yield from _judged_lab(tmp_path, request.node)


@pytest.fixture(scope="module")
def module_lab(tmp_path_factory):
    """The same for all tests of a file, where a peer takes long to start."""
    yield from _judged_lab(tmp_path_factory.mktemp("lab"))


@pytest.fixture
def bridge(lab):
    """A snooping bridge with an IGMPv3 querier."""
    return topology.Bridge(lab)


@pytest.fixture
def site(lab, bridge):
    """A root and two leaves on that bridge, and on a management network."""
    return Site(lab, bridge)


def pytest_addoption(parser):
    parser.addoption("--tap", action="store_true", help="one TAP line a case on standard output")


def pytest_configure(config):
    if config.getoption("--tap"):
        config.pluginmanager.register(_Tap(), "tap")


class _Tap:
    """Test Anything Protocol: Meson counts the cases, and shows which of them failed."""

    def __init__(self):
        self._count = 0
        # The reports of pytest itself go to standard error from here on.
        self._out = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    @staticmethod
    def _name(report):
        return report.nodeid.split("::", 1)[-1].replace("#", " ")

    def _line(self, text):
        print(text, file=self._out, flush=True)

    def pytest_runtest_logreport(self, report):
        if report.outcome == "rerun":
            self._line(f"# second try: {self._name(report)}")
            return
        # A failure while tidying up is a case of its own: the test itself has passed already.
        if report.when == "call" or not report.passed:
            self._count += 1
            verdict = "not ok" if report.failed else "ok"
            name = self._name(report)
            if report.when != "call" and report.failed:
                name += f" ({report.when})"
            reason = ""
            if report.skipped:
                text = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
                reason = f" # SKIP {text.removeprefix('Skipped: ')}"
            self._line(f"{verdict} {self._count} {name}{reason}")

    def pytest_sessionfinish(self):
        self._line(f"1..{self._count}")
