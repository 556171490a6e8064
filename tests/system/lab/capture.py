"""tcpdump on one interface, read while it writes."""

import os
import select
import signal
import struct
import subprocess
import time

from . import netns, wire

_MAGIC_NANOSECONDS = 0xA1B23C4D


class Capture:
    """Every frame on an interface, both ways, from the moment the constructor returns.

    What passes `expression` (pcap-filter(7)) goes to the file `path`.
    """

    def __init__(self, namespace, interface, path, expression=""):
        self.path = path
        self._frames = []
        self._offset = 24  # of the next record; the file header comes first
        self._process = namespace.start(
            "tcpdump", "-i", interface, "-n", "-U", "--immediate-mode", "-Z", "root", "-B", "8192",
            "--time-stamp-precision=nano", "-w", path, *([expression] if expression else []),
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self._wait_until_listening()

    def _wait_until_listening(self):
        said = ""
        deadline = time.monotonic() + 10
        while "listening on" not in said:
            ready, _, _ = select.select([self._process.stderr], [], [], deadline - time.monotonic())
            line = self._process.stderr.readline() if ready else ""
            if not line:
                raise RuntimeError(f"tcpdump does not start: {said}")
            said += line

    @property
    def frames(self):
        """All frames so far, oldest first."""
        with open(self.path, "rb") as file:
            if self._offset == 24:
                magic = file.read(4)
                if len(magic) == 4 and struct.unpack("<I", magic)[0] != _MAGIC_NANOSECONDS:
                    raise RuntimeError("not a little-endian pcap file with nanoseconds")
            file.seek(self._offset)
            data = file.read()
        at = 0
        while at + 16 <= len(data):
            seconds, nanoseconds, captured, _ = struct.unpack_from("<4I", data, at)
            if at + 16 + captured > len(data):
                break
            self._frames.append(
                wire.frame(data[at + 16 : at + 16 + captured], seconds + nanoseconds / 1e9))
            at += 16 + captured
        self._offset += at
        return self._frames

    def igmp(self, source, since=0.0):
        """The IGMP frames that `source` sent."""
        return [f for f in self.frames
                if f.time >= since and f.igmp and f.ipv4.source == source]

    def said(self, source, since=0.0):
        """Those, described."""
        return [wire.describe(f.igmp) for f in self.igmp(source, since)]

    def wait(self, accept, within=5.0, since=0.0):
        """The first frame that `accept` takes; an error that lists what came instead."""
        deadline = time.monotonic() + within
        while True:
            # Looked at after the clock: what came in time is found even when we were late.
            late = time.monotonic() > deadline
            for frame in self.frames:
                if frame.time >= since and accept(frame):
                    return frame
            if late:
                seen = "\n  ".join(str(f) for f in self.frames[-30:])
                raise AssertionError(f"not on the wire within {within} s; seen:\n  {seen}")
            time.sleep(0.01)

    def wait_igmp(self, source, text, within=5.0, since=0.0):
        """The first IGMP message of `source` that is described as `text`."""
        return self.wait(
            lambda f: f.igmp and f.ipv4.source == source and wire.describe(f.igmp) == text,
            within, since)

    def stop(self):
        """Ends the capture; frames stay readable."""
        if self._process.poll() is None:
            time.sleep(0.02)  # tcpdump writes what the kernel has given it up to now
            netns.stop(self._process, signal.SIGINT)
        return self

    def size(self):
        return os.path.getsize(self.path)
