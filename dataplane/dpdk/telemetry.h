// Commands of DPDK's telemetry socket that this process answers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace joinleaf::dataplane::dpdk {

struct TelemetryEntry;
/// A JSON object. A name holds letters, digits, '_' and '/'; a text is ASCII, because DPDK writes
/// no other.
using TelemetryDict = std::vector<TelemetryEntry>;
struct TelemetryEntry {
    std::string name;
    std::variant<std::uint64_t, std::string, TelemetryDict> value;
};

/// What DPDK holds: entries of an object, octets of a text, octets of a whole answer as JSON.
inline constexpr std::size_t kMaxTelemetryEntries = 256;
inline constexpr std::size_t kMaxTelemetryText = 127;
inline constexpr std::size_t kMaxTelemetryAnswer = 16384;

/// Answers `parameters`, what follows the command's comma; nothing: they mean nothing here, and the
/// client is told null. Called on threads of telemetry, several at once, until the process ends.
using TelemetryCommand = std::function<std::optional<TelemetryDict>(std::string_view parameters)>;

/// Answers `command`, as in "/joinleaf/ports", from now on; once for each command in a process,
/// since DPDK forgets none. Any thread. Errors: throws std::system_error.
void answer_telemetry(const std::string& command, const std::string& help, TelemetryCommand answer);

}  // namespace joinleaf::dataplane::dpdk
