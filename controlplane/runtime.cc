// The public handles: each call goes to the control thread and, where it blocks, waits for it.
#include <controlplane/receiver_impl.h>
#include <controlplane/repair_host_impl.h>
#include <controlplane/runtime_core.h>

#include <future>
#include <thread>

namespace joinleaf {

using controlplane::Held;
using controlplane::RuntimeCore;
using controlplane::SocketCore;

class Runtime::Impl {
public:
    std::shared_ptr<RuntimeCore> core;
};

class Socket::Impl {
public:
    Impl(std::shared_ptr<RuntimeCore> core_, std::shared_ptr<SocketCore> socket_)
        : core(std::move(core_)), socket(std::move(socket_)) {}
    ~Impl() {
        close();
        // A socket's connections belong to the control thread, to their end.
        core->call([this] { socket.reset(); });
    }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    void close() {
        let_out();
        core->call([this] { core->close(socket->id()); });
        // The application may take its handler down when this returns.
        if (core->is_inside()) return;
        while (!socket->is_let_go()) {
            core->call([this] { core->take_acknowledgements(); });
        }
    }

    /// What has been handed to the sender leaves before the other side is told of the end.
    void let_out() {
        if (core->is_inside()) return;
        const auto deadline = std::chrono::steady_clock::now() + socket->admission().linger;
        constexpr std::chrono::microseconds kLittle(200);
        while (!core->call([this] { return socket->is_sent(); }) &&
               std::chrono::steady_clock::now() < deadline) {
            std::this_thread::sleep_for(kLittle);
        }
    }

    /// Control thread. Starts a join and, where the socket blocks, sets up `promise` for its end.
    template <class Start>
    auto start_join(std::promise<std::error_code>& promise, bool& wait, Start start) {
        if (socket->is_nonblocking()) return start();
        // Before the start, because a join may end at once; another that is under way keeps its
        // own waiter.
        auto other =
            socket->wait_for_join([&promise](std::error_code error) { promise.set_value(error); });
        auto result = start();
        wait = result.has_value();
        if (!wait) socket->wait_for_join(std::move(other));
        return result;
    }

    /// Runs `work` on the control thread and waits until the worker has done as it was told: what
    /// the application does next must meet the change.
    template <class Work>
    Result<void> apply(Work work) {
        // Nobody keeps the promise: it is broken when the command's answer lets go of it.
        auto applied = std::make_shared<std::promise<void>>();
        const auto answered = applied->get_future();
        const auto result = core->call([&] { return work(Held(std::move(applied))); });
        constexpr std::chrono::microseconds kLittle(50);
        while (!core->is_inside() && answered.wait_for(kLittle) != std::future_status::ready) {
            core->call([this] { core->take_acknowledgements(); });
        }
        return result;
    }

