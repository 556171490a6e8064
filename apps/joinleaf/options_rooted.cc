// The options of rooted sessions: who listens, who is asked or invited, and how each proves who
// they are.
#include <apps/joinleaf/typed.h>
#include <controlplane/admission_rules.h>
#include <controlplane/admission_text.h>

#include <sys/un.h>

#include <array>
#include <utility>

namespace joinleaf::app {
namespace {

using namespace std::chrono_literals;
using Text = Typed::Text;

constexpr std::uint64_t kMostLeaves = 16384;

std::string own_name(const Typed& typed) {
    if (!typed.name) return {};
    if (typed.name->size() > controlplane::kMaxName ||
        !controlplane::is_admission_text(*typed.name)) {
        throw WrongUse(fmt::format("--name: use at most {} octets of UTF-8 in one line",
                                   controlplane::kMaxName));
    }
    return *typed.name;
}

/// `dials`: whether this side connects to others, and so shows an identity and looks at a name.
TlsFiles tls_files(const Typed& typed, bool dials, std::string_view who_dials) {
    const auto certificate = first_given({{"--tls-cert", &typed.tls_cert},
                                          {"--tls-key", &typed.tls_key},
                                          {"--tls-ca", &typed.tls_ca}});
    if (typed.tls_psk && !certificate.empty()) {
        throw WrongUse(
            fmt::format("--tls-psk and {} are two kinds of TLS; choose one", certificate));
    }
    for (const auto& [name, text] :
         {Named{"--tls-cert", &typed.tls_cert}, Named{"--tls-key", &typed.tls_key},
          Named{"--tls-ca", &typed.tls_ca}}) {
        if (!certificate.empty() && !*text) {
            throw WrongUse(
                fmt::format("{} is missing; TLS with certificates takes --tls-cert, "
                            "--tls-key and --tls-ca",
                            name));
        }
    }
    if (typed.tls_identity && !typed.tls_psk) {
        throw WrongUse("--tls-identity names a key of a file; add --tls-psk FILE");
    }
    if (typed.tls_peer && certificate.empty()) {
        throw WrongUse(
            "--tls-peer asks for a name in a certificate; add --tls-cert, --tls-key and "
            "--tls-ca");
    }
    const auto dialer =
        first_given({{"--tls-identity", &typed.tls_identity}, {"--tls-peer", &typed.tls_peer}});
    if (!dialer.empty() && !dials) {
        throw WrongUse(
            fmt::format("{} is for who connects; leave it out, or add {}", dialer, who_dials));
    }
    return {.psk = typed.tls_psk.value_or(""),
            .psk_identity = typed.tls_identity.value_or(""),
            .certificate = typed.tls_cert.value_or(""),
            .key = typed.tls_key.value_or(""),
            .ca = typed.tls_ca.value_or(""),
            .peer_name = typed.tls_peer.value_or("")};
}

Scheme scheme_of(const Typed& typed, GroupEndpoint group) {
    if (!typed.scheme || *typed.scheme == "rooted") return kRootedRooted;
    if (*typed.scheme != "rooted-control") {
        throw WrongUse(fmt::format(
            "--scheme: '{}' will not do; use rooted (only the root's data reaches leaves) or "
            "rooted-control (every member's data reaches every other)",
            *typed.scheme));
    }
    if (group.group.is_source_specific()) {
        throw WrongUse(fmt::format(
            "--group: {} is source-specific (232.0.0.0/8), where not every member can be heard; "
            "take another for --scheme rooted-control, as in 239.1.1.1:5000",
            group.group.to_string()));
    }
    return kRootedControl;
}

FanOut fan_out_of(const Typed& typed, Scheme scheme) {
    if (!typed.fan_out || *typed.fan_out == "multicast") return FanOut::multicast;
    if (*typed.fan_out != "replicate") {
        throw WrongUse(fmt::format(
            "--fan-out: '{}' will not do; use multicast (the network copies) or replicate (a "
            "unicast copy for each leaf)",
            *typed.fan_out));
    }
    if (scheme.data == Plane::nonrooted) {
        throw WrongUse(
            "--fan-out replicate and --scheme rooted-control contradict each other; only a root's "
            "own data is copied for its leaves");
    }
    return FanOut::replicate;
}

std::chrono::milliseconds dead_after(const std::string& text) {
    const auto given = std::chrono::duration_cast<std::chrono::milliseconds>(
        valid(parse_seconds("--dead-after", text)));
    if (!controlplane::is_usable(given)) {
        throw WrongUse(fmt::format(
            "--dead-after: '{}' will not do; use seconds from 0.1 to 3600, as in 3", text));
    }
    return given;
}

UserData octets_of(std::string_view option, const Text& text) {
    if (!text) return {};
    if (text->size() > kMaxUserData) {
        throw WrongUse(fmt::format("{}: {} octets are too many; use at most {}", option,
                                   text->size(), kMaxUserData));
    }
    const auto bytes = std::as_bytes(std::span(*text));
    return {bytes.begin(), bytes.end()};
}

std::string commands_from(const Typed& typed) {
    const std::string& where = *typed.commands;
    if (where.empty()) {
        throw WrongUse("--commands: name a path for a socket, or - for standard input");
    }
    if (where == "-" && typed.input == "-") {
        throw WrongUse(
            "--commands and --input both want standard input; let --commands name a path for a "
            "socket");
    }
    constexpr std::size_t kMost = sizeof(sockaddr_un::sun_path) - 1;
    if (where.size() > kMost) {
        throw WrongUse(
            fmt::format("--commands: {} octets are too long for a socket's path; use at "
                        "most {}",
                        where.size(), kMost));
    }
    return where;
}

}  // namespace

ControlEndpoint local_endpoint(std::string_view option, const std::string& text) {
    const auto endpoint = valid(option, ControlEndpoint::parse(text));
    if (!controlplane::is_usable(endpoint) && !endpoint.address.is_unspecified()) {
        throw WrongUse(fmt::format(
            "{}: {} cannot be listened at; name an address of this host, or 0.0.0.0 for all",
            option, text));
    }
    return endpoint;
}

std::string_view first_given(std::initializer_list<Named> options) {
    for (const auto& [name, text] : options) {
        if (*text) return name;
    }
    return {};
}

namespace {

/// What a root that lets nobody in has no use for.
void refuse_without_admission(const Typed& typed) {
    const auto stray = first_given({{"--output", &typed.output},
                                    {"--commands", &typed.commands},
                                    {"--name", &typed.name},
                                    {"--policy", &typed.policy},
                                    {"--scheme", &typed.scheme},
                                    {"--fan-out", &typed.fan_out},
                                    {"--dead-after", &typed.dead_after},
                                    {"--wait-leaves", &typed.wait_leaves},
                                    {"--tls-psk", &typed.tls_psk},
                                    {"--tls-identity", &typed.tls_identity},
                                    {"--tls-cert", &typed.tls_cert},
                                    {"--tls-key", &typed.tls_key},
                                    {"--tls-ca", &typed.tls_ca},
                                    {"--tls-peer", &typed.tls_peer}});
    if (stray.empty()) return;
    if (stray == "--output") {
        throw WrongUse(
            "--output: nobody sends to a root that lets no leaves in (source-specific); add "
            "--listen or --invite, or hear a group with `joinleaf leaf --join`");
    }
    throw WrongUse(
        fmt::format("{} is for a root that lets leaves in; add --listen, as in "
                    "--listen 10.1.0.1:7000, or --invite",
                    stray));
}

std::uint64_t wait_leaves(const Typed& typed) {
    if (!typed.input) throw WrongUse("--wait-leaves puts off what is sent; add --input");
    return valid(parse_whole("--wait-leaves", *typed.wait_leaves, 1, kMostLeaves));
}

/// What a leaf that nobody lets in has no use for.
void refuse_without_root(const Typed& typed) {
    const auto stray = first_given({{"--name", &typed.name},
                                    {"--caller-data", &typed.caller_data},
                                    {"--tls-psk", &typed.tls_psk},
                                    {"--tls-identity", &typed.tls_identity},
                                    {"--tls-cert", &typed.tls_cert},
                                    {"--tls-key", &typed.tls_key},
                                    {"--tls-ca", &typed.tls_ca},
                                    {"--tls-peer", &typed.tls_peer}});
    if (stray.empty()) return;
    throw WrongUse(fmt::format(
        "{} is for a leaf that a root lets in; add --root, as in --root 10.1.0.1:7000, or "
        "--listen",
        stray));
}

/// What a root settles for its leaves.
void refuse_in_a_session(const Typed& typed) {
    const std::string_view way = typed.root ? "--root" : "--listen";
    if (!typed.joins.empty()) {
        throw WrongUse(
            fmt::format("{} and --join contradict each other; a root names the group", way));
    }
    if (!typed.sources.empty() || !typed.excludes.empty()) {
        throw WrongUse(fmt::format("{} and {} contradict each other; the root says who sends", way,
                                   typed.sources.empty() ? "--exclude" : "--source"));
    }
    if (typed.scope) {
        throw WrongUse(
            fmt::format("{} and --scope contradict each other; the root says how far", way));
    }
    if (typed.listen && !typed.output) {
        throw WrongUse(
            "--output is missing; who is invited receives what the root sends (null: to count "
            "only)");
    }
    if (typed.caller_data && !typed.root) {
        throw WrongUse("--caller-data goes with a request; leave it out, or ask with --root");
    }
}

}  // namespace

std::optional<RootAdmission> root_admission(const Typed& typed, GroupEndpoint group,
                                            Complaints& wrong) {
    if (!typed.listen && typed.invites.empty()) {
        wrong.attempt([&] { refuse_without_admission(typed); });
        return {};
    }
    RootAdmission admission;
    auto& options = admission.options;
    options.session.group = group;
    const bool has_scheme = wrong.attempt([&] { admission.scheme = scheme_of(typed, group); });
    if (typed.listen) {
        wrong.attempt([&] { admission.listen = local_endpoint("--listen", *typed.listen); });
    }
    for (const auto& text : typed.invites) {
        wrong.attempt([&] { admission.invite.push_back(valid(parse_remote("--invite", text))); });
    }
    if (typed.commands) wrong.attempt([&] { admission.commands = commands_from(typed); });
    const bool invites = !typed.invites.empty() || typed.commands;
    wrong.attempt([&] { options.name = own_name(typed); });
    wrong.attempt([&] { options.tls = tls_files(typed, invites, "--invite"); });
    options.policy = typed.policy.value_or("");
    if (has_scheme) {
        wrong.attempt([&] { options.session.fan_out = fan_out_of(typed, admission.scheme); });
    }
    if (typed.dead_after) {
        wrong.attempt([&] { options.dead_after = dead_after(*typed.dead_after); });
    }
    if (typed.wait_leaves) wrong.attempt([&] { admission.wait_leaves = wait_leaves(typed); });
    return admission;
}

std::optional<LeafAdmission> leaf_admission(const Typed& typed, Complaints& wrong) {
    if (!typed.root && !typed.listen) {
        wrong.attempt([&] { refuse_without_root(typed); });
        return {};
    }
    LeafAdmission admission;
    if (typed.root && typed.listen) {
        wrong.attempt([] {
            throw WrongUse(
                "--root and --listen contradict each other; a leaf asks a root, or waits to "
                "be invited");
        });
        return admission;
    }
    wrong.attempt([&] { refuse_in_a_session(typed); });
    if (typed.root) {
        wrong.attempt([&] { admission.root = valid(parse_remote("--root", *typed.root)); });
    }
    if (typed.listen) {
        wrong.attempt([&] { admission.listen = local_endpoint("--listen", *typed.listen); });
    }
    auto& options = admission.options;
    wrong.attempt([&] { options.name = own_name(typed); });
    options.any_data_plane = true;  // the root says
    wrong.attempt([&] { options.tls = tls_files(typed, typed.root.has_value(), "--root"); });
    wrong.attempt([&] { admission.caller_data = octets_of("--caller-data", typed.caller_data); });
    return admission;
}

}  // namespace joinleaf::app
