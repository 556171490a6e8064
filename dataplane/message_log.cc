#include <dataplane/message_log.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <system_error>

namespace joinleaf::dataplane {
namespace {

using SessionOctets = std::array<std::byte, sizeof(net::MoldSession)>;
static_assert(sizeof(SessionOctets) == sizeof(std::uint64_t) + sizeof(std::uint16_t));

constexpr std::size_t kLongest = net::kMoldLengthSize + net::kMoldMaxMessage;

// So much more gives way at once than has to: others are told of it that much less often.
constexpr std::size_t kShareThatGivesWay = 64;

// Whoever copies reads the octets first and then whether they have given way; the writer tells that
// they give way and then overwrites them. Fences keep either order.
void fence(std::memory_order order) noexcept {
#ifdef __SANITIZE_THREAD__
    // It knows no fences, and is not shown the octets that these are for.
    std::atomic_signal_fence(order);
#else
    std::atomic_thread_fence(order);
#endif
}

// The octets may be overwritten meanwhile: what was copied is looked at only when they were not.
__attribute__((no_sanitize("thread"))) void copy_unguarded(const std::byte* from, std::size_t n,
                                                           std::byte* to) noexcept {
    const volatile std::byte* const unguarded = from;
    for (std::size_t i = 0; i < n; ++i) to[i] = unguarded[i];
}

[[noreturn]] void fail(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

std::byte* map_at(void* where, std::size_t octets, int file) {
    const int flags = file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
                               : MAP_SHARED | MAP_FIXED | MAP_POPULATE;
    const int access = file < 0 ? PROT_NONE : PROT_READ | PROT_WRITE;
    void* const memory = mmap(where, octets, access, flags, file, 0);
    return memory == MAP_FAILED ? nullptr : static_cast<std::byte*>(memory);
}

}  // namespace

void MessageLog::Unmap::operator()(std::byte* memory) const noexcept { munmap(memory, octets); }

// The second time where the first ends, so that what runs over the end goes on at the beginning.
MessageLog::Memory MessageLog::map_twice(std::size_t octets) {
    struct File {
        int number;
        ~File() { close(number); }
    };
    const File file{memfd_create("joinleaf-log", MFD_CLOEXEC)};
    if (file.number < 0) fail("a log of messages: memfd_create");
    if (ftruncate(file.number, static_cast<off_t>(octets)) != 0) {
        fail("a log of messages: ftruncate");
    }
    Memory memory(map_at(nullptr, 2 * octets, -1), Unmap{2 * octets});
    if (!memory || map_at(memory.get(), octets, file.number) == nullptr ||
        map_at(memory.get() + octets, octets, file.number) == nullptr) {
        fail("a log of messages: mmap");
    }
    return memory;
}

MessageLog::MessageLog(const net::MoldSession& session, std::size_t messages, std::size_t octets)
    : messages_(std::max<std::size_t>(messages, 1)),
      octet_mask_(std::bit_ceil(std::max(octets, kLongest)) - 1),
      // The position after the newest message is kept too.
      position_mask_(std::bit_ceil(messages_ + 1) - 1),
      memory_(map_twice(octet_mask_ + 1)),
      positions_(std::make_unique<Position[]>(position_mask_ + 1)) {
    begin_session(session);
}

bool MessageLog::make_room(std::size_t size, std::uint64_t taken) noexcept {
    const std::size_t ring = octet_mask_ + 1;
    const auto is_enough = [&](std::uint64_t first, std::size_t messages, std::size_t octets) {
        const std::uint64_t begins = position(first).load(std::memory_order_relaxed);
        return next_ + messages - first <= messages_ && written_ + octets - begins <= ring;
    };
    const std::uint64_t limit = std::min(taken, next_);
    std::uint64_t first = first_;
    while (!is_enough(first, 1, size)) {
        if (first == limit) return false;
        ++first;
    }
    const std::size_t more = messages_ / kShareThatGivesWay;
    while (first != limit && !is_enough(first, 1 + more, size + ring / kShareThatGivesWay)) {
        ++first;
    }
    forget_before(first);
    return true;
}

void MessageLog::forget_before(std::uint64_t first) noexcept {
    first_ = first;
    room_before_ = first + messages_;
    room_until_ = position(first).load(std::memory_order_relaxed) + octet_mask_ + 1;
    begin_.store(first, std::memory_order_relaxed);
    fence(std::memory_order_release);
}

void MessageLog::append(std::uint64_t sequence, net::MoldMessages messages) noexcept {
    take(kAll);
    if (first_ == next_ || sequence > next_) {
        next_ = sequence;
        position(next_).store(written_, std::memory_order_relaxed);
        forget_before(next_);
    }
    for (const auto message : messages) {
        if (sequence++ == next_) static_cast<void>(append(message));  // there is always room
    }
    commit();
}

void MessageLog::begin_session(const net::MoldSession& session) noexcept {
    const auto change = change_.load(std::memory_order_relaxed);
    change_.store(change + 1, std::memory_order_relaxed);
    fence(std::memory_order_release);
    std::uint64_t low = 0;
    std::uint16_t high = 0;
    const auto octets = std::bit_cast<SessionOctets>(session);
    std::memcpy(&low, octets.data(), sizeof low);
    std::memcpy(&high, octets.data() + sizeof low, sizeof high);
    session_low_.store(low, std::memory_order_relaxed);
    session_high_.store(high, std::memory_order_relaxed);
    next_ = 1;
    position(next_).store(written_, std::memory_order_relaxed);
    forget_before(next_);
    end_.store(next_, std::memory_order_relaxed);
    change_.store(change + 2, std::memory_order_release);
}

MessageLog::Known MessageLog::known() const noexcept {
    Known known;
    known.change = change_.load(std::memory_order_acquire);
    const std::uint64_t low = session_low_.load(std::memory_order_relaxed);
    const std::uint16_t high = session_high_.load(std::memory_order_relaxed);
    SessionOctets octets;
    std::memcpy(octets.data(), &low, sizeof low);
    std::memcpy(octets.data() + sizeof low, &high, sizeof high);
    known.session = std::bit_cast<net::MoldSession>(octets);
    known.range.end = end_.load(std::memory_order_acquire);
    known.range.first = begin_.load(std::memory_order_relaxed);
    fence(std::memory_order_acquire);
    const bool is_whole =
        known.change % 2 == 0 && change_.load(std::memory_order_relaxed) == known.change;
    // Where a session begins, or a gap has just been passed, nothing is known for a moment.
    if (!is_whole || known.range.first > known.range.end) known.range.end = known.range.first;
    return known;
}

std::uint16_t MessageLog::copy(const Known& known, std::uint64_t sequence, std::uint16_t count,
                               std::span<std::byte> out, std::size_t& octets) const noexcept {
    octets = 0;
    const std::size_t room = std::min(out.size(), octet_mask_ + 1);
    const std::uint64_t begins = position(sequence).load(std::memory_order_relaxed);
    const std::uint64_t most = std::min<std::uint64_t>(count, known.range.end - sequence);
    std::uint16_t fit = 0;
    std::size_t size = 0;
    while (fit < most) {
        // Of messages that have given way they may be anything, but are not looked at twice.
        const std::uint64_t ends = position(sequence + fit + 1U).load(std::memory_order_relaxed);
        if (ends - begins > room) break;
        size = ends - begins;
        ++fit;
    }
    copy_unguarded(memory_.get() + (begins & octet_mask_), size, out.data());
    fence(std::memory_order_acquire);
    const bool was_there = begin_.load(std::memory_order_relaxed) <= sequence &&
                           change_.load(std::memory_order_relaxed) == known.change;
    if (!was_there) return 0;
    octets = size;
    return fit;
}

}  // namespace joinleaf::dataplane
