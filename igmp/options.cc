#include <igmp/options.h>

#include <system_error>

namespace joinleaf::igmp {
namespace {

void require(bool condition, const char* what) {
    if (condition) return;
    throw std::system_error(std::make_error_code(std::errc::invalid_argument), what);
}

}  // namespace

void validate(const HostOptions& options) {
    require(options.address.is_unspecified() || options.address.is_unicast(),
            "igmp: the address is not one a host may send from");
    require(options.prefix_length <= 32, "igmp: the prefix length is above 32");
    require(options.mtu >= kSmallestMtu, "igmp: the MTU is below 44");
    require(options.robustness >= 1 && options.robustness <= 7,
            "igmp: the robustness variable is not from 1 to 7");
    require(options.unsolicited_report_interval > Duration::zero() &&
                options.older_unsolicited_report_interval > Duration::zero(),
            "igmp: an unsolicited report interval is not positive");
    require(!options.older_querier_present_interval ||
                *options.older_querier_present_interval > Duration::zero(),
            "igmp: the older querier present interval is not positive");
    require(options.ssm_range.address.is_multicast() && options.ssm_range.prefix_length >= 4 &&
                options.ssm_range.prefix_length <= 32,
            "igmp: the source-specific range is not multicast");
    require(options.reports_per_second >= 1 && options.reports_per_second <= 1e9,
            "igmp: reports per second is not from 1 to 1e9");
    require(options.report_burst >= 1 && options.report_burst <= 1'000'000,
            "igmp: the report burst is not from 1 to 1000000");
}

std::vector<std::string_view> warnings(const HostOptions& options) {
    std::vector<std::string_view> found;
    if (options.robustness == 1) {
        found.push_back("a robustness variable of 1 loses a membership with one lost report");
    }
    return found;
}

}  // namespace joinleaf::igmp
