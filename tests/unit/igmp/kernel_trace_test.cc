// The same scripts that were run against a Linux 6.18 host, with its answers where they are right
// and the RFC's where they are not (marked).
#include "tests/unit/igmp/host_under_test.h"

namespace joinleaf::igmp::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr GroupAddress kAny = GroupAddress::of(239, 7, 7, 7);       // EX{}
constexpr GroupAddress kShunning = GroupAddress::of(239, 8, 8, 8);  // EX{.50}
constexpr GroupAddress kSsm = GroupAddress::of(232, 7, 7, 7);       // IN{.5,.6}
constexpr Ipv4Address k5(10, 77, 0, 5), k6(10, 77, 0, 6), k50(10, 77, 0, 50), k51(10, 77, 0, 51),
    k99(10, 77, 0, 99);

// SCR-9, SCR-12, SCR-13: join EX{}, block S1 after 50 ms, leave.
TEST(KernelTrace, JoinThenBlockASource) {
    HostUnderTest host(options());
    host.join(kGroup);
    host.advance(50ms);
    host.delays.queue({36ms});
    host.set(kGroup, excluding({kS1}));
    host.advance(10s);
    host.leave(kGroup);
    host.advance(10s);
    EXPECT_THAT(
        host.sent(),
        ElementsAre(AllOf(at(0ms), to_exclude(kGroup)), AllOf(at(50ms), to_exclude(kGroup, {kS1})),
                    AllOf(at(86ms), block(kGroup, {kS1})), to_include(kGroup), to_include(kGroup)));
}

// SCR-17
TEST(KernelTrace, SourceJoinSourceJoinSourceLeave) {
    HostUnderTest host(options());
    host.set(kSsm, including({kS1}));
    host.advance(52ms);
    host.set(kSsm, including({kS1, kS2}));
    host.advance(52ms);
    host.delays.queue({584ms});
    host.set(kSsm, including({kS2}));
    host.advance(10s);
    EXPECT_THAT(
        host.sent(),
        ElementsAre(AllOf(at(0ms), allow(kSsm, {kS1})), AllOf(at(52ms), allow(kSsm, {kS1, kS2})),
                    AllOf(at(104ms), report({{RecordType::allow, kSsm, {kS2}},
                                             {RecordType::block, kSsm, {kS1}}})),
                    AllOf(at(688ms), block(kSsm, {kS1}))));
}

// SCR-12, SCR-13
TEST(KernelTrace, ExcludeThenIncludeThenExclude) {
    HostUnderTest host(options());
    host.set(kGroup, excluding({kS1}));
    host.advance(2204ms);
    host.set(kGroup, including({kS2}));
    host.advance(49ms);
    host.delays.queue({243ms});
    host.set(kGroup, excluding({kS3}));
    host.advance(10s);
    EXPECT_THAT(host.sent(), ElementsAre(to_exclude(kGroup, {kS1}), to_exclude(kGroup, {kS1}),
                                         AllOf(at(2204ms), to_include(kGroup, {kS2})),
                                         AllOf(at(2253ms), to_exclude(kGroup, {kS3})),
                                         AllOf(at(2496ms), to_exclude(kGroup, {kS3}))));
}

// SCR-16
TEST(KernelTrace, JoinThenLeave) {
    HostUnderTest host(options());
    host.join(kGroup);
    host.advance(48ms);
    host.delays.queue({648ms});
    host.leave(kGroup);
    host.advance(10s);
    EXPECT_THAT(host.sent(),
                ElementsAre(AllOf(at(0ms), to_exclude(kGroup)), AllOf(at(48ms), to_include(kGroup)),
                            AllOf(at(696ms), to_include(kGroup))));
}

// The query script. The host holds kAny, kShunning and kSsm; everything has been told.
class QueryScript : public ::testing::Test {
protected:
    QueryScript() {
        host.join(kAny);
        host.set(kShunning, excluding({k50}));
        host.set(kSsm, including({k5, k6}));
        host.advance(1h);
        host.sent();
    }
    std::vector<Message> answers_to(const std::vector<std::byte>& message,
                                    const Wrapping& wrapping = {}) {
        host.hear(message, wrapping);
        host.advance(15s);
        return host.sent();
    }
    std::vector<Message> answers_to(const Query& query, const Wrapping& wrapping = {}) {
        return answers_to(emit(query), wrapping);
    }
    static Says everything() {
        return report({{RecordType::is_include, kSsm, {k5, k6}},
                       {RecordType::is_exclude, kAny, {}},
                       {RecordType::is_exclude, kShunning, {k50}}});
    }
    HostUnderTest host{options()};
};

