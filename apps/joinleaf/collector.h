// What a root receives of its leaves: written in the order it arrives, and counted by who sent it.
#pragma once

#include <apps/joinleaf/output.h>
#include <apps/joinleaf/run.h>
#include <apps/joinleaf/sender_counts.h>
#include <joinleaf/receiver.h>

#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace joinleaf::app {

/// Works on a thread of its own.
class Collector {
public:
    Collector(Receiver receiver, Output output);
    Collector(const Collector&) = delete;
    Collector& operator=(const Collector&) = delete;
    ~Collector();

    [[nodiscard]] const Receiver& receiver() const noexcept { return receiver_; }
    void begin();
    /// Writes what still waits and closes the output. Errors: throws Failure, also one from before.
    void end();

    // Any thread.
    [[nodiscard]] bool has_failed() const noexcept { return has_failed_; }
    void expect(Ipv4Address leaf, const std::string& name);
    [[nodiscard]] std::optional<SenderFacts> of(Ipv4Address sender) const;
    [[nodiscard]] std::vector<SenderFacts> senders() const;
    [[nodiscard]] Ticker::Taken taken() const;

private:
    void run();
    [[nodiscard]] bool take_burst();
    void halt();

    Receiver receiver_;
    Output output_;
    mutable std::mutex mutex_;
    SenderCounts counts_;
    Ticker::Taken taken_;
    std::atomic<bool> ending_{false};
    std::atomic<bool> has_failed_{false};
    std::optional<std::string> failure_;
    std::thread thread_;
};

}  // namespace joinleaf::app
