// What the doctor reads in /proc and /sys, and what it says of it.
#include <apps/joinleaf/doctor/findings.h>
#include <apps/joinleaf/doctor/report.h>
#include <apps/joinleaf/options.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace joinleaf::app::doctor {
namespace {

using namespace std::chrono_literals;
using controlplane::PortKind;
using testing::ElementsAre;
using testing::EndsWith;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

namespace fs = std::filesystem;

/// A tree as the kernel shows it, with what a test writes into it.
class KernelTree {
public:
    KernelTree() {
        std::string name = (fs::temp_directory_path() / "joinleaf-doctor-XXXXXX").string();
        if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
        root_ = name;
    }
    KernelTree(const KernelTree&) = delete;
    KernelTree& operator=(const KernelTree&) = delete;
    ~KernelTree() { fs::remove_all(root_); }

    void file(const fs::path& path, std::string_view text) const {
        fs::create_directories((root_ / path).parent_path());
        std::ofstream(root_ / path) << text;
    }
    void link(const fs::path& path, const fs::path& target) const {
        fs::create_directories((root_ / path).parent_path());
        fs::create_symlink(target, root_ / path);
    }
    [[nodiscard]] const fs::path& root() const { return root_; }

private:
    fs::path root_;
};

constexpr std::uint64_t kMebi = 1024 * 1024;

HostFacts good_host() {
    return {.hugepages = {{.node = 0, .page_octets = 2 * kMebi, .total = 512, .free = 512}},
            .nodes = {{.number = 0, .cpus = {0, 1, 2, 3}}},
            .hugetlbfs = "/dev/hugepages",
            .vfio_pci = true,
            .iommu = true,
            .privileges = {.net_admin = true, .net_raw = true, .ipc_lock = true, .bpf = true},
            .usable_cpus = {0, 1, 2, 3},
            .isolated_cpus = {2, 3},
            .tickless_cpus = {2, 3},
            .clock_source = "tsc",
            .offered_clock_sources = {"tsc", "hpet"},
            .tsc_is_invariant = true};
}

PortFacts card(std::string driver) {
    return {.spec = {.kind = PortKind::pci, .text = "0000:03:00.0"},
            .pci = PciFacts{.address = "0000:03:00.0",
                            .device_class = 0x020000,
                            .driver = std::move(driver),
                            .node = 0,
                            .iommu_group = 12,
                            .vfio_file = "/dev/vfio/12",
                            .may_open_vfio_file = true}};
}

PortFacts interface(InterfaceFacts facts) {
    return {.spec = {.kind = PortKind::interface, .text = facts.name, .name = facts.name},
            .interface = facts};
}

InterfaceFacts good_interface() {
    return {.name = "eth1", .is_up = true, .has_carrier = true, .mtu = 1500};
}

const Finding& about(const Findings& findings, std::string_view topic) {
    const auto found = std::find_if(findings.begin(), findings.end(),
                                    [&](const auto& finding) { return finding.topic == topic; });
    if (found == findings.end()) throw std::runtime_error("nothing is said of it");
    return *found;
}

TEST(CpuList, IsReadAndWrittenAsTheKernelDoes) {
    EXPECT_THAT(parse_cpu_list("0,2-4,7"), ElementsAre(0, 2, 3, 4, 7));
    EXPECT_EQ(cpu_list({0, 2, 3, 4, 7}), "0,2-4,7");
    EXPECT_THAT(parse_cpu_list(""), IsEmpty());
    EXPECT_EQ(cpu_list({}), "");
    for (const auto* bad : {"a", "1-", "-1", "1,,2", "0-99999999", "(null)"}) {
        EXPECT_THAT(parse_cpu_list(bad), IsEmpty()) << bad;
    }
}

TEST(HostFacts, AreWhatTheKernelTells) {
    const KernelTree tree;
    const fs::path node = "sys/devices/system/node/node1/hugepages/hugepages-2048kB";
    tree.file(node / "nr_hugepages", "512\n");
    tree.file(node / "free_hugepages", "500\n");
    tree.file("sys/devices/system/node/node1/hugepages/hugepages-1048576kB/nr_hugepages", "2\n");
    tree.file("sys/devices/system/node/node1/cpulist", "4-7\n");
    tree.file("proc/mounts", "proc /proc proc rw 0 0\nnone /mnt/huge hugetlbfs rw 0 0\n");
    tree.file("proc/self/status", "Name:\tx\nCapEff:\t0000000000003000\n");
    tree.file("proc/cpuinfo", "flags\t\t: fpu tsc constant_tsc rep_good nonstop_tsc\n");
    tree.file("sys/bus/pci/drivers/vfio-pci/bind", "");
    tree.file("sys/kernel/iommu_groups/7/type", "");
    tree.file("sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "N\n");
    tree.file("sys/devices/system/cpu/isolated", "2-3\n");
    tree.file("sys/devices/system/cpu/cpu0/topology/thread_siblings_list", "0,4\n");
    tree.file("sys/devices/system/cpu/cpu4/topology/thread_siblings_list", "0,4\n");
    tree.file("sys/devices/system/cpu/cpu1/topology/thread_siblings_list", "1\n");
    tree.file("sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n");
    tree.file("sys/devices/system/clocksource/clocksource0/available_clocksource",
              "hpet acpi_pm \n");
    tree.file("proc/cmdline", "quiet tsc=reliable tsc=unstable console=ttyS0\n");

    const HostFacts host = look_at_host(tree.root());
    ASSERT_THAT(host.hugepages, SizeIs(2));
    EXPECT_EQ(host.hugepages[1].node, 1u);
    EXPECT_EQ(host.hugepages[1].page_octets, 2 * kMebi);
    EXPECT_EQ(host.hugepages[1].total, 512u);
    EXPECT_EQ(host.hugepages[1].free, 500u);
    EXPECT_EQ(host.hugepages[0].page_octets, 1024 * kMebi);
    EXPECT_EQ(host.hugepages[0].free, 0u);
    ASSERT_THAT(host.nodes, SizeIs(1));
    EXPECT_EQ(host.nodes[0].number, 1u);
    EXPECT_THAT(host.nodes[0].cpus, ElementsAre(4, 5, 6, 7));
    EXPECT_EQ(host.hugetlbfs, "/mnt/huge");
    EXPECT_TRUE(host.privileges.net_admin);
    EXPECT_TRUE(host.privileges.net_raw);
    EXPECT_FALSE(host.privileges.ipc_lock);
    EXPECT_TRUE(host.tsc_is_invariant);
    EXPECT_TRUE(host.vfio_pci);
    EXPECT_TRUE(host.iommu);
    EXPECT_FALSE(host.vfio_without_iommu);
    EXPECT_THAT(host.isolated_cpus, ElementsAre(2, 3));
    EXPECT_THAT(host.siblings, ElementsAre(ElementsAre(0, 4)));
    EXPECT_EQ(host.clock_source, "hpet");
    EXPECT_THAT(host.offered_clock_sources, ElementsAre("hpet", "acpi_pm"));
    EXPECT_EQ(host.word_against_tsc, "tsc=unstable");
    EXPECT_THAT(host.usable_cpus, Not(IsEmpty()));
}

TEST(HostFacts, OfAnEmptyTreeAreThatNothingIsThere) {
    const KernelTree tree;
    const HostFacts host = look_at_host(tree.root());
    EXPECT_THAT(host.hugepages, IsEmpty());
    EXPECT_EQ(host.hugetlbfs, std::nullopt);
    EXPECT_FALSE(host.privileges.net_raw);
    EXPECT_FALSE(host.tsc_is_invariant);
    EXPECT_EQ(look_at_pci("0000:03:00.0", tree.root()), std::nullopt);
    EXPECT_EQ(look_at_interface("eth1", tree.root()), std::nullopt);
}

TEST(PciFacts, AreWhatTheBusTells) {
    const KernelTree tree;
    const fs::path device = "sys/bus/pci/devices/0000:03:00.0";
    tree.link(device / "driver", "../../../../bus/pci/drivers/ice");
    tree.link(device / "iommu_group", "../../../../kernel/iommu_groups/12");
    tree.file(device / "numa_node", "1\n");
    tree.file(device / "class", "0x020000\n");
    tree.file(device / "net/eth7/mtu", "1500\n");
    const auto found = look_at_pci("0000:03:00.0", tree.root());
    ASSERT_TRUE(found);
    EXPECT_EQ(found->device_class, 0x020000u);
    EXPECT_EQ(found->driver, "ice");
    EXPECT_EQ(found->node, 1u);
    EXPECT_EQ(found->iommu_group, 12u);
    EXPECT_EQ(found->vfio_file, "");
    EXPECT_THAT(found->interfaces, ElementsAre(Field(&InterfaceFacts::name, "eth7")));
}

TEST(PciFacts, TheFileOfAGroupIsForThoseWhoMayReadAndWriteIt) {
    const KernelTree tree;
    tree.link("sys/bus/pci/devices/0000:03:00.0/iommu_group", "../../../kernel/iommu_groups/12");
    const auto look = [&] { return look_at_pci("0000:03:00.0", tree.root()).value(); };
    tree.file("dev/vfio/noiommu-12", "");
    EXPECT_EQ(look().vfio_file, "/dev/vfio/noiommu-12");
    EXPECT_TRUE(look().may_open_vfio_file);
    fs::remove(tree.root() / "dev/vfio/noiommu-12");
    tree.file("dev/vfio/12", "");
    EXPECT_EQ(look().vfio_file, "/dev/vfio/12");
    EXPECT_TRUE(look().may_open_vfio_file);
    fs::permissions(tree.root() / "dev/vfio/12", fs::perms::owner_read);
    const bool is_root = ::geteuid() == 0;  // who may do anything
    EXPECT_EQ(look().may_open_vfio_file, is_root);
}

/// A virtio card as the kernel shows it, with its interface below a device of the virtio bus.
void add_virtio_card(const KernelTree& tree) {
    const fs::path device = "sys/devices/pci0000:00/0000:00:03.0";
    tree.file(device / "class", "0x020000\n");
    tree.file(device / "numa_node", "1\n");
    tree.file(device / "virtio2/net/eth0/flags", "0x1003\n");
    tree.link(device / "virtio2/net/eth0/device", "../../../virtio2");
    tree.link("sys/bus/pci/devices/0000:00:03.0", "../../../devices/pci0000:00/0000:00:03.0");
    tree.link("sys/class/net/eth0", "../../devices/pci0000:00/0000:00:03.0/virtio2/net/eth0");
}

TEST(PciFacts, AVirtioCardHasItsInterfaceBelowItsVirtioDevice) {
    const KernelTree tree;
    add_virtio_card(tree);
    const auto found = look_at_pci("0000:00:03.0", tree.root());
    ASSERT_TRUE(found);
    ASSERT_THAT(found->interfaces, ElementsAre(Field(&InterfaceFacts::name, "eth0")));
    EXPECT_TRUE(found->interfaces.front().is_up);
    EXPECT_EQ(found->interfaces.front().pci, "0000:00:03.0");
}

TEST(PciFacts, ABoardThatNamesNoNodeHasNone) {
    const KernelTree tree;
    tree.file("sys/bus/pci/devices/0000:03:00.0/numa_node", "-1\n");
    const auto found = look_at_pci("0000:03:00.0", tree.root());
    ASSERT_TRUE(found);
    EXPECT_EQ(found->node, std::nullopt);
    EXPECT_EQ(found->driver, "");
}

TEST(InterfaceFacts, AreWhatTheKernelTells) {
    const KernelTree tree;
    tree.file("sys/class/net/eth7/flags", "0x1003\n");
    tree.file("sys/class/net/eth7/carrier", "1\n");
    tree.file("sys/class/net/eth7/mtu", "9000\n");
    tree.link("sys/class/net/eth7/device", "../../../0000:03:00.0");
    tree.file("sys/bus/pci/devices/0000:03:00.0/numa_node", "0\n");
    tree.file("proc/sys/net/ipv6/conf/eth7/disable_ipv6", "0\n");
    const auto found = look_at_interface("eth7", tree.root());
    ASSERT_TRUE(found);
    EXPECT_TRUE(found->is_up);
    EXPECT_TRUE(found->has_carrier);
    EXPECT_EQ(found->mtu, 9000u);
    EXPECT_EQ(found->pci, "0000:03:00.0");
    EXPECT_TRUE(found->has_ipv6);
    EXPECT_FALSE(found->has_ipv4);
}

TEST(InterfaceFacts, TheDefaultRouteIsThatOfTheInterfaceOrOfWhatIsAboveIt) {
    const std::string head = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n";
    const std::string near = "\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\n";
    const std::string anywhere = "\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\n";
    const std::string zeros(32, '0');
    const std::string anywhere6 =
        zeros + " 00 " + zeros + " 00 " + zeros + " 00000400 00000001 00000000 00000003 ";
    const auto carries = [&](const std::string& routes, const std::string& routes6) {
        const KernelTree tree;
        tree.file("sys/class/net/eth7/flags", "0x1003\n");
        tree.file("sys/class/net/eth7/upper_bond0", "");
        tree.file("sys/class/net/bond0/upper_bond0.100", "");
        tree.file("sys/class/net/bond0/lower_eth7", "");
        tree.file("proc/net/route", head + routes);
        tree.file("proc/net/ipv6_route", routes6);
        return look_at_interface("eth7", tree.root())->has_default_route;
    };
    EXPECT_FALSE(carries("eth7" + near, ""));
    EXPECT_FALSE(carries("eth8" + anywhere, anywhere6 + "lo\n"));
    EXPECT_TRUE(carries("eth8" + near + "eth7" + anywhere, ""));
    EXPECT_TRUE(carries("bond0.100" + anywhere, ""));
    EXPECT_TRUE(carries("", anywhere6 + "eth7\n"));
}

TEST(Doctor, AGoodHostIsInOrder) {
    const PortFacts port = card("vfio-pci");
    for (const auto& finding : judge_host(good_host(), &port)) {
        EXPECT_EQ(finding.level, Level::ok) << finding.topic << ": " << finding.text;
        EXPECT_EQ(finding.cure, "");
    }
    EXPECT_FALSE(has_failure(judge_port(port)));
}

TEST(Doctor, EachThingThatIsAmissHasItsCure) {
    struct Case {
        std::string topic;
        Level level;
        void (*harm)(HostFacts&);
        std::string cure;
    };
    const std::vector<Case> cases{
        {"hugepages", Level::warn, [](HostFacts& host) { host.hugepages.clear(); },
         "node0/hugepages/hugepages-2048kB/nr_hugepages"},
        {"hugepages", Level::warn, [](HostFacts& host) { host.hugepages[0].free = 3; },
         "end what holds them"},
        {"hugepages", Level::warn, [](HostFacts& host) { host.hugepages[0].node = 1; },
         "node0/hugepages"},
        {"vfio", Level::fail, [](HostFacts& host) { host.vfio_pci = false; }, "modprobe vfio-pci"},
        {"vfio", Level::fail, [](HostFacts& host) { host.iommu = false; },
         "enable_unsafe_noiommu_mode"},
        {"vfio", Level::warn,
         [](HostFacts& host) {
             host.iommu = false;
             host.vfio_without_iommu = true;
         },
         "intel_iommu=on"},
        {"memlock", Level::fail,
         [](HostFacts& host) {
             host.privileges.ipc_lock = false;
             host.privileges.memlock_octets = 65536;
         },
         "ulimit -l unlimited"},
        {"cpus", Level::warn, [](HostFacts& host) { host.usable_cpus = {2}; }, "two CPUs"},
        {"cpus", Level::warn, [](HostFacts& host) { host.isolated_cpus.clear(); }, "isolcpus=3"},
        {"cpus", Level::warn, [](HostFacts& host) { host.tickless_cpus.clear(); }, "nohz_full=2-3"},
        {"cpus", Level::warn,
         [](HostFacts& host) {
             host.siblings = {{1, 3}};
         },
         "isolate all CPUs of a core"},
        {"clock", Level::warn, [](HostFacts& host) { host.clock_source = "hpet"; },
         "current_clocksource"},
        {"clock", Level::warn, [](HostFacts& host) { host.tsc_is_invariant = false; }, "invtsc"},
    };
    const PortFacts port = card("vfio-pci");
    for (const auto& one : cases) {
        HostFacts host = good_host();
        one.harm(host);
        const Findings findings = judge_host(host, &port);
        const Finding& finding = about(findings, one.topic);
        EXPECT_EQ(finding.level, one.level) << finding.text;
        EXPECT_THAT(finding.cure, HasSubstr(one.cure)) << finding.text;
    }
}

TEST(Doctor, ACureNeverMakesAPoolOfHugepagesSmaller) {
    const auto cure = [](std::vector<HugepagePool> pools, const PortFacts* port) {
        HostFacts host = good_host();
        host.hugepages = std::move(pools);
        return about(judge_host(host, port), "hugepages").cure;
    };
    const HugepagePool used{.node = 0, .page_octets = 2 * kMebi, .total = 512, .free = 3};
    const HugepagePool other{.node = 1, .page_octets = 2 * kMebi, .total = 40, .free = 0};
    const HugepagePool large{.node = 0, .page_octets = 1024 * kMebi, .total = 1, .free = 0};
    const PortFacts port = card("vfio-pci");
    EXPECT_EQ(cure({used, other, large}, &port),
              "end what holds them, or echo 637 | sudo tee "
              "/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages");
    EXPECT_EQ(cure({used, other, large}, nullptr),
              "end what holds them, or echo 677 | sudo tee "
              "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages");
    EXPECT_EQ(cure({}, nullptr),
              "echo 128 | sudo tee /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages");
}

TEST(Doctor, AClockSourceThatTheKernelDoesNotOfferIsNoCure) {
    HostFacts host = good_host();
    host.clock_source = "kvm-clock";
    host.offered_clock_sources = {"kvm-clock"};
    const auto clock = [&] { return about(judge_host(host, nullptr), "clock"); };
    EXPECT_EQ(clock().level, Level::warn);
    EXPECT_THAT(clock().text, HasSubstr("kvm-clock, and does not offer tsc"));
    EXPECT_THAT(clock().cure, Not(HasSubstr("current_clocksource")));
    EXPECT_THAT(clock().cure, HasSubstr("tsc=reliable"));
    host.word_against_tsc = "notsc";
    EXPECT_THAT(clock().cure, StartsWith("take notsc off the kernel's command line"));
    host.offered_clock_sources = {"kvm-clock", "tsc"};
    EXPECT_THAT(clock().cure, StartsWith("echo tsc | sudo tee "));
}

TEST(Doctor, WhatAKernelInterfaceNeedsIsNotWhatACardNeeds) {
    HostFacts host = good_host();
    host.vfio_pci = false;
    host.privileges = {};
    host.privileges.memlock_octets = 65536;
    const PortFacts port = interface(good_interface());
    const Findings findings = judge_host(host, &port);
    EXPECT_EQ(about(findings, "vfio").level, Level::skip);
    EXPECT_EQ(about(findings, "memlock").level, Level::warn);
    EXPECT_EQ(about(findings, "permissions").level, Level::fail);
    EXPECT_THAT(about(findings, "permissions").cure, HasSubstr("setcap cap_net_raw+ep"));

    PortFacts xdp = port;
    xdp.spec.kind = PortKind::xdp;
    const Findings of_xdp = judge_host(host, &xdp);
    EXPECT_THAT(about(of_xdp, "permissions").cure, HasSubstr("cap_net_admin,cap_net_raw,cap_bpf"));
    EXPECT_EQ(about(of_xdp, "memlock").level, Level::fail);
}

TEST(Doctor, ACardIsForThoseWhoMayOpenItsGroup) {
    HostFacts host = good_host();
    const auto permissions = [&](const PortFacts& port) {
        return about(judge_host(host, &port), "permissions");
    };
    PortFacts port = card("vfio-pci");
    EXPECT_THAT(permissions(port).text, HasSubstr("/dev/vfio/12"));
    port.pci->may_open_vfio_file = false;
    EXPECT_EQ(permissions(port).level, Level::fail);
    EXPECT_THAT(permissions(port).cure, HasSubstr("/dev/vfio/12"));
    port.pci->vfio_file.clear();
    EXPECT_EQ(permissions(port).level, Level::fail);

    port = card("vfio-pci");
    port.pci->vfio_file = "/dev/vfio/noiommu-12";
    EXPECT_EQ(permissions(port).level, Level::fail);
    EXPECT_THAT(permissions(port).cure, HasSubstr("as root"));
    host.privileges.sys_rawio = true;
    EXPECT_EQ(permissions(port).level, Level::ok);
}

TEST(Doctor, WhatIsNotLookedAtIsNotOk) {
    const auto permissions = [](const PortFacts& port) {
        return about(judge_host(good_host(), &port), "permissions").level;
    };
    EXPECT_EQ(permissions(card("ice")), Level::skip);
    EXPECT_EQ(permissions(card("mlx5_core")), Level::skip);
    EXPECT_EQ(permissions({.spec = {.kind = PortKind::memif}}), Level::skip);
    EXPECT_EQ(permissions({.spec = {.kind = PortKind::devargs}}), Level::skip);
    EXPECT_EQ(permissions({.spec = {.kind = PortKind::null}}), Level::ok);
}

TEST(Doctor, AWorkerBelongsOnTheNodeOfItsNic) {
    HostFacts host = good_host();
    host.usable_cpus = {0, 1, 2, 3, 4, 5, 6, 7};
    host.isolated_cpus = host.tickless_cpus = {2, 3, 6};
    host.nodes = {{.number = 0, .cpus = {0, 1, 2, 3}}, {.number = 1, .cpus = {4, 5, 6, 7}}};
    PortFacts port = card("vfio-pci");
    const auto numa = [&](const std::vector<unsigned>& chosen) {
        return about(judge_host(host, &port, chosen), "numa");
    };
    EXPECT_EQ(numa({3, 2}).level, Level::ok);
    EXPECT_EQ(numa({2, 6}).level, Level::warn);
    EXPECT_THAT(numa({2, 6}).text, HasSubstr("on CPU 6"));
    EXPECT_EQ(numa({}).level, Level::warn) << "the last CPU is on the other node";
    EXPECT_EQ(numa({}).cure, "run with --cpu 3; node 0 has CPUs 0-3");
    port.pci->node = 1;
    EXPECT_EQ(numa({}).level, Level::ok);
    EXPECT_EQ(numa({2}).cure, "run with --cpu 6; node 1 has CPUs 4-7");
    host.usable_cpus = {0, 1};
    EXPECT_THAT(numa({}).cure, StartsWith("taskset -c 0-1,4-7 joinleaf ... --cpu 7"));
    host.nodes[1].cpus.clear();
    EXPECT_EQ(numa({}).level, Level::skip);
    port.pci->node.reset();
    EXPECT_EQ(numa({}).level, Level::skip);
    host.nodes.pop_back();
    EXPECT_EQ(numa({}).level, Level::ok);
}

TEST(Doctor, AWorkerBelongsOnAnIsolatedCpuThatItMayRunOn) {
    HostFacts host = good_host();
    const auto cpus = [&](const std::vector<unsigned>& chosen) {
        return about(judge_host(host, nullptr, chosen), "cpus");
    };
    EXPECT_EQ(cpus({2, 3}).level, Level::ok);
    EXPECT_EQ(cpus({1, 3}).level, Level::warn);
    EXPECT_EQ(cpus({1, 3}).cure, "run with --cpu 3");
    EXPECT_EQ(cpus({9}).level, Level::fail);
    EXPECT_EQ(cpus({9}).cure, "name others with --cpu: 0-3");
    host.isolated_cpus = {2};
    EXPECT_EQ(cpus({}).level, Level::warn) << "the last CPU is another";
    // As the kernel starts everybody, where it was told isolcpus.
    host.isolated_cpus = {2, 3};
    host.usable_cpus = {0, 1};
    EXPECT_EQ(cpus({}).level, Level::warn);
    EXPECT_EQ(cpus({}).cure, "taskset -c 0-3 joinleaf ... --cpu 3 (CPUAffinity=0-3 in a unit)");
    EXPECT_EQ(cpus({3}).level, Level::fail);
    EXPECT_THAT(cpus({3}).cure, StartsWith("taskset -c 0-1,3 joinleaf ... --cpu 3"));
}

TEST(Doctor, ACardMustHaveADriverThatDpdkWorksWith) {
    const auto of = [](const PortFacts& port) { return judge_port(port).at(0); };
    EXPECT_EQ(of(card("vfio-pci")).level, Level::ok);
    EXPECT_EQ(of(card("mlx5_core")).level, Level::ok);
    EXPECT_EQ(of(card("igb_uio")).level, Level::warn);
    EXPECT_EQ(of(card("")).level, Level::fail);
    PortFacts kernels = card("ice");
    kernels.pci->interfaces = {{.name = "eth7"}};
    EXPECT_EQ(of(kernels).level, Level::fail);
    EXPECT_EQ(of(kernels).cure,
              "sudo ip link set dev eth7 down && sudo dpdk-devbind.py --bind=vfio-pci "
              "0000:03:00.0");
    PortFacts missing = card("");
    missing.pci.reset();
    EXPECT_EQ(of(missing).level, Level::fail);
}

TEST(Doctor, WhatIsNoNetworkCardIsLeftToWhomItBelongs) {
    for (const auto* driver : {"virtio-pci", "vfio-pci", ""}) {
        PortFacts disk = card(driver);
        disk.pci->device_class = 0x018000;
        const Finding finding = judge_port(disk).at(0);
        EXPECT_EQ(finding.level, Level::fail) << driver;
        EXPECT_THAT(finding.text, HasSubstr("mass storage controller (PCI class 0180"));
        EXPECT_THAT(finding.cure, Not(HasSubstr("bind="))) << driver;
    }
    PortFacts unknown = card("");
    unknown.pci->device_class.reset();
    EXPECT_EQ(judge_port(unknown).at(0).level, Level::fail);
    EXPECT_THAT(judge_port(unknown).at(0).cure, Not(HasSubstr("bind=")));
    unknown.pci->device_class = 0xff0000;
    EXPECT_THAT(judge_port(unknown).at(0).text, HasSubstr("device of another class"));
}

TEST(Doctor, ACureThatTakesAnInterfaceAwayWarnsWhoMayBeHereByIt) {
    const auto of_card = [](InterfaceFacts facts) {
        PortFacts port = card("virtio-pci");
        port.pci->interfaces = {{.name = "eth6"}, std::move(facts)};
        return judge_port(port).at(0);
    };
    EXPECT_THAT(of_card({.name = "eth7"}).cure, StartsWith("sudo ip link set dev eth6 down && sudo "
                                                           "ip link set dev eth7 down && sudo "));
    for (const auto& facts : {InterfaceFacts{.name = "eth7", .has_default_route = true},
                              InterfaceFacts{.name = "eth7", .is_addressed = true}}) {
        EXPECT_THAT(of_card(facts).text, HasSubstr("(virtio-pci, eth6 eth7)"));
        EXPECT_THAT(of_card(facts).cure, StartsWith("eth7 "));
        EXPECT_THAT(of_card(facts).cure, HasSubstr("the only way in to this machine"));
        EXPECT_THAT(of_card(facts).cure, EndsWith("--bind=vfio-pci 0000:03:00.0"));
    }

    const auto of_interface = [](void (*change)(InterfaceFacts&)) {
        InterfaceFacts facts = good_interface();
        change(facts);
        return about(judge_port(interface(facts)), "kernel").cure;
    };
    const auto flush = of_interface([](auto& eth) { eth.has_ipv4 = eth.is_addressed = true; });
    EXPECT_THAT(flush, HasSubstr("the only way in to this machine"));
    EXPECT_THAT(flush, EndsWith("sudo ip address flush dev eth1"));
    EXPECT_THAT(of_interface([](auto& eth) { eth.has_ipv6 = eth.has_default_route = true; }),
                StartsWith("eth1 carries the default route"));
    EXPECT_EQ(of_interface([](auto& eth) { eth.has_ipv4 = true; }),
              "sudo ip address flush dev eth1");
}

TEST(Doctor, AnInterfaceMustBeUpAndWideEnoughAndQuiet) {
    EXPECT_FALSE(has_failure(judge_port(interface(good_interface()))));
    const auto amiss = [](void (*harm)(InterfaceFacts&), const char* topic) {
        InterfaceFacts facts = good_interface();
        harm(facts);
        return about(judge_port(interface(facts)), topic);
    };
    EXPECT_THAT(amiss([](auto& eth) { eth.is_up = false; }, "link").cure, HasSubstr("eth1 up"));
    EXPECT_EQ(amiss([](auto& eth) { eth.has_carrier = false; }, "link").level, Level::fail);
    EXPECT_THAT(amiss([](auto& eth) { eth.mtu = 576; }, "mtu").cure, HasSubstr("eth1 mtu 1500"));
    EXPECT_THAT(amiss([](auto& eth) { eth.has_ipv4 = true; }, "kernel").cure, HasSubstr("flush"));
    EXPECT_THAT(amiss([](auto& eth) { eth.has_ipv6 = true; }, "kernel").cure,
                HasSubstr("disable_ipv6=1"));
    const PortFacts nobody{.spec = {.kind = PortKind::interface, .text = "eth9", .name = "eth9"}};
    EXPECT_TRUE(has_failure(judge_port(nobody)));
}

Heard heard(std::chrono::seconds listened) {
    Heard heard{.listened = listened};
    heard.after.link_up = true;
    heard.after.filter_mode = MulticastFilterMode::exact_list;
    heard.after.counters.received = 10;
    return heard;
}

TEST(Doctor, SilenceIsNoProofUntilAQuerierWouldHaveAsked) {
    EXPECT_EQ(about(judge_heard(heard(10s)), "querier").level, Level::skip);
    EXPECT_EQ(about(judge_heard(heard(130s)), "querier").level, Level::warn);
    Heard some = heard(10s);
    some.after.querier = {.heard = true, .address = Ipv4Address(10, 0, 0, 1), .version = 3};
    EXPECT_EQ(about(judge_heard(some), "querier").level, Level::ok);
    some.after.querier.version = 2;
    EXPECT_EQ(about(judge_heard(some), "querier").level, Level::warn);
}

TEST(Doctor, AFilterIsJudgedByWhatComesThrough) {
    Heard some = heard(10s);
    EXPECT_EQ(about(judge_heard(some), "filter").level, Level::ok);
    some.before.counters.drops[static_cast<std::size_t>(DropReason::other_mac)] = 3;
    some.after.counters.drops[static_cast<std::size_t>(DropReason::other_mac)] = 5;
    EXPECT_EQ(about(judge_heard(some), "filter").level, Level::warn);
    EXPECT_THAT(about(judge_heard(some), "filter").text, HasSubstr("2 frames"));
    some.after.filter_mode = MulticastFilterMode::promiscuous;
    EXPECT_EQ(about(judge_heard(some), "filter").level, Level::warn);
    some.after.counters.drops = some.before.counters.drops;
    EXPECT_EQ(about(judge_heard(some), "filter").level, Level::ok);
}

TEST(Doctor, OfAFilterSilenceProvesNothing) {
    Heard silent = heard(10s);
    silent.before.counters.received = 10;
    EXPECT_EQ(about(judge_heard(silent), "filter").level, Level::skip);
    EXPECT_THAT(about(judge_heard(silent), "filter").text,
                HasSubstr("nothing was heard in 10 s, so nothing is proven"));
    // What this port has sent itself is no news either.
    silent.after.counters.received = 12;
    silent.after.counters.drops[static_cast<std::size_t>(DropReason::own_echo)] = 2;
    EXPECT_EQ(about(judge_heard(silent), "filter").level, Level::skip);
    silent.after.counters.received = 13;
    EXPECT_EQ(about(judge_heard(silent), "filter").level, Level::ok);
}

TEST(Doctor, APortWithoutLinkIsAFailure) {
    Heard dead = heard(10s);
    dead.after.link_up = false;
    EXPECT_TRUE(has_failure(judge_heard(dead)));
}

TEST(DoctorReport, IsALineAndACure) {
    const Finding finding{Level::warn, "cpus", "none isolated", "isolate one"};
    EXPECT_EQ(text_of(finding),
              "warn  cpus         none isolated\n"
              "                   cure: isolate one\n");
    EXPECT_EQ(json_of(finding).dump(),
              R"({"event":"finding","level":"warn","topic":"cpus","text":"none isolated",)"
              R"("cure":"isolate one"})");
    EXPECT_EQ(summary_text({finding, finding}), "0 ok, 2 warn, 0 fail, 0 skipped\n");
}

Invocation typed(const std::string& line) {
    std::istringstream words(line);
    return parse_command_line({std::istream_iterator<std::string>(words), {}});
}

TEST(DoctorOptions, APortIsOpenedWhenItHasAnAddress) {
    EXPECT_FALSE(std::get<DoctorOptions>(typed("doctor")).port);
    EXPECT_FALSE(std::get<DoctorOptions>(typed("doctor --port eth1")).listens);
    const auto all = std::get<DoctorOptions>(
        typed("doctor --port eth1 --address 10.0.0.1/24 --mtu 9000 --querier-wait 5"));
    EXPECT_TRUE(all.listens);
    EXPECT_EQ(all.port->mtu, 9000);
    EXPECT_EQ(all.querier_wait, 5s);
    for (const auto* wrong : {"doctor --address 10.0.0.1/24", "doctor --port eth1 --mtu 1",
                              "doctor --port eth1 --querier-wait soon", "doctor eth1"}) {
        EXPECT_EQ(std::get<Message>(typed(wrong)).exit_code, kExitWrongUse) << wrong;
    }
}

}  // namespace
}  // namespace joinleaf::app::doctor
