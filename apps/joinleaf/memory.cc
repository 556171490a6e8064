#include <apps/joinleaf/doctor/kernel_files.h>
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/memory.h>
#include <dataplane/kernel_memory.h>
#include <fmt/format.h>

namespace joinleaf::app {
namespace {

std::string in_megabytes(std::uint64_t octets) { return fmt::format("{} MB", octets / 1'000'000); }

}  // namespace

std::optional<std::uint64_t> available_memory(std::string_view meminfo) {
    return dataplane::octets_said(meminfo, "MemAvailable:");
}

void must_be_available(std::uint64_t octets, std::string_view option) {
    const auto available = available_memory(doctor::read("/proc/meminfo"));
    if (!available || octets <= *available) return;
    throw Failure(fmt::format("{}: that takes {} of memory, and {} are available; ask for less",
                              option, in_megabytes(octets), in_megabytes(*available)));
}

}  // namespace joinleaf::app
