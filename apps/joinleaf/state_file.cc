// The file of --state.
#include <apps/joinleaf/descriptor.h>
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/state_file.h>
#include <controlplane/whole_file.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

namespace joinleaf::app {
namespace {

using Json = nlohmann::ordered_json;
using namespace std::chrono_literals;

constexpr int kFormat = 1;
constexpr auto kRefreshEvery = 30s;  // far below kRememberedFor
constexpr std::string_view kCure = "name another file with --state";

std::string boot_id() {
    std::ifstream file("/proc/sys/kernel/random/boot_id");
    std::string id;
    std::getline(file, id);
    return id;
}

SourceFilter filter_of(const Json& json) {
    std::vector<Ipv4Address> sources;
    for (const auto& text : json.at("sources")) {
        const auto source = Ipv4Address::parse(text.get<std::string>());
        if (!source) throw std::runtime_error(source.error());
        sources.push_back(*source);
    }
    return {json.at("all_but").get<bool>() ? FilterMode::exclude : FilterMode::include, sources};
}

/// For whom either was joined: all senders, if one of them was for all but some.
SourceFilter merged(const SourceFilter& one, const SourceFilter& other) {
    if (one.is_nothing()) return other;
    if (one.mode() == FilterMode::exclude || other.mode() == FilterMode::exclude) {
        return SourceFilter::any();
    }
    auto sources = one.sources();
    sources.insert(sources.end(), other.sources().begin(), other.sources().end());
    return {FilterMode::include, sources};
}

std::map<GroupAddress, SourceFilter> by_group(const std::vector<JoinedGroup>& joined) {
    std::map<GroupAddress, SourceFilter> groups;
    for (const auto& [group, sources] : joined) {
        auto& all = groups[group.group];
        all = merged(all, sources);
    }
    return groups;
}

}  // namespace

StateOwner state_owner(const PortOptions& port) {
    return {.port = port.port,
            .address = port.address.to_string(),
            .vlan = port.vlan,
            .boot = boot_id()};
}

std::string write_state(const RecordedState& state) {
    Json joined = Json::array();
    for (const auto& [group, sources] : state.joined) {
        Json list = Json::array();
        for (const auto source : sources.sources()) list.push_back(source.to_string());
        joined.push_back({{"group", group.to_string()},
                          {"all_but", sources.mode() == FilterMode::exclude},
                          {"sources", std::move(list)}});
    }
    const Json json{{"joinleaf_state", kFormat},      {"port", state.owner.port},
                    {"address", state.owner.address}, {"vlan", state.owner.vlan},
                    {"boot", state.owner.boot},       {"alive_at", state.alive_at},
                    {"joined", std::move(joined)}};
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Parsed<RecordedState> parse_state(std::string_view text) {
    try {
        const Json json = Json::parse(text);
        if (json.at("joinleaf_state").get<int>() != kFormat) {
            return tl::unexpected(std::string("another version has written it"));
        }
        RecordedState state{.owner = {.port = json.at("port").get<std::string>(),
                                      .address = json.at("address").get<std::string>(),
                                      .vlan = json.at("vlan").get<std::string>(),
                                      .boot = json.at("boot").get<std::string>()},
                            .alive_at = json.at("alive_at").get<std::int64_t>(),
                            .joined = {}};
        for (const auto& entry : json.at("joined")) {
            const auto group = GroupEndpoint::parse(entry.at("group").get<std::string>());
            if (!group) return tl::unexpected(group.error());
            state.joined.push_back({*group, filter_of(entry)});
        }
        return state;
    } catch (const std::exception& error) {
        return tl::unexpected(std::string(error.what()));
    }
}

Parsed<std::map<GroupAddress, SourceFilter>> owed_leaves(const RecordedState& state,
                                                         const StateOwner& us, std::int64_t now,
                                                         const std::vector<JoinedGroup>& wanted) {
    if (state.owner.boot != us.boot) {
        return tl::unexpected(std::string("it is of before the machine was started"));
    }
    if (state.owner != us) {
        return tl::unexpected(
            fmt::format("it is of {} at port {}{}{}", state.owner.address, state.owner.port,
                        state.owner.vlan.empty() ? "" : " VLAN ", state.owner.vlan));
    }
    const auto silent = now - state.alive_at;
    if (silent < 0 || silent > kRememberedFor.count()) {
        return tl::unexpected(
            fmt::format("it is {} s old, and routers have forgotten what it joined", silent));
    }
    auto owed = by_group(state.joined);
    for (const auto& [group, sources] : by_group(wanted)) {
        const auto found = owed.find(group);
        if (found != owed.end() && found->second == sources) owed.erase(found);
    }
    return owed;
}

StateFile::StateFile(std::string path, StateOwner owner)
    : path_(std::move(path)), owner_(std::move(owner)) {}

StateFile::~StateFile() {
    if (written_at_) ::unlink(path_.c_str());
}

// Another file is put in its place, so that it is the folder that has to be writable.
void StateFile::check(const std::string& path) {
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) {
        throw Failure(fmt::format("{} is a directory; {}", path, kCure));
    }
    auto folder = std::filesystem::path(path).parent_path();
    if (folder.empty()) folder = ".";
    if (::access(folder.c_str(), W_OK | X_OK) != 0) {
        throw system_failure("write", path, errno, kCure);
    }
}

std::int64_t StateFile::now() {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    return now.tv_sec;
}

std::optional<Parsed<RecordedState>> StateFile::read() const {
    const auto text = controlplane::read_whole(path_);
    if (text) return parse_state(*text);
    if (text.error() == std::errc::no_such_file_or_directory) return {};
    throw system_failure("read", path_, text.error().value(), kCure);
}

void StateFile::write(std::vector<JoinedGroup> joined) {
    joined_ = std::move(joined);
    const std::string text = write_state({.owner = owner_, .alive_at = now(), .joined = joined_});
    const std::string fresh = path_ + ".new";
    constexpr mode_t kMode = 0644;
    Descriptor file(
        ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, kMode));
    if (!file) throw system_failure("write", fresh, errno, kCure);
    const auto put = ::write(file.get(), text.data(), text.size());
    const int error = put < 0 ? errno : ENOSPC;
    if (put != static_cast<ssize_t>(text.size()))
        throw system_failure("write", fresh, error, kCure);
    if (const int code = file.close(); code != 0) throw system_failure("write", fresh, code, kCure);
    if (::rename(fresh.c_str(), path_.c_str()) != 0) {
        throw system_failure("write", path_, errno, kCure);
    }
    written_at_ = Instant::clock::now();
}

void StateFile::refresh(Instant now) {
    if (!written_at_ || now - *written_at_ < kRefreshEvery) return;
    written_at_ = now;  // also when it fails: not again at once
    write(joined_);
}

}  // namespace joinleaf::app
