// Admission messages for tests: one good one of each kind, and arbitrary ones for properties.
#pragma once

#include <controlplane/admission_codec.h>
#include <controlplane/admission_rules.h>
#include <controlplane/admission_text.h>
#include <rapidcheck.h>

#include <algorithm>
#include <string>
#include <vector>

namespace joinleaf::test {

inline UserData user_data(std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    return UserData(bytes.begin(), bytes.end());
}

inline SessionOffer an_offer() {
    return SessionOffer{.scheme = {Plane::rooted, Plane::rooted},
                        .group = {GroupAddress::of(239, 1, 2, 3), UdpPort::of(5000)},
                        .root_address = Ipv4Address(10, 0, 0, 1),
                        .framing = Framing::moldudp64,
                        .scope = 1,
                        .first_sequence = 42,
                        .from_root = {},
                        .to_root = {},
                        .also = {},
                        .repair = {}};
}

/// With two lines and a repair server.
inline SessionOffer a_feed_offer() {
    SessionOffer offer = an_offer();
    offer.also = {{{GroupAddress::of(239, 1, 2, 4), UdpPort::of(5001)}, Ipv4Address(10, 1, 0, 1)}};
    offer.repair = {Ipv4Address(192, 0, 2, 1), UdpPort::of(6000)};
    return offer;
}
inline FeedSession feed_session(std::string_view name) {
    FeedSession session;
    session.fill(' ');
    std::copy_n(name.begin(), std::min(name.size(), session.size()), session.begin());
    return session;
}

inline controlplane::JoinRequest a_request() {
    return controlplane::JoinRequest{.name = "desk-7",
                                     .data_address = Ipv4Address(10, 0, 0, 7),
                                     .direction = Direction::both,
                                     .from_root = {1'000'000, 1400, std::chrono::microseconds(250)},
                                     .to_root = {},
                                     .caller_data = user_data("hi")};
}

inline controlplane::Admit an_admission() {
    return controlplane::Admit{.offer = an_offer(),
                               .callee_data = {},
                               .dead_after = std::chrono::milliseconds(3000),
                               .name = "root"};
}

inline controlplane::Invite an_invitation() {
    return controlplane::Invite{.name = "root",
                                .offer = an_offer(),
                                .caller_data = user_data("come"),
                                .dead_after = std::chrono::milliseconds(3000)};
}

inline std::vector<controlplane::AdmissionMessage> one_of_each() {
    using namespace controlplane;
    return {a_request(),
            an_admission(),
            an_invitation(),
            AcceptInvite{.name = "desk-7",
                         .data_address = Ipv4Address(10, 0, 0, 7),
                         .callee_data = user_data("gladly")},
            Confirm{},
            Refuse{.reason = std::errc::permission_denied, .text = "not on the list"},
            Farewell{.reason = std::errc{}},
            KeepAlive{},
            SideTalk{.data = user_data("psst")},
            HistoryBegins{.session = feed_session("S1"), .sequence = 4711},
            Admit{.offer = a_feed_offer(),
                  .callee_data = {},
                  .dead_after = std::chrono::milliseconds(3000),
                  .name = "root"}};
}

// Arbitrary messages, all of them within the limits.

inline rc::Gen<UserData> any_user_data() {
    return rc::gen::map(
        rc::gen::container<std::vector<std::uint8_t>>(rc::gen::arbitrary<std::uint8_t>()),
        [](const std::vector<std::uint8_t>& octets) {
            UserData data(std::min(octets.size(), kMaxUserData));
            std::transform(octets.begin(),
                           octets.begin() + static_cast<std::ptrdiff_t>(data.size()), data.begin(),
                           [](std::uint8_t o) { return static_cast<std::byte>(o); });
            return data;
        });
}

inline rc::Gen<std::string> any_text() {
    return rc::gen::map(rc::gen::container<std::vector<std::string>>(
                            rc::gen::element<std::string>("a", "7", " ", "-", "é", "水", "𝄞")),
                        [](const std::vector<std::string>& characters) {
                            std::string text;
                            for (const auto& c : characters) {
                                if (text.size() + c.size() <= controlplane::kMaxAdmissionText)
                                    text += c;
                            }
                            return text;
                        });
}

inline rc::Gen<Ipv4Address> any_host() {
    return rc::gen::map(
        rc::gen::suchThat(rc::gen::arbitrary<std::uint32_t>(),
                          [](std::uint32_t a) { return Ipv4Address(a).is_unicast(); }),
        [](std::uint32_t a) { return Ipv4Address(a); });
}

inline rc::Gen<FlowSpec> any_flow() {
    return rc::gen::map(
        rc::gen::tuple(rc::gen::arbitrary<std::uint64_t>(),
                       rc::gen::inRange<std::uint32_t>(0, controlplane::kMaxUdpPayload + 1),
                       rc::gen::inRange<std::int64_t>(0, controlplane::kMaxLatency.count() + 1)),
        [](const std::tuple<std::uint64_t, std::uint32_t, std::int64_t>& f) {
            return FlowSpec{std::get<0>(f), std::get<1>(f),
                            std::chrono::microseconds(std::get<2>(f))};
        });
}

inline FeedSession draw_session() {
    FeedSession session;
    for (char& c : session) c = static_cast<char>(*rc::gen::inRange(0x20, 0x7f));
    return session;
}

inline GroupEndpoint draw_group() {
    return {
        GroupAddress::from(Ipv4Address(*rc::gen::inRange<std::uint32_t>(0xe0000000, 0xf0000000)))
            .value(),
        UdpPort::from(*rc::gen::inRange<std::uint32_t>(1, 65536)).value()};
}

inline SessionOffer draw_offer() {
    SessionOffer offer{
        .scheme = {Plane::rooted, *rc::gen::element(Plane::rooted, Plane::nonrooted)},
        .group = draw_group(),
        .root_address = *any_host(),
        .framing = *rc::gen::element(Framing::datagram, Framing::moldudp64),
        .fan_out = *rc::gen::element(FanOut::multicast, FanOut::replicate),
        .scope = *rc::gen::arbitrary<std::uint8_t>(),
        .first_sequence = *rc::gen::arbitrary<std::uint64_t>(),
        .from_root = *any_flow(),
        .to_root = *any_flow(),
        .also = {},
        .repair = {}};
    if (offer.framing != Framing::moldudp64) return offer;
    if (offer.fan_out == FanOut::multicast) {
        for (auto n = *rc::gen::inRange<std::size_t>(0, kMaxFurtherLines + 1); n > 0; --n) {
            offer.also.push_back(
                {draw_group(), *rc::gen::arbitrary<bool>() ? *any_host() : Ipv4Address()});
        }
    }
    if (*rc::gen::arbitrary<bool>()) {
        offer.repair = {*any_host(),
                        UdpPort::from(*rc::gen::inRange<std::uint32_t>(1, 65536)).value()};
    }
    return offer;
}

inline std::chrono::milliseconds draw_dead_after() {
    return std::chrono::milliseconds(*rc::gen::inRange<std::int64_t>(
        controlplane::kMinDeadAfter.count(), controlplane::kMaxDeadAfter.count() + 1));
}

inline std::errc draw_reason() {
    return *rc::gen::element(
        std::errc::address_in_use, std::errc::connection_refused, std::errc::connection_reset,
        std::errc::network_down, std::errc::no_buffer_space, std::errc::operation_not_supported,
        std::errc::timed_out, std::errc::operation_would_block, std::errc::permission_denied,
        std::errc::connection_aborted, std::errc::protocol_error);
}

/// Inside a property.
inline controlplane::AdmissionMessage draw_message() {
    using namespace controlplane;
    switch (*rc::gen::inRange(0, 10)) {
        case 0:
            return JoinRequest{
                .name = *any_text(),
                .data_address = *any_host(),
                .direction = *rc::gen::element(Direction::sender_only, Direction::receiver_only,
                                               Direction::both),
                .from_root = *any_flow(),
                .to_root = *any_flow(),
                .caller_data = *any_user_data()};
        case 1:
            return Admit{.offer = draw_offer(),
                         .callee_data = *any_user_data(),
                         .dead_after = draw_dead_after(),
                         .name = *any_text()};
        case 2:
            return Invite{.name = *any_text(),
                          .offer = draw_offer(),
                          .caller_data = *any_user_data(),
                          .dead_after = draw_dead_after()};
        case 3:
            return AcceptInvite{
                .name = *any_text(), .data_address = *any_host(), .callee_data = *any_user_data()};
        case 4:
            return Confirm{};
        case 5:
            return Refuse{.reason = draw_reason(), .text = *any_text()};
        case 6:
            return Farewell{.reason = *rc::gen::arbitrary<bool>() ? std::errc{} : draw_reason()};
        case 7:
            return KeepAlive{};
        case 8:
            return HistoryBegins{
                .session = draw_session(),
                .sequence = *rc::gen::suchThat(rc::gen::arbitrary<std::uint64_t>(),
                                               [](std::uint64_t s) { return s != 0; })};
        default:
            return SideTalk{.data = *any_user_data()};
    }
}

}  // namespace joinleaf::test
