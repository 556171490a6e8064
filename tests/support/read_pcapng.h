// Reads a pcapng file as the recorder writes it, strictly: whatever else is in it throws.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace joinleaf::test {

struct ReadPacket {
    std::string interface;
    std::chrono::nanoseconds at{};  ///< since 1970
    std::uint32_t length = 0;       ///< on the wire
    std::vector<std::byte> octets;
    std::uint32_t flags = 0;  ///< 1: inbound, 2: outbound
    std::string comment;
};

struct ReadPcapng {
    std::string comment;
    std::vector<std::string> interfaces;
    std::vector<ReadPacket> packets;
};

class PcapngReader {
public:
    explicit PcapngReader(const std::string& path) {
        std::ifstream file(path, std::ios::binary);
        if (!file) throw std::runtime_error("no file " + path);
        octets_.assign(std::istreambuf_iterator<char>(file), {});
    }

    ReadPcapng read() {
        while (at_ < octets_.size()) read_block();
        return std::move(read_);
    }

private:
    using Options = std::map<std::uint16_t, std::string>;

    template <class T>
    T number(std::size_t at) const {
        T value{};
        std::memcpy(&value, octets_.substr(at, sizeof value).data(), sizeof value);
        return value;
    }
    Options options(std::size_t from, std::size_t to) const {
        Options all;
        while (from < to) {
            const auto code = number<std::uint16_t>(from);
            const auto length = number<std::uint16_t>(from + 2);
            if (code == 0) break;
            all[code] = octets_.substr(from + 4, length);
            from += 4 + (length + 3u) / 4 * 4;
        }
        return all;
    }
    void read_block() {
        const auto type = number<std::uint32_t>(at_);
        const auto length = number<std::uint32_t>(at_ + 4);
        if (length < 12 || length % 4 != 0 || at_ + length > octets_.size() ||
            number<std::uint32_t>(at_ + length - 4) != length) {
            throw std::runtime_error("a block's length is wrong");
        }
        const std::size_t body = at_ + 8;
        const std::size_t end = at_ + length - 4;
        if (type == 0x0a0d0d0a) {
            read_.comment = options(body + 16, end)[1];
        } else if (type == 1) {
            auto all = options(body + 8, end);
            if (all[9] != "\x09") throw std::runtime_error("times are not in nanoseconds");
            read_.interfaces.push_back(all[2]);
        } else if (type == 6) {
            read_packet(body, end);
        } else {
            throw std::runtime_error("a block of another kind");
        }
        at_ += length;
    }
    void read_packet(std::size_t body, std::size_t end) {
        const std::uint64_t at =
            std::uint64_t{number<std::uint32_t>(body + 4)} << 32 | number<std::uint32_t>(body + 8);
        const auto kept = number<std::uint32_t>(body + 12);
        auto all = options(body + 20 + (kept + 3) / 4 * 4, end);
        ReadPacket packet{.interface = read_.interfaces.at(number<std::uint32_t>(body)),
                          .at = std::chrono::nanoseconds(at),
                          .length = number<std::uint32_t>(body + 16),
                          .octets = std::vector<std::byte>(kept),
                          .comment = all[1]};
        std::memcpy(packet.octets.data(), octets_.substr(body + 20, kept).data(), kept);
        if (all.contains(2)) std::memcpy(&packet.flags, all[2].data(), sizeof packet.flags);
        read_.packets.push_back(std::move(packet));
    }

    std::string octets_;
    std::size_t at_ = 0;
    ReadPcapng read_;
};

}  // namespace joinleaf::test
