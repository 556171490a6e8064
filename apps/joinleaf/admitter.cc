// A root's leaves, on a thread of their own.
#include <apps/joinleaf/admission_files.h>
#include <apps/joinleaf/admitter.h>
#include <apps/joinleaf/numbers.h>
#include <apps/joinleaf/run.h>
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>

namespace joinleaf::app {
namespace {

using namespace std::chrono_literals;

constexpr auto kLook = 50ms;
constexpr auto kInviteAgain = 1s;
constexpr std::size_t kBacklog = 1024;
constexpr std::size_t kMostInvitations = 16384;

}  // namespace

Admitter::Admitter(Runtime& runtime, const RootAdmission& admission, const SenderOptions& sender,
                   Reporter& report, Console* console, Collector* collector, BlackBox& black_box,
                   Reload reload)
    : admission_(admission),
      report_(report),
      console_(console),
      collector_(collector),
      reload_(std::move(reload)),
      black_box_(black_box),
      events_(runtime.open_event_queue()) {
    SocketOptions options{
        .scheme = admission.scheme,
        .control_role = ControlRole::root,
        .data_role = admission.scheme.data == Plane::rooted ? DataRole::root : DataRole::leaf,
        .receiver = collector != nullptr ? &collector->receiver() : nullptr,
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
    report_.json(json_of_refused(peer, why));
}

void Admitter::run() {
    while (!ending_) {
        wait();
        while (const auto event = events_.next()) handle(*event);
        take_invitations();
        invite_next(Instant::clock::now());
    }
}

void Admitter::invite_also(std::vector<ControlEndpoint> leaves) {
    const std::lock_guard lock(mutex_);
    to_invite_.insert(to_invite_.end(), leaves.begin(), leaves.end());
}

void Admitter::take_invitations() {
    std::vector<ControlEndpoint> leaves;
    {
        const std::lock_guard lock(mutex_);
        leaves.swap(to_invite_);
    }
    for (const auto& leaf : leaves) {
        if (const auto answer = invite(leaf); !answer.done) report_.note(answer.what);
    }
}

void Admitter::wait() {
    if (console_ != nullptr) {
        console_->serve(events_.fd(), kLook,
                        [this](std::string_view line) { return text_of(carry_out(line)); });
    } else {
        pollfd events{events_.fd(), POLLIN, 0};
        ::poll(&events, 1, static_cast<int>(kLook.count()));
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
    if (collector_ != nullptr) {
        collector_->expect(leaf.facts.peer.data_address, leaf.facts.peer.name);
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

CommandAnswer Admitter::carry_out(std::string_view line) {
    const auto command = parse_command(line);
    if (!command) return not_done(command.error());
    if (const auto* who = std::get_if<ExpelLeaf>(&*command)) return expel(who->who);
    if (const auto* where = std::get_if<InviteLeaf>(&*command)) return invite(where->leaf);
    if (const auto* file = std::get_if<WriteRecord>(&*command)) return record(file->path);
    if (std::holds_alternative<ListLeaves>(*command)) return list_leaves();
    if (std::holds_alternative<ReloadFiles>(*command)) return reload_();
    return help_on_commands();
}

std::vector<LeafFacts> Admitter::members() const {
    std::vector<LeafFacts> members;
    for (const auto& [id, leaf] : leaves_) {
        if (leaf.joined) members.push_back(leaf.facts);
    }
    return members;
}

CommandAnswer Admitter::list_leaves() const {
    const auto all = members();
    CommandAnswer answer = done(all.size() == 1 ? "1 leaf" : fmt::format("{} leaves", all.size()));
    for (const auto& leaf : all) {
        std::string line = text_of(leaf);
        const auto sent =
            collector_ != nullptr ? collector_->of(leaf.peer.data_address) : std::nullopt;
        if (sent) line += fmt::format(", has sent {} datagrams", grouped(sent->datagrams));
        answer.lines.push_back(std::move(line));
    }
    return answer;
}

CommandAnswer Admitter::expel(const std::string& who) {
    const auto all = members();
    const auto chosen = choose_leaf(who, all);
    if (!chosen) return not_done(chosen.error());
    const auto leaf = std::ranges::find_if(leaves_, [&](const auto& entry) {
        return entry.second.facts.number == all[*chosen].number;
    });
    // Its own end raises no event here.
    leaf->second.socket.close();
    closed(leaf->first, std::make_error_code(std::errc::connection_aborted));
    return done(fmt::format("expelled {}", text_of(all[*chosen])));
}

CommandAnswer Admitter::record(const std::string& path) {
    const auto written = black_box_.write(path, "command");
    return written ? done(*written) : not_done(written.error());
}

CommandAnswer Admitter::invite(const ControlEndpoint& leaf) {
    const auto is_meant = [&](const Invitation& invitation) { return invitation.leaf == leaf; };
    const auto known = std::ranges::find_if(invitations_, is_meant);
    if (known != invitations_.end() && !known->taken) {
        return not_done(fmt::format("{} is being invited already", leaf.to_string()));
    }
    if (known != invitations_.end()) {
        invitations_.erase(known);  // it has come, and may have gone since
    } else if (invitations_.size() >= kMostInvitations) {
        return not_done(
            fmt::format("{} have been invited, which is the most", grouped(kMostInvitations)));
    }
    invitations_.push_back({.leaf = leaf});
    return done(fmt::format("invites {}, again every second until it comes", leaf.to_string()));
}

}  // namespace joinleaf::app
