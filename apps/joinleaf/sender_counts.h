// Who has sent how much to a root. Pure.
#pragma once

#include <apps/joinleaf/facts.h>
#include <joinleaf/address.h>
#include <cstddef>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace joinleaf::app {

/// Who sent how much. Bounded: strangers (M22) beyond kMostStrangers are counted together. Not for
/// several threads at once.
class SenderCounts {
public:
    static constexpr std::size_t kMostStrangers = 1024;
    static constexpr std::size_t kMostLeaves = 65536;

    /// A leaf sends from there.
    void expect(Ipv4Address leaf, const std::string& name);
    void count(Ipv4Address sender, std::size_t octets);
    /// Nothing: not listed by itself.
    [[nodiscard]] std::optional<SenderFacts> of(Ipv4Address sender) const;
    /// By address.
    [[nodiscard]] std::vector<SenderFacts> all() const;

private:
    std::unordered_map<Ipv4Address, SenderFacts> senders_;
    std::size_t strangers_ = 0;
    SenderFacts others_;
};

}  // namespace joinleaf::app
