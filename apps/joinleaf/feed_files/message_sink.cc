// Where a leaf's messages go.
#include <apps/joinleaf/feed_files/message_sink.h>

#include <cstring>

namespace joinleaf::app {
namespace {

/// The messages with their lengths, as they lie on the wire: the layout of ITCH files is the same.
std::span<const std::byte> wire_of(const net::MoldMessages& messages) {
    auto end = messages.begin();
    std::advance(end, messages.size());
    return {messages.begin().position(), end.position()};
}

bool has_line_feed(std::span<const std::byte> octets) {
    return !octets.empty() && std::memchr(octets.data(), '\n', octets.size()) != nullptr;
}

}  // namespace

MessageSink::MessageSink(Output output, OutputFormat format)
    : output_(std::move(output)), format_(format) {
    if (format_ != OutputFormat::pcapng) return;
    append_pcapng_begin("joinleaf " JOINLEAF_VERSION, block_);
    output_.append(block_);
}

void MessageSink::append(const MessageRun& run) {
    switch (format_) {
        case OutputFormat::lengths:
            return output_.append(wire_of(run.messages));
        case OutputFormat::lines:
            return append_lines(run.messages);
        case OutputFormat::pcapng:
            return append_datagram(run, static_cast<std::uint16_t>(run.messages.size()));
    }
}

void MessageSink::end(const MessageRun& run) {
    if (format_ == OutputFormat::pcapng) append_datagram(run, net::kMoldEndOfSession);
}

void MessageSink::append_lines(const net::MoldMessages& messages) {
    static constexpr std::byte kLineFeed{'\n'};
    for (const auto message : messages) {
        if (has_line_feed(message)) ++broken_lines_;
        output_.append(message);
        output_.append(std::span(&kLineFeed, 1));
    }
}

void MessageSink::append_datagram(const MessageRun& run, std::uint16_t count) {
    payload_.resize(net::kMoldHeaderSize);
    net::emit_mold_header(run.session, run.first, count, payload_.data());
    if (count != net::kMoldEndOfSession) {
        const auto wire = wire_of(run.messages);
        payload_.insert(payload_.end(), wire.begin(), wire.end());
    }
    block_.clear();
    append_pcapng_datagram(run.ends, payload_, run.at, block_);
    output_.append(block_);
}

}  // namespace joinleaf::app
