// The demonstration's act with a root that decides who may listen: it invites one leaf, lets in
// another that asks, refuses a stranger, and expels.
#include <apps/joinleaf/demo/story.h>
#include <apps/joinleaf/demo/words.h>
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/numbers.h>
#include <fmt/format.h>

#include <algorithm>
#include <random>

namespace joinleaf::app {
namespace {

using namespace std::chrono_literals;

constexpr GroupEndpoint kSession{GroupAddress::of(232, 77, 0, 1), UdpPort::of(5000)};
constexpr Ipv4Address kHere(127, 0, 0, 1);
constexpr auto kPatience = 5s;
constexpr std::uint64_t kDatagrams = 1'000;
constexpr Duration kApart = 100us;

/// Listens at a port of this host that nobody has.
ControlEndpoint listen_here(Socket& socket) {
    std::random_device random;
    for (int tries = 0; tries < 100; ++tries) {
        const ControlEndpoint at{kHere, *UdpPort::from(20'000 + random() % 10'000)};
        const auto listening = socket.listen(at);
        if (listening) return at;
        if (listening.error() != std::errc::address_in_use) {
            throw_failure(fmt::format("listen at {}", at.to_string()), listening.error());
        }
    }
    throw Failure("no free TCP port on 127.0.0.1 from 20000 to 29999; let one be free");
}

UserData octets(std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}

}  // namespace

Socket Story::open_in_session(SocketOptions options) {
    options.scheme = kRootedRooted;
    Socket socket = must(runtime_.open(options), "open a socket of a rooted session");
    must(socket.select(events_), "watch a socket");
    must(socket.set_nonblocking(true), "watch a socket");
    return socket;
}

Event Story::await(EventType type, const Socket& socket) {
    const Instant deadline = Instant::clock::now() + kPatience;
    for (;;) {
        const auto found = std::ranges::find_if(heard_, [&](const Event& event) {
            return event.type == type && event.socket == socket.id();
        });
        if (found != heard_.end()) {
            const Event event = *found;
            heard_.erase(found);
            return event;
        }
        check_stop();
        if (const auto event = events_.wait(100ms)) heard_.push_back(*event);
        if (Instant::clock::now() > deadline) {
            throw Failure(
                fmt::format("an event of admission ({}) has not come within 5 s", name(type)));
        }
    }
}

void Story::admit_and_expel() {
    SocketOptions options{
        .control_role = ControlRole::root, .data_role = DataRole::root, .port = kRootPort};
    options.admission = {.name = "root", .session = {.group = kSession}};
    Socket root = open_in_session(options);
    const ControlEndpoint root_at = listen_here(root);
    heading(fmt::format("A root decides who may listen to {}: admission by TCP at {}",
                        kSession.to_string(), root_at.to_string()));
    const Socket invited = invite(leaves_[0], root);
    Socket asked = ask(leaves_[1], root, root_at);
    refuse_stranger(root, root_at);
    Sender sender = must(root.sender(), "publish");

    begin(LeafSink::Work::count);
    for (auto& leaf : leaves_) leaf.listens = true;
    send_stamped(sender, kDatagrams, kApart);
    report_.text(fmt::format("  of {} datagrams {} got {} and {} {}", grouped(sent_),
                             leaves_[0].name, grouped(leaves_[0].sink.datagrams()), leaves_[1].name,
                             grouped(leaves_[1].sink.datagrams())));
    expel(leaves_[1], asked, sender);

    const Instant called = Instant::clock::now();
    root.close();
    const Event closed = await(EventType::close, leaves_[0].session);
    const bool in_good_order = !closed.error;
    report_.json({{"event", "session_closed"}, {"leaf", 1}, {"in_good_order", in_good_order}});
    report_.text(fmt::format("  the root ends the session: FD_CLOSE at {} after {:.3f} ms",
                             leaves_[0].name, milliseconds_between(called, closed.at)));
    if (!in_good_order) problem("the end of the session was not in good order");
    for (auto& leaf : leaves_) leaf.session.close();
}

Socket Story::invite(Leaf& leaf, Socket& root) {
    Socket listening = open_in_session({.port = leaf.port, .handler = leaf.sink.handler()});
    const ControlEndpoint at = listen_here(listening);
    leaf.reports_shown = network_->reports_from(leaf.port);
    const Instant called = Instant::clock::now();
    Socket stands_for_leaf = must(root.join_leaf(at), "invite a leaf");
    (void)await(EventType::accept, listening);
    leaf.session = must(listening.accept(), "accept the invitation");
    tell_joined(leaf, "invited by the root", called, await(EventType::connect, leaf.session),
                await(EventType::connect, root));
    return stands_for_leaf;
}

Socket Story::ask(Leaf& leaf, Socket& root, ControlEndpoint root_at) {
    leaf.session = open_in_session({.port = leaf.port,
                                    .handler = leaf.sink.handler(),
                                    .admission = {.name = std::string(leaf.name)}});
    leaf.reports_shown = network_->reports_from(leaf.port);
    const Instant called = Instant::clock::now();
    must(leaf.session.join_leaf(root_at, {.caller_data = octets("please")}), "ask the root");
    (void)await(EventType::accept, root);
    Socket stands_for_leaf = must(root.accept(), "let a leaf in");
    tell_joined(leaf, "let in as it asked", called, await(EventType::connect, leaf.session),
                await(EventType::connect, stands_for_leaf));
    return stands_for_leaf;
}

void Story::tell_joined(Leaf& leaf, std::string_view how, Instant called, const Event& at_leaf,
                        const Event& at_root) {
    if (at_leaf.error || at_root.error) {
        throw_failure(fmt::format("have {} {}", leaf.name, how),
                      at_leaf.error ? at_leaf.error : at_root.error);
    }
    const auto record = session_record(leaf, false);
    report_.json({{"event", "admitted"},
                  {"leaf", leaf.port},
                  {"how", how},
                  {"report", record},
                  {"connect_ms", rounded(milliseconds_between(called, at_leaf.at))},
                  {"root_told_ms", rounded(milliseconds_between(called, at_root.at))}});
    report_.text(
        fmt::format("  {}  {}: its report left after {:.3f} ms, the root knew after "
                    "{:.3f} ms",
                    leaf.name, how, milliseconds_between(called, at_leaf.at),
                    milliseconds_between(called, at_root.at)));
    report_.text(fmt::format("         {}", record));
}

// Reports of other groups may come in between: they are repeated (RFC 9776 §5.1).
std::string Story::session_record(Leaf& leaf, bool of_leaving) {
    while (const auto seen = network_->report_from(leaf.port, leaf.reports_shown, kPatience)) {
        ++leaf.reports_shown;
        for (const auto& record : seen->report.records) {
            const bool leaves =
                record.type == igmp::RecordType::block ||
                (record.type == igmp::RecordType::to_include && record.sources.empty());
            if (record.group == kSession.group && leaves == of_leaving) return in_words(record);
        }
    }
    throw Failure(fmt::format("the switch has not seen the report of {} within 5 s", leaf.name));
}

void Story::refuse_stranger(Socket& root, ControlEndpoint root_at) {
    Socket stranger = open_in_session({.port = leaves_[1].port,
                                       .handler = leaves_[1].sink.handler(),
                                       .admission = {.name = "stranger"}});
    must(stranger.join_leaf(root_at), "ask the root");
    (void)await(EventType::accept, root);
    const auto answered = root.accept([](const PendingJoin& join) {
        return Answer{join.peer.name == "stranger" ? Verdict::reject : Verdict::accept, {}};
    });
    const Event told = await(EventType::connect, stranger);
    report_.json({{"event", "refused"}, {"name", "stranger"}, {"error", told.error.message()}});
    report_.text(fmt::format("  a stranger asks and is told: {} ({}); it joins no group",
                             told.error.message(), winsock_name(told.error)));
    const auto memberships = runtime_.status().memberships;
    const bool is_member = std::ranges::any_of(memberships, [&](const MembershipStatus& member) {
        return SocketId{member.socket} == stranger.id();
    });
    if (answered || is_member || told.error != std::errc::connection_refused) {
        problem("the stranger was not refused");
    }
}

void Story::expel(Leaf& leaf, Socket& stands_for_leaf, Sender& sender) {
    leaf.reports_shown = network_->reports_from(leaf.port);
    const Instant called = Instant::clock::now();
    stands_for_leaf.close();
    const Event closed = await(EventType::close, leaf.session);
    leaf.listens = false;
    const auto record = session_record(leaf, true);

    const std::uint64_t before = network_->forwarded_to(leaf.port);
    begin(LeafSink::Work::count);
    send_stamped(sender, kDatagrams, kApart);
    const std::uint64_t forwarded = network_->forwarded_to(leaf.port) - before;
    const std::uint64_t to_others = leaves_[0].sink.datagrams();
    report_.json({{"event", "expelled"},
                  {"leaf", leaf.port},
                  {"error", closed.error.message()},
                  {"close_ms", rounded(milliseconds_between(called, closed.at))},
                  {"report", record},
                  {"sent", sent_},
                  {"delivered_to_leaf_1", to_others},
                  {"delivered_to_leaf_2", leaf.sink.datagrams()},
                  {"forwarded_to_leaf_2", forwarded}});
    report_.text(fmt::format("  {}  expelled: FD_CLOSE ({}) after {:.3f} ms", leaf.name,
                             close_reason(Role::leaf, closed.error),
                             milliseconds_between(called, closed.at)));
    report_.text(fmt::format("         {}", record));
    report_.text(fmt::format("  of {} more {} got {} and {} {}; the switch sent it {}",
                             grouped(sent_), leaves_[0].name, grouped(to_others), leaf.name,
                             grouped(leaf.sink.datagrams()), grouped(forwarded)));
    if (closed.error != std::errc::connection_aborted) problem("the expelled leaf was not told so");
    if (forwarded != 0 || leaf.sink.datagrams() != 0) problem("the expelled leaf still receives");
}

}  // namespace joinleaf::app
