// The run of a leaf: what it joins, takes, sends and keeps, from the joins to the last counter.
#pragma once

#include <apps/joinleaf/black_box.h>
#include <apps/joinleaf/feed_leaf.h>
#include <apps/joinleaf/input.h>
#include <apps/joinleaf/metrics.h>
#include <apps/joinleaf/publisher.h>
#include <apps/joinleaf/reload.h>
#include <apps/joinleaf/rooted_leaf.h>
#include <apps/joinleaf/service.h>
#include <apps/joinleaf/state_keeper.h>
#include <apps/joinleaf/subscriber.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace joinleaf::app {

/// From the joins to the last counter.
class Leaf {
public:
    /// `serving`: what it keeps of a feed for others; or none.
    Leaf(const LeafOptions& options, const FeedServing* serving, Surroundings& surroundings);
    Leaf(const Leaf&) = delete;
    Leaf& operator=(const Leaf&) = delete;
    ~Leaf();

    void join();
    /// Returns why it ended.
    [[nodiscard]] std::string_view run();
    /// Leaves, and says how it went. Errors: throws Failure.
    void end(std::string_view reason);

private:
    struct Member {
        Socket socket;
        Connected connected;
        std::optional<Instant> first_datagram_at{};
        bool has_left = false;  ///< while the others go on
    };

    void open_receivers();
    /// Where what the n-th join brings arrives; none where nothing is received.
    [[nodiscard]] Receiver* receiver_of(std::size_t join);
    void join_group(GroupEndpoint group);
    /// Joins what a root has said of its feed's lines besides the first.
    void join_further_lines();
    void join_one(GroupEndpoint group, const SourceFilter& sources);
    [[nodiscard]] bool takes_a_feed() const;
    void begin_to_receive(Output output);
    [[nodiscard]] FeedSubscriber subscribe_to_feed(Output output);
    /// What is to be joined without a root, or has been with one; nothing is, to send only.
    [[nodiscard]] std::vector<JoinedGroup> joined() const;
    void reload();
    [[nodiscard]] LeafOptions read_options() const;
    /// The files of `fresh`, as far as they can be others while this leaf runs. Returns their keys.
    /// Errors: throws Failure, and nothing has changed.
    [[nodiscard]] std::vector<std::string_view> reload_admission(const LeafOptions& fresh);
    /// What can change while this leaf runs; `live`: the keys of files that have been read again.
    [[nodiscard]] SettingsChange take_over(const LeafOptions& fresh,
                                           std::vector<std::string_view> live);
    /// Joins and leaves groups until they are those of the options.
    void follow_groups();
    void leave(Member& member);
    void set_sources();
    void begin_to_send();
    /// Empty: it goes on.
    [[nodiscard]] std::string_view reason_to_end(Instant now);
    [[nodiscard]] std::string_view look_at_sending();
    void tell_health(const Status& status);
    /// Writes what still waits, after the leaf has left.
    void finish_output();
    [[nodiscard]] Summary summary_of(Status status);
    [[nodiscard]] Ticker::Taken taken() const;
    /// What to say of an end that was not a good one.
    [[nodiscard]] std::optional<std::string> complaint(const Status& status,
                                                       std::string_view reason) const;

    LeafOptions options_;  ///< changed by reload()
    Surroundings& around_;
    std::optional<Input> input_;
    bool keeps_;         ///< it is a repair server
    StateKeeper state_;  ///< outlives the runtime, which leaves what is in it
    Runtime runtime_;
    std::unique_ptr<Metrics> metrics_;
    BlackBox black_box_;
    std::optional<RepairHost> keeper_;
    std::vector<Receiver> receivers_;        ///< one for each queue that groups are spread over
    std::optional<Receiver> line_receiver_;  ///< of a feed's lines on another port
    // What is received, if anything: one of the two.
    std::optional<Subscriber> subscriber_;
    std::optional<FeedSubscriber> feed_;
    std::optional<RootedLeaf> session_;
    std::vector<Member> members_;
    Instant joined_{};
    std::optional<Ticker> ticker_;
    std::optional<PublishingThread> publishing_;
    Service service_{Role::leaf};
    bool all_sent_ = false;
    /// A failed output does not keep the leaf from leaving its groups.
    std::optional<std::string> failure_;
};

}  // namespace joinleaf::app
