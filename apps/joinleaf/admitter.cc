// A root's leaves, on a thread of their own.
#include <apps/joinleaf/admission_files.h>
#include <apps/joinleaf/admitter.h>
#include <apps/joinleaf/run.h>
#include <fmt/format.h>

#include <algorithm>

namespace joinleaf::app {
namespace {

using namespace std::chrono_literals;

constexpr auto kLook = 50ms;
constexpr auto kInviteAgain = 1s;
constexpr std::size_t kBacklog = 1024;

}  // namespace

Admitter::Admitter(Runtime& runtime, const RootAdmission& admission, const SenderOptions& sender,
                   Reporter& report)
    : admission_(admission), report_(report), events_(runtime.open_event_queue()) {
    SocketOptions options{
        .scheme = admission.scheme,
        .control_role = ControlRole::root,
        .data_role = admission.scheme.data == Plane::rooted ? DataRole::root : DataRole::leaf,
        .sender = sender,
        .admission = admission.options};
    options.admission.refused = [this](const Peer& peer, std::string_view why) {
        refused(peer, why);
    };
    root_ = must(runtime.open(options),
                 fmt::format("open a root for {}", admission.options.session.group.to_string()));
}

void Admitter::begin() {
    must(root_.select(events_), "watch the root");
    must(root_.set_nonblocking(true), "watch the root");
    if (admission_.listen) {
        const auto& at = *admission_.listen;
        must(root_.listen(at, kBacklog), fmt::format("listen at {}", at.to_string()));
        const Listening listening{at, has_tls(admission_.options)};
        report_.json(json_of(listening));
        report_.text(text_of(Role::root, listening));
    }
    for (const auto& leaf : admission_.invite) invitations_.push_back({.leaf = leaf});
    thread_ = std::thread([this] { run(); });
}

// The leaves' sockets go after the root: closed before it they would expel their leaves.
Admitter::~Admitter() { end(); }

void Admitter::end() {
    ending_ = true;
    if (thread_.joinable()) thread_.join();
    root_.close();
}

LeafCounts Admitter::counts() const {
    const std::lock_guard lock(mutex_);
    return counts_;
}

void Admitter::refused(const Peer& peer, std::string_view why) {
    {
        const std::lock_guard lock(mutex_);
        ++counts_.refused;
    }
    report_.json(json_of_refused(peer, why));
}

void Admitter::run() {
    while (!ending_) {
        if (const auto event = events_.wait(kLook)) handle(*event);
        invite_next(Instant::clock::now());
    }
}

void Admitter::handle(const Event& event) {
    switch (event.type) {
        case EventType::accept:
            return accept_all();
        case EventType::connect:
            if (event.socket == root_.id()) return invitation_ended(event.error);
            if (const auto leaf = leaves_.find(event.socket); leaf != leaves_.end()) {
                joined(leaf->second);
            }
            return;
        case EventType::close:
            return closed(event.socket, event.error);
        case EventType::talk:
            return;
    }
}

void Admitter::accept_all() {
    for (;;) {
        LeafFacts facts;
        auto leaf = root_.accept([&](const PendingJoin& join) {
            facts.peer = join.peer;
            facts.caller_data = text_of(join.caller_data);
            return Answer{};
        });
        if (leaf) {
            leaves_.emplace(leaf->id(), Leaf{.socket = *leaf, .facts = std::move(facts)});
        } else if (leaf.error() != std::errc::connection_reset &&
                   leaf.error() != std::errc::permission_denied &&  // those ended while they waited
                   leaf.error() != std::errc::connection_refused) {  // and these are too many now
            return;
        }
    }
}

void Admitter::invite_next(Instant now) {
    if (inviting_ != nullptr || invitations_.empty()) return;
    const auto next = std::ranges::min_element(invitations_, {}, [](const Invitation& invitation) {
        return std::pair(invitation.taken, invitation.next);
    });
    if (next->taken || next->next > now) return;
    auto leaf = root_.join_leaf(next->leaf);
    if (!leaf) return try_again(*next, leaf.error());
    inviting_ = &*next;
    invited_ = *std::move(leaf);
}

void Admitter::invitation_ended(std::error_code error) {
    if (inviting_ == nullptr) return;
    auto& invitation = *std::exchange(inviting_, nullptr);
    Socket socket = std::exchange(invited_, {});
    if (error) return try_again(invitation, error);
    invitation.taken = true;
    auto& leaf = leaves_[socket.id()];
    leaf.socket = std::move(socket);
    leaf.facts.peer = leaf.socket.peer().value_or(Peer{.endpoint = invitation.leaf});
    leaf.facts.invited = true;
    joined(leaf);
}

void Admitter::try_again(Invitation& invitation, std::error_code error) {
    invitation.next = Instant::clock::now() + kInviteAgain;
    if (error != invitation.last_error) {
        report_.note(fmt::format("{} does not come yet: {}; it is invited again every second",
                                 invitation.leaf.to_string(), error.message()));
    }
    invitation.last_error = error;
}

void Admitter::joined(Leaf& leaf) {
    leaf.joined = true;
    leaf.facts.number = ++last_number_;
    {
        const std::lock_guard lock(mutex_);
        ++counts_.joined;
        ++counts_.now;
    }
    report_.json(json_of_joined(leaf.facts));
    report_.text(text_of_joined(leaf.facts));
}

void Admitter::closed(SocketId id, std::error_code reason) {
    const auto found = leaves_.find(id);
    if (found == leaves_.end()) return;
    const auto& [socket, facts, was_joined] = found->second;
    const auto why = close_reason(Role::root, reason);
    if (was_joined) {
        {
            const std::lock_guard lock(mutex_);
            ++counts_.left;
            --counts_.now;
        }
        report_.json(json_of_left(facts, why));
        report_.text(text_of_left(facts, why));
    } else {
        report_.note(fmt::format("{} was let in and did not join: {}",
                                 facts.peer.endpoint.to_string(), why));
    }
    leaves_.erase(found);
}

}  // namespace joinleaf::app
