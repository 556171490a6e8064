#include <controlplane/flight_recorder.h>
#include <dataplane/dpdk/error.h>
#include <fmt/format.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace joinleaf::controlplane {
namespace {

using dataplane::Recording;

// Where little comes, a file around something waits no longer for what is to come after it.
constexpr Duration kLongestAfter = std::chrono::milliseconds(250);

// A worker that polls answers within its turn, or its sleep (kLongestIdleSleep).
constexpr Duration kPatience = std::chrono::seconds(2);

constexpr std::size_t kMegabyte = 1'000'000;

}  // namespace

dataplane::LentRecording& FlightRecorder::Lane::lent() const {
    return proxy->worker().lane(index).recorder.recording();
}

FlightRecorder::FlightRecorder(const RecorderOptions& options, Log log)
    : options_(options),
      log_(std::move(log)),
      limit_(options.interval),
      kept_(std::max<std::size_t>(options.files, 1)) {
    writer_ = std::thread([this] {
        pthread_setname_np(pthread_self(), "jl-recorder");
        write_files();
    });
}

void FlightRecorder::add_lane(WorkerProxy& proxy, dataplane::LaneIndex lane, std::string name,
                              std::string description, const MacAddress& mac) {
    Lane added{
        .proxy = &proxy,
        .index = lane,
        .recorded = {.name = std::move(name), .description = std::move(description), .mac = mac},
        .recordings = {}};
    try {
        for (auto& recording : added.recordings) {
            recording = std::make_unique<Recording>(options_.packets, options_.snap);
        }
    } catch (const std::bad_alloc&) {
        dataplane::dpdk::fail(
            ENOMEM,
            fmt::format("no memory for a recorder of {} packets of {} octets, which takes "
                        "{} MB for each queue; record less",
                        options_.packets, options_.snap,
                        2 * Recording::size_of(options_.packets, options_.snap) / kMegabyte + 1));
    }
    added.lent().use(added.recordings[0].get());
    lanes_.push_back(std::move(added));
}

void FlightRecorder::dump(const std::string& path, Done done) {
    waiting_.push_back({.file = {.path = path, .is_new = path.empty(), .why = {}},
                        .is_named = path.empty(),
                        .done = std::move(done)});
}

void FlightRecorder::around(std::string why, Instant now) {
    const auto waits = [](const Request& request) { return request.is_kept_of_many; };
    if (finished_ || std::ranges::any_of(waiting_, waits)) return;
    waiting_.push_back({.file = {.path = {}, .is_new = true, .why = std::move(why)},
                        .is_named = true,
                        .after = options_.packets / 2,
                        .is_kept_of_many = true,
                        .done = {}});
    go_on(now);
}

void FlightRecorder::tick(Instant now) {
    if (finished_) return;
    look_for_drops(now);
    take_written();
    if (under_way_ && !is_writing_) {
        lose_patience(now);
        if (has_all()) hand_to_writer();
    }
    go_on(now);
}

void FlightRecorder::lose_patience(Instant now) {
    if (under_way_->after > 0 && now >= begun_ + kLongestAfter) {
        under_way_->after = 0;
        replace_all(0);
    }
    if (under_way_->done && now >= begun_ + kPatience) {
        std::exchange(under_way_->done, {})(failure(std::errc::timed_out));
    }
}

void FlightRecorder::go_on(Instant now) {
    if (under_way_ || waiting_.empty()) return;
    Request next = std::move(waiting_.front());
    waiting_.pop_front();
    begin(std::move(next), now);
}

// At most a millisecond after the worker has published its counters, which is soon enough to find
// the packet in the recording still, where that holds as much.
void FlightRecorder::look_for_drops(Instant now) {
    for (auto& lane : lanes_) {
        const auto& published = lane.proxy->worker().lane(lane.index).published;
        for (const DropReason why : options_.drops) {
            const auto count = published.get(why);
            auto& known = lane.drops[static_cast<std::size_t>(why)];
            if (count == known) continue;
            known = count;
            if (admit(now)) around(fmt::format("dropped: {}", name(why)), now);
        }
    }
}

