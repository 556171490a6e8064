#include <controlplane/admission_rules.h>
#include <controlplane/admission_text.h>
#include <controlplane/member_socket.h>
#include <controlplane/nonrooted_socket.h>
#include <controlplane/receiver_impl.h>
#include <controlplane/root_socket.h>
#include <controlplane/runtime_core.h>
#include <dataplane/dpdk/error.h>
#include <dataplane/dpdk/own_memory.h>
#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <utility>

namespace joinleaf::controlplane {
namespace {

using dataplane::Worker;
using dataplane::dpdk::BufferMemory;
using dataplane::dpdk::Eal;
using dataplane::dpdk::fail;

// Short enough that a report, an answer or an acknowledgement never waits long for this thread,
// long enough that it sleeps nearly always.
constexpr Duration kTick = std::chrono::milliseconds(1);

// Without ticks for so long this process, or its whole machine, did not run: longer than the turns
// of a busy scheduler, which would otherwise put off again and again when a dead peer is found out.
constexpr Duration kStall = std::chrono::milliseconds(200);

// What the EAL and the drivers use besides packet buffers.
constexpr unsigned kDriverMegabytes = 48;

// How often handles that the application has dropped are looked for.
constexpr Duration kReceiversEvery = std::chrono::milliseconds(100);

std::atomic<unsigned> ports_made{0};
std::atomic<std::uint64_t> runtimes_made{0};

}  // namespace

RuntimeCore::RuntimeCore(RuntimeOptions options)
    : options_(std::move(options)), number_(++runtimes_made) {}

RuntimeCore::~RuntimeCore() { stop(std::chrono::milliseconds(0)); }

void RuntimeCore::log(std::string_view line) const {
    if (options_.log) {
        options_.log(line);
    } else {
        fmt::print(stderr, "joinleaf: {}\n", line);
    }
}

void RuntimeCore::start() {
    plan_ = plan_runtime(options_, dataplane::dpdk::kMaxWorkers);
    try {
        call([this] { start_on_control_thread(); });
        begin_to_tell();
    } catch (...) {
        call([this] { finish(); });
        throw;
    }
}

void RuntimeCore::start_on_control_thread() {
    dataplane::dpdk::EalOptions eal;
    cpus_ = choose_cpus(options_, dataplane::dpdk::usable_cpus());
    eal.worker_cpus = cpus_;
    eal.memory_mb = kDriverMegabytes;
    for (std::size_t i = 0; i < options_.ports.size(); ++i) {
        eal.memory_mb += PortPools::megabytes(options_.ports[i]);
        eal.needs_pci = eal.needs_pci || plan_.specs[i].kind == PortKind::pci;
    }
    eal.more_arguments = options_.eal_arguments;
    eal.allow_secondary = options_.allow_secondary;
    eal_ = &Eal::ensure(eal);
    if (options_.allow_secondary && eal_->can_be_captured()) {
        log(fmt::format("dpdk-dumpcap attaches with --file-prefix={}", eal_->file_prefix()));
    } else if (options_.allow_secondary) {
        log(fmt::format("dpdk-dumpcap cannot attach: {}; the recorder needs nothing of the kind",
                        eal_->has_hugepages() ? "this process has started DPDK without that"
                                              : "it needs hugepages"));
    }
    for (std::size_t i = 0; i < options_.workers; ++i) {
        workers_.push_back(
            std::make_unique<Worker>(dataplane::WorkerOptions{.idle_sleep = options_.idle_sleep}));
        proxies_.push_back(std::make_unique<WorkerProxy>(*workers_.back()));
    }
    if (options_.recorder.packets > 0) {
        recorder_ = std::make_unique<FlightRecorder>(options_.recorder,
                                                     [this](std::string_view line) { log(line); });
    }
    open_ports();
    if (!eal_->has_hugepages()) {
        std::uint64_t octets = 0;
        for (const auto& pools : pools_) octets += pools->octets();
        log(memory_remark(eal.memory_mb, octets, dataplane::dpdk::octets_in_transparent_pages()));
    }
    for (const auto& worker : workers_) {
        const auto lcore = eal_->launch([w = worker.get()] { w->run(); });
        if (!lcore) {
            fail(EBUSY, fmt::format("no free lcore for {} workers; this process started DPDK with "
                                    "{}",
                                    options_.workers, eal_->lcore_count()));
        }
        lcores_.push_back(*lcore);
    }
    running_ = true;
    loop_.every(kTick, [this] { tick(); });
    for (const auto& port : ports_) port->announce();
}

// Telemetry's threads ask from now on, until stop() has waited for the last of them.
void RuntimeCore::begin_to_tell() {
    if (const auto why = call([this] { return eal_->why_no_telemetry(); }); !why.empty()) {
        call([this, why] {
            log(
                fmt::format("no telemetry, so that neither `joinleaf stat` nor dpdk-telemetry.py "
                            "sees this process: {}",
                            why));
        });
    }
    told_ = StatusService::instance().add(
        {.status = [this] { return call([this] { return status(); }); },
         .leaves =
             [this](SocketId socket, std::uint64_t after, std::size_t limit) {
                 return call([=, this] { return leaves(socket, after, limit); });
             }});
}

void RuntimeCore::record(const PortContext& port) {
    const auto& seats = port.steering().seats();
    const auto status = port.status();
    for (std::size_t queue = 0; queue < seats.size(); ++queue) {
        recorder_->add_lane(
            *seats[queue].proxy, seats[queue].lane,
            seats.size() == 1 ? status.spec : fmt::format("{} queue {}", status.spec, queue),
            fmt::format("driver {}, address {}, queue {} of {}", status.driver,
                        status.address.to_string(), queue, seats.size()),
            status.mac);
    }
}

Result<RecorderDump> RuntimeCore::dump_recorder(const std::string& path) {
    if (is_inside()) return failure(std::errc::resource_deadlock_would_occur);
    const auto written = std::make_shared<std::promise<Result<RecorderDump>>>();
    auto result = written->get_future();
    const std::errc refused = call([&] {
        if (!recorder_ || (path.empty() && options_.recorder.prefix.empty())) {
            return std::errc::operation_not_supported;
        }
        if (!running_) return std::errc::network_down;
        recorder_->dump(
            path, [written](Result<RecorderDump> dump) { written->set_value(std::move(dump)); });
        return std::errc{};
    });
    if (refused != std::errc{}) return failure(refused);
    return result.get();
}

bool RuntimeCore::record_around(std::string_view why) {
    const Instant now = std::chrono::steady_clock::now();
    if (!recorder_ || !recorder_->admit(now)) return false;
    post([this, now, reason = std::string(why)] { recorder_->around(reason, now); });
    return true;
}

void RuntimeCore::open_ports() {
    for (std::size_t i = 0; i < options_.ports.size(); ++i) {
        const unsigned number = ports_made++;
        const auto node = eal_->numa_node(cpus_[options_.ports[i].worker]);
        const auto memory =
            plan_.specs[i].takes_any_memory() ? BufferMemory::own : BufferMemory::environment;
        pools_.push_back(PortPools::make(number, options_.ports[i], node, memory));
        ports_.push_back(std::make_unique<PortContext>(
            number, options_.ports[i], plan_.specs[i], plan_.vlans[i], pools_.back(),
            [this](std::string_view line) { log(line); }));
        attach_port(*ports_.back(), options_.ports[i]);
        if (recorder_) record(*ports_.back());
    }
}

void RuntimeCore::attach_port(PortContext& port, const PortOptions& options) {
    std::vector<WorkerProxy*> proxies;
    for (std::size_t queue = 0; queue < options.queues; ++queue) {
        proxies.push_back(proxies_[options.worker + queue].get());
    }
    for (auto* from : proxies) {
        for (auto* to : proxies) {
            if (from != to) relays_.connect(from->worker(), to->worker());
        }
    }
    port.attach(proxies, relays_, options_.max_subscriptions);
}

void RuntimeCore::take_acknowledgements() {
    for (const auto& proxy : proxies_) proxy->poll();
}

void RuntimeCore::tick() {
    const Instant now = std::chrono::steady_clock::now();
    const Duration pause = now - ticked_at_.value_or(now);
    ticked_at_ = now;
    if (pause >= kStall) {
        for (const auto& [id, socket] : timed_) socket->stalled(pause, now);
    }
    take_acknowledgements();
    handle_control_frames();
    for (const auto& port : ports_) {
        const bool had_link = port->link_up();
        port->tick(now);
        if (!had_link || port->link_up()) continue;
        for (const auto& [id, socket] : sockets_) socket->link_lost(*port);
    }
    for (const auto& socket : timed_sockets()) socket->tick(now);
    if (recorder_) recorder_->tick(now);
    let_receivers_go(now);
}

void RuntimeCore::handle_control_frames() {
    for (std::size_t w = 0; w < workers_.size(); ++w) {
        std::array<dataplane::ControlFrame, 64> frames;
        std::size_t budget = Worker::kControlFrameSlots;
        while (budget > 0) {
            const auto n = workers_[w]->control_frames().pop(frames);
            if (n == 0) break;
            for (std::size_t i = 0; i < n; ++i) {
                for (const auto& port : ports_) {
                    if (port->owns(*proxies_[w], frames[i].lane)) port->handle(frames[i]);
                }
            }
            budget -= std::min(budget, n);
        }
    }
}

// A receiver whose handle is gone and that no socket uses is taken from its worker.
void RuntimeCore::let_receivers_go(Instant now) {
    if (now - receivers_looked_at_ < kReceiversEvery) return;
    receivers_looked_at_ = now;
    std::erase_if(receivers_, [this](const std::shared_ptr<Receiver::Impl>& receiver) {
        if (receiver.use_count() > 1) return false;
        seat_of(*receiver).proxy->send(dataplane::RemoveReceiveQueue{.queue = &receiver->queue},
                                       [receiver](const dataplane::Acknowledgement&) {});
        return true;
    });
}

Result<std::size_t> RuntimeCore::home_queue(const SocketOptions& options) {
    auto& steering = ports_[options.port]->steering();
    const auto& seats = steering.seats();
    if (options.queue && *options.queue >= seats.size()) {
        return failure(std::errc::invalid_argument);
    }
    if (options.receiver == nullptr) return options.queue.value_or(steering.next_queue());
    // A receiver belongs to a worker, which must be the socket's.
    const auto& receiver = options.receiver->impl();
    if (!receiver || receiver->runtime != number_) return failure(std::errc::invalid_argument);
    for (std::size_t queue = 0; queue < seats.size(); ++queue) {
        if (seats[queue].proxy == seat_of(*receiver).proxy &&
            options.queue.value_or(queue) == queue)
            return queue;
    }
    return failure(std::errc::invalid_argument);
}

Result<std::shared_ptr<SocketCore>> RuntimeCore::open(const SocketOptions& options, Ready ready) {
    if (!running_ || stopping_) return failure(std::errc::network_down);
    if (auto checked = check_roles(options); !checked) return tl::unexpected(checked.error());
    if (options.port >= ports_.size()) return failure(std::errc::invalid_argument);
    const bool is_root =
        options.scheme.control == Plane::rooted && options.control_role == ControlRole::root;
    const bool sends_feed = options.sender.framing == Framing::moldudp64 ||
                            (is_root && options.admission.session.framing == Framing::moldudp64);
    if (sends_feed && options.sender.source.call != nullptr) {
        return failure(std::errc::invalid_argument);
    }
    const auto queue = home_queue(options);
    if (!queue) return tl::unexpected(queue.error());
    SocketOptions placed = options;
    placed.queue = *queue;
    // A root's session and its sender say the same.
    if (sends_feed) {
        placed.sender.framing = Framing::moldudp64;
        if (is_root) placed.admission.session.framing = Framing::moldudp64;
    }
    if (options.scheme.control == Plane::rooted) return open_rooted(placed, std::move(ready));
    auto socket = std::make_shared<NonrootedSocket>(next_id(), placed, *ports_[options.port]);
    adopt(socket);
    ready({});
    return socket;
}

// A copy, because a tick may open and close sockets.
std::vector<std::shared_ptr<SocketCore>> RuntimeCore::timed_sockets() const {
    std::vector<std::shared_ptr<SocketCore>> sockets;
    sockets.reserve(timed_.size());
    for (const auto& [id, socket] : timed_) sockets.push_back(socket);
    return sockets;
}

void RuntimeCore::adopt(const std::shared_ptr<SocketCore>& socket) {
    sockets_.emplace(socket->id(), socket);
    if (socket->has_timers()) timed_.emplace(socket->id(), socket);
}

RootedContext RuntimeCore::rooted_context() {
    return {.io = loop_.io(),
            .next_id = [this] { return next_id(); },
            .adopt = [this](const std::shared_ptr<SocketCore>& socket) { adopt(socket); },
            .log = [this](std::string_view line) { log(line); }};
}

Result<std::shared_ptr<SocketCore>> RuntimeCore::open_rooted(const SocketOptions& options,
                                                             Ready ready) {
    PortContext& port = *ports_[options.port];
    const auto& admission = options.admission;
    if (!is_admission_text(admission.name)) {
        log(fmt::format(
            "a socket's name has at most {} octets of UTF-8, without control characters",
            kMaxName));
        return failure(std::errc::invalid_argument);
    }
    auto files = load_admission_files(admission);
    if (!files) {
        log(files.error());
        return failure(std::errc::invalid_argument);
    }
    AdmissionTransportOptions transport;
    transport.tls = std::move(files->tls);
    if (transport.tls) {
        for (const auto& warning : transport.tls->warnings()) log(warning);
    }
    std::shared_ptr<SocketCore> socket;
    try {
        if (options.control_role == ControlRole::leaf) {
            socket = MemberSocket::open(next_id(), options, port, rooted_context(),
                                        std::move(transport));
            ready({});
        } else {
            SocketOptions complete = options;
            auto& session = complete.admission.session;
            session.scheme = options.scheme;
            if (session.root_address.is_unspecified()) {
                session.root_address = port.options().address.address;
            }
            if (auto checked = check_offer(session); !checked) {
                return tl::unexpected(checked.error());
            }
            // Who is one too many is still to be told so.
            transport.max_connections =
                std::max(transport.max_connections, admission.max_leaves + transport.max_half_open);
            std::shared_ptr<Doorkeeper> keeper;
            if (files->policy) {
                keeper = std::make_shared<Doorkeeper>(std::move(*files->policy), session.group);
            }
            auto root = std::make_shared<RootSocket>(next_id(), complete, port, rooted_context(),
                                                     std::move(transport), std::move(keeper));
            root->set_scope(session.scope);
            root->start(std::move(ready));
            socket = std::move(root);
        }
    } catch (const std::system_error& error) {
        log(error.what());
        return tl::unexpected(error.code());
    }
    adopt(socket);
    return socket;
}

Result<Receiver> RuntimeCore::open_receiver(const ReceiverOptions& options) {
    if (!running_ || stopping_) return failure(std::errc::network_down);
    if (options.port >= ports_.size() || options.capacity == 0 ||
        options.queue >= options_.ports[options.port].queues) {
        return failure(std::errc::invalid_argument);
    }
    if (receivers_.size() == Worker::kMaxReceiveQueues) {
        return failure(std::errc::no_buffer_space);
    }
    auto impl = std::make_shared<Receiver::Impl>(options, number_, pools_[options.port]);
    seat_of(*impl).proxy->send(dataplane::AddReceiveQueue{.queue = &impl->queue},
                               [impl](const dataplane::Acknowledgement&) {});
    receivers_.push_back(impl);
    return Receiver(std::move(impl));
}

Result<void> RuntimeCore::publish_feed(const std::shared_ptr<SocketCore>& socket,
                                       const std::shared_ptr<FeedPublisher::Impl>& feed,
                                       const std::optional<RepairServerOptions>& repair,
                                       SocketCore::Others others) {
    if (!repair) return socket->publish_feed(feed, others);
    if (!running_ || stopping_) return failure(std::errc::network_down);
    if (socket->repair_status()) return failure(std::errc::device_or_resource_busy);
    // Before the feed begins, so that one whose endpoint cannot be had does not begin.
    const std::weak_ptr<SocketCore> of = socket;
    auto service =
        RepairService::open(loop_.io(), *repair,
                            {.too_old =
                                 [of](Ipv4Address leaf, const HistoryBegins& begins) {
                                     const auto asked = of.lock();
                                     return asked ? asked->tell_history(leaf, begins) : 0;
                                 },
                             .name_of =
                                 [of](Ipv4Address leaf) {
                                     const auto asked = of.lock();
                                     return asked ? asked->name_of_leaf(leaf) : std::string();
                                 },
                             .log = [this](std::string_view line) { log(line); }});
    if (!service) return tl::unexpected(service.error());
    if (auto begun = socket->publish_feed(feed, others); !begun) return begun;
    (*service)->serve(feed->log, feed->packing.capacity);
    socket->use_repair(std::move(*service));
    return {};
}

Result<void> RuntimeCore::open_repair(const std::shared_ptr<RepairHost::Impl>& host,
                                      const RepairHostOptions& options) {
    if (!running_ || stopping_) return failure(std::errc::network_down);
    auto service = RepairService::open(
        loop_.io(), options.server,
        {.too_old = {}, .name_of = {}, .log = [this](std::string_view line) { log(line); }});
    if (!service) return tl::unexpected(service.error());
    (*service)->serve(host->log);
    host->service = std::move(*service);
    std::erase_if(repair_hosts_, [](const auto& other) { return other.expired(); });
    repair_hosts_.push_back(host);
    return {};
}

const Seat& RuntimeCore::seat_of(const Receiver::Impl& receiver) const {
    return ports_[receiver.port_index]->steering().seat(receiver.port_queue);
}

void RuntimeCore::close(SocketId id) {
    const auto found = sockets_.find(id);
    if (found == sockets_.end()) return;
    const auto socket = found->second;
    sockets_.erase(found);
    timed_.erase(id);
    socket->close();
}

Result<void> RuntimeCore::leave_for_another(std::size_t port, GroupAddress group,
                                            const SourceFilter& sources) {
    if (port >= ports_.size()) return failure(std::errc::invalid_argument);
    const auto told =
        ports_[port]->igmp().leave_for_another(group, sources, std::chrono::steady_clock::now());
    if (!told) return failure(told.error());
    return {};
}

Status RuntimeCore::status() const {
    Status status;
    status.taken_at = std::chrono::steady_clock::now();
    status.hugepages = eal_ != nullptr && eal_->has_hugepages();
    status.secondary = eal_ != nullptr && eal_->can_be_captured();
    for (const auto& port : ports_) status.ports.push_back(port->status());
    for (const auto& [id, socket] : sockets_) {
        if (auto membership = socket->status()) status.memberships.push_back(*membership);
        if (auto admission = socket->admission_status()) status.admissions.push_back(*admission);
        if (auto repair = socket->repair_status()) status.repairs.push_back(*repair);
    }
    for (const auto& receiver : receivers_) {
        if (auto feed = receiver->feed.status()) status.feeds.push_back(*std::move(feed));
    }
    for (const auto& weak : repair_hosts_) {
        const auto host = weak.lock();
        if (host && host->service) status.repairs.push_back(host->service->status());
    }
    std::stable_sort(status.repairs.begin(), status.repairs.end(),
                     [](const auto& a, const auto& b) { return a.socket < b.socket; });
    std::sort(status.admissions.begin(), status.admissions.end(),
              [](const auto& a, const auto& b) { return a.socket < b.socket; });
    std::sort(status.memberships.begin(), status.memberships.end(),
              [](const auto& a, const auto& b) { return a.socket < b.socket; });
    for (std::size_t i = 0; i < workers_.size(); ++i) {
        status.workers.push_back({.lcore = i < lcores_.size() ? lcores_[i] : 0,
                                  .turns = workers_[i]->turns(),
                                  .busy_turns = workers_[i]->busy_turns(),
                                  .busy = workers_[i]->busy_time(),
                                  .running = workers_[i]->run_time(),
                                  .frames = frames_of(*proxies_[i])});
    }
    return status;
}

std::uint64_t RuntimeCore::frames_of(const WorkerProxy& proxy) const {
    using dataplane::Count;
    std::uint64_t frames = 0;
    for (const auto& port : ports_) {
        for (const Seat& seat : port->steering().seats()) {
            if (seat.proxy != &proxy) continue;
            const auto& published = seat.proxy->worker().lane(seat.lane).published;
            frames += published.get(Count::received) + published.get(Count::transmitted);
        }
    }
    return frames;
}

std::vector<LeafStatus> RuntimeCore::leaves(SocketId socket, std::uint64_t after,
                                            std::size_t limit) const {
    const auto found = sockets_.find(socket);
    if (found == sockets_.end()) return {};
    return found->second->leaf_status(after, limit);
}

void RuntimeCore::close_everything() {
    stopping_ = true;
    timed_.clear();
    for (const auto& weak : std::exchange(repair_hosts_, {})) {
        if (const auto host = weak.lock()) host->close();
    }
    // As they were opened: a root says farewell to its leaves before the sockets that stand for
    // them would expel them.
    const auto all = std::exchange(sockets_, {});
    const std::map<SocketId, std::shared_ptr<SocketCore>> in_order(all.begin(), all.end());
    for (const auto& [id, socket] : in_order) socket->close();
}

bool RuntimeCore::is_sent(Duration waited) const {
    return std::all_of(sockets_.begin(), sockets_.end(), [waited](const auto& entry) {
        return waited >= entry.second->admission().linger || entry.second->is_sent();
    });
}

bool RuntimeCore::is_drained() const {
    const bool idle = std::all_of(proxies_.begin(), proxies_.end(),
                                  [](const auto& proxy) { return proxy->outstanding() == 0; });
    return idle && std::none_of(ports_.begin(), ports_.end(), [](const auto& port) {
               return port->igmp().host().has_pending_state_changes();
           });
}

void RuntimeCore::finish() {
    running_ = false;
    for (const auto& worker : workers_) worker->stop();
    for (const auto lcore : lcores_) eal_->join(lcore);
    lcores_.clear();
    if (recorder_) recorder_->finish();
    loop_.quiet();
    proxies_.clear();
    workers_.clear();
    relays_.clear();
    ports_.clear();
    receivers_.clear();
    pools_.clear();
}

void RuntimeCore::stop(std::chrono::milliseconds linger) {
    const auto began = std::chrono::steady_clock::now();
    const auto deadline = began + linger;
    for (auto at = began; at < deadline; at = std::chrono::steady_clock::now()) {
        if (call([this, at, began] { return is_sent(at - began); })) break;
        std::this_thread::sleep_for(kTick);
    }
    const bool was_running = call([this] {
        close_everything();
        return running_;
    });
    if (was_running) {
        while (std::chrono::steady_clock::now() < deadline &&
               !call([this] { return is_drained(); })) {
            std::this_thread::sleep_for(kTick);
        }
        // Outside of the control thread, which those who are being told wait for.
        call([this] { return std::move(told_); }).reset();
        call([this] { finish(); });
    }
    loop_.stop();
}

}  // namespace joinleaf::controlplane
