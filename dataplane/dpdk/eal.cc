#include <dataplane/dpdk/eal.h>
#include <dataplane/dpdk/error.h>
#include <dataplane/dpdk/mempool.h>
#include <dataplane/dpdk/runtime_folder.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <pthread.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_pdump.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <mutex>

namespace joinleaf::dataplane::dpdk {
namespace {

// What the EAL and the drivers say, kept so that a failure can be told in their words; nothing of
// it reaches the terminal when all goes well.
class LogTail {
public:
    LogTail() {
        cookie_io_functions_t functions{};
        functions.write = [](void* self, const char* text, std::size_t n) {
            static_cast<LogTail*>(self)->append({text, n});
            return static_cast<ssize_t>(n);
        };
        stream_ = fopencookie(this, "w", functions);
        if (stream_ != nullptr) setvbuf(stream_, nullptr, _IOLBF, 0);
    }
    [[nodiscard]] FILE* stream() const { return stream_; }
    [[nodiscard]] std::string last_line() {
        const std::lock_guard lock(mutex_);
        const auto end = text_.find_last_not_of("\n ");
        if (end == std::string::npos) return {};
        const auto begin = text_.rfind('\n', end);
        return text_.substr(begin == std::string::npos ? 0 : begin + 1,
                            end - (begin == std::string::npos ? 0 : begin + 1) + 1);
    }
    [[nodiscard]] std::string first_line() {
        const std::lock_guard lock(mutex_);
        return text_.substr(0, text_.find('\n'));
    }
    void clear() {
        const std::lock_guard lock(mutex_);
        text_.clear();
    }

private:
    void append(std::string_view text) {
        constexpr std::size_t kKeep = 4096;
        const std::lock_guard lock(mutex_);
        text_ += text;
        if (text_.size() > 2 * kKeep) text_.erase(0, text_.size() - kKeep);
    }
    std::mutex mutex_;
    std::string text_;
    FILE* stream_ = nullptr;
};

LogTail& log_tail() {
    static auto* tail = new LogTail;  // lives as long as any thread may log
    return *tail;
}

// The EAL writes why it cannot start to stderr as well as to its log; the caller tells it once.
class QuietStderr {
public:
    QuietStderr() : stderr_(stderr) {
        if (log_tail().stream() != nullptr) stderr = log_tail().stream();
    }
    ~QuietStderr() { stderr = stderr_; }
    QuietStderr(const QuietStderr&) = delete;
    QuietStderr& operator=(const QuietStderr&) = delete;

private:
    FILE* stderr_;
};

std::string comma_list(const std::vector<unsigned>& cpus) {
    return fmt::format("{}", fmt::join(cpus, ","));
}

std::vector<std::string> arguments(const EalOptions& options, bool hugepages, bool telemetry,
                                   const std::string& prefix) {
    // Lcore 0 is the control thread: it floats over every CPU the process has.
    std::string lcores = fmt::format("0@({})", comma_list(usable_cpus()));
    for (std::size_t i = 0; i < options.worker_cpus.size(); ++i) {
        lcores += fmt::format(",{}@{}", i + 1, options.worker_cpus[i]);
    }
    std::vector<std::string> args = {"joinleaf", "--lcores", lcores, "--file-prefix", prefix};
    if (!telemetry) args.emplace_back("--no-telemetry");
    if (hugepages && !options.allow_secondary) {
        args.emplace_back("--in-memory");
    } else if (!hugepages) {
        // --in-memory and --no-huge do not combine; --no-shconf leaves no files either.
        args.insert(args.end(),
                    {"--no-huge", "--no-shconf", "-m", std::to_string(options.memory_mb)});
    }
    if (!options.needs_pci) args.emplace_back("--no-pci");
    args.insert(args.end(), options.more_arguments.begin(), options.more_arguments.end());
    return args;
}

// Ours alone: two processes that share one would share their hugepages.
std::string own_prefix() { return fmt::format("joinleaf-{}", getpid()); }

// Of hugepages that are files some stay when the EAL is done.
void remove_hugepage_files() {
    std::error_code ignored;
    std::ifstream mounts("/proc/self/mounts");
    std::string device;
    std::string folder;
    std::string type;
    std::string rest;
    while (mounts >> device >> folder >> type && std::getline(mounts, rest)) {
        if (type != "hugetlbfs") continue;
        for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
            const std::string name = entry.path().filename();
            if (name.starts_with(own_prefix() + "map_")) {
                std::filesystem::remove(entry.path(), ignored);
            }
        }
    }
}

int run_body(void* body) {
    (*static_cast<std::function<void()>*>(body))();
    return 0;
}

// rte_eal_init pins the thread that calls it; the control thread must go where there is room.
class AffinityGuard {
public:
    AffinityGuard() { known_ = pthread_getaffinity_np(pthread_self(), sizeof set_, &set_) == 0; }
    ~AffinityGuard() {
        if (known_) pthread_setaffinity_np(pthread_self(), sizeof set_, &set_);
    }
    AffinityGuard(const AffinityGuard&) = delete;
    AffinityGuard& operator=(const AffinityGuard&) = delete;

private:
    cpu_set_t set_{};
    bool known_ = false;
};

// A wrong argument makes the EAL print its whole usage and complain on both outputs; our caller
// says it in one line.
class QuietOutputs {
public:
    QuietOutputs() {
        std::fflush(nullptr);
        const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
        for (std::size_t i = 0; i < kOutputs.size(); ++i) {
            kept_[i] = dup(kOutputs[i]);
            if (kept_[i] >= 0 && nowhere >= 0) dup2(nowhere, kOutputs[i]);
        }
        if (nowhere >= 0) close(nowhere);
    }
    ~QuietOutputs() {
        std::fflush(nullptr);
        for (std::size_t i = 0; i < kOutputs.size(); ++i) {
            if (kept_[i] < 0) continue;
            dup2(kept_[i], kOutputs[i]);
            close(kept_[i]);
        }
    }
    QuietOutputs(const QuietOutputs&) = delete;
    QuietOutputs& operator=(const QuietOutputs&) = delete;

private:
    static constexpr std::array<int, 2> kOutputs{STDOUT_FILENO, STDERR_FILENO};
    std::array<int, 2> kept_{};
};

}  // namespace

