// What a root or a leaf sends.
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/numbers.h>
#include <apps/joinleaf/publisher.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace joinleaf::app {
namespace {

using namespace std::chrono_literals;

constexpr auto kStuck = 5s;
constexpr int kWaitMs = 200;  // for a quiet input, between two looks at the clock
constexpr std::size_t kQueue = 4096;

}  // namespace

SenderOptions sender_options(const std::optional<Publishing>& publishing) {
    if (!publishing) return {};
    return {.capacity = kQueue,
            .packets_per_second = publishing->packets_per_second,
            .bits_per_second = publishing->bits_per_second,
            .udp_checksum = publishing->udp_checksum};
}

Failure not_all_left(std::uint64_t given, std::uint64_t missing) {
    return Failure(fmt::format("{} of {} datagrams did not leave; the summary says why",
                               grouped(missing), grouped(given)));
}

Publisher::Publisher(const Publishing& publishing, std::string port, Input& input, Sender sender,
                     std::function<bool(Instant)> goes_on, int end_fd)
    : publishing_(publishing),
      port_(std::move(port)),
      input_(input),
      sender_(std::move(sender)),
      goes_on_(std::move(goes_on)),
      end_fd_(end_fd) {}

bool Publisher::run() {
    bool ended = false;
    while (!ended && goes_on_(Instant::clock::now())) {
        if (!take_buffers()) {
            idle_.wait();
        } else if (input_is_ready()) {
            ended = publish_once();
        }
    }
    sender_.cancel(std::span(held_).first(held_count_));
    return wait_until_sent() && ended;
}

bool Publisher::take_buffers() {
    const auto room = std::span(held_).subspan(held_count_);
    held_count_ += sender_.reserve(room);
    if (held_count_ == 0) return false;
    idle_.reset();
    const std::uint32_t capacity = held_[0].capacity;
    if (publishing_.chunk.value_or(0) > capacity) {
        throw Failure(
            fmt::format("--chunk: {} octets do not fit this port, which takes at "
                        "most {}; use that or less",
                        *publishing_.chunk, capacity));
    }
    chunk_ = publishing_.chunk.value_or(capacity);
    return true;
}

bool Publisher::input_is_ready() {
    if (!input_.may_block()) return true;
    std::array<pollfd, 2> waits{pollfd{input_.fd(), POLLIN, 0}, pollfd{end_fd_, POLLIN, 0}};
    return ::poll(waits.data(), waits.size(), kWaitMs) > 0 && waits[0].revents != 0;
}

bool Publisher::publish_once() {
    const auto held = std::span(held_).first(held_count_);
    const Input::Step step = input_.read(held, chunk_);
    if (step.complete > 0) {
        if (!first_at_) first_at_ = Instant::clock::now();
        sender_.send(held.first(step.complete));
        handed_over_ += step.complete;
        std::ranges::copy(held.subspan(step.complete), held_.begin());
        held_count_ -= step.complete;
    }
    return step.ended;
}

bool Publisher::wait_until_sent() {
    std::size_t before = sender_.in_flight();
    Instant moved = Instant::clock::now();
    while (before != 0) {
        idle_.wait();
        const Instant now = Instant::clock::now();
        if (!goes_on_(now)) return false;
        const std::size_t left = sender_.in_flight();
        if (left != before) {
            moved = now;
            idle_.reset();
        } else if (now - moved > kStuck) {
            throw Failure(
                fmt::format("the port {} has taken nothing for 5 s; {} datagrams "
                            "were not sent: has it a link?",
                            port_, left));
        }
        before = left;
    }
    return true;
}

PublishingThread::PublishingThread(const Publishing& publishing, std::string port, Input& input,
                                   Sender sender)
    : ending_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      publisher_(
          publishing, std::move(port), input, std::move(sender),
          [this](Instant) { return !is_ending_; }, ending_.get()) {
    if (!ending_) throw system_failure("make", "an event descriptor", errno);
    thread_ = std::thread([this] { run(); });
}

PublishingThread::~PublishingThread() { end(); }

void PublishingThread::end() {
    is_ending_ = true;
    ::eventfd_write(ending_.get(), 1);
    if (thread_.joinable()) thread_.join();
}

void PublishingThread::run() {
    try {
        if (publisher_.run()) state_ = State::all_sent;
    } catch (const std::exception& error) {
        failure_ = in_one_line(error);
        state_ = State::failed;
    }
}

}  // namespace joinleaf::app
