// The command line: what CLI11 collects as text, and the checks that turn it into options.
#include <apps/joinleaf/help.h>
#include <apps/joinleaf/options_doctor.h>
#include <apps/joinleaf/typed.h>
#include <fmt/ranges.h>
#include <net/vlan.h>

#include <limits>

namespace joinleaf::app {
namespace {

constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t kMegabyte = 1'000'000;

const std::string& needed(const Typed::Text& text, std::string_view option,
                          std::string_view example) {
    if (!text || text->empty()) {
        throw WrongUse(fmt::format("{0} is missing; add it, as in {0} {1}", option, example));
    }
    return *text;
}

std::uint64_t whole(const Typed::Text& text, std::string_view option, std::uint64_t least,
                    std::uint64_t most, std::uint64_t unset) {
    return text ? valid(parse_whole(option, *text, least, most)) : unset;
}

constexpr std::uint64_t kLongestSleepUs = std::chrono::microseconds(kLongestIdleSleep).count();
/// More than any NIC has.
constexpr std::uint64_t kMostQueues = 1024;

RecorderOptions recorder_options(const Typed& typed) {
    RecorderOptions recorder;
    if (!typed.record) {
        const auto stray = first_given(
            {{"--record-file", &typed.record_file}, {"--record-snap", &typed.record_snap}});
        const std::string_view option = typed.record_on.empty() ? stray : "--record-on";
        if (option.empty()) return recorder;
        throw WrongUse(fmt::format("{} is for the recorder; add --record PACKETS", option));
    }
    recorder.packets = whole(typed.record, "--record", 1, kMostRecordedPackets, 0);
    recorder.snap =
        whole(typed.record_snap, "--record-snap", kShortestSnap, kLongestSnap, recorder.snap);
    recorder.prefix = typed.record_file
                          ? needed(typed.record_file, "--record-file", "/var/tmp/feed")
                          : std::string("joinleaf");
    for (const auto& name : typed.record_on) {
        recorder.drops.push_back(valid(parse_drop_reason("--record-on", name)));
    }
    return recorder;
}

CommonOptions common_options(const Typed& typed) {
    CommonOptions common;
    for (const auto& cpu : typed.cpus) {
        common.cpus.push_back(static_cast<unsigned>(valid(parse_whole("--cpu", cpu, 0, 1023))));
    }
    common.idle_sleep = std::chrono::microseconds(
        whole(typed.idle_sleep, "--idle-sleep-us", 0, kLongestSleepUs, 0));
    if (typed.eal) common.eal_arguments = valid(parse_words("--eal", *typed.eal));
    common.recorder = recorder_options(typed);
    common.allow_dumpcap = typed.allow_dumpcap;
    common.json = typed.json;
    common.quiet = typed.quiet;
    return common;
}

PortOptions port_options(const Typed& typed) {
    PortOptions port;
    port.port = needed(typed.port, "--port", "eth1");
    port.address = valid("--address",
                         Ipv4Interface::parse(needed(typed.address, "--address", "10.0.0.11/24")));
    if (typed.gateway) {
        port.gateway = valid(parse_gateway("--gateway", *typed.gateway, port.address));
    }
    if (typed.vlan) port.vlan = valid("--vlan", net::VlanStack::parse(*typed.vlan)).to_string();
    port.mtu = static_cast<std::uint16_t>(whole(typed.mtu, "--mtu", 68, 65535, port.mtu));
    port.queues = whole(typed.queues, "--queues", 1, kMostQueues, port.queues);
    port.robustness =
        static_cast<std::uint8_t>(whole(typed.robustness, "--robustness", 1, 7, port.robustness));
    port.minimum_igmp_version = static_cast<std::uint8_t>(
        whole(typed.igmp_version, "--minimum-igmp-version", 1, 3, port.minimum_igmp_version));
    port.require_router_alert = typed.require_router_alert;
    return port;
}

/// A worker for each queue, and a CPU for each worker.
void check_cpus(const CommonOptions& common, const PortOptions& port) {
    if (common.cpus.empty() || common.cpus.size() == port.queues) return;
    throw WrongUse(fmt::format(
        "--queues {} and --cpu ({} given) do not fit: each queue has a worker on a CPU of its own; "
        "name as many, or leave --cpu out",
        port.queues, common.cpus.size()));
}

Publishing publishing_options(const Typed& typed, std::string input, std::uint16_t mtu) {
    Publishing publishing{.input = std::move(input),
                          .packets_per_second = whole(typed.rate, "--rate", 1, 1'000'000'000, 0),
                          .udp_checksum = !typed.no_udp_checksum};
    if (typed.bit_rate) {
        publishing.bits_per_second = valid(parse_bit_rate("--bit-rate", *typed.bit_rate));
    }
    if (typed.chunk) {
        const auto chunk = valid(parse_whole("--chunk", *typed.chunk, 1, 65507));
        valid(check_chunk(chunk, mtu));
        publishing.chunk = static_cast<std::uint32_t>(chunk);
    }
    return publishing;
}

void refuse_without_sending(const Typed& typed, std::string_view option) {
    const auto stray = first_given(
        {{"--rate", &typed.rate}, {"--bit-rate", &typed.bit_rate}, {"--chunk", &typed.chunk}});
    const std::string_view flag = typed.no_udp_checksum ? "--no-udp-checksum" : stray;
    if (!flag.empty()) {
        throw WrongUse(fmt::format("{} is for what is sent; add {} FILE", flag, option));
    }
}

std::uint8_t scope_of(const Typed& typed, std::uint8_t unset) {
    return static_cast<std::uint8_t>(whole(typed.scope, "--scope", 0, 255, unset));
}

RootOptions root_options(const Typed& typed) {
    const auto group =
        valid("--group", GroupEndpoint::parse(needed(typed.group, "--group", "239.1.1.1:5000")));
    RootOptions root{.common = common_options(typed), .port = port_options(typed), .group = group};
    check_cpus(root.common, root.port);
    root.scope = scope_of(typed, root.scope);
    root.linger = std::chrono::milliseconds(whole(typed.linger, "--linger-ms", 0, 3'600'000,
                                                  static_cast<std::uint64_t>(root.linger.count())));
    root.admission = root_admission(typed, group);
    if (typed.output) root.output = needed(typed.output, "--output", "copy.bin (or - or null)");
    if (typed.input || !typed.output) {
        root.publishing = publishing_options(
            typed, needed(typed.input, "--input", "file.bin (or - for standard input)"),
            root.port.mtu);
    } else {
        refuse_without_sending(typed, "--input");
    }
    if (root.admission) {
        root.admission->options.session.scope = root.scope;
        root.admission->options.linger = root.linger;
    }
    return root;
}

/// A leaf that sends: to its root or to the group of its one join.
void check_sending(const Typed& typed, const LeafOptions& leaf) {
    if (leaf.admission) return;
    if (typed.joins.size() > 1) throw WrongUse("--send goes to one group; give one --join");
    if (!typed.sources.empty() || leaf.groups.at(0).group.is_source_specific()) {
        throw WrongUse(fmt::format(
            "--send: {} makes this source-specific, where no leaf sends; publish with `joinleaf "
            "root`, or join another group without --source",
            typed.sources.empty() ? "232.0.0.0/8" : "--source"));
    }
}

/// What is of no use to a leaf that only sends, or does not send.
void refuse_one_way(const Typed& typed) {
    if (!typed.send) {
        refuse_without_sending(typed, "--send");
        if (typed.scope) throw WrongUse("--scope is for what is sent; add --send FILE");
    }
    if (!typed.output) {
        if (typed.count) throw WrongUse("--count is for what is received; add --output");
        if (!typed.excludes.empty()) {
            throw WrongUse("--exclude is for what is received; add --output");
        }
    }
}

LeafOptions leaf_options(const Typed& typed) {
    LeafOptions leaf;
    leaf.admission = leaf_admission(typed);
    if (typed.joins.empty() && !leaf.admission) {
        throw WrongUse(
            "--join is missing; add it, as in --join 239.1.1.1:5000, or --root or "
            "--listen to be let in by a root");
    }
    leaf.sources = valid(parse_sources(typed.sources, typed.excludes));
    for (const auto& text : typed.joins) {
        leaf.groups.push_back(valid("--join", GroupEndpoint::parse(text)));
    }
    if (typed.send) check_sending(typed, leaf);
    for (const auto group : leaf.groups) valid(check_join(group, leaf.sources));
    leaf.common = common_options(typed);
    leaf.port = port_options(typed);
    check_cpus(leaf.common, leaf.port);
    if (typed.output || !typed.send) {
        leaf.output = needed(typed.output, "--output", "copy.bin (or - or null)");
    }
    refuse_one_way(typed);
    if (typed.send) {
        leaf.publishing = publishing_options(
            typed, needed(typed.send, "--send", "file.bin (or - for standard input)"),
            leaf.port.mtu);
    }
    leaf.scope = scope_of(typed, leaf.scope);
    if (typed.count) leaf.count = valid(parse_whole("--count", *typed.count, 1, kNoLimit));
    if (typed.duration) leaf.duration = valid(parse_seconds("--duration", *typed.duration));
    return leaf;
}

TellOptions tell_options(const Typed& typed) {
    if (!typed.path) {
        throw WrongUse(
            "name the socket that the root has with --commands, as in /run/feed.socket leaves");
    }
    if (typed.words.empty()) {
        throw WrongUse(fmt::format("say what to tell, as in {} leaves (or help)", *typed.path));
    }
    TellOptions tell{.path = *typed.path, .line = fmt::format("{}", fmt::join(typed.words, " "))};
    if (tell.line.find('\n') != std::string::npos) throw WrongUse("tell one line at a time");
    return tell;
}

DemoOptions demo_options(const Typed& typed) {
    DemoOptions demo;
    demo.common = common_options(typed);
    demo.file_octets =
        whole(typed.size, "--size", 1, 100'000, demo.file_octets / kMegabyte) * kMegabyte;
    demo.packets_per_second = whole(typed.rate, "--rate", 1, 1'000'000'000, 0);
    return demo;
}

/// An option whose value is kept as text; `form` is how the value is written in the help.
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
}

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
    constexpr auto kRun = "How it runs";
    add(app, kRun, "--cpu", typed.cpus, "N...",
        "CPU of each polling worker; the last ones unless given");
    add(app, kRun, "--idle-sleep-us", typed.idle_sleep, "US",
        "a worker with nothing to do sleeps so long between looks; 0");
    add(app, kRun, "--eal", typed.eal, "\"ARGS\"", "more arguments for DPDK's EAL");
    add_flag(app, kRun, "--json", typed.json,
             "events and a summary as JSON lines on standard output");
    add_flag(app, kRun, "--quiet", typed.quiet, "errors alone (with --json: no status lines)");
    app.set_help_flag("-h,--help", "this text")->group(kRun);
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
    add(app, kWho, "--scheme", typed.scheme, "NAME",
        "rooted (default), or rooted-control: all hear all");
    add(app, kWho, "--fan-out", typed.fan_out, "WAY",
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
        "datagrams a second; as fast as the port takes unless given");
    add(app, group, "--bit-rate", typed.bit_rate, "BPS",
        "bits a second on the wire, as in 500M or 2.5G; no limit");
    add_flag(app, group, "--no-udp-checksum", typed.no_udp_checksum, "send UDP checksum 0");
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
    add_root_admission(app, typed);
    add_port(app, typed);
    add_record(app, typed);
    add_run(app, typed);
}

void add_leaf(CLI::App& app, Typed& typed) {
    constexpr auto kWhat = "What to receive";
    constexpr auto kIgmp = "IGMP";
    add(app, kWhat, "--join", typed.joins, "GROUP:PORT...",
        "multicast group and UDP port, as in 239.1.1.1:5000");
    add(app, kWhat, "--source", typed.sources, "IP...",
        "only from these senders (needed in 232.0.0.0/8)");
    add(app, kWhat, "--exclude", typed.excludes, "IP...", "from all senders but these");
    add(app, kWhat, "--output", typed.output, "FILE|-|null",
        "needed unless --send: a file, - for standard output, or null");
    add(app, kWhat, "--count", typed.count, "N", "stop after N datagrams");
    add(app, kWhat, "--duration", typed.duration, "SECONDS", "stop this long after the join");
    constexpr auto kSend = "What to send";
    add(app, kSend, "--send", typed.send, "FILE|-", "a file, or - for standard input");
    add_pace(app, kSend, typed);
    add(app, kSend, "--scope", typed.scope, "N",
        "with --join: 0 this host only, 1 no router (default)");
    add_leaf_admission(app, typed);
    add_port(app, typed);
    add(app, kIgmp, "--robustness", typed.robustness, "N",
        "how often a change is reported, 1 to 7; 2 unless given");
    add(app, kIgmp, "--minimum-igmp-version", typed.igmp_version, "N",
        "ignore queriers older than this, 1 to 3; 1 unless given");
    add_flag(app, kIgmp, "--require-router-alert", typed.require_router_alert,
             "ignore queries without the Router Alert option");
    add_record(app, typed);
    add_run(app, typed);
}

void add_tell(CLI::App& app, Typed& typed) {
    // The words of kTellFooter explain them.
    app.add_option("PATH", typed.path)->group("");
    app.add_option("COMMAND", typed.words)->group("");
    app.set_help_flag("-h,--help", "this text")->group("How it runs");
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

/// What CLI11 complains of, in our words.
std::string in_our_words(const CLI::ParseError& error) {
    const std::string said = error.what();
    const auto colon = said.rfind(": ");
    if (colon == std::string::npos) return said;
    if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
        return fmt::format("'{}' is not expected here", said.substr(colon + 2));
    }
    if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
        const bool twice = said.find("received") != std::string::npos;
        return fmt::format("{}: {}", said.substr(0, colon),
                           twice ? "give it once" : "its value is missing");
    }
    return said;
}

/// What is wrong as our one line.
Message complaint(const CLI::App& app, const std::vector<std::string>& arguments,
                  std::string_view what) {
    const auto chosen = app.get_subcommands();
    if (!chosen.empty()) {
        const auto name = chosen.front()->get_name();
        return {kExitWrongUse,
                fmt::format("joinleaf {0}: {1}; `joinleaf {0} --help` tells more", name, what)};
    }
    if (arguments.empty()) {
        return {
            kExitWrongUse,
            "joinleaf: say what to do: root, leaf, tell, doctor or demo; `joinleaf --help` tells "
            "more"};
    }
    return {kExitWrongUse, fmt::format("joinleaf: '{}' is not a command; begin with root, leaf, "
                                       "tell, doctor or demo; `joinleaf --help` tells more",
                                       arguments.front())};
}

}  // namespace

Invocation parse_command_line(const std::vector<std::string>& arguments) {
    Typed typed;
    CLI::App app("joinleaf: multipoint sockets on DPDK. A root publishes, leaves join and receive.",
                 "joinleaf");
    app.formatter(std::make_shared<HelpFormatter>("joinleaf COMMAND [options]"));
    app.footer(std::string(kProgramFooter));
    app.set_help_flag("-h,--help", "this text");
    app.set_version_flag("--version", "joinleaf " JOINLEAF_VERSION, "the version");
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
    auto* tell = add_command(app, "tell", "tell a running root to expel a leaf, and the like",
                             "joinleaf tell PATH COMMAND", kTellFooter);
    add_tell(*tell, typed);
    auto* demo = add_command(app, "demo", "a root and two leaves on this machine, no NIC needed",
                             "joinleaf demo [options]", kDemoFooter);
    add_demo(*demo, typed);
    auto* doctor =
        add_command(app, "doctor", "whether this host and a port of it are fit to run",
                    "joinleaf doctor [--port PORT [--address IP/LEN]] [options]", kDoctorFooter);
    add_doctor(*doctor, typed);

    try {
        app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    } catch (const CLI::CallForHelp&) {
        return Message{kExitDone, app.help()};
    } catch (const CLI::CallForVersion& version) {
        return Message{kExitDone, std::string(version.what()) + "\n"};
    } catch (const CLI::ParseError& error) {
        return complaint(app, arguments, in_our_words(error));
    }

    try {
        if (root->parsed()) return root_options(typed);
        if (leaf->parsed()) return leaf_options(typed);
        if (tell->parsed()) return tell_options(typed);
        if (doctor->parsed()) return doctor_options(typed, common_options(typed));
        return demo_options(typed);
    } catch (const WrongUse& error) {
        return complaint(app, arguments, error.what());
    }
}

}  // namespace joinleaf::app