std::vector<unsigned> usable_cpus() {
    cpu_set_t set;
    CPU_ZERO(&set);
    std::vector<unsigned> cpus;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return {0};
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
    }
    return cpus;
}

bool hugepages_available(unsigned memory_mb) {
    std::uint64_t free_kb = 0;
    std::error_code ignored;
    for (const auto& entry :
         std::filesystem::directory_iterator("/sys/kernel/mm/hugepages", ignored)) {
        const std::string name = entry.path().filename();  // hugepages-2048kB
        unsigned long size_kb = 0;
        unsigned long free_pages = 0;
        if (std::sscanf(name.c_str(), "hugepages-%lukB", &size_kb) != 1) continue;
        std::ifstream(entry.path() / "free_hugepages") >> free_pages;
        free_kb += std::uint64_t{size_kb} * free_pages;
    }
    return free_kb / 1024 >= memory_mb;
}

Eal& Eal::ensure(const EalOptions& options) {
    static std::mutex mutex;
    static std::unique_ptr<Eal> instance;
    const std::lock_guard lock(mutex);
    if (!instance) instance.reset(new Eal(options));
    return *instance;
}

Eal::Eal(const EalOptions& options) : hugepages_(hugepages_available(options.memory_mb)) {
    if (log_tail().stream() != nullptr && rte_openlog_stream(log_tail().stream()) != 0) {
        fail(EINVAL, "the DPDK environment takes no log");
    }
    const std::string prefix = own_prefix();
    remove_folders_of_the_dead();
    why_no_telemetry_ = why_no_telemetry_socket(prefix);
    auto args = arguments(options, hugepages_, why_no_telemetry_.empty(), prefix);
    std::vector<char*> argv;
    for (auto& arg : args) argv.push_back(arg.data());
    argv.push_back(nullptr);

    const AffinityGuard keep_affinity;
    std::optional<QuietOutputs> quiet;
    if (!options.more_arguments.empty()) quiet.emplace();
    const int started = [&] {
        const QuietStderr quiet_words;
        return rte_eal_init(static_cast<int>(args.size()), argv.data());
    }();
    quiet.reset();
    if (started < 0) {
        const int code = rte_errno;
        const std::filesystem::path left_over = rte_eal_get_runtime_dir();
        std::error_code ignored;  // and never what --eal made another process share with us
        if (left_over.filename() == prefix) std::filesystem::remove_all(left_over, ignored);
        std::string cure;
        if (code == EALREADY) {
            cure = "the DPDK environment failed earlier in this process; start the program again";
        } else if (code == ENOMEM) {
            cure = fmt::format(
                "not enough memory for {} MB of packet buffers; free some or ask "
                "for fewer buffers",
                options.memory_mb);
        } else {
            cure = fmt::format("check the arguments given to --eal ({})", log_tail().last_line());
        }
        fail(code == 0 ? EINVAL : code, "the DPDK environment did not start: " + cure);
    }
    runtime_directory_ = rte_eal_get_runtime_dir();
    std::error_code ignored;
    unsigned id = 0;
    RTE_LCORE_FOREACH_WORKER(id) { lcores_.push_back({.id = id}); }
    // Where the EAL does not listen for secondary processes rte_pdump_init() does nothing, and says
    // that all is well.
    can_be_captured_ = std::filesystem::exists(runtime_directory_ + "/mp_socket", ignored) &&
                       rte_pdump_init() == 0;
}

