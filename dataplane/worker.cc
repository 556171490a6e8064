#include <dataplane/fan_out.h>
#include <dataplane/receive.h>
#include <dataplane/replicate.h>
#include <dataplane/transmit.h>
#include <dataplane/worker.h>
#include <time.h>

#include <algorithm>

namespace joinleaf::dataplane {
namespace {

constexpr Duration kPublishEvery = std::chrono::milliseconds(1);
constexpr std::uint32_t kIdleTurnsBeforeSleep = 1024;
constexpr std::size_t kCommandsPerTurn = 32;

template <class... Handlers>
struct Overloaded : Handlers... {
    using Handlers::operator()...;
};
template <class... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;  // clang 14 does not deduce aggregates

}  // namespace

bool Worker::turn(Instant now) noexcept {
    std::uint32_t moved = 0;
    apply_commands(now);
    for (ReceiveQueue* queue : receive_queues_) queue->reclaim();
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
        moved += receive(*lanes_[i], static_cast<LaneIndex>(i), control_frames_, now);
    }
    for (RelayQueue* queue : relayed_) moved += take_relayed(*queue, lanes_, now);
    for (const auto& lane : lanes_) {
        const bool data_first = lane->data_is_next && lane->control_count > 0;
        if (data_first) moved += send(*lane, now);
        transmit_control(*lane, acknowledgements_, clock_, now);
        if (!data_first) moved += send(*lane, now);
    }
    ++turns_;
    if (moved > 0) ++busy_turns_;
    publish_counters(now, moved > 0);
    return moved > 0;
}

// The next outlets in a circle; where that is all of them, another one is the first each time, as
// the first finds what room the port has.
std::uint32_t Worker::send(Lane& lane, Instant now) noexcept {
    std::uint32_t moved = 0;
    const std::size_t n = std::min(lane.outlets.size(), Lane::kOutletsPerTurn);
    std::size_t i = 0;
    for (; i < n && moved < Lane::kFramesPerTurn; ++i) {
        if (lane.next_outlet >= lane.outlets.size()) lane.next_outlet = 0;
        Outlet& outlet = *lane.outlets[lane.next_outlet++];
        if (outlet.replication) {
            moved += replicate(lane, outlet, now);
            continue;
        }
        for (std::uint32_t burst = 0; burst < Lane::kBurstsPerOutlet; ++burst) {
            moved += fan_out(lane, outlet, now);
            const std::uint32_t taken = transmit(lane, outlet, now);
            moved += taken;
            if (taken < dpdk::kBurst) break;  // the port is full, or the outlet has no more
        }
    }
    const std::size_t all = lane.outlets.size();
    if (i == all && all > 1) lane.next_outlet = lane.next_outlet % all + 1;
    return moved;
}

void Worker::run() noexcept {
    std::uint32_t idle = 0;
    const Instant began = clock_.now();
    for (Instant now = began; !stopping_.load(std::memory_order_relaxed);) {
        const bool moved = turn(now);
        const Instant after = clock_.now();
        if (moved) busy_time_ += after - now;
        run_time_ = after - began;
        now = after;
        idle = moved ? 0 : idle + 1;
        if (idle < kIdleTurnsBeforeSleep || options_.idle_sleep == Duration::zero()) continue;
        const timespec rest{.tv_sec = 0, .tv_nsec = options_.idle_sleep.count()};
        nanosleep(&rest, nullptr);
        now = clock_.now();
    }
    for (const auto& lane : lanes_) lane->published.publish(lane->tally);
}

Worker::Worker(const WorkerOptions& options) : options_(options) {
    receive_queues_.reserve(kMaxReceiveQueues);
}

Worker::~Worker() {
    for (ControlFrame frame; control_frames_.pop(frame);) dpdk::free(frame.packet);
    for (Command command; commands_.pop(command);) {
        if (const auto* frame = std::get_if<TransmitFrame>(&command.what))
            dpdk::free(frame->packet);
    }
}

LaneIndex Worker::add_lane(std::unique_ptr<Lane> lane) {
    lanes_.push_back(std::move(lane));
    return static_cast<LaneIndex>(lanes_.size() - 1);
}

