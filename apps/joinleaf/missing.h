// Which messages of a feed are missing: exact ranges, as many as are kept. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace joinleaf::app {

/// A gap that touches the one before it makes one range with it. One thread.
class Missing {
public:
    /// Ranges that are kept; those that come when there are so many are counted.
    static constexpr std::size_t kMostKept = 100'000;

    struct Range {
        std::string session;
        std::uint64_t first = 0;
        std::uint64_t count = 0;
        friend bool operator==(const Range&, const Range&) = default;
    };

    /// What follows is of this session.
    void begin_session(std::string_view session);
    void add(std::uint64_t first, std::uint64_t count);
    /// They have come late.
    void remove(std::uint64_t first, std::uint64_t count);

    /// Oldest session first, in order.
    [[nodiscard]] std::vector<Range> ranges() const;
    [[nodiscard]] std::uint64_t messages() const noexcept { return messages_; }
    /// Of those that are in no range of ranges().
    [[nodiscard]] std::uint64_t messages_not_kept() const noexcept { return not_kept_; }
    [[nodiscard]] bool empty() const noexcept { return messages_ == 0; }

private:
    using Ends = std::map<std::uint64_t, std::uint64_t>;  // first to end

    void erase(Ends::iterator range, std::uint64_t first, std::uint64_t end);

    std::string session_;
    bool is_listed_ = false;  // the last of sessions_ is session_
    // Those that lack something: whoever makes sessions up makes no memory of them.
    std::vector<std::pair<std::string, Ends>> sessions_;
    std::size_t kept_ = 0;
    std::uint64_t messages_ = 0;
    std::uint64_t not_kept_ = 0;
};

}  // namespace joinleaf::app
