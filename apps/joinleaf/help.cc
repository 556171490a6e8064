// The words of `--help`.
#include <apps/joinleaf/help.h>
#include <fmt/format.h>

namespace joinleaf::app {

HelpFormatter::HelpFormatter(std::string usage) : usage_(std::move(usage)) { column_width(34); }

std::string HelpFormatter::make_usage(const CLI::App* /*app*/, std::string /*name*/) const {
    return fmt::format("\nUsage: {}\n\n", usage_);
}

std::string HelpFormatter::make_option_opts(const CLI::Option* option) const {
    const auto& text = option->get_option_text();
    return text.empty() ? std::string() : " " + text;
}

std::string HelpFormatter::make_group(std::string group, bool is_positional,
                                      std::vector<const CLI::Option*> options) const {
    std::string text = fmt::format("{}:\n", group);
    for (const auto* option : options) text += make_option(option, is_positional);
    return text;
}

const std::string_view kProgramFooter =
    R"(Try it here and now, without a network card, root rights or hugepages:
  joinleaf demo

Across a network, from one machine to others:
  joinleaf leaf --port eth1 --address 10.0.0.12/24 --join 239.1.1.1:5000 --output copy.bin
  joinleaf root --port eth1 --address 10.0.0.11/24 --group 239.1.1.1:5000 --input file.bin

How a running one is doing:
  joinleaf stat

With a root that decides who may listen (admission over TCP; data by multicast as above):
  joinleaf root --port eth1 --address 10.0.0.11/24 --group 232.1.1.1:5000 --input file.bin \
      --listen 192.0.2.11:7000 --policy policy.toml --tls-psk keys.psk
  joinleaf leaf --port eth1 --address 10.0.0.12/24 --root 192.0.2.11:7000 --tls-psk mine.psk \
      --output copy.bin

A sequenced feed (MoldUDP64) by two lines, with repair of what both have lost:
  joinleaf root --port eth1 --address 10.0.0.11/24 --group 239.1.1.1:5000 --line 239.1.1.2:5000 \
      --framing moldudp64 --input itch.bin --rate 100000 --repair-listen 192.0.2.11:6000
  joinleaf leaf --port eth1 --address 10.0.0.12/24 --join 239.1.1.1:5000 --join 239.1.1.2:5000 \
      --framing moldudp64 --repair 192.0.2.11:6000 --output copy.bin

Ports (--port):
  0000:03:00.0           a network card by its PCI address, bound to vfio-pci
  eth1                   a kernel interface (AF_PACKET); xdp:eth1 for AF_XDP
  memif:PATH[,server]    shared memory with another process
  null                   takes everything, for measuring a root
  ring:NAME              two ports of one name in one process form a wire
  net_...                any DPDK device arguments

Exit codes: 0 done, also after SIGINT or SIGTERM; 1 failure; 2 wrong use.
`joinleaf root --help`, and so on for leaf, repair, tell, stat, doctor and demo, tell the options.)";

const std::string_view kRootFooter =
    R"(Examples:
  joinleaf root --port eth1 --address 10.0.0.11/24 --group 239.1.1.1:5000 --input file.bin
  tail -f feed.log | joinleaf root --port 0000:03:00.0 --address 10.0.0.11/24 \
      --group 232.1.1.1:5000 --scope 8 --rate 10000 --input -
  joinleaf root --port eth1 --address 10.0.0.11/24 --group 232.1.1.1:5000 --input file.bin \
      --listen 192.0.2.11:7000 --policy policy.toml --tls-psk keys.psk --wait-leaves 2
  joinleaf root --port eth1 --address 10.0.0.11/24 --group 232.1.1.1:5000 --input file.bin \
      --invite 192.0.2.12:7001 --invite 192.0.2.13:7001 --wait-leaves 2
  joinleaf root --port eth1 --address 10.0.0.11/24 --group 239.1.1.1:5000 --listen 192.0.2.11:7000 \
      --output from-leaves.bin --commands /run/feed.socket
  joinleaf root --port eth1 --address 10.0.0.11/24 --group 239.1.1.1:5000 --line 239.1.1.2:5000 \
      --framing moldudp64 --input monday.pcapng --input-format pcap --pace x10 \
      --repair-listen 192.0.2.11:6000

With --listen or --invite the root decides who may listen, and its end is the session's. What its
leaves send (--send) comes by unicast to it alone; with --scheme rooted-control every member hears
every other. --output writes it in the order it arrives; the summary says who sent how much.
Without --input the root only receives, until SIGINT or SIGTERM.

With --commands the operator of a running root expels a leaf, lists or invites them:
  joinleaf tell /run/feed.socket expel desk-7
`joinleaf tell --help` tells all. The socket takes a command a line; with - standard input does.

The input is cut into chunks, each one datagram; from a terminal each line is one. When the input
ends, everything is let out and the program exits. Leaves must have joined before: multicast does
not repeat (--wait-leaves waits for those that are let in). A rate that the slowest leaf and the
network hold keeps them from losing any.

With --framing moldudp64 the input is messages, which leave numbered, as many as fit in each
datagram: --rate is in messages a second. A capture is replayed by its times: one flow of it (a
line, --input-flow), each message once and in order. What the capture lacks is told; its messages
get new numbers without a gap, in a session of their own. A root that starts again begins another
session. When the input ends, the end of the session is told for --end-for-ms, and repairs are
answered as long.
Ports, exit codes: joinleaf --help)";

