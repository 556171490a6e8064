#include <dataplane/dpdk/error.h>
#include <dataplane/dpdk/telemetry.h>
#include <fmt/format.h>
#include <rte_telemetry.h>

#include <cerrno>
#include <exception>
#include <map>
#include <memory>
#include <mutex>

namespace joinleaf::dataplane::dpdk {
namespace {

static_assert(kMaxTelemetryEntries == RTE_TEL_MAX_DICT_ENTRIES);
static_assert(kMaxTelemetryText < RTE_TEL_MAX_STRING_LEN);

struct Commands {
    std::mutex mutex;
    std::map<std::string, TelemetryCommand, std::less<>> by_name;
};

// Lives as long as any thread of telemetry may ask.
Commands& commands() {
    static auto* const all = new Commands;
    return *all;
}

struct Release {
    void operator()(rte_tel_data* data) const { rte_tel_data_free(data); }
};

/// Whether all of `dict` was taken.
bool put(const TelemetryDict& dict, rte_tel_data* into) {
    if (rte_tel_data_start_dict(into) != 0) return false;
    for (const auto& [key, value] : dict) {
        const char* name = key.c_str();
        int result = 0;
        if (const auto* number = std::get_if<std::uint64_t>(&value)) {
            result = rte_tel_data_add_dict_u64(into, name, *number);
        } else if (const auto* text = std::get_if<std::string>(&value)) {
            result = rte_tel_data_add_dict_string(into, name, text->c_str());
        } else {
            std::unique_ptr<rte_tel_data, Release> inner(rte_tel_data_alloc());
            if (!inner || !put(std::get<TelemetryDict>(value), inner.get())) return false;
            result = rte_tel_data_add_dict_container(into, name, inner.get(), 0);
            if (result == 0) static_cast<void>(inner.release());  // telemetry frees it
        }
        if (result != 0) return false;
    }
    return true;
}

// Threads of telemetry.
int answer(const char* command, const char* parameters, rte_tel_data* into) {
    try {
        TelemetryCommand known;
        {
            const std::lock_guard lock(commands().mutex);
            known = commands().by_name.find(command)->second;
        }
        const auto dict = known(parameters == nullptr ? "" : parameters);
        if (!dict) return -EINVAL;
        return put(*dict, into) ? 0 : -ENOMEM;
    } catch (const std::exception&) {
        return -ENOMEM;  // nothing else is thrown, and DPDK's thread takes no exception
    }
}

}  // namespace

void answer_telemetry(const std::string& command, const std::string& help,
                      TelemetryCommand answer_with) {
    const std::lock_guard lock(commands().mutex);
    if (!commands().by_name.emplace(command, std::move(answer_with)).second) return;
    const int result = rte_telemetry_register_cmd(command.c_str(), answer, help.c_str());
    if (result != 0) fail(-result, fmt::format("the telemetry command {} is not taken", command));
}

}  // namespace joinleaf::dataplane::dpdk
