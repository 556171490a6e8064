// Octets become packets of a feed by several lines, answers, time, and a leaf's decisions. Whatever
// they are: sequences are told in order, each packet kept comes back once, and no more are kept
// than there is room for.
#include <dataplane/feed.h>

#include <list>
#include <map>
#include <vector>

#include "tests/fuzz/fuzz.h"

namespace {

using namespace joinleaf;
using namespace joinleaf::dataplane;
using fuzz::Input;

constexpr std::size_t kLines = 3;
constexpr std::size_t kWindow = 8;

FeedOptions options_from(Input& input) {
    FeedOptions options;
    options.arbiter = {.lines = kLines,
                       .start = static_cast<StartAt>(input.octet() % 3),
                       .start_sequence = 1u + input.octet(),
                       .policy = static_cast<GapPolicy>(input.octet() % 3),
                       .window = kWindow,
                       .remembered_ranges = 4,
                       .remembered_packets = 16,
                       .believed_jump = input.octet()};
    options.recovery.request = input.flag();
    return options;
}

class Life {
public:
    Life(const std::uint8_t* data, std::size_t size)
        : input_(data, size), feed_(options_from(input_), 1) {}

    void live() {
        while (!input_.empty()) {
            const std::uint8_t what = input_.octet();
            if (what % 8 < 6) {
                hear(what % 4 == 3 ? Arbiter::kRepair : static_cast<std::uint8_t>(what % 4));
            } else if (what % 8 == 6) {
                now_ += Duration(std::chrono::microseconds(input_.word()));
            } else {
                feed_.history_begins(session(what), input_.word());
            }
            turn();
        }
        JOINLEAF_FUZZ_REQUIRE(kept_.size() == feed_.arbiter().held());
    }

private:
    static net::MoldSession session(std::uint8_t octet) {
        return net::MoldSession::from(octet % 16 == 0 ? "B" : octet % 16 == 1 ? "C" : "A").value();
    }

    void hear(std::uint8_t line) {
        const std::uint8_t kind = input_.octet();
        std::uint64_t sequence = input_.word();
        if (kind % 32 == 0) sequence <<= input_.octet() % 49;
        std::uint16_t count = static_cast<std::uint16_t>(kind % 6);
        if (kind % 64 == 7) count = net::kMoldEndOfSession;
        std::vector<std::byte> bytes(net::kMoldHeaderSize + (count % 6) * net::kMoldLengthSize);
        if (count == net::kMoldEndOfSession) bytes.resize(net::kMoldHeaderSize);
        net::emit_mold_header(session(static_cast<std::uint8_t>(kind / 8)), sequence, count,
                              bytes.data());
        packets_.push_back(std::move(bytes));
        void* const handle = packets_.back().data();
        if (feed_.arrive(line, packets_.back(), handle, now_)) {
            kept_.emplace(handle, std::prev(packets_.end()));
        } else {
            packets_.pop_back();
        }
    }

    void turn() {
        take();
        if (const auto request = feed_.advance(now_)) {
            JOINLEAF_FUZZ_REQUIRE(request->count != 0);
            // For what is next, or, where the history begins is looked for, for what comes later.
            JOINLEAF_FUZZ_REQUIRE(request->sequence >= feed_.arbiter().next_sequence());
            JOINLEAF_FUZZ_REQUIRE(request->sequence < feed_.arbiter().edge());
        }
        take();
        // And one of a session that may follow.
        JOINLEAF_FUZZ_REQUIRE(feed_.arbiter().held() <= kWindow + 1);
    }

    void take() {
        FeedItem item;
        while (feed_.next(item)) {
            switch (item.kind) {
                case FeedItem::Kind::session:
                    next_ = item.first;
                    may_begin_later_ = true;
                    break;
                case FeedItem::Kind::messages:
                case FeedItem::Kind::gap:
                    // A history may begin later than hoped.
                    JOINLEAF_FUZZ_REQUIRE(item.first == next_ ||
                                          (may_begin_later_ && item.first > next_));
                    JOINLEAF_FUZZ_REQUIRE(item.count != 0);
                    may_begin_later_ = false;
                    next_ = item.first + item.count;
                    break;
                case FeedItem::Kind::end:
                    JOINLEAF_FUZZ_REQUIRE(item.first == next_ || may_begin_later_);
                    break;
                case FeedItem::Kind::late:
                    JOINLEAF_FUZZ_REQUIRE(item.first + item.count <= next_);
                    break;
                case FeedItem::Kind::discard:
                case FeedItem::Kind::stranger:
                case FeedItem::Kind::repeated:
                    break;
            }
            std::uint64_t messages = 0;
            for (const auto message : item.messages) {
                JOINLEAF_FUZZ_REQUIRE(message.empty());
                ++messages;
            }
            JOINLEAF_FUZZ_REQUIRE(item.kind == FeedItem::Kind::gap || messages == item.count);
            if (!item.give_back) continue;
            const auto kept = kept_.find(item.handle);
            JOINLEAF_FUZZ_REQUIRE(kept != kept_.end());
            packets_.erase(kept->second);
            kept_.erase(kept);
        }
    }

    Input input_;
    Feed feed_;
    Instant now_{Duration(std::chrono::hours(1))};
    std::list<std::vector<std::byte>> packets_;
    std::map<void*, std::list<std::vector<std::byte>>::iterator> kept_;
    std::uint64_t next_ = 0;
    bool may_begin_later_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Life(data, size).live();
    return 0;
}
