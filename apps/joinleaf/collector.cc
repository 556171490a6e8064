// What a root receives of its leaves.
#include <apps/joinleaf/collector.h>
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/taking.h>

namespace joinleaf::app {
Collector::Collector(Receiver receiver, Output output)
    : receiver_(std::move(receiver)), output_(std::move(output)) {}

Collector::~Collector() { halt(); }

void Collector::begin() {
    thread_ = std::thread([this] { run(); });
}

void Collector::halt() {
    ending_ = true;
    if (thread_.joinable()) thread_.join();
}

void Collector::end() {
    halt();
    if (failure_) throw Failure(*failure_);
    while (take_burst()) {
    }
    output_.close();
}

void Collector::run() {
    const auto take = [this] { return take_burst(); };
    const auto ends = [this](Instant) { return std::string_view(ending_ ? "ended" : ""); };
    Taking taking;
    try {
        while (taking.turn(output_, take, ends).empty()) {
        }
    } catch (const std::exception& error) {
        failure_ = in_one_line(error);
        has_failed_ = true;
    }
}

bool Collector::take_burst() {
    return receiver_.consume([this](std::span<const Datagram> datagrams) {
        for (const auto& datagram : datagrams) output_.append(datagram);
        const std::lock_guard lock(mutex_);
        for (const auto& datagram : datagrams) {
            counts_.count(datagram.source(), datagram.size());
            ++taken_.datagrams;
            taken_.octets += datagram.size();
        }
    }) != 0;
}

void Collector::expect(Ipv4Address leaf, const std::string& name) {
    const std::lock_guard lock(mutex_);
    counts_.expect(leaf, name);
}

std::optional<SenderFacts> Collector::of(Ipv4Address sender) const {
    const std::lock_guard lock(mutex_);
    return counts_.of(sender);
}

std::vector<SenderFacts> Collector::senders() const {
    const std::lock_guard lock(mutex_);
    return counts_.all();
}

Ticker::Taken Collector::taken() const {
    const std::lock_guard lock(mutex_);
    return taken_;
}

}  // namespace joinleaf::app
