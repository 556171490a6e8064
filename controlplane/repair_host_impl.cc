#include <controlplane/repair_host_impl.h>
#include <controlplane/runtime_core.h>

namespace joinleaf {

RepairHost::Impl::Impl(std::shared_ptr<controlplane::RuntimeCore> core_,
                       const RepairHostOptions& options)
    : core(std::move(core_)),
      log(std::make_shared<dataplane::MessageLog>(net::MoldSession(), options.history_messages,
                                                  options.history_octets)),
      last{.socket = 0, .endpoint = options.server.endpoint} {}

RepairHost::Impl::~Impl() { close(); }

void RepairHost::Impl::close() {
    core->call([this] {
        if (service) last = service->status();
        service.reset();
    });
}

Result<void> RepairHost::begin_session(std::string_view session) noexcept {
    const auto named = net::MoldSession::from(session);
    if (!impl_ || !named || named->name().empty()) return failure(std::errc::invalid_argument);
    impl_->log->begin_session(*named);
    return {};
}

void RepairHost::append(std::uint64_t first, FeedMessages messages) noexcept {
    if (impl_) impl_->log->append(first, messages);
}

std::optional<RepairStatus> RepairHost::status() const {
    if (!impl_) return std::nullopt;
    return impl_->core->call(
        [this] { return impl_->service ? impl_->service->status() : impl_->last; });
}

void RepairHost::close() {
    if (impl_) impl_->close();
}

}  // namespace joinleaf
