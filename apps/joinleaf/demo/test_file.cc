// A real file of random octets.
#include <apps/joinleaf/demo/test_file.h>
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/numbers.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <vector>

namespace joinleaf::app {
namespace {

constexpr std::string_view kCure =
    "set TMPDIR to a folder with room for the file, or make it smaller with --size";

void write_all(int fd, std::span<const std::byte> bytes, const std::string& name) {
    while (!bytes.empty()) {
        const ssize_t put = ::write(fd, bytes.data(), bytes.size());
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) throw system_failure("write", name, errno, kCure);
        bytes = bytes.subspan(static_cast<std::size_t>(put));
    }
}

void check_room(const std::filesystem::path& folder, std::uint64_t octets) {
    std::error_code unknown;
    const auto space = std::filesystem::space(folder, unknown);
    if (unknown || space.available >= octets) return;
    throw Failure(fmt::format("no room for {} octets in {}, which has {}; {}", grouped(octets),
                              folder.string(), grouped(space.available), kCure));
}

}  // namespace

TestFile TestFile::make(std::uint64_t octets, std::uint64_t seed,
                        const std::function<void()>& go_on) {
    std::error_code no_folder;
    const auto folder = std::filesystem::temp_directory_path(no_folder);
    if (!no_folder) check_room(folder, octets);
    std::string name = (folder / "joinleaf-demo-XXXXXX").string();
    TestFile file{.fd = Descriptor(no_folder ? -1 : ::mkstemp(name.data())),
                  .octets = octets,
                  .folder = folder.string()};
    if (!file.fd) {
        throw system_failure("make a temporary file", name, no_folder ? ENOENT : errno, kCure);
    }
    ::unlink(name.c_str());

    std::mt19937_64 random(seed);
    std::vector<std::uint64_t> block(std::size_t{1} << 17);
    Sha256 sha256;
    for (std::uint64_t left = octets; left > 0;) {
        go_on();
        std::ranges::generate(block, random);
        const auto bytes =
            std::as_bytes(std::span(block)).first(std::min<std::uint64_t>(left, block.size() * 8));
        sha256.update(bytes);
        write_all(file.fd.get(), bytes, name);
        left -= bytes.size();
    }
    if (::lseek(file.fd.get(), 0, SEEK_SET) != 0) throw system_failure("read", name, errno);
    file.sha256 = sha256.digest();
    return file;
}

}  // namespace joinleaf::app
