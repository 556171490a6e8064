#include <controlplane/recording_file.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <net/pcapng.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace joinleaf::controlplane {
namespace {

using dataplane::Recording;
using dataplane::Way;

constexpr std::size_t kWriteAtOnce = std::size_t{1} << 20;
constexpr std::string_view kProgram = "joinleaf";

tl::unexpected<std::error_code> because_of(int code) {
    return tl::unexpected(std::error_code(code, std::generic_category()));
}

/// A file that goes again unless it is kept.
class NewFile {
public:
    NewFile(const RecordingFile& file) : path_(file.path) {
        constexpr mode_t kOwner = S_IRUSR | S_IWUSR;
        fd_ = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC | O_CREAT | O_EXCL, kOwner);
        is_made_ = fd_ >= 0;
        if (!is_made_ && errno == EEXIST && !file.is_new) {
            fd_ = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC | O_TRUNC);
        }
        if (fd_ < 0) error_ = errno;
    }
    NewFile(const NewFile&) = delete;
    NewFile& operator=(const NewFile&) = delete;
    ~NewFile() {
        if (fd_ >= 0) ::close(fd_);
        if (is_made_ && !is_kept_) ::unlink(path_.c_str());
    }

    /// Whether all is well so far.
    [[nodiscard]] int error() const { return error_; }
    void write(std::span<const std::byte> octets) {
        while (!octets.empty() && error_ == 0) {
            const ssize_t put = ::write(fd_, octets.data(), octets.size());
            if (put >= 0) {
                octets = octets.subspan(static_cast<std::size_t>(put));
            } else if (errno != EINTR) {
                error_ = errno;
            }
        }
    }
    /// A disk that is full may be told of no earlier than now.
    void keep() {
        if (error_ != 0) return;
        if (::close(fd_) != 0) error_ = errno;
        fd_ = -1;
        is_kept_ = error_ == 0;
    }

private:
    const std::string& path_;
    int fd_ = -1;
    int error_ = 0;
    bool is_made_ = false;
    bool is_kept_ = false;
};

struct Place {
    Instant at;
    std::uint32_t lane;
    std::uint64_t position;
};

std::vector<Place> in_order_of_time(std::span<const RecordedLane> lanes) {
    std::vector<Place> places;
    for (std::uint32_t lane = 0; lane < lanes.size(); ++lane) {
        const Recording& recording = *lanes[lane].recording;
        for (auto position = recording.begin(); position != recording.end(); ++position) {
            places.push_back({recording[position].what.at, lane, position});
        }
    }
    std::ranges::stable_sort(places, {}, &Place::at);
    return places;
}

}  // namespace

// Of a few tries the one in which least time passed between the two clocks.
std::chrono::nanoseconds since_1970_at_instant_zero() {
    constexpr int kTries = 8;
    std::chrono::nanoseconds offset{};
    Duration closest = Duration::max();
    for (int i = 0; i < kTries; ++i) {
        const Instant before = Instant::clock::now();
        const auto utc = std::chrono::system_clock::now().time_since_epoch();
        const Duration apart = Instant::clock::now() - before;
        if (apart >= closest) continue;
        closest = apart;
        offset = utc - (before + apart / 2).time_since_epoch();
    }
    return offset;
}

Result<std::uint64_t> write_recordings(const RecordingFile& file,
                                       std::span<const RecordedLane> lanes,
                                       std::chrono::nanoseconds at_instant_zero) {
    NewFile out(file);
    if (out.error() != 0) return because_of(out.error());
    std::vector<std::byte> octets;
    net::append_pcapng_section(kProgram, file.why, octets);
    for (const auto& lane : lanes) {
        net::append_pcapng_interface({.name = lane.name,
                                      .description = lane.description,
                                      .mac = lane.mac,
                                      .snap = static_cast<std::uint32_t>(lane.recording->snap())},
                                     octets);
    }
    const auto places = in_order_of_time(lanes);
    for (const auto& place : places) {
        const auto entry = (*lanes[place.lane].recording)[place.position];
        const auto& what = entry.what;
        net::append_pcapng_packet(
            {.interface = place.lane,
             .at = what.at.time_since_epoch() + at_instant_zero,
             .length = what.length,
             .octets = entry.octets,
             .way = what.way == Way::in ? net::PacketWay::inbound : net::PacketWay::outbound,
             .comment =
                 what.is_dropped() ? fmt::format("dropped: {}", name(what.reason)) : std::string()},
            octets);
        if (octets.size() < kWriteAtOnce) continue;
        out.write(octets);
        octets.clear();
    }
    out.write(octets);
    out.keep();
    if (out.error() != 0) return because_of(out.error());
    return places.size();
}

}  // namespace joinleaf::controlplane
