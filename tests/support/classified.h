// The packet path's classify(), as a value: what a frame is, and what is known of it.
#pragma once

#include <dataplane/classify.h>

namespace joinleaf::test {

struct ClassifiedFrame : dataplane::Classified {
    dataplane::Kind kind{};
};

[[nodiscard]] inline ClassifiedFrame classified(const dataplane::ReceivedFrame& frame,
                                                const dataplane::Identity& self) {
    ClassifiedFrame result;
    result.kind = dataplane::classify(frame, self, result);
    return result;
}

}  // namespace joinleaf::test
