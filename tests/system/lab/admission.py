"""A management network beside the data network, keys and certificates, and strangers on it."""

import contextlib
import itertools
import os
import resource
import select
import socket
import struct
import subprocess
import threading
import time

from . import netns, program


class Management:
    """A plain bridge on which the kernels speak TCP: 10.78.0.0/24, hosts as they are attached."""

    def __init__(self, lab):
        self.lab = lab
        self.namespace = lab.namespace("mgmt")
        self._numbers = itertools.count(2)
        self.namespace.ip("link add br0 type bridge mcast_snooping 0", "link set br0 up")

    def attach(self, device):
        number = next(self._numbers)
        device.management_port = f"m{number}"
        self.lab.wire(self.namespace, device.management_port, device.namespace, "mgmt0")
        self.namespace.ip(f"link set {device.management_port} master br0")
        device.management = f"10.78.0.{number}"
        device.namespace.ip(f"addr add {device.management}/24 dev mgmt0")
        return device

    def cut(self, device):
        self.namespace.ip(f"link set {device.management_port} down")


class Stranger:
    """A namespace that reaches the management network and nothing else."""

    def __init__(self, lab, name="stranger"):
        self.lab = lab
        self.namespace = lab.namespace(name)


def exit_code(process, within=15.0):
    """Waits for its end by itself."""
    return process.process.wait(within)


def write_keys(path, **keys):
    path.write_text("".join(f"{identity}:{key}\n" for identity, key in keys.items()))
    path.chmod(0o600)
    return path


class Authority:
    """Certificates, made with openssl(1)."""

    def __init__(self, directory):
        self.directory = directory
        self.directory.mkdir()
        self.certificate = directory / "ca.pem"
        self._key = directory / "ca.key"
        (directory / "index.txt").write_text("")
        self._config = directory / "ca.conf"
        self._config.write_text(
            "[ca]\ndefault_ca=own\n[own]\n"
            f"dir={directory}\ndatabase=$dir/index.txt\nnew_certs_dir=$dir\nrand_serial=yes\n"
            f"certificate={self.certificate}\nprivate_key={self._key}\ndefault_md=sha256\n"
            "policy=any\nunique_subject=no\n[any]\ncommonName=supplied\n")
        netns.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                  "ec_paramgen_curve:P-256", "-nodes", "-keyout", self._key, "-out",
                  self.certificate, "-subj", f"/CN=authority of {directory.name}", "-days", "2")

    def issue(self, name, expired=False):
        """The options of the program that show a certificate of that name."""
        key, request, certificate = (
            self.directory / f"{name}.{kind}" for kind in ("key", "csr", "pem"))
        netns.run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                  "-nodes", "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        begin, end = ("20200101000000Z", "20200102000000Z") if expired else (
            "20200101000000Z", "20991231000000Z")
        netns.run("openssl", "ca", "-batch", "-notext", "-config", self._config, "-in", request,
                  "-out", certificate, "-startdate", begin, "-enddate", end)
        return ("--tls-cert", certificate, "--tls-key", key, "--tls-ca", self.certificate)


    def trusting(self, other, name):
        """A certificate of ours, shown to those who believe in another authority."""
        options = list(self.issue(name))
        options[options.index("--tls-ca") + 1] = other.certificate
        return tuple(options)


def _for_openssl(options):
    names = {"--tls-cert": "-cert", "--tls-key": "-key", "--tls-ca": "-CAfile"}
    return [names.get(word, word) for word in options]


def openssl_connects(namespace, address, port, options):
    """What openssl(1) says of a TLS connection on which it shows this."""
    done = namespace.run("openssl", "s_client", "-connect", f"{address}:{port}", "-tls1_3",
                         "-ign_eof", "-brief", *_for_openssl(options),
                         check=False, input="")
    return done.stdout + done.stderr


class OpensslTriesAgain:
    """openssl(1) that connects again and again, in vain; what it is told is kept."""

    def __init__(self, namespace, address, port, options):
        self.told = []
        self._ending = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(namespace, address, port, options), daemon=True)
        self._thread.start()

    def _run(self, *connection):
        while not self._ending.is_set():
            self.told.append(openssl_connects(*connection))

    def close(self):
        self._ending.set()
        self._thread.join(10)


