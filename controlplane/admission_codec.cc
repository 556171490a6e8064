#include <controlplane/admission_codec.h>
#include <controlplane/admission_limits.h>
#include <controlplane/admission_wire.h>
#include <net/big_endian.h>

namespace joinleaf::controlplane {

std::string DecodeError::to_string() const {
    switch (kind) {
        case Kind::malformed:
            return "not a Protocol Buffers message";
        case Kind::unknown_kind:
            return "a message of an unknown kind";
        case Kind::version:
            return "a message of another protocol version";
        case Kind::out_of_range:
            return "the field " + std::string(field) + " is missing or out of range";
        case Kind::too_long:
            return "a message longer than the limit";
    }
    return {};
}

tl::expected<std::vector<std::byte>, DecodeError> encode(const AdmissionMessage& message) {
    if (const auto checked = check(message); !checked) return tl::unexpected(checked.error());
    const wire::Message wire = to_wire(message);
    std::vector<std::byte> out(wire.ByteSizeLong());
    wire.SerializeToArray(out.data(), static_cast<int>(out.size()));
    return out;
}

tl::expected<std::vector<std::byte>, DecodeError> encode_frame(const AdmissionMessage& message) {
    if (const auto checked = check(message); !checked) return tl::unexpected(checked.error());
    const wire::Message wire = to_wire(message);
    const std::size_t length = wire.ByteSizeLong();
    std::vector<std::byte> out(kFrameHeader + length);
    net::store(out.data(), net::BigEndian<std::uint32_t>(static_cast<std::uint32_t>(length)));
    wire.SerializeToArray(out.data() + kFrameHeader, static_cast<int>(length));
    return out;
}

tl::expected<AdmissionMessage, DecodeError> decode(std::span<const std::byte> bytes) {
    if (bytes.size() > kMaxAdmissionMessage)
        return tl::unexpected(DecodeError{DecodeError::Kind::too_long, {}});
    wire::Message wire;
    if (!wire.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
        return tl::unexpected(DecodeError{DecodeError::Kind::malformed, {}});
    }
    auto message = from_wire(wire);
    if (!message) return message;
    if (const auto checked = check(*message); !checked) return tl::unexpected(checked.error());
    return message;
}

}  // namespace joinleaf::controlplane
