// Where the messages of a feed come from: a file of any size or a stream, in one of the layouts.
#pragma once

#include <apps/joinleaf/descriptor.h>
#include <apps/joinleaf/feed_files/replay.h>

#include <memory>

namespace joinleaf::app {

enum class InputFormat : std::uint8_t { lengths, lines, capture };

struct SourceOptions {
    InputFormat format = InputFormat::lengths;
    std::optional<Flow> flow;  ///< of a capture: the one to replay
};

/// Reads through one window, which grows to what the largest message or record needs. One thread.
class MessageSource {
public:
    /// `path` or "-" for standard input. A capture in a file, of which no flow was named, is read
    /// through for its flows first. Errors: throws Failure.
    [[nodiscard]] static MessageSource open(const std::string& path, const SourceOptions& options);
    /// Takes over a descriptor; `name` is used in errors. Errors: throws Failure.
    MessageSource(Descriptor fd, std::string name, const SourceOptions& options);

    /// The next messages, valid until the next call. None: the input has ended(), or it is a stream
    /// that has nothing yet: wait until fd() is readable. Reads no further than it must. Errors:
    /// throws Failure, when all messages before what is wrong have been returned.
    [[nodiscard]] std::span<const FeedMessage> read();

    [[nodiscard]] bool ended() const noexcept { return ended_; }
    [[nodiscard]] bool may_block() const noexcept { return !size_; }
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }

    /// Octets that are done with.
    [[nodiscard]] std::uint64_t octets() const noexcept { return octets_; }
    /// Octets of a file in all; none: a stream.
    [[nodiscard]] std::optional<std::uint64_t> size() const noexcept { return size_; }
    /// Of a capture.
    [[nodiscard]] std::optional<ReplayCounts> replay() const;
    [[nodiscard]] std::vector<std::string> take_notes() { return layout_->take_notes(); }

private:
    [[nodiscard]] std::span<const std::byte> window() const noexcept {
        return std::span(buffer_).subspan(begin_, end_ - begin_);
    }
    void choose_flow(std::optional<Flow>& flow);
    void refuse_other_layout(InputFormat format);
    /// One read(2) behind the window, which becomes able to hold `wanted`. Returns whether there
    /// was something.
    bool fill(std::size_t wanted);
    void consume(std::size_t octets) noexcept;
    [[nodiscard]] std::string at_octet(std::string_view wrong) const;

    Descriptor fd_;
    std::string name_;
    std::optional<std::uint64_t> size_;
    std::int64_t base_ = 0;  // of a file: where we began in it
    std::unique_ptr<Layout> layout_;
    ReplayLayout* replay_ = nullptr;  // the same, of a capture
    std::vector<std::byte> buffer_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::uint64_t octets_ = 0;
    bool input_ended_ = false;
    bool ended_ = false;
    std::vector<FeedMessage> messages_;
    std::string wrong_;
};

}  // namespace joinleaf::app
