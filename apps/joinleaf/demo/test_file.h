// A real file of random octets, with its SHA-256; it has no name any more when it is made, so it
// goes with the program whatever happens.
#pragma once

#include <apps/joinleaf/demo/digest.h>
#include <apps/joinleaf/descriptor.h>

#include <cstdint>
#include <functional>
#include <string>

namespace joinleaf::app {

struct TestFile {
    Descriptor fd;  ///< at the start of the file
    std::uint64_t octets = 0;
    Sha256::Digest sha256{};
    std::string folder;  ///< where it lies

    /// In the folder for temporary files (TMPDIR). `go_on` is called now and then, and ends it by
    /// throwing. Errors: throws Failure (no room, not writable).
    [[nodiscard]] static TestFile make(std::uint64_t octets, std::uint64_t seed,
                                       const std::function<void()>& go_on);
};

}  // namespace joinleaf::app