TEST_F(QueryScript, GeneralQueries) {
    const Query good = general_query(Deciseconds(5));
    EXPECT_THAT(answers_to(good), ElementsAre(everything()));
    EXPECT_THAT(answers_to(good, {.router_alert = false}), ElementsAre(everything()));
    EXPECT_THAT(answers_to(good, {.ttl = 2}), IsEmpty()) << "D2: here we follow FreeBSD";
    EXPECT_THAT(answers_to(good, {.source = Ipv4Address()}), ElementsAre(everything()));
    EXPECT_THAT(answers_to(good, {.source = Ipv4Address(192, 0, 2, 9)}), ElementsAre(everything()));
    EXPECT_THAT(answers_to(good, {.destination = kOwn}), ElementsAre(everything()));
    EXPECT_THAT(answers_to(good, {.destination = Ipv4Address(224, 0, 0, 2)}), IsEmpty());
    EXPECT_THAT(answers_to(good, {.destination = kAny.address()}), IsEmpty())
        << "RFC 9776 §9.1; Linux answers";
    Query suppressing = good;
    suppressing.suppress_router_processing = true;
    EXPECT_THAT(answers_to(suppressing), ElementsAre(everything()));
    Query undefined = good;
    undefined.sources = {k5};
    EXPECT_THAT(answers_to(undefined), IsEmpty());
    EXPECT_THAT(answers_to(general_query(Deciseconds(0))), ElementsAre(everything()));
    EXPECT_THAT(answers_to(general_query(Deciseconds(128))), ElementsAre(everything()));
}

TEST_F(QueryScript, GroupQueries) {
    EXPECT_THAT(answers_to(group_query(kAny), {.destination = kAny.address()}),
                ElementsAre(is_exclude(kAny)));
    EXPECT_THAT(answers_to(group_query(kAny)), ElementsAre(is_exclude(kAny)));
    EXPECT_THAT(answers_to(group_query(kGroup)), IsEmpty());
    EXPECT_THAT(answers_to(group_query(kSsm)), ElementsAre(is_include(kSsm, {k5, k6})));
    EXPECT_THAT(answers_to(group_query(kAllSystems)), IsEmpty());
}

TEST_F(QueryScript, GroupAndSourceQueries) {
    EXPECT_THAT(answers_to(source_query(kSsm, {k5})), ElementsAre(is_include(kSsm, {k5})));
    EXPECT_THAT(answers_to(source_query(kSsm, {k99})), IsEmpty());
    EXPECT_THAT(answers_to(source_query(kSsm, {k5, k99})), ElementsAre(is_include(kSsm, {k5})));
    EXPECT_THAT(answers_to(source_query(kShunning, {k50})), IsEmpty());
    // RFC 9776 §5.2; Linux answers the next three with IS_EX.
    EXPECT_THAT(answers_to(source_query(kShunning, {k51})),
                ElementsAre(is_include(kShunning, {k51})));
    EXPECT_THAT(answers_to(source_query(kShunning, {k50, k51})),
                ElementsAre(is_include(kShunning, {k51})));
    EXPECT_THAT(answers_to(source_query(kAny, {k50})), ElementsAre(is_include(kAny, {k50})));
}

TEST_F(QueryScript, QueriesTogether) {
    host.hear(source_query(kSsm, {k5}));
    EXPECT_THAT(answers_to(source_query(kSsm, {k6})), ElementsAre(is_include(kSsm, {k5, k6})));
    host.hear(source_query(kSsm, {k5}));
    EXPECT_THAT(answers_to(group_query(kSsm)), ElementsAre(is_include(kSsm, {k5, k6})));
    host.hear(group_query(kSsm));
    EXPECT_THAT(answers_to(source_query(kSsm, {k5})), ElementsAre(is_include(kSsm, {k5, k6})));
    host.delays.queue({300ms, 1570ms});
    host.hear(general_query(Deciseconds(20)));
    host.advance(300ms);
    EXPECT_THAT(answers_to(general_query(Deciseconds(20))),
                ElementsAre(everything(), everything()));
}

// RFC 9776 §7.2.1; Linux falls back to version 2 here.
TEST_F(QueryScript, AVersion2GroupQueryThenAVersion3GeneralQuery) {
    EXPECT_THAT(answers_to(v2_query(kAny, Deciseconds(5))), ElementsAre(is_exclude(kAny)));
    EXPECT_THAT(answers_to(general_query()), ElementsAre(everything()));
}

TEST_F(QueryScript, Version2) {
    const auto all = UnorderedElementsAre(v2_report(kAny), v2_report(kShunning), v2_report(kSsm));
    EXPECT_THAT(answers_to(v2_query({}, Deciseconds(5))), all);
    EXPECT_THAT(answers_to(general_query(Deciseconds(5))), all);
    EXPECT_THAT(answers_to(v2_query(kAny)), ElementsAre(v2_report(kAny)));
    EXPECT_THAT(answers_to(v2_query({}, Deciseconds(5)), {.router_alert = false}), all);
    EXPECT_THAT(answers_to(v2_query({}, Deciseconds(200))), all);
    host.hear(v2_query({}, Deciseconds(30)));
    host.advance(100ms);
    host.hear_report(Version::v2, kAny);
    host.advance(15s);
    EXPECT_THAT(host.sent(), UnorderedElementsAre(v2_report(kShunning), v2_report(kSsm)));
}

TEST_F(QueryScript, Version1) {
    const auto all = UnorderedElementsAre(v1_report(kAny), v1_report(kShunning), v1_report(kSsm));
    EXPECT_THAT(answers_to(v1_query()), all);
    EXPECT_THAT(answers_to(v2_query({}, Deciseconds(5))), all);
}

}  // namespace
}  // namespace joinleaf::igmp::test
