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

With a root that decides who may listen (admission over TCP; data by multicast as above):
  joinleaf root --port eth1 --address 10.0.0.11/24 --group 232.1.1.1:5000 --input file.bin \
      --listen 192.0.2.11:7000 --policy policy.toml --tls-psk keys.psk
  joinleaf leaf --port eth1 --address 10.0.0.12/24 --root 192.0.2.11:7000 --tls-psk mine.psk \
      --output copy.bin

Ports (--port):
  0000:03:00.0           a network card by its PCI address, bound to vfio-pci
  eth1                   a kernel interface (AF_PACKET); xdp:eth1 for AF_XDP
  memif:PATH[,server]    shared memory with another process
  null                   takes everything, for measuring a root
  ring:NAME              two ports of one name in one process form a wire
  net_...                any DPDK device arguments

Exit codes: 0 done, also after SIGINT or SIGTERM; 1 failure; 2 wrong use.
`joinleaf root --help`, and so on for leaf, tell, doctor and demo, tell the options.)";

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

Payloads are written in the order they arrive. The leaf runs until --count, --duration, SIGINT or
SIGTERM; then it leaves the groups, writes what has arrived and exits. With --root or --listen also
until the root ends the session (exit code 0), expels the leaf or is lost (exit code 1).

With --send the leaf sends, too: with --join to the group; in a root's session to the root alone,
by unicast (beyond the subnet by --gateway; the root needs --output to hear it), or with
rooted-control to every member. A leaf with --send and without --output receives nothing, joins no
group, and exits when everything is out.
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
  reload            read the policy and the TLS files again; leaves that are in stay
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

const std::string_view kDemoFooter =
    R"(Examples:
  joinleaf demo
  joinleaf demo --size 1000 --rate 50000 --json

A root and two leaves in this process, joined by a small switch that reads IGMP. A file goes to
both leaves, its SHA-256 is compared, the latency is measured, and one leaf leaves. Then a root
decides who may listen: it invites a leaf, lets one in that asks, refuses a stranger, and expels.
Exit code 0: both leaves hold the file and nothing was lost; 1: not, with the reason.)";

}  // namespace joinleaf::app
