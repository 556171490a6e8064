// A leaf's part in a rooted session.
#include <apps/joinleaf/admission_files.h>
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/publisher.h>
#include <apps/joinleaf/rooted_leaf.h>
#include <fmt/format.h>
#include <poll.h>

#include <array>

namespace joinleaf::app {
namespace {

using namespace std::chrono_literals;

constexpr auto kLookEvery = 1ms;

std::string_view cure_for_request(const std::error_code& why, Direction direction) {
    if (why == std::errc::connection_refused) {
        return "; nobody listens there, or the root does not want this leaf";
    }
    if (why == std::errc::permission_denied) {
        return "; the root's policy, or the keys or certificates of one side, say no";
    }
    if (why == std::errc::connection_reset || why == std::errc::protocol_error) {
        return "; it broke off: is it a root, and is TLS used on both sides or on neither?";
    }
    if (why == std::errc::timed_out) {
        return "; there was no answer: is it a root, and may packets pass between?";
    }
    if (why == std::errc::network_unreachable) {
        if (direction == Direction::receiver_only) return "; 'ip route get' tells the way there";
        return "; 'ip route get' tells the way there, and --gateway the one for data that leaves "
               "the port's subnet";
    }
    if (why == std::errc::network_down) return "; the port has no link: plug it in, or set it up";
    return "";
}

}  // namespace

RootedLeaf::RootedLeaf(Runtime& runtime, const LeafOptions& options, const Receiver* receiver,
                       Surroundings& surroundings, std::function<void()> listening)
    : runtime_(runtime),
      admission_(*options.admission),
      direction_(direction_of(options)),
      around_(surroundings),
      listening_(std::move(listening)),
      events_(runtime.open_event_queue()),
      opened_(must(runtime.open({.scheme = kRootedRooted,
                                 .receiver = receiver,
                                 .sender = sender_options(options.publishing),
                                 .admission = admission_.options}),
                   "open a socket")) {
    must(opened_.select(events_), "watch the socket");
    must(opened_.set_nonblocking(true), "watch the socket");
}

std::optional<Connected> RootedLeaf::enter() {
    const bool is_in = admission_.root ? ask() : wait_for_invitation();
    if (!is_in) return {};
    return tell_connected();
}

bool RootedLeaf::ask() {
    root_ = admission_.root->to_string();
    const auto doing = fmt::format("join the session of {}", root_);
    around_.report.text(fmt::format("asks {} to be let in", root_));
    called_ = Instant::clock::now();
    member_ = must(opened_.join_leaf(*admission_.root, {.direction = direction_,
                                                        .caller_data = admission_.caller_data}),
                   doing);
    while (const auto event = next_event()) {
        if (event->type != EventType::connect) continue;
        if (!event->error) return true;
        const auto winsock = winsock_name(event->error);
        throw Failure(fmt::format("cannot {}: {}{}{}", doing, event->error.message(),
                                  winsock.empty() ? "" : fmt::format(" ({})", winsock),
                                  cure_for_request(event->error, direction_)));
    }
    return false;
}

bool RootedLeaf::wait_for_invitation() {
    const auto& at = *admission_.listen;
    must(opened_.listen(at), fmt::format("listen at {}", at.to_string()));
    const Listening listening{at, has_tls(admission_.options)};
    around_.report.json(json_of(listening));
    around_.report.text(text_of(Role::leaf, listening));
    listening_();
    while (const auto event = next_event()) {
        if (event->type == EventType::accept && !member_) {
            called_ = Instant::clock::now();
            std::string from;
            auto accepted = opened_.accept([&](const PendingJoin& invitation) {
                from = invitation.peer.endpoint.to_string();
                return Answer{};
            });
            if (!accepted) continue;  // it was withdrawn
            member_ = *std::move(accepted);
            root_ = from;
        }
        if (event->type == EventType::connect && member_ && event->socket == member_.id()) {
            if (!event->error) return true;
            around_.report.note(fmt::format("the invitation of {} came to nothing: {}", root_,
                                            event->error.message()));
            member_ = Socket();
        }
    }
    return false;
}

std::optional<Event> RootedLeaf::next_event() {
    std::array<pollfd, 3> waits{pollfd{events_.fd(), POLLIN, 0},
                                pollfd{around_.signals.fd(), POLLIN, 0},
                                pollfd{around_.signals.hangup_fd(), POLLIN, 0}};
    while (!around_.signals.asked_to_stop()) {
        if (around_.signals.asked_to_reload()) around_.reload();
        if (auto event = events_.next()) return event;
        ::poll(waits.data(), waits.size(), -1);
    }
    return {};
}

Connected RootedLeaf::tell_connected() {
    const auto doing = fmt::format("join the session of {}", root_);
    const Instant at = must(member_.connected_at(), doing);
    const SessionOffer session = must(member_.session(), doing);
    scope_ = session.scope;
    joins_group_ = session.fan_out == FanOut::multicast;
    Connected connected{
        .group = session.group,
        .at = at,
        .connect_ms = milliseconds_between(called_, at),
        .since_start_ms = milliseconds_between(around_.began, at),
        .session = SessionFacts{.root = must(member_.peer(), doing),
                                .user_data = text_of(must(member_.peer_data(), doing)),
                                .invited = !admission_.root}};
    for (const auto& membership : runtime_.status().memberships) {
        if (SocketId{membership.socket} != member_.id()) continue;
        connected.sources = membership.sources;
    }
    if (direction_ != Direction::receiver_only) {
        const bool to_root = session.scheme.data == Plane::rooted;
        connected.sends_to = fmt::format(
            "{}:{}", (to_root ? session.root_address : session.group.group.address()).to_string(),
            session.group.port.value());
    }
    around_.report.json(json_of(connected));
    around_.report.text(text_of(Role::leaf, connected));
    return connected;
}

std::string_view RootedLeaf::ended() {
    const Instant now = Instant::clock::now();
    if (now - looked_at_ < kLookEvery) return ended_;
    looked_at_ = now;
    while (const auto event = events_.next()) {
        if (event->type == EventType::close && event->socket == member_.id()) {
            ended_ = close_reason(Role::leaf, event->error);
        }
    }
    return ended_;
}

std::optional<std::string> RootedLeaf::complaint() const {
    if (ended_.empty() || ended_ == "session_closed") return {};
    if (ended_ == "expelled") return fmt::format("the root {} has expelled this leaf", root_);
    if (ended_ == "timed_out") {
        return fmt::format("the root {} was lost: nothing has been heard of it for too long",
                           root_);
    }
    if (ended_ == "network_down") {
        return "the port has lost its link: plug it in, or set it up, and join again";
    }
    return fmt::format("the root {} was lost: the connection to it broke", root_);
}

void RootedLeaf::reload(const AdmissionOptions& names) {
    must(opened_.reload_admission(names), "read the TLS files again");
}

void RootedLeaf::close() {
    member_.close();
    opened_.close();
}

}  // namespace joinleaf::app
