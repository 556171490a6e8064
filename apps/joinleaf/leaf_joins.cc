// What a leaf is joined to: groups, a root's session, the lines of a feed; and what of it changes
// while the leaf runs.
#include <apps/joinleaf/admission_files.h>
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/leaf.h>
#include <fmt/format.h>

#include <algorithm>

namespace joinleaf::app {

// A root's session is one group.
void Leaf::open_receivers() {
    const std::size_t groups = std::max<std::size_t>(options_.groups.size(), 1);
    const std::size_t queues = std::min(options_.port.queues, groups);
    for (std::size_t queue = 0; queue < queues; ++queue) {
        receivers_.push_back(
            must(runtime_.open_receiver(
                     {.queue = queue, .capacity = receive_capacity(options_.port, queues)}),
                 "open a receive queue"));
    }
    if (!options_.feed || !options_.feed->line_port) return;
    line_receiver_ = must(runtime_.open_receiver(
                              {.port = 1, .capacity = receive_capacity(*options_.feed->line_port)}),
                          "open a receive queue");
}

bool Leaf::takes_a_feed() const {
    if (!options_.feed) return false;
    if (!session_ || members_.empty()) return options_.feed->demanded;
    const bool is_feed =
        must(members_.front().socket.session(), "receive").framing == Framing::moldudp64;
    if (options_.feed->demanded && !is_feed) {
        throw Failure(
            "the root sends no sequenced feed; leave --framing out to take its data as "
            "it is");
    }
    return is_feed;
}

void Leaf::begin_to_receive(Output output) {
    if (!takes_a_feed()) {
        subscriber_.emplace(options_, receivers_, std::move(output));
        return;
    }
    feed_.emplace(subscribe_to_feed(std::move(output)));
    ticker_->set_feed(
        [this](Instant, Progress& progress) { progress.feed_taken = feed_->status(); });
}

FeedSubscriber Leaf::subscribe_to_feed(Output output) {
    FeedReceiverOptions options = options_.feed->options;
    std::vector<LineEnds> ends;
    for (std::size_t i = 0; i < members_.size(); ++i) {
        const Connected& connected = members_[i].connected;
        const auto& sources = connected.sources;
        const bool knows_sender =
            sources.mode() == FilterMode::include && sources.sources().size() == 1;
        options.lines.push_back({members_[i].socket.id(), receiver_of(i)});
        ends.push_back({connected.group, knows_sender ? sources.sources()[0] : Ipv4Address()});
    }
    // --repair goes before what the root offers: another server may be nearer to this leaf.
    if (session_ && !options.repair) {
        if (const auto repair = must(members_.front().socket.session(), "receive").repair) {
            options.repair = FeedRepairOptions{.server = {repair->address, repair->port}};
        }
    }
    const std::string doing = options.repair ? fmt::format("take the feed, with repairs from {}",
                                                           options.repair->server.to_string())
                                             : "take the feed";
    return {options_,
            must(FeedReceiver::open(options), doing),
            std::move(ends),
            std::move(output),
            runtime_,
            around_.report,
            keeper_ ? &*keeper_ : nullptr,
            options.repair ? std::optional(options.repair->server) : std::nullopt};
}

Receiver* Leaf::receiver_of(std::size_t join) {
    if (join != 0 && line_receiver_) return &*line_receiver_;
    return receivers_.empty() ? nullptr : &receivers_[join % receivers_.size()];
}

void Leaf::join_group(GroupEndpoint group) {
    join_one(group, options_.output ? options_.sources : SourceFilter::nothing());
}

void Leaf::join_further_lines() {
    const auto offer = must(members_.front().socket.session(), "join the feed's lines");
    for (const auto& line : offer.also) {
        const auto source = line.source.is_unspecified() ? offer.root_address : line.source;
        join_one(line.group, SourceFilter::only({source}));
    }
}

void Leaf::join_one(GroupEndpoint group, const SourceFilter& sources) {
    const bool only_named = options_.output && sources.mode() == FilterMode::include;
    if (subscriber_) subscriber_->expect(members_.size() + 1);
    const bool on_line_port = line_receiver_ && !members_.empty();
    Socket socket = must(runtime_.open({.scheme = only_named ? kSourceSpecific : kAnySource,
                                        .port = on_line_port ? 1u : 0u,
                                        .cookie = members_.size(),
                                        .receiver = receiver_of(members_.size()),
                                        .sender = sender_options(options_.publishing)}),
                         "open a socket");
    must(socket.set_scope(options_.scope), fmt::format("set the scope to {}", options_.scope));
    const auto direction = session_ ? Direction::receiver_only : direction_of(options_);
    const bool sends = direction != Direction::receiver_only;
    const Connected connected =
        app::join(socket, group, {.direction = direction, .sources = sources}, Role::leaf, around_,
                  sends ? group.to_string() : "");
    members_.push_back({std::move(socket), connected, {}});
}

std::vector<JoinedGroup> Leaf::joined() const {
    std::vector<JoinedGroup> joined;
    if (!options_.output) return joined;
    for (const auto group : options_.groups) joined.push_back({group, options_.sources});
    if (session_ && session_->joins_group()) {
        for (const auto& member : members_) {
            joined.push_back({member.connected.group, member.connected.sources});
        }
    }
    return joined;
}

void Leaf::reload() {
    const auto& settings = options_.common.settings;
    if (!can_read_again(settings, options_.admission ? &options_.admission->options : nullptr)) {
        return tell_nothing_to_reload(around_.report);
    }
    service_.reloading();
    try {
        const LeafOptions fresh = read_options();
        const auto files = session_ ? reload_admission(fresh) : std::vector<std::string_view>();
        tell_reloaded(around_.report, take_over(fresh, files), !settings.file.empty());
    } catch (const std::exception& why) {
        tell_not_reloaded(around_.report, why);
    }
    service_.reloaded();
}

LeafOptions Leaf::read_options() const {
    if (keeps_) return read_again<RepairOptions>(around_.arguments).leaf;
    return read_again<LeafOptions>(around_.arguments);
}

std::vector<std::string_view> Leaf::reload_admission(const LeafOptions& fresh) {
    auto& own = options_.admission->options;
    const auto& given = fresh.admission ? fresh.admission->options : own;
    auto wanted = with_live_files(own, given);
    check_files(wanted, options_.admission->root.has_value());
    session_->reload(wanted);
    auto files = live_files(own, given);
    own = std::move(wanted);
    return files;
}

// What is sent goes to the one group that was joined for it.
SettingsChange Leaf::take_over(const LeafOptions& fresh, std::vector<std::string_view> live) {
    auto& settings = options_.common.settings;
    const auto& given = fresh.common.settings;
    if (input_) {
        live.insert(live.end(), {"rate", "bit-rate"});
        auto change = app::take_over(settings, given, live);
        const auto& pace = *fresh.publishing;
        if ((change.has("rate") || change.has("bit-rate")) && !members_.empty()) {
            must(members_.front().socket.set_rate(pace.packets_per_second, pace.bits_per_second),
                 "change the rate");
        }
        return change;
    }
    if (session_ || feed_) return app::take_over(settings, given, live);
    auto change = app::take_over(settings, given, {"join", "source", "exclude"});
    auto owed = joined();
    options_.groups = fresh.groups;
    options_.sources = fresh.sources;
    const auto wanted = joined();
    owed.insert(owed.end(), wanted.begin(), wanted.end());
    state_.keep(std::move(owed));  // until all is done, either may be in force
    // Also when nothing has changed: what failed the last time is tried again.
    follow_groups();
    set_sources();
    state_.keep(wanted);
    return change;
}

// Whether all may be heard, or those that are named, is a matter of the socket's scheme: another
// kind is another join.
void Leaf::follow_groups() {
    std::vector<GroupEndpoint> missing = options_.groups;
    for (auto& member : members_) {
        if (member.has_left) continue;
        const auto wanted = std::ranges::find(missing, member.connected.group);
        const bool is_other_kind = member.connected.sources.mode() != options_.sources.mode();
        if (wanted == missing.end() || is_other_kind) {
            leave(member);
        } else {
            missing.erase(wanted);
        }
    }
    for (const auto group : missing) join_group(group);
}

void Leaf::leave(Member& member) {
    member.socket.close();
    member.has_left = true;
    const auto group = member.connected.group.to_string();
    around_.report.json({{"event", "left"}, {"group", group}});
    around_.report.text(fmt::format("has left {}", group));
}

void Leaf::set_sources() {
    for (auto& member : members_) {
        if (member.has_left || member.connected.sources == options_.sources) continue;
        must(member.socket.set_sources(options_.sources),
             fmt::format("change the sources of {}", member.connected.group.to_string()));
        member.connected.sources = options_.sources;
    }
}

}  // namespace joinleaf::app