void FlightRecorder::begin(Request request, Instant now) {
    begun_ = now;
    under_way_ = std::move(request);
    for (auto& lane : lanes_) {
        lane.recorded.recording = nullptr;
        lane.recordings[lane.spare]->clear();
    }
    replace_all(under_way_->after);
}

void FlightRecorder::replace_all(std::size_t after) {
    for (auto& lane : lanes_) {
        if (lane.recorded.recording != nullptr) continue;
        lane.proxy->send(
            dataplane::ReplaceRecording{
                .lane = lane.index, .fresh = lane.recordings[lane.spare].get(), .after = after},
            {});
    }
}

bool FlightRecorder::has_all() {
    bool all = true;
    for (auto& lane : lanes_) {
        if (lane.recorded.recording != nullptr) continue;
        lane.recorded.recording = lane.lent().take_back();
        if (lane.recorded.recording != nullptr) {
            lane.spare = 1 - lane.spare;
        } else {
            all = false;
        }
    }
    return all;
}

void FlightRecorder::hand_to_writer() {
    const bool is_wanted = under_way_->done || under_way_->is_kept_of_many;
    if (!is_wanted) return under_way_.reset();
    is_writing_ = true;
    const std::lock_guard lock(mutex_);
    to_write_ = std::move(*under_way_);
    news_.notify_one();
}

void FlightRecorder::take_written() {
    std::optional<Written> written;
    {
        const std::lock_guard lock(mutex_);
        written.swap(written_);
    }
    if (!written) return;
    under_way_.reset();
    is_writing_ = false;
    tell(*written);
}

void FlightRecorder::tell(const Written& written) {
    const auto& file = written.request.file;
    if (!written.request.is_kept_of_many) return;  // whoever asked for it is told
    if (!written.packets) {
        log_(fmt::format("'{}' could not be recorded ({}): {}; name another place for it",
                         file.path, file.why, written.packets.error().message()));
        return;
    }
    const auto passed_over = limit_.take_passed_over();
    log_(fmt::format("recorded {} packets to '{}' ({}{})", *written.packets, file.path, file.why,
                     passed_over == 0 ? "" : fmt::format("; {} more came too soon", passed_over)));
    if (const auto gone = kept_.add(file.path, begun_)) ::unlink(gone->c_str());
}

// The writer's thread. The recordings are its own from when it is given a request until it has
// written it.
void FlightRecorder::write_files() {
    for (;;) {
        std::unique_lock lock(mutex_);
        news_.wait(lock, [this] { return to_write_.has_value() || ends_; });
        if (!to_write_) return;
        Request request = *std::exchange(to_write_, std::nullopt);
        std::vector<RecordedLane> recorded;
        for (const auto& lane : lanes_) recorded.push_back(lane.recorded);
        lock.unlock();

        const auto at_zero = since_1970_at_instant_zero();
        if (request.is_named) {
            const auto now = Instant::clock::now().time_since_epoch() + at_zero;
            request.file.path = recorder_file_name(options_.prefix, now);
        }
        auto packets = write_recordings(request.file, recorded, at_zero);
        if (request.done) {
            request.done(packets.map([&](std::uint64_t n) {
                return RecorderDump{.path = request.file.path, .packets = n};
            }));
        }
        lock.lock();
        written_ = Written{std::move(request), packets};
        news_.notify_all();
    }
}

void FlightRecorder::finish() {
    if (std::exchange(finished_, true)) return;
    if (under_way_ && !is_writing_) {
        // The worker has ended, so that its recorder is ours, and what it was last told is void.
        for (auto& lane : lanes_) {
            if (lane.recorded.recording != nullptr) continue;
            lane.lent().replace(*lane.recordings[lane.spare], 0);
        }
        if (has_all()) hand_to_writer();
    }
    {
        const std::lock_guard lock(mutex_);
        ends_ = true;
        news_.notify_one();
    }
    writer_.join();
    if (written_) tell(*written_);
    for (const auto& request : waiting_) {
        if (request.done) request.done(failure(std::errc::network_down));
    }
    waiting_.clear();
}

}  // namespace joinleaf::controlplane
