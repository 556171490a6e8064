// What the kernel says of this process.
#include <apps/joinleaf/process.h>

#include <charconv>
#include <fstream>
#include <iterator>
#include <string>

namespace joinleaf::app {

double resident_megabytes(std::string_view status) {
    constexpr std::string_view kField = "VmRSS:";
    const auto field = status.find(kField);
    if (field == std::string_view::npos) return 0;
    const auto digits = status.find_first_of("0123456789", field + kField.size());
    if (digits == std::string_view::npos) return 0;
    double kibibytes = 0;
    std::from_chars(status.data() + digits, status.data() + status.size(), kibibytes);
    return kibibytes * 1024 / 1e6;
}

double resident_megabytes() {
    std::ifstream file("/proc/self/status");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    return resident_megabytes(text);
}

}  // namespace joinleaf::app
