"""One network namespace: made, entered, and removed with everything that runs in it."""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess

_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def unavailable():
    """Why namespaces cannot be used here, or None when they can."""
    for tool in ("ip", "bridge", "tcpdump", "ethtool"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    probe = f"jl-{os.getpid()}-probe"
    made = subprocess.run(["ip", "netns", "add", probe], capture_output=True, text=True)
    if made.returncode != 0:
        return f"network namespaces are not allowed here: {made.stderr.strip()}"
    subprocess.run(["ip", "netns", "del", probe], check=True)
    return None


def run(*argv, timeout=30, check=True, **options):
    """Runs a command to its end; a failure raises with what it printed."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, **options)
    if check and done.returncode != 0:
        said = done.stdout + done.stderr
        raise RuntimeError(f"{' '.join(argv)}: exit code {done.returncode}\n{said}")
    return done


def _die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def stop(process, number=signal.SIGTERM, within=10):
    """Ends a process that we started, by its pid; its exit code."""
    if process.poll() is None:
        process.send_signal(number)
        try:
            process.wait(within)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


class Namespace:
    """A network namespace without IPv6, so that the kernel stays silent unless told to speak."""

    def __init__(self, name):
        self.name = name
        self.path = f"/run/netns/{name}"
        self._processes = []
        run("ip", "netns", "add", name)
        with self.entered():
            for scope in ("all", "default"):
                with open(f"/proc/sys/net/ipv6/conf/{scope}/disable_ipv6", "w") as switch:
                    switch.write("1")
        self.ip("link set lo up")

    def ip(self, *commands):
        """Runs ip(8) commands, all in one go."""
        run("ip", "-n", self.name, "-batch", "-", input="\n".join(commands))

    def run(self, *argv, **options):
        return run("ip", "netns", "exec", self.name, *argv, **options)

    def start(self, *argv, **options):
        """Starts a command here; it is ended with the namespace at the latest."""
        process = subprocess.Popen(
            ["ip", "netns", "exec", self.name, *argv], preexec_fn=_die_with_parent, **options
        )
        self._processes.append(process)
        return process

    @contextlib.contextmanager
    def entered(self):
        """The calling thread is in this namespace; sockets opened within stay there for good."""
        with open("/proc/thread-self/ns/net") as home, open(self.path) as there:
            _set_namespace(there)
            try:
                yield
            finally:
                _set_namespace(home)

    def close(self):
        for process in self._processes:
            stop(process)
        run("ip", "netns", "del", self.name, check=False)


def _set_namespace(file):
    if _libc.setns(file.fileno(), _CLONE_NEWNET) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