Eal::~Eal() {
    if (can_be_captured_) static_cast<void>(rte_pdump_uninit());
    static_cast<void>(rte_eal_cleanup());  // the process ends: there is nobody to tell
    std::error_code ignored;  // only what this process made, and only when it is empty of others
    std::filesystem::remove_all(runtime_directory_, ignored);
    if (can_be_captured_) remove_hugepage_files();
}

int Eal::numa_node(unsigned cpu) const {
    if (!hugepages_ || rte_socket_count() < 2) return Mempool::kAnyNode;
    unsigned lcore = 0;
    RTE_LCORE_FOREACH(lcore) {
        if (static_cast<unsigned>(rte_lcore_to_cpu_id(static_cast<int>(lcore))) == cpu) {
            return static_cast<int>(rte_lcore_to_socket_id(lcore));
        }
    }
    return Mempool::kAnyNode;
}

std::string Eal::file_prefix() const {
    return std::filesystem::path(runtime_directory_).filename();
}

std::optional<unsigned> Eal::launch(std::function<void()> body) {
    const std::lock_guard lock(mutex_);
    const auto free =
        std::find_if(lcores_.begin(), lcores_.end(), [](const Lcore& l) { return !l.lent; });
    if (free == lcores_.end()) return std::nullopt;
    free->body = std::make_unique<std::function<void()>>(std::move(body));
    const int result = rte_eal_remote_launch(run_body, free->body.get(), free->id);
    if (result != 0) fail(result, fmt::format("lcore {} did not start", free->id));
    free->lent = true;
    return free->id;
}

void Eal::join(unsigned lcore) {
    rte_eal_wait_lcore(lcore);  // returns what run_body returned
    const std::lock_guard lock(mutex_);
    for (auto& l : lcores_) {
        if (l.id != lcore) continue;
        l.body.reset();
        l.lent = false;
    }
}

void clear_log() { log_tail().clear(); }

std::string first_log_line() { return log_tail().first_line(); }

}  // namespace joinleaf::dataplane::dpdk
