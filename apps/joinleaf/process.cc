// What the kernel says of this process.
#include <apps/joinleaf/process.h>
#include <dataplane/kernel_memory.h>

#include <fstream>
#include <iterator>
#include <string>

namespace joinleaf::app {

double resident_megabytes(std::string_view status) {
    return static_cast<double>(dataplane::octets_said(status, "VmRSS:").value_or(0)) / 1e6;
}

double resident_megabytes() {
    std::ifstream file("/proc/self/status");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    return resident_megabytes(text);
}

}  // namespace joinleaf::app