const std::string_view kLeafFooter =
    R"(Examples:
  joinleaf leaf --port eth1 --address 10.0.0.12/24 --join 239.1.1.1:5000 --output copy.bin
  joinleaf leaf --port eth1 --address 10.0.0.12/24 --join 232.1.1.1:5000 \
      --source 10.0.0.11 --output null --duration 10 --json
  joinleaf leaf --port eth1 --address 10.0.0.12/24 --root 192.0.2.11:7000 --name desk-7 \
      --tls-psk mine.psk --output copy.bin
  joinleaf leaf --port eth1 --address 10.0.0.12/24 --listen 192.0.2.12:7001 --output copy.bin
  joinleaf leaf --port eth1 --address 10.1.0.12/24 --gateway 10.1.0.1 --root 192.0.2.11:7000 \
      --output null --send orders.bin
  joinleaf leaf --port eth1 --address 10.0.0.12/24 --join 239.1.1.1:5000 --join 239.1.1.2:5000 \
      --framing moldudp64 --repair 192.0.2.11:6000 --start history --output copy.bin

Payloads are written in the order they arrive. The leaf runs until --count, --duration, SIGINT or
SIGTERM; then it leaves the groups, writes what has arrived and exits. With --root or --listen also
until the root ends the session (exit code 0), expels the leaf or is lost (exit code 1).

With --send the leaf sends, too: with --join to the group; in a root's session to the root alone,
by unicast (beyond the subnet by --gateway; the root needs --output to hear it), or with
rooted-control to every member. A leaf with --send and without --output receives nothing, joins no
group, and exits when everything is out.

With --framing moldudp64 each --join is a line of one feed. Its messages are written in order, each
once, from whichever line was first; what no line brings is asked for at --repair, and what does
not come within --gap-deadline-ms is told, as an exact range. The leaf also exits when the session
ends. In a root's session the root says where the lines are and, without --repair, who repairs.
Ports, exit codes: joinleaf --help)";

const std::string_view kRepairFooter =
    R"(Examples:
  joinleaf repair --port eth1 --address 10.0.0.13/24 --join 239.1.1.1:5000 --join 239.1.1.2:5000 \
      --repair-listen 192.0.2.13:6000 --history-messages 10000000 --history-octets 1000000000
  joinleaf repair --port eth1 --address 10.0.0.13/24 --join 239.1.1.1:5000 \
      --repair 192.0.2.11:6000 --repair-listen 192.0.2.13:6000
  joinleaf leaf --port eth1 --address 10.0.0.12/24 --join 239.1.1.1:5000 --framing moldudp64 \
      --repair 192.0.2.13:6000 --output copy.bin

A leaf of a feed that keeps the last messages and sends them again to whoever asks, so that the
root is not asked. What it lacks itself it asks for at --repair; behind a gap that stays, it keeps
what comes after. It runs until --duration, SIGINT or SIGTERM, through any number of sessions.
Ports, exit codes: joinleaf --help)";

const std::string_view kTellFooter =
    R"(Examples:
  joinleaf tell /run/feed.socket leaves
  joinleaf tell /run/feed.socket expel desk-7

PATH is the socket that the root has with --commands. COMMAND is one of these:
  leaves            list the leaves of this root
  expel WHO         end the session for one leaf: by its number, its data address or its name
  invite IP:PORT    invite the leaf that listens there, again until it comes
  record [FILE]     write the last packets, which --record has kept, to a pcapng file
  reload            read the policy and the TLS files again, and the file of --config; leaves
                    that are in stay
  help              what the root says of these

A name that several leaves have chooses none of them: take the number.
Exit code 0: done; 1: not, with the reason; 2: wrong use.)";

const std::string_view kDoctorFooter =
    R"(Examples:
  joinleaf doctor
  joinleaf doctor --port 0000:03:00.0 --address 10.0.0.11/24
  joinleaf doctor --port eth1 --address 10.0.0.11/24 --querier-wait 10 --json

Each line is ok, warn (it works, but less well), fail (it will not work) or skip (not looked at), and
says what cures it, mostly as a command. Nothing is changed. With --port and --address the port is
opened and listened on until a querier is heard, for --querier-wait seconds at most.
Exit code 0: nothing failed; 1: something did; 2: wrong use.)";

const std::string_view kStatFooter =
    R"(Examples:
  joinleaf stat
  joinleaf stat --pid 4711 --once
  joinleaf stat --json

Shows a running root or leaf of this host: its ports, workers, sessions, leaves and groups with how
they are doing, and what is lost or dropped and why. A count that rises stands out, and what is being
lost is told in the first line. It asks the process through its telemetry socket, which is under
/var/run/dpdk (root), XDG_RUNTIME_DIR/dpdk, /run/joinleaf/NAME/dpdk (joinleaf@NAME) or, with --pid,
where that process's RUNTIME_DIRECTORY says; PATH names another one. Its own user and root may.

Keys: arrows, page up and page down, home and end scroll; p stops the picture, and lets it go on;
q ends.
Exit code 0: done; 1: no such process, or it has ended; 2: wrong use.)";

const std::string_view kDemoFooter =
    R"(Examples:
  joinleaf demo
  joinleaf demo --size 1000 --rate 50000 --json

A root and two leaves in this process, joined by a small switch that reads IGMP. A file goes to
both leaves, its SHA-256 is compared, the latency is measured, and one leaf leaves. Then a root
decides who may listen: it invites a leaf, lets one in that asks, refuses a stranger, and expels.
Exit code 0: both leaves hold the file and nothing was lost; 1: not, with the reason.)";

}  // namespace joinleaf::app
