// Where a leaf's messages go: an output, in one of the layouts.
#pragma once

#include <apps/joinleaf/feed_files/pcapng.h>
#include <apps/joinleaf/output.h>
#include <net/moldudp64.h>

namespace joinleaf::app {

enum class OutputFormat : std::uint8_t { lengths, lines, pcapng };

/// Messages that follow each other and came together.
struct MessageRun {
    net::MoldSession session;
    std::uint64_t first = 0;  ///< sequence
    net::MoldMessages messages;
    RecordedTime at{};
    DatagramEnds ends;
};

/// One thread.
class MessageSink {
public:
    MessageSink(Output output, OutputFormat format);

    /// Errors: as Output::append().
    void append(const MessageRun& run);
    /// The session is over: a pcapng holds that, too. Errors: as Output::append().
    void end(const MessageRun& run);
    void flush() { output_.flush(); }
    void close() { output_.close(); }

    [[nodiscard]] std::size_t waiting() const noexcept { return output_.waiting(); }
    /// Messages with a line feed, which lines do not hold apart from two messages.
    [[nodiscard]] std::uint64_t broken_lines() const noexcept { return broken_lines_; }

private:
    void append_lines(const net::MoldMessages& messages);
    void append_datagram(const MessageRun& run, std::uint16_t count);

    Output output_;
    OutputFormat format_;
    std::uint64_t broken_lines_ = 0;
    std::vector<std::byte> payload_;
    std::vector<std::byte> block_;
};

}  // namespace joinleaf::app
