// Recordings as a pcapng file.
#pragma once

#include <dataplane/recording.h>

#include <joinleaf/address.h>
#include <joinleaf/error.h>
#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace joinleaf::controlplane {

/// A queue of a port, and what it has recorded.
struct RecordedLane {
    std::string name;
    std::string description;
    MacAddress mac;
    dataplane::Recording* recording = nullptr;
};

/// What has to be added to an Instant to be nanoseconds since 1970 (UTC), as the clocks stand now.
[[nodiscard]] std::chrono::nanoseconds since_1970_at_instant_zero();

struct RecordingFile {
    std::string path;
    bool is_new = false;  ///< there must be no such file yet; else it is overwritten
    std::string why;      ///< a comment on the whole; none where it is empty
};

/// Writes them all, in the order of time; only this user may read the file. Waits for the disk, and
/// removes what it has made when it fails. Returns how many packets there were. Errors: errno's.
[[nodiscard]] Result<std::uint64_t> write_recordings(const RecordingFile& file,
                                                     std::span<const RecordedLane> lanes,
                                                     std::chrono::nanoseconds at_instant_zero);

}  // namespace joinleaf::controlplane
