// What may be typed: each command and its options, as the help shows them.
#include <apps/joinleaf/command_table.h>
#include <apps/joinleaf/help.h>
#include <fmt/format.h>

namespace joinleaf::app {
namespace {

/// An option whose value is kept as text; `form` is how the value is written in the help. Words in
/// small letters stand for themselves, as in skip|late|N, and are what completion offers.
template <class Target>
void add(CLI::App& app, const char* group, const char* name, Target& target, const char* form,
         const char* description) {
    app.add_option(name, target, description)->group(group)->option_text(form);
}

void add_flag(CLI::App& app, const char* group, const char* name, bool& target,
              const char* description) {
    app.add_flag(name, target, description)->group(group);
}

void add_port(CLI::App& app, Typed& typed) {
    constexpr auto kPort = "Port";
    add(app, kPort, "--port", typed.port, "PORT (needed)", "the port; see `joinleaf --help`");
    add(app, kPort, "--address", typed.address, "IP/LEN (needed)",
        "the port's own IPv4 address, as in 10.0.0.11/24");
    add(app, kPort, "--gateway", typed.gateway, "IP",
        "router for unicast beyond the subnet, as in 10.0.0.1");
    add(app, kPort, "--vlan", typed.vlan, "ID", "VLAN tag, or outer and inner as in 100.200");
    add(app, kPort, "--mtu", typed.mtu, "OCTETS", "largest IPv4 packet; 1500 unless given");
    add(app, kPort, "--queues", typed.queues, "N",
        "queues each way, each with a worker and a CPU; 1 unless given");
    add(app, kPort, "--receive-buffers", typed.receive_buffers, "N",
        "packets that wait, at most half of them for output; 32768");
    add(app, kPort, "--transmit-buffers", typed.transmit_buffers, "N",
        "packets being sent, or about to be; 16384");
}

constexpr auto kRun = "How it runs";

void add_record(CLI::App& app, Typed& typed) {
    constexpr auto kRecord = "Capture";
    add(app, kRecord, "--record", typed.record, "PACKETS",
        "remember the last ones; SIGUSR1 has them written to a file");
    add(app, kRecord, "--record-file", typed.record_file, "PREFIX",
        "files are PREFIX-TIME.pcapng; joinleaf unless given");
    add(app, kRecord, "--record-snap", typed.record_snap, "OCTETS",
        "kept of each packet, 14 to 2048; 128 unless given");
    add(app, kRecord, "--record-on", typed.record_on, "REASON...",
        "when packets are dropped for this, too, as no_subscriber");
    add_flag(app, kRecord, "--allow-dumpcap", typed.allow_dumpcap,
             "let dpdk-dumpcap attach; needs hugepages");
}

void add_run(CLI::App& app, Typed& typed) {
    add(app, kRun, "--cpu", typed.cpus, "N...",
        "CPU of each polling worker; the last ones unless given");
    add(app, kRun, "--idle-sleep-us", typed.idle_sleep, "US",
        "a worker with nothing to do sleeps so long between looks; 0");
    add(app, kRun, "--eal", typed.eal, "\"ARGS\"", "more arguments for DPDK's EAL");
    add_flag(app, kRun, "--json", typed.json,
             "events and a summary as JSON lines on standard output");
    add_flag(app, kRun, "--quiet", typed.quiet, "errors alone (with --json: no status lines)");
    add(app, kRun, "--config", typed.config, "FILE",
        "options from a TOML file, by their names; what is typed wins");
    add_flag(app, kRun, "--print-config", typed.print_config,
             "show what is in force, as such a file, and end");
    app.set_help_flag("-h,--help", "this text")->group(kRun);
}

void add_metrics(CLI::App& app, Typed& typed) {
    add(app, kRun, "--metrics", typed.metrics, "IP:PORT",
        "let Prometheus ask there, at http://IP:PORT/metrics");
}

void add_state(CLI::App& app, Typed& typed) {
    add(app, kRun, "--state", typed.state, "FILE",
        "note what is joined here, for the next start after a crash");
}

void add_tls(CLI::App& app, Typed& typed, const char* who_dials) {
    constexpr auto kTls = "TLS 1.3 for admission";
    add(app, kTls, "--tls-psk", typed.tls_psk, "FILE", "pre-shared keys, a line IDENTITY:HEX each");
    add(app, kTls, "--tls-identity", typed.tls_identity, "ID",
        fmt::format("which of them to show ({}); the only one unless given", who_dials).c_str());
    add(app, kTls, "--tls-cert", typed.tls_cert, "FILE", "or certificates: one's own, PEM");
    add(app, kTls, "--tls-key", typed.tls_key, "FILE", "its key, PEM");
    add(app, kTls, "--tls-ca", typed.tls_ca, "FILE", "whose certificates are believed, PEM");
    add(app, kTls, "--tls-peer", typed.tls_peer, "NAME",
        fmt::format("the name to find in the other's ({})", who_dials).c_str());
}

void add_root_admission(CLI::App& app, Typed& typed) {
    constexpr auto kWho = "Who may listen (without these: whoever joins the group)";
    add(app, kWho, "--listen", typed.listen, "IP:PORT", "let leaves in that ask here, by TCP");
    add(app, kWho, "--invite", typed.invites, "IP:PORT...",
        "invite the leaves that listen there, again until they come");
    add(app, kWho, "--policy", typed.policy, "FILE", "whom to let in (TOML); all unless given");
    add(app, kWho, "--scheme", typed.scheme, "rooted|rooted-control",
        "rooted (default), or rooted-control: all hear all");
    add(app, kWho, "--fan-out", typed.fan_out, "multicast|replicate",
        "multicast (default), or replicate: a unicast copy for each leaf");
    add(app, kWho, "--name", typed.name, "NAME", "what this root calls itself");
    add(app, kWho, "--dead-after", typed.dead_after, "SECONDS",
        "a leaf silent for so long is gone; 3 unless given");
    add(app, kWho, "--wait-leaves", typed.wait_leaves, "N", "publish when N leaves have joined");
    add(app, kWho, "--output", typed.output, "FILE|-|null",
        "where what leaves send is written: a file, - or null");
    add(app, kWho, "--commands", typed.commands, "PATH|-",
        "take commands (expel ...) by a Unix socket, or from standard input");
    add_tls(app, typed, "--invite");
}

void add_leaf_admission(CLI::App& app, Typed& typed) {
    constexpr auto kWho = "Being let in by a root (in place of --join)";
    add(app, kWho, "--root", typed.root, "IP:PORT", "ask the root that listens there, by TCP");
    add(app, kWho, "--listen", typed.listen, "IP:PORT", "or wait here for a root's invitation");
    add(app, kWho, "--name", typed.name, "NAME", "what this leaf calls itself");
    add(app, kWho, "--caller-data", typed.caller_data, "TEXT", "goes with the request (--root)");
    add_tls(app, typed, "--root");
}

void add_pace(CLI::App& app, const char* group, Typed& typed) {
    add(app, group, "--chunk", typed.chunk, "OCTETS",
        "payload of a datagram; the most that fits unless given");
    add(app, group, "--rate", typed.rate, "PPS",
        "datagrams (of a feed: messages) a second; no limit");
    add(app, group, "--bit-rate", typed.bit_rate, "BPS",
        "bits a second on the wire, as in 500M or 2.5G; no limit");
    add_flag(app, group, "--no-udp-checksum", typed.no_udp_checksum, "send UDP checksum 0");
}

void add_further_lines(CLI::App& app, const char* group, Typed& typed) {
    add(app, group, "--line-port", typed.line_port, "PORT",
        "another port for all lines but the first");
    add(app, group, "--line-address", typed.line_address, "IP/LEN", "the address of that port");
}

void add_history(CLI::App& app, const char* group, Typed& typed) {
    add(app, group, "--repair-listen", typed.repair_listen, "IP:PORT",
        "send again what leaves ask for here, by UDP");
    add(app, group, "--history-messages", typed.history_messages, "N",
        "messages kept for that; 1048576 unless given");
    add(app, group, "--history-octets", typed.history_octets, "N",
        "in so many octets of memory; 67108864 unless given");
    add(app, group, "--repair-rate", typed.repair_rate, "BPS",
        "bits a second of answers, to all leaves; 400M unless given");
    add(app, group, "--repair-leaf-rate", typed.repair_leaf_rate, "BPS",
        "likewise, to each; 100M unless given");
}

void add_root_feed(CLI::App& app, Typed& typed) {
    constexpr auto kFeed = "A sequenced feed (MoldUDP64)";
    add(app, kFeed, "--framing", typed.framing, "moldudp64|datagram",
        "moldudp64: numbered messages; datagram (default)");
    add(app, kFeed, "--session", typed.session, "NAME",
        "a new one for each run; the time of start unless given");
    add(app, kFeed, "--input-format", typed.input_format, "lengths|lines|pcap",
        "lengths (default; as ITCH files), lines, or pcap");
    add(app, kFeed, "--input-flow", typed.input_flow, "IP:PORT",
        "of a capture with several: the one to replay");
    add(app, kFeed, "--pace", typed.pace, "recorded|full|xN",
        "of a capture: recorded (default), xN times as fast, or full");
    add(app, kFeed, "--line", typed.lines, "GROUP:PORT...",
        "send all of it here, too (A and B lines)");
    add_further_lines(app, kFeed, typed);
    add(app, kFeed, "--flush-at", typed.flush_at, "OCTETS",
        "a datagram of so many does not wait for more");
    add(app, kFeed, "--delay-us", typed.delay, "US",
        "a message waits so long for others in its datagram; 20");
    add(app, kFeed, "--heartbeat-ms", typed.heartbeat, "MS", "when silent so long; 1000");
    add(app, kFeed, "--end-for-ms", typed.end_for, "MS",
        "tell the end of the session for so long; 30000");
    add_history(app, kFeed, typed);
    add(app, kFeed, "--repair-offer", typed.repair_offer, "IP:PORT",
        "leaves that are let in ask this repair server instead");
}

void add_feed_receiving(CLI::App& app, const char* group, Typed& typed) {
    add(app, group, "--session", typed.session, "NAME", "follow this session alone");
    add(app, group, "--repair", typed.repair, "IP:PORT",
        "ask there for what no line has brought, by UDP");
    add(app, group, "--start", typed.start, "live|history|N",
        "live (default), history (the oldest kept), or a sequence");
    add(app, group, "--on-gap", typed.on_gap, "skip|late|stop",
        "skip (default), late (write it when it comes) or stop");
    add(app, group, "--skew-us", typed.skew, "US", "one line may be so far behind another; 1000");
    add(app, group, "--gap-deadline-ms", typed.gap_deadline, "MS",
        "what is missing so long is a gap; 100");
    add(app, group, "--gaps", typed.gaps, "FILE|-",
        "write each gap there: session, first and count, a line each");
    add(app, group, "--output-format", typed.output_format, "lengths|lines|pcapng",
        "lengths (default; as ITCH files), lines, or pcapng");
    add_further_lines(app, group, typed);
}

void add_leaf_feed(CLI::App& app, Typed& typed) {
    constexpr auto kFeed = "A sequenced feed (MoldUDP64); each --join is a line";
    add(app, kFeed, "--framing", typed.framing, "moldudp64|datagram",
        "moldudp64, or datagram (default; a root says)");
    add_feed_receiving(app, kFeed, typed);
    add_flag(app, kFeed, "--follow", typed.follow, "go on with the next session when one is over");
}

void add_root(CLI::App& app, Typed& typed) {
    constexpr auto kWhat = "What to publish";
    add(app, kWhat, "--group", typed.group, "GROUP:PORT (needed)",
        "multicast group and UDP port, as in 239.1.1.1:5000");
    add(app, kWhat, "--input", typed.input, "FILE|-",
        "needed unless --output: a file, or - for standard input");
    add_pace(app, kWhat, typed);
    add(app, kWhat, "--scope", typed.scope, "N",
        "0 this host only, 1 no router (default), n: n-1 routers");
    add(app, kWhat, "--linger-ms", typed.linger, "MS",
        "keep the port open this long after the last one; 100");
    add_root_feed(app, typed);
    add_root_admission(app, typed);
    add_port(app, typed);
    add_record(app, typed);
    add_metrics(app, typed);
    add_run(app, typed);
    add_state(app, typed);
}

void add_igmp(CLI::App& app, Typed& typed) {
    constexpr auto kIgmp = "IGMP";
    add(app, kIgmp, "--robustness", typed.robustness, "N",
        "how often a change is reported, 1 to 7; 2 unless given");
    add(app, kIgmp, "--minimum-igmp-version", typed.igmp_version, "N",
        "ignore queriers older than this, 1 to 3; 1 unless given");
    add_flag(app, kIgmp, "--require-router-alert", typed.require_router_alert,
             "ignore queries without the Router Alert option");
}

void add_leaf(CLI::App& app, Typed& typed) {
    constexpr auto kWhat = "What to receive";
    add(app, kWhat, "--join", typed.joins, "GROUP:PORT...",
        "multicast group and UDP port, as in 239.1.1.1:5000");
    add(app, kWhat, "--source", typed.sources, "IP...",
        "only from these senders (needed in 232.0.0.0/8)");
    add(app, kWhat, "--exclude", typed.excludes, "IP...", "from all senders but these");
    add(app, kWhat, "--output", typed.output, "FILE|-|null",
        "needed unless --send: a file, - for standard output, or null");
    add(app, kWhat, "--count", typed.count, "N", "stop after N datagrams (or messages of a feed)");
    add(app, kWhat, "--duration", typed.duration, "SECONDS", "stop this long after the join");
    constexpr auto kSend = "What to send";
    add(app, kSend, "--send", typed.send, "FILE|-", "a file, or - for standard input");
    add_pace(app, kSend, typed);
    add(app, kSend, "--scope", typed.scope, "N",
        "with --join: 0 this host only, 1 no router (default)");
    add_leaf_feed(app, typed);
    add_leaf_admission(app, typed);
    add_port(app, typed);
    add_igmp(app, typed);
    add_record(app, typed);
    add_metrics(app, typed);
    add_run(app, typed);
    add_state(app, typed);
}

void add_repair(CLI::App& app, Typed& typed) {
    constexpr auto kWhat = "What to keep, and where to answer";
    constexpr auto kFeed = "The feed";
    add_history(app, kWhat, typed);
    add(app, kFeed, "--join", typed.joins, "GROUP:PORT...", "its lines, each once");
    add(app, kFeed, "--source", typed.sources, "IP...",
        "only from these senders (needed in 232.0.0.0/8)");
    add(app, kFeed, "--exclude", typed.excludes, "IP...", "from all senders but these");
    add_feed_receiving(app, kFeed, typed);
    add(app, kFeed, "--output", typed.output, "FILE|-|null", "write it, too; null unless given");
    add(app, kFeed, "--count", typed.count, "N", "stop after N messages");
    add(app, kFeed, "--duration", typed.duration, "SECONDS", "stop this long after the join");
    constexpr auto kWho = "Being let in by a root (in place of --join)";
    add(app, kWho, "--root", typed.root, "IP:PORT", "ask the root that listens there, by TCP");
    add(app, kWho, "--name", typed.name, "NAME", "what this one calls itself");
    add(app, kWho, "--caller-data", typed.caller_data, "TEXT", "goes with the request (--root)");
    add_tls(app, typed, "--root");
    add_port(app, typed);
    add_igmp(app, typed);
    add_record(app, typed);
    add_metrics(app, typed);
    add_run(app, typed);
    add_state(app, typed);
}

void add_tell(CLI::App& app, Typed& typed) {
    // The words of kTellFooter explain them.
    app.add_option("PATH", typed.path)->group("");
    app.add_option("COMMAND", typed.words)->group("");
    app.set_help_flag("-h,--help", "this text")->group("How it runs");
}

void add_stat(CLI::App& app, Typed& typed) {
    constexpr auto kWhom = "Whom to look at";
    constexpr auto kHow = "How to show it";
    app.add_option("PATH", typed.path)->group("");
    add(app, kWhom, "--pid", typed.pid, "N", "the process; needed when several run");
    add(app, kHow, "--interval", typed.interval, "SECONDS", "between two looks; 1 unless given");
    add_flag(app, kHow, "--once", typed.once, "text, once; likewise where output is no terminal");
    add_flag(app, kHow, "--json", typed.json, "all that is known, once, as one JSON object");
    app.set_help_flag("-h,--help", "this text")->group(kHow);
}

void add_demo(CLI::App& app, Typed& typed) {
    constexpr auto kWhat = "What to show";
    add(app, kWhat, "--size", typed.size, "MB", "size of the file in megabytes; 256 unless given");
    add(app, kWhat, "--rate", typed.rate, "PPS",
        "datagrams a second; unless given, what the slower leaf holds");
    add_run(app, typed);
}

void add_doctor(CLI::App& app, Typed& typed) {
    constexpr auto kPort = "Port";
    add(app, kPort, "--port", typed.port, "PORT",
        "the port to look at; the host alone unless given");
    add(app, kPort, "--address", typed.address, "IP/LEN",
        "open it with this address and listen, as in 10.0.0.11/24");
    add(app, kPort, "--vlan", typed.vlan, "ID", "VLAN tag, or outer and inner as in 100.200");
    add(app, kPort, "--mtu", typed.mtu, "OCTETS", "largest IPv4 packet wanted; 1500 unless given");
    add(app, kPort, "--querier-wait", typed.querier_wait, "SECONDS",
        "how long a querier may take to ask; 130 unless given");
    add_run(app, typed);
}

CLI::App* add_command(CLI::App& app, const char* name, const char* description, const char* usage,
                      std::string_view footer) {
    auto* command = app.add_subcommand(name, description)->group("Commands");
    command->set_help_flag();  // add_run() puts it at the end
    command->formatter(std::make_shared<HelpFormatter>(usage));
    command->footer(std::string(footer));
    return command;
}

}  // namespace

void add_commands(CLI::App& app, Typed& typed) {
    app.formatter(std::make_shared<HelpFormatter>("joinleaf COMMAND [options]"));
    app.footer(std::string(kProgramFooter));
    app.set_help_flag("-h,--help", "this text");
    app.set_version_flag("--version", "joinleaf " JOINLEAF_VERSION, "the version");
    app.add_option("--config", typed.config, "run the command that this file names")
        ->option_text("FILE");
    app.add_option("--completion", typed.completion, "completion of words for this shell")
        ->option_text("bash");
    app.add_flag("--man", typed.man, "the man page")->group("");
    app.require_subcommand(1);

    auto* root =
        add_command(app, "root", "publish a file or a stream to a multicast group",
                    "joinleaf root --port PORT --address IP/LEN --group GROUP:PORT\n"
                    "                     {--input FILE|- | --output FILE|-|null} [options]",
                    kRootFooter);
    add_root(*root, typed);
    auto* leaf = add_command(
        app, "leaf", "join a multicast group or a root's session, and write what arrives",
        "joinleaf leaf --port PORT --address IP/LEN {--join GROUP:PORT | --root IP:PORT |\n"
        "                     --listen IP:PORT} {--output FILE|-|null | --send FILE|-} [options]",
        kLeafFooter);
    add_leaf(*leaf, typed);
    auto* repair = add_command(
        app, "repair", "listen to a sequenced feed, and send again what others have lost",
        "joinleaf repair --port PORT --address IP/LEN {--join GROUP:PORT | --root IP:PORT}\n"
        "                       --repair-listen IP:PORT [options]",
        kRepairFooter);
    add_repair(*repair, typed);
    auto* tell = add_command(app, "tell", "tell a running root to expel a leaf, and the like",
                             "joinleaf tell PATH COMMAND", kTellFooter);
    add_tell(*tell, typed);
    auto* stat = add_command(app, "stat", "look at a running root or leaf",
                             "joinleaf stat [PATH] [options]", kStatFooter);
    add_stat(*stat, typed);
    auto* demo = add_command(app, "demo", "a root and two leaves on this machine, no NIC needed",
                             "joinleaf demo [options]", kDemoFooter);
    add_demo(*demo, typed);
    auto* doctor =
        add_command(app, "doctor", "whether this host and a port of it are fit to run",
                    "joinleaf doctor [--port PORT [--address IP/LEN]] [options]", kDoctorFooter);
    add_doctor(*doctor, typed);
}

}  // namespace joinleaf::app
