// The recorder of a runtime: has its workers record, gets from them what they have recorded, and
// has it written.
#pragma once

#include <controlplane/recorder_files.h>
#include <controlplane/recording_file.h>
#include <controlplane/worker_proxy.h>
#include <dataplane/recording.h>

#include <joinleaf/recorder.h>
#include <joinleaf/status.h>
#include <array>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace joinleaf::controlplane {

/// Two recordings for each lane: one that its worker writes into, and one that is being written to
/// a file, or waits for its turn. Control thread, but for admit() and the thread of its own that
/// writes files, so that nobody waits for a disk.
class FlightRecorder {
public:
    using Log = std::function<void(std::string_view)>;
    using Done = std::function<void(Result<RecorderDump>)>;

    FlightRecorder(const RecorderOptions& options, Log log);
    ~FlightRecorder() { finish(); }
    FlightRecorder(const FlightRecorder&) = delete;
    FlightRecorder& operator=(const FlightRecorder&) = delete;

    /// Before the workers run: has that lane recorded. Errors: throws std::system_error (ENOMEM).
    void add_lane(WorkerProxy& proxy, dataplane::LaneIndex lane, std::string name,
                  std::string description, const MacAddress& mac);

    /// Writes what there is to `path` (empty: to one that the prefix names). `done` is called once,
    /// on any thread.
    void dump(const std::string& path, Done done);

    /// Any thread. Whether around() may be called for what happens now.
    [[nodiscard]] bool admit(Instant now) noexcept {
        return !options_.prefix.empty() && limit_.admit(now);
    }
    /// Writes a file of its own, with something after now in it, unless the same waits already.
    void around(std::string why, Instant now);

    void tick(Instant now);
    /// When the workers have stopped: writes what was asked for, and waits for that. Idempotent.
    void finish();

private:
    struct Lane {
        WorkerProxy* proxy;
        dataplane::LaneIndex index;
        RecordedLane recorded;  ///< whose recording is what the worker has given back
        std::array<std::unique_ptr<dataplane::Recording>, 2> recordings;
        std::size_t spare = 1;  ///< which of them the worker does not have
        DropCounts drops{};     ///< that were told of already
        [[nodiscard]] dataplane::LentRecording& lent() const;
    };
    struct Request {
        RecordingFile file;
        bool is_named = false;  ///< by the prefix; it has no path yet
        std::size_t after = 0;
        bool is_kept_of_many = false;
        Done done;
    };
    struct Written {
        Request request;
        Result<std::uint64_t> packets;
    };

    void look_for_drops(Instant now);
    void go_on(Instant now);
    void lose_patience(Instant now);
    void begin(Request request, Instant now);
    void replace_all(std::size_t after);
    [[nodiscard]] bool has_all();
    void hand_to_writer();
    void take_written();
    void tell(const Written& written);
    void write_files();

    const RecorderOptions options_;
    Log log_;
    OncePer limit_;
    KeptFiles kept_;
    std::vector<Lane> lanes_;
    std::deque<Request> waiting_;
    std::optional<Request> under_way_;  ///< recordings are being got from the workers
    bool is_writing_ = false;           ///< and are with the writer
    Instant begun_{};                   ///< what is under way
    bool finished_ = false;

    std::mutex mutex_;  ///< of what the writer is given and gives
    std::condition_variable news_;
    std::optional<Request> to_write_;
    std::optional<Written> written_;
    bool ends_ = false;
    std::thread writer_;
};

}  // namespace joinleaf::controlplane