// Under load once a millisecond; when traffic pauses at once, so that whoever has just been given
// the last datagram finds everything counted.
void Worker::publish_counters(Instant now, bool moved) noexcept {
    const bool pauses = !moved && moved_since_published_;
    moved_since_published_ = moved_since_published_ || moved;
    if (!pauses && now - published_at_ < kPublishEvery) return;
    published_at_ = now;
    moved_since_published_ = false;
    for (const auto& lane : lanes_) lane->published.publish(lane->tally);
    turns_published_.store(turns_, std::memory_order_relaxed);
    busy_published_.store(busy_turns_, std::memory_order_relaxed);
    busy_time_published_.store(busy_time_.count(), std::memory_order_relaxed);
    run_time_published_.store(run_time_.count(), std::memory_order_relaxed);
}

void Worker::acknowledge(std::uint64_t token, Instant now, bool done) noexcept {
    const Acknowledgement answer{.token = token, .at = now, .done = done};
    // As many slots as commands may be under way.
    static_cast<void>(acknowledgements_.push(answer));
}

void Worker::apply_commands(Instant now) noexcept {
    if (commands_.empty()) return;  // nearly always, and room for them is not for nothing
    std::array<Command, kCommandsPerTurn> commands;
    const auto n = commands_.pop(commands);
    for (std::size_t i = 0; i < n; ++i) apply(commands[i], now);
}

void Worker::apply(const Command& command, Instant now) noexcept {
    bool done = true;
    bool answer_now = true;
    std::visit(
        Overloaded{
            [&](const AddReceiveQueue& c) {
                done = receive_queues_.size() < kMaxReceiveQueues;
                if (done) receive_queues_.push_back(c.queue);
            },
            [&](const RemoveReceiveQueue& c) { std::erase(receive_queues_, c.queue); },
            [&](const AddSubscription& c) {
                done = lanes_[c.lane]->subscriptions.add(*c.subscription);
            },
            [&](const RemoveSubscription& c) {
                lanes_[c.lane]->subscriptions.remove(*c.subscription);
            },
            [&](const ReplaceFilter& c) { c.subscription->set_filter(*c.filter); },
            [&](const SetLoopback& c) { c.subscription->loopback = c.on; },
            [&](const AddOutlet& c) {
                Lane& lane = *lanes_[c.lane];
                done = lane.outlets.size() < Lane::kMaxOutlets;
                if (done) lane.add_outlet(*c.outlet);
            },
            [&](const RemoveOutlet& c) {
                lanes_[c.lane]->remove_outlet(*c.outlet);
                close_outlet(*lanes_[c.lane], *c.outlet, now);
            },
            [&](const ReplaceHeader& c) {
                c.outlet->header = *c.header;
                c.outlet->route = c.route;
            },
            [&](const SetFeed& c) {
                c.outlet->feed = c.feed;
                c.outlet->line = c.line;
                c.outlet->builds = c.builds;
            },
            [&](const SetPace& c) {
                c.outlet->pacer = {c.pace, now};
            },
            [&](const SetSendTiming& c) { lanes_[c.lane]->timing = c.timing; },
            [&](const PutReplica& c) {
                c.outlet->replication->destinations.put(c.slot, *c.header, c.resolved);
            },
            [&](const RemoveReplica& c) { c.outlet->replication->destinations.remove(c.slot); },
            [&](const ReplaceRecording& c) {
                lanes_[c.lane]->recorder.recording().replace(*c.fresh, c.after);
            },
            [&](const TransmitFrame& c) {
                Lane& lane = *lanes_[c.lane];
                if (lane.control_count < Lane::kControlSlots) {
                    lane.control[lane.control_count++] = {c.packet, command.token};
                    answer_now = false;
                    return;
                }
                constexpr auto kWhy = DropReason::transmit_ring_full;
                lane.recorder.dropped(c.packet, kWhy, Way::out, now);
                lane.tally.drop(kWhy);
                dpdk::free(c.packet);
                done = false;
            },
        },
        command.what);
    if (answer_now) acknowledge(command.token, now, done);
}

}  // namespace joinleaf::dataplane