    std::shared_ptr<RuntimeCore> core;
    std::shared_ptr<SocketCore> socket;
};

Runtime::Runtime(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Runtime::Runtime(Runtime&&) noexcept = default;
Runtime& Runtime::operator=(Runtime&& other) noexcept {
    if (this != &other) {
        if (impl_) stop();
        impl_ = std::move(other.impl_);
    }
    return *this;
}
Runtime::~Runtime() {
    if (impl_) stop();
}

Runtime Runtime::start(RuntimeOptions options) {
    auto impl = std::make_unique<Impl>();
    impl->core = std::make_shared<RuntimeCore>(std::move(options));
    impl->core->start();
    return Runtime(std::move(impl));
}

Result<Socket> Runtime::open(const SocketOptions& options) {
    const auto& core = impl_->core;
    std::promise<std::error_code> ready;
    auto opened = ready.get_future();
    auto socket = core->call([&] {
        return core->open(options, [&ready](std::error_code error) { ready.set_value(error); });
    });
    if (!socket) return tl::unexpected(socket.error());
    Socket handle(std::make_shared<Socket::Impl>(core, std::move(*socket)));
    if (const auto error = opened.get()) return tl::unexpected(error);
    return handle;
}

Result<Receiver> Runtime::open_receiver(const ReceiverOptions& options) {
    const auto& core = impl_->core;
    return core->call([&] { return core->open_receiver(options); });
}

EventQueue Runtime::open_event_queue() { return EventQueue(std::make_shared<EventQueue::Impl>()); }

Result<RepairHost> Runtime::open_repair_host(const RepairHostOptions& options) {
    const auto& core = impl_->core;
    std::shared_ptr<RepairHost::Impl> host;
    try {
        host = std::make_shared<RepairHost::Impl>(core, options);
    } catch (const std::system_error& error) {
        return tl::unexpected(std::error_code(error.code()));
    }
    const auto opened = core->call([&] { return core->open_repair(host, options); });
    if (!opened) return tl::unexpected(opened.error());
    return RepairHost(std::move(host));
}

Status Runtime::status() const {
    const auto& core = impl_->core;
    return core->call([&] { return core->status(); });
}

std::vector<LeafStatus> Runtime::leaves(SocketId socket, std::uint64_t after,
                                        std::size_t limit) const {
    const auto& core = impl_->core;
    return core->call([&] { return core->leaves(socket, after, limit); });
}

Result<void> Runtime::leave_for_another(std::size_t port, GroupAddress group,
                                        const SourceFilter& sources) {
    const auto& core = impl_->core;
    return core->call([&] { return core->leave_for_another(port, group, sources); });
}

Result<RecorderDump> Runtime::dump_recorder(const std::string& path) {
    return impl_->core->dump_recorder(path);
}

bool Runtime::record_around(std::string_view why) { return impl_->core->record_around(why); }

void Runtime::stop(std::chrono::milliseconds linger) { impl_->core->stop(linger); }

Result<Socket> Socket::join_leaf(GroupEndpoint group, const JoinOptions& options) {
    if (!impl_) return failure(std::errc::not_a_socket);
    std::promise<std::error_code> promise;
    auto finished = promise.get_future();
    bool wait = false;
    const auto started = impl_->core->call([&] {
        return impl_->start_join(promise, wait,
                                 [&] { return impl_->socket->start_group_join(group, options); });
    });
    if (!started) return tl::unexpected(started.error());
    if (wait) {
        if (const auto error = finished.get()) return tl::unexpected(error);
    }
    return *this;
}

Result<Socket> Socket::join_leaf(const ControlEndpoint& peer, const AdmissionRequest& request) {
    if (!impl_) return failure(std::errc::not_a_socket);
    std::promise<std::error_code> promise;
    auto finished = promise.get_future();
    bool wait = false;
    auto started = impl_->core->call([&] {
        return impl_->start_join(promise, wait,
                                 [&] { return impl_->socket->start_peer_join(peer, request); });
    });
    if (!started) return tl::unexpected(started.error());
    Socket joined = *started == impl_->socket
                        ? *this
                        : Socket(std::make_shared<Impl>(impl_->core, std::move(*started)));
    if (wait) {
        if (const auto error = finished.get()) return tl::unexpected(error);
    }
    return joined;
}

Result<void> Socket::listen(const ControlEndpoint& local, std::size_t backlog) {
    if (!impl_) return failure(std::errc::not_a_socket);
    return impl_->core->call([&] { return impl_->socket->listen(local, backlog); });
}

Result<Socket> Socket::accept(const Condition& condition) {
    if (!impl_) return failure(std::errc::not_a_socket);
    using Found = std::pair<controlplane::RequestId, PendingJoin>;
    for (;;) {
        std::promise<void> promise;
        auto pending = promise.get_future();
        bool wait = false;
        const auto found = impl_->core->call([&]() -> Result<Found> {
            auto& socket = *impl_->socket;
            const auto oldest = socket.oldest_request();
            if (oldest) return Found{*oldest, *socket.find_request(*oldest)};
            wait = oldest.error() == std::errc::operation_would_block && !socket.is_nonblocking();
            if (wait) socket.wait_for_request([&promise] { promise.set_value(); });
            return tl::unexpected(oldest.error());
        });
        if (wait) {
            pending.wait();
            continue;
        }
        if (!found) return tl::unexpected(found.error());

        // The application decides on its own thread; the request may end meanwhile (M17).
        const Answer answer = condition ? condition(found->second) : Answer{};
        std::promise<std::error_code> promised;
        auto joined = promised.get_future();
        bool join = false;
        auto socket = impl_->core->call([&] {
            auto accepted = impl_->socket->answer(found->first, answer);
            if (accepted && *accepted && !impl_->socket->is_nonblocking() &&
                (*accepted)->ends_in_join()) {
                join = true;
                (*accepted)->wait_for_join(
                    [&promised](std::error_code error) { promised.set_value(error); });
            }
            return accepted;
        });
        if (!socket) return tl::unexpected(socket.error());
        if (!*socket) {
            return failure(answer.verdict == Verdict::reject ? std::errc::connection_refused
                                                             : std::errc::operation_would_block);
        }
        Socket accepted(std::make_shared<Impl>(impl_->core, std::move(*socket)));
        if (join) {
            if (const auto error = joined.get()) return tl::unexpected(error);
        }
        return accepted;
    }
}

Result<void> Socket::reload_admission() {
    if (!impl_) return failure(std::errc::not_a_socket);
    return reload_admission(impl_->socket->admission());
}

// The files are read on the calling thread; the control thread has others to serve.
Result<void> Socket::reload_admission(const AdmissionOptions& names) {
    if (!impl_) return failure(std::errc::not_a_socket);
    const auto& core = impl_->core;
    const auto& opened_with = impl_->socket->admission();
    if (names.policy.empty() != opened_with.policy.empty() ||
        controlplane::has_tls(names) != controlplane::has_tls(opened_with)) {
        return failure(std::errc::operation_not_supported);
    }
    auto files = controlplane::load_admission_files(names);
    return core->call([&]() -> Result<void> {
        if (!files) {
            core->log(files.error());
            return failure(std::errc::invalid_argument);
        }
        if (files->tls) {
            for (const auto& warning : files->tls->warnings()) core->log(warning);
        }
        return impl_->socket->use(std::move(*files));
    });
}

Result<UserData> Socket::peer_data() const {
    if (!impl_) return failure(std::errc::not_a_socket);
    return impl_->core->call([&] { return impl_->socket->peer_data(); });
}

Result<SessionOffer> Socket::session() const {
    if (!impl_) return failure(std::errc::not_a_socket);
    return impl_->core->call([&] { return impl_->socket->session(); });
}

Result<Peer> Socket::peer() const {
    if (!impl_) return failure(std::errc::not_a_socket);
    return impl_->core->call([&] { return impl_->socket->peer(); });
}

Result<void> Socket::say(const UserData& data) {
    if (!impl_) return failure(std::errc::not_a_socket);
    return impl_->core->call([&] { return impl_->socket->say(data); });
}

std::optional<UserData> Socket::hear() {
    if (!impl_) return std::nullopt;
    return impl_->core->call([&] { return impl_->socket->hear(); });
}

std::optional<HistoryBegins> Socket::history_begins() const noexcept {
    return impl_ ? impl_->socket->history_begins() : std::nullopt;
}

Result<void> Socket::set_sources(const SourceFilter& sources) {
    if (!impl_) return failure(std::errc::not_a_socket);
    return impl_->apply(
        [&](Held applied) { return impl_->socket->set_sources(sources, std::move(applied)); });
}

Result<void> Socket::set_scope(std::uint8_t scope) {
    if (!impl_) return failure(std::errc::not_a_socket);
    return impl_->apply(
        [&](Held applied) { return impl_->socket->set_scope(scope, std::move(applied)); });
}

Result<void> Socket::set_loopback(bool on) {
    if (!impl_) return failure(std::errc::not_a_socket);
    return impl_->apply(
        [&](Held applied) { return impl_->socket->set_loopback(on, std::move(applied)); });
}

Result<void> Socket::set_rate(std::uint64_t packets_per_second, std::uint64_t bits_per_second) {
    if (!impl_) return failure(std::errc::not_a_socket);
    return impl_->apply([&](Held applied) {
        return impl_->socket->set_rate(packets_per_second, bits_per_second, std::move(applied));
    });
}

Result<void> Socket::set_nonblocking(bool on) {
    if (!impl_) return failure(std::errc::not_a_socket);
    return impl_->core->call([&] { return impl_->socket->set_nonblocking(on); });
}

Result<void> Socket::select(const EventQueue& queue, EventMask mask) {
    if (!impl_) return failure(std::errc::not_a_socket);
    return impl_->core->call([&] { return impl_->socket->select(queue.impl(), mask); });
}

Result<Sender> Socket::sender() {
    if (!impl_) return failure(std::errc::not_a_socket);
    auto& core = impl_->core;
    auto queue = core->call([&] { return impl_->socket->send_queue(); });
    if (!queue) return tl::unexpected(queue.error());
    return Sender(std::make_shared<Sender::Impl>(std::move(*queue), impl_->socket->port_pools()));
}

// The memory is taken on the calling thread; the control thread has others to serve.
Result<FeedPublisher> Socket::feed_publisher(const FeedPublisherOptions& options) {
    if (!impl_) return failure(std::errc::not_a_socket);
    std::vector<std::shared_ptr<SocketCore>> others;
    for (const auto& socket : options.also_by) {
        if (!socket.impl_) return failure(std::errc::not_a_socket);
        if (socket.impl_->core != impl_->core) return failure(std::errc::invalid_argument);
        others.push_back(socket.impl_->socket);
    }
    const auto session = FeedPublisher::Impl::check(options);
    if (!session) return tl::unexpected(session.error());
    const auto& core = impl_->core;
    const auto capacity = core->call([&] { return impl_->socket->feed_capacity(others); });
    if (!capacity) return tl::unexpected(capacity.error());
    std::shared_ptr<FeedPublisher::Impl> feed;
    try {
        feed = std::make_shared<FeedPublisher::Impl>(options, *session, *capacity,
                                                     impl_->socket->port_pools(),
                                                     std::chrono::steady_clock::now());
    } catch (const std::exception&) {
        return failure(std::errc::not_enough_memory);
    }
    const auto begun =
        core->call([&] { return core->publish_feed(impl_->socket, feed, options.repair, others); });
    if (!begun) return tl::unexpected(begun.error());
    return FeedPublisher(std::move(feed));
}

Result<Instant> Socket::connected_at() const {
    if (!impl_) return failure(std::errc::not_a_socket);
    return impl_->core->call([&] { return impl_->socket->connected_at(); });
}

SocketId Socket::id() const noexcept { return impl_ ? impl_->socket->id() : SocketId{}; }

void Socket::close() {
    if (impl_) impl_->close();
}

std::size_t Receiver::receive(std::span<Datagram> out) noexcept {
    return impl_ ? impl_->queue.receive(out) : 0;
}
void Receiver::release(std::span<const Datagram> datagrams) noexcept {
    if (impl_) impl_->queue.release(datagrams);
}

std::size_t Sender::reserve(std::span<SendBuffer> out) noexcept {
    return impl_ ? impl_->queue->reserve(out) : 0;
}
void Sender::send(std::span<const SendBuffer> filled) noexcept {
    if (impl_) impl_->queue->send(filled);
}
void Sender::cancel(std::span<const SendBuffer> unused) noexcept {
    if (impl_) impl_->queue->cancel(unused);
}
std::size_t Sender::in_flight() const noexcept { return impl_ ? impl_->queue->in_flight() : 0; }

}  // namespace joinleaf
