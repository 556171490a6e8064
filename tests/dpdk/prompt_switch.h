// The demo's switch, as a network that does not wait for a processor.
#pragma once

#include <apps/joinleaf/demo/switch_thread.h>
#include <sys/resource.h>

#include <span>
#include <string_view>

namespace joinleaf::test {

/// A switch of its own is never late because a compiler runs beside it; what this one has not
/// forwarded yet a test would take for lost. Without the right to it, it is as the demo's.
class PromptSwitch {
    struct Priority {
        Priority() { set(-15); }
        static void set(int nice) { setpriority(PRIO_PROCESS, 0, nice); }  // of this thread
    };

public:
    explicit PromptSwitch(std::span<const std::string_view> wires) : thread_(wires) {
        Priority::set(0);
    }
    app::SwitchThread* operator->() { return &thread_; }

private:
    Priority inherited_;
    app::SwitchThread thread_;
};

}  // namespace joinleaf::test
