// What a RepairHost's handle holds: what it keeps, and who sends it again.
#pragma once

#include <controlplane/repair_service.h>
#include <dataplane/message_log.h>
#include <joinleaf/repair.h>
#include <memory>

namespace joinleaf {

namespace controlplane {
class RuntimeCore;
}

class RepairHost::Impl {
public:
    /// Errors: throws std::system_error (no memory).
    Impl(std::shared_ptr<controlplane::RuntimeCore> core, const RepairHostOptions& options);
    ~Impl();
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    /// Any thread.
    void close();

    const std::shared_ptr<controlplane::RuntimeCore> core;
    /// The application's thread writes it, the control thread copies from it.
    const std::shared_ptr<dataplane::MessageLog> log;
    // The control thread's.
    std::shared_ptr<controlplane::RepairService> service;  ///< none: closed
    RepairStatus last;                                     ///< as it was when it was closed
};

}  // namespace joinleaf
