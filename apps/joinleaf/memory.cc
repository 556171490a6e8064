#include <apps/joinleaf/doctor/kernel_files.h>
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/memory.h>
#include <fmt/format.h>

#include <charconv>

namespace joinleaf::app {
namespace {

std::string in_megabytes(std::uint64_t octets) { return fmt::format("{} MB", octets / 1'000'000); }

}  // namespace

std::optional<std::uint64_t> available_memory(std::string_view meminfo) {
    constexpr std::string_view kName = "MemAvailable:";
    const auto at = meminfo.find(kName);
    if (at == std::string_view::npos) return std::nullopt;
    meminfo.remove_prefix(at + kName.size());
    const auto first = meminfo.find_first_not_of(' ');
    if (first == std::string_view::npos) return std::nullopt;
    std::uint64_t kilobytes = 0;
    const auto [end, error] =
        std::from_chars(meminfo.data() + first, meminfo.data() + meminfo.size(), kilobytes);
    if (error != std::errc{}) return std::nullopt;
    return kilobytes * 1024;
}

void must_be_available(std::uint64_t octets, std::string_view option) {
    const auto available = available_memory(doctor::read("/proc/meminfo"));
    if (!available || octets <= *available) return;
    throw Failure(fmt::format("{}: that takes {} of memory, and {} are available; ask for less",
                              option, in_megabytes(octets), in_megabytes(*available)));
}

}  // namespace joinleaf::app
