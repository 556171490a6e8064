// What an operator gets of the recorder: a file on SIGUSR1, and on command.
#pragma once

#include <apps/joinleaf/descriptor.h>
#include <apps/joinleaf/options.h>
#include <apps/joinleaf/report.h>
#include <joinleaf/error.h>
#include <joinleaf/runtime.h>

#include <string>
#include <string_view>
#include <thread>

namespace joinleaf::app {

/// Waits for the signal on a thread of its own, so that it is answered whatever the program waits
/// for. Signals must have been made before: every thread inherits that SIGUSR1 is blocked.
class BlackBox {
public:
    /// Does nothing where `options` ask for no recorder. `runtime` and `report` outlive this.
    /// Errors: throws Failure.
    BlackBox(Runtime& runtime, const RecorderOptions& options, Reporter& report);
    BlackBox(const BlackBox&) = delete;
    BlackBox& operator=(const BlackBox&) = delete;
    ~BlackBox();

    /// Errors: throws Failure when the files that the prefix names cannot be made.
    static void check(const RecorderOptions& options);

    /// Writes a file, at `path` or, where that is empty, by the prefix, and tells of it. Returns
    /// what to say to who asked; the error is one sentence that names the cure. Any thread.
    Parsed<std::string> write(const std::string& path, std::string_view why);

private:
    void watch();

    Runtime& runtime_;
    Reporter& report_;
    const bool is_on_;
    Descriptor asked_;
    Descriptor ends_;
    std::thread thread_;
};

}  // namespace joinleaf::app