class OpensslListens:
    """openssl(1) as a TLS server that shows this."""

    def __init__(self, namespace, port, options):
        self._process = namespace.start(
            "openssl", "s_server", "-accept", str(port), "-tls1_3", "-verify", "1", "-quiet",
            *_for_openssl(options), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        while namespace.run("ss", "-Hltn", f"sport = :{port}").stdout == "":
            time.sleep(0.02)

    def close(self):
        netns.stop(self._process)


class Flood:
    """Connections from one namespace to a listening root, opened again as the root ends them.

    `say(number)` gives what each says at first; then it drips one octet a second when `drips`.
    """

    def __init__(self, namespace, address, port, count, say=lambda number: b"", drips=False):
        self._target = (address, port)
        self._say = say
        self._drips = drips
        self._count = count
        self._ending = threading.Event()
        self.connected = 0
        self.ended_by_root = 0
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2 * count + 256)), hard))
        self._thread = threading.Thread(target=self._run, args=(namespace,), daemon=True)
        self._thread.start()

    def _run(self, namespace):
        with namespace.entered():
            self._flood()

    def _flood(self):
        poll = select.epoll()
        open_ones = {}
        next_drip = time.monotonic() + 1
        while not self._ending.is_set():
            for _ in range(min(64, self._count - len(open_ones))):
                one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
                one.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    one.connect(self._target)
                open_ones[one.fileno()] = one
                poll.register(one, select.EPOLLIN | select.EPOLLOUT | select.EPOLLHUP)
            for number, what in poll.poll(0.05, 256):
                self._serve(poll, open_ones, number, what)
            if self._drips and time.monotonic() > next_drip:
                next_drip += 1
                for one in open_ones.values():
                    with contextlib.suppress(OSError):
                        one.send(b"\0")
        for one in open_ones.values():
            # Gone at once, without TIME_WAIT.
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.close()

    def _serve(self, poll, open_ones, number, what):
        one = open_ones[number]
        if what & select.EPOLLOUT and not what & (select.EPOLLHUP | select.EPOLLERR):
            self.connected += 1
            poll.modify(one, select.EPOLLIN | select.EPOLLHUP)
            with contextlib.suppress(OSError):
                one.send(self._say(self.connected))
        if what & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR):
            try:
                over = one.recv(4096) == b""
            except BlockingIOError:
                return
            except OSError:
                over = True
            if over:
                self.ended_by_root += 1
                del open_ones[number]
                # Closing is not enough while a program that is being started has it, too.
                poll.unregister(one)
                one.close()

    def close(self):
        self._ending.set()
        self._thread.join(10)


def payload_file(path, count, size=1000, first=0):
    """A file that is published as `count` datagrams of `size` octets, numbered from `first`."""
    with open(path, "wb") as file:
        for number in range(first, first + count):
            file.write(struct.pack("!Q", number) + os.urandom(8) + bytes(size - 16))
    return path


def numbers_in(path, size=1000):
    """The numbers of the datagrams in what a leaf wrote, in order."""
    data = path.read_bytes()
    return [struct.unpack_from("!Q", data, at)[0] for at in range(0, len(data) - size + 1, size)]


class Feed:
    """What a program sends when the test says so: a pipe with a name, given to --input or --send."""

    def __init__(self, lab, name, size=1000):
        self.path = f"{lab.directory}/{name}"
        self._size = size
        os.mkfifo(self.path)
        # Both ends are ours, so that neither side waits for the other to open it.
        self._pipe = os.open(self.path, os.O_RDWR)
        lab.closing(self)

    def send(self, first, count):
        for number in range(first, first + count):
            os.write(self._pipe, struct.pack("!Q", number).ljust(self._size, b"."))

    def close(self):
        """The program's input has ended."""
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None


def tell(path, *lines):
    """Commands to a running root; its answers, a line each."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        connection.sendall("".join(f"{line}\n" for line in lines).encode())
        connection.shutdown(socket.SHUT_WR)
        answers = b""
        while some := connection.recv(65536):
            answers += some
    return answers.decode().splitlines()


def start_root(device, group, *more, port=7000):
    """A root that listens on its management address."""
    return program.root(device, "--group", group, "--listen", f"{device.management}:{port}", *more)


def start_leaf(device, root, *more, port=7000):
    """A leaf that asks that root."""
    return program.leaf(device, "--root", f"{root.management}:{port}", *more)
