// Where the messages of a feed come from.
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/feed_files/message_source.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace joinleaf::app {
namespace {

constexpr std::size_t kWindow = std::size_t{1} << 20;

bool is_readable(int fd) {
    pollfd ready{fd, POLLIN, 0};
    return ::poll(&ready, 1, 0) > 0;
}

bool is_gzip(std::span<const std::byte> begin) {
    return begin.size() >= 2 && begin[0] == std::byte{0x1f} && begin[1] == std::byte{0x8b};
}

}  // namespace

MessageSource MessageSource::open(const std::string& path, const SourceOptions& options) {
    if (path == "-") return {Descriptor(STDIN_FILENO, true), "standard input", options};
    // As in Input::open(): a pipe that nobody writes to yet is not waited for here.
    Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd || ::fcntl(fd.get(), F_SETFL, O_RDONLY) != 0) {
        throw system_failure("read", path, errno,
                             "name a readable file with --input, or - for standard input");
    }
    return {std::move(fd), path, options};
}

MessageSource::MessageSource(Descriptor fd, std::string name, const SourceOptions& options)
    : fd_(std::move(fd)), name_(std::move(name)), buffer_(kWindow) {
    struct stat kind {};
    if (::fstat(fd_.get(), &kind) != 0) throw system_failure("read", name_, errno);
    if (S_ISDIR(kind.st_mode)) {
        throw Failure(fmt::format("{} is a directory; name a file with --input", name_));
    }
    if (S_ISREG(kind.st_mode)) {
        base_ = std::max<off_t>(::lseek(fd_.get(), 0, SEEK_CUR), 0);
        size_ = static_cast<std::uint64_t>(std::max<off_t>(kind.st_size - base_, 0));
    }
    refuse_other_layout(options.format);
    auto flow = options.flow;
    switch (options.format) {
        case InputFormat::lengths:
            layout_ = std::make_unique<LengthsLayout>();
            break;
        case InputFormat::lines:
            layout_ = std::make_unique<LinesLayout>();
            break;
        case InputFormat::capture:
            if (!flow && size_) choose_flow(flow);
            auto replay = std::make_unique<ReplayLayout>(flow);
            replay_ = replay.get();
            layout_ = std::move(replay);
            break;
    }
}

// A file's first octets tell of mistakes that would else become messages.
void MessageSource::refuse_other_layout(InputFormat format) {
    if (!size_) return;
    std::array<std::byte, 4> first{};
    const auto got = ::pread(fd_.get(), first.data(), first.size(), base_);
    if (got < 0) throw system_failure("read", name_, errno);
    const auto begin = std::span(first).first(static_cast<std::size_t>(got));
    if (is_gzip(begin)) {
        throw Failure(fmt::format(
            "{} is compressed; unpack it on the way, as in zcat {} | joinleaf root --input - ...",
            name_, name_));
    }
    if (format != InputFormat::capture && looks_like_capture(begin)) {
        throw Failure(fmt::format("{} is a capture; replay it with --input-format pcap", name_));
    }
}

void MessageSource::choose_flow(std::optional<Flow>& flow) {
    FlowSurvey survey;
    Taken taken;
    do {
        taken = survey.read(window(), input_ended_, messages_);
        consume(taken.octets);
        if (taken.wanted != 0 && !input_ended_) fill(taken.wanted);
    } while (taken.wrong.empty() && !(input_ended_ && taken.wanted != 0));
    // What is wrong is told again, when all before it has been sent.
    begin_ = end_ = 0;
    octets_ = 0;
    input_ended_ = false;
    if (::lseek(fd_.get(), base_, SEEK_SET) < 0) throw system_failure("read", name_, errno);
    flow = survey.flows().only();
    if (!flow && !survey.flows().empty()) {
        throw Failure(
            fmt::format("{} holds several feeds or lines: {}; name the one to replay "
                        "with --input-flow IP:PORT",
                        name_, survey.flows().to_string()));
    }
}

std::span<const FeedMessage> MessageSource::read() {
    messages_.clear();
    if (!wrong_.empty()) throw Failure(wrong_);
    while (!ended_) {
        const Taken taken = layout_->read(window(), input_ended_, messages_);
        consume(taken.octets);
        if (!taken.wrong.empty()) {
            wrong_ = at_octet(taken.wrong);
            if (messages_.empty()) throw Failure(wrong_);
            return messages_;
        }
        if (!messages_.empty()) return messages_;
        if (taken.wanted == 0) continue;
        if (input_ended_) {
            ended_ = true;
        } else if (may_block() && !is_readable(fd_.get())) {
            return {};
        } else {
            fill(taken.wanted);
        }
    }
    return {};
}

bool MessageSource::fill(std::size_t wanted) {
    if (begin_ != 0 && (buffer_.size() - begin_ < wanted || end_ == buffer_.size())) {
        std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
    }
    if (buffer_.size() < wanted) buffer_.resize(std::max(wanted, 2 * buffer_.size()));
    const ssize_t got = ::read(fd_.get(), buffer_.data() + end_, buffer_.size() - end_);
    if (got < 0) {
        if (errno == EINTR || errno == EAGAIN) return false;
        throw system_failure("read", name_, errno);
    }
    end_ += static_cast<std::size_t>(got);
    input_ended_ = got == 0;
    return got != 0;
}

void MessageSource::consume(std::size_t octets) noexcept {
    begin_ += octets;
    octets_ += octets;
}

std::string MessageSource::at_octet(std::string_view wrong) const {
    return fmt::format("{}: at octet {}: {}", name_, static_cast<std::uint64_t>(base_) + octets_,
                       wrong);
}

std::optional<ReplayCounts> MessageSource::replay() const {
    if (replay_ == nullptr) return {};
    return replay_->counts();
}

}  // namespace joinleaf::app
