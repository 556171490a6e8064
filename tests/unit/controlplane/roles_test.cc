// Roles, planes and what a join means for them: M1, M2, M3, M7 and M8.
#include <controlplane/roles.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace joinleaf::controlplane {
namespace {

constexpr auto kGroup = GroupAddress::of(239, 1, 2, 3);
constexpr auto kChannel = GroupAddress::of(232, 1, 2, 3);
constexpr Ipv4Address kSource(10, 0, 0, 9);

SocketOptions leaf(Scheme scheme = kAnySource) {
    SocketOptions options{.scheme = scheme};
    options.handler.call = [](void*, std::span<const Datagram>) noexcept {};
    return options;
}

SocketOptions root() { return {.scheme = kSourceSpecific, .data_role = DataRole::root}; }

template <class T>
std::error_code error_of(const Result<T>& result) {
    return result ? std::error_code() : result.error();
}

const auto kInvalid = std::make_error_code(std::errc::invalid_argument);
const auto kUnsupported = std::make_error_code(std::errc::operation_not_supported);

// M2, M3: what WSAEnumProtocols tells.
TEST(Schemes, AreEnumeratedEachOnceWithItsName) {
    const auto all = schemes();
    ASSERT_FALSE(all.empty());
    for (std::size_t i = 0; i < all.size(); ++i) {
        EXPECT_FALSE(all[i].name.empty());
        EXPECT_FALSE(all[i].carried_by.empty());
        for (std::size_t j = i + 1; j < all.size(); ++j) {
            EXPECT_FALSE(all[i].scheme == all[j].scheme);
            EXPECT_NE(all[i].name, all[j].name);
        }
    }
    const auto listed = [&](const Scheme& scheme) {
        return std::any_of(all.begin(), all.end(),
                           [&](const SchemeInfo& info) { return info.scheme == scheme; });
    };
    EXPECT_TRUE(listed(kAnySource));
    EXPECT_TRUE(listed(kSourceSpecific));
}

// M1, M2: every scheme with every pair of roles; a root only where its plane is rooted.
TEST(Roles, ARootNeedsARootedPlane) {
    for (const auto control_plane : {Plane::rooted, Plane::nonrooted}) {
        for (const auto data_plane : {Plane::rooted, Plane::nonrooted}) {
            for (const auto control_role : {ControlRole::root, ControlRole::leaf}) {
                for (const auto data_role : {DataRole::root, DataRole::leaf}) {
                    const SocketOptions options{.scheme = {control_plane, data_plane},
                                                .control_role = control_role,
                                                .data_role = data_role};
                    const bool wrong =
                        (control_role == ControlRole::root && control_plane != Plane::rooted) ||
                        (data_role == DataRole::root && data_plane != Plane::rooted);
                    const bool listed = std::any_of(
                        schemes().begin(), schemes().end(),
                        [&](const auto& info) { return info.scheme == options.scheme; });
                    SCOPED_TRACE(testing::Message()
                                 << "control plane rooted " << (control_plane == Plane::rooted)
                                 << ", data plane rooted " << (data_plane == Plane::rooted)
                                 << ", c_root " << (control_role == ControlRole::root)
                                 << ", d_root " << (data_role == DataRole::root));
                    EXPECT_EQ(error_of(check_roles(options)), wrong     ? kInvalid
                                                              : !listed ? kUnsupported
                                                                        : std::error_code());
                }
            }
        }
    }
}

// M7, M8, M22: in a nonrooted data plane everybody may do both.
TEST(JoinPlan, AnySourceLeafDoesWhatItsDirectionSays) {
    const auto plan = [](Direction direction) {
        return plan_join(leaf(), kGroup, {.direction = direction}).value();
    };
    EXPECT_TRUE(plan(Direction::both).sends);
    EXPECT_TRUE(plan(Direction::both).receives);
    EXPECT_FALSE(plan(Direction::receiver_only).sends);
    EXPECT_TRUE(plan(Direction::receiver_only).receives);
    EXPECT_TRUE(plan(Direction::sender_only).sends);
    EXPECT_FALSE(plan(Direction::sender_only).receives);
}

// M8: who only sends tells the network nothing, so it names no sources.
TEST(JoinPlan, ASenderOnlyNeedsNeitherSourcesNorAPlaceToReceive) {
    const auto plan =
        plan_join({.scheme = kAnySource}, kChannel, {.direction = Direction::sender_only});
    ASSERT_TRUE(plan);
    EXPECT_TRUE(plan->sources.is_nothing());
}

// M3, M20: in a rooted data plane without admission a root only sends and a leaf only receives.
TEST(JoinPlan, SourceSpecificRootSendsAndLeafReceives) {
    const auto sources = SourceFilter::only({kSource});
    const auto as_root = plan_join(root(), kChannel, {}).value();
    EXPECT_TRUE(as_root.sends);
    EXPECT_FALSE(as_root.receives);
    const auto as_leaf = plan_join(leaf(kSourceSpecific), kChannel, {.sources = sources}).value();
    EXPECT_FALSE(as_leaf.sends);
    EXPECT_TRUE(as_leaf.receives);
    EXPECT_EQ(as_leaf.sources, sources);
}

TEST(JoinPlan, ADirectionTheRoleDoesNotHaveIsInvalid) {
    EXPECT_EQ(error_of(plan_join(root(), kChannel, {.direction = Direction::receiver_only})),
              kInvalid);
    EXPECT_EQ(error_of(plan_join(
                  leaf(kSourceSpecific), kChannel,
                  {.direction = Direction::sender_only, .sources = SourceFilter::only({kSource})})),
              kInvalid);
}

TEST(JoinPlan, AReceiverNeedsAHandlerOrAQueue) {
    EXPECT_EQ(error_of(plan_join({.scheme = kAnySource}, kGroup, {})), kInvalid);
}

// RFC 4607 §1: 232/8 is for channels, each with a source; 232.0.0.0 is none.
TEST(JoinPlan, AnySourceInTheSourceSpecificRangeIsInvalid) {
    EXPECT_EQ(error_of(plan_join(leaf(), kChannel, {})), kInvalid);
    EXPECT_EQ(error_of(plan_join(leaf(), kChannel,
                                 {.sources = SourceFilter(FilterMode::exclude, {kSource})})),
              kInvalid);
    EXPECT_TRUE(plan_join(leaf(), kChannel, {.sources = SourceFilter::only({kSource})}));
    constexpr auto kNoChannel = GroupAddress::of(232, 0, 0, 0);
    EXPECT_EQ(error_of(plan_join(leaf(), kNoChannel, {.sources = SourceFilter::only({kSource})})),
              kInvalid);
    EXPECT_EQ(error_of(plan_join(leaf(), kNoChannel, {.direction = Direction::sender_only})),
              kInvalid);
}

TEST(JoinPlan, TheSourceSpecificSchemeNamesItsSourcesInAnyGroup) {
    EXPECT_EQ(error_of(plan_join(leaf(kSourceSpecific), kGroup, {})), kInvalid);
    EXPECT_TRUE(
        plan_join(leaf(kSourceSpecific), kGroup, {.sources = SourceFilter::only({kSource})}));
}

TEST(Sources, MustBeUnicastAndSomething) {
    for (const auto bad : {Ipv4Address(239, 1, 1, 1), Ipv4Address(0, 0, 0, 0),
                           Ipv4Address(127, 0, 0, 1), Ipv4Address(255, 255, 255, 255)}) {
        for (const auto mode : {FilterMode::include, FilterMode::exclude}) {
            EXPECT_EQ(
                error_of(check_sources(kAnySource, kGroup, SourceFilter(mode, {kSource, bad}))),
                kInvalid)
                << bad.to_string();
        }
    }
    EXPECT_EQ(error_of(check_sources(kAnySource, kGroup, SourceFilter::nothing())), kInvalid);
    EXPECT_TRUE(check_sources(kAnySource, kGroup, SourceFilter::any()));
    EXPECT_TRUE(check_sources(kAnySource, kGroup, SourceFilter(FilterMode::exclude, {kSource})));
}

}  // namespace
}  // namespace joinleaf::controlplane
