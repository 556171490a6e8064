// The transport over TLS 1.3: who is let in with which secret, and as whom.
#include <gmock/gmock.h>
#include <openssl/ssl.h>
#include <tests/unit/transport/transport_under_test.h>

#include <array>
#include <cstdio>

namespace joinleaf::controlplane::test_support {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

using Context = std::shared_ptr<const TlsContext>;

constexpr std::string_view kKey7 =
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
constexpr std::string_view kKey8 =
    "101112131415161718191a1b1c1d1e1f000102030405060708090a0b0c0d0e0f";

class TlsTransport : public TransportTest {
protected:
    Context psk(std::string_view lines, std::string identity = {}) {
        return TlsContext::load(
                   {.psk_file = folder_.write("keys", lines), .psk_identity = std::move(identity)})
            .value();
    }
    Context certified(const test::CertificateFiles& files, const test::Authority& authority,
                      std::chrono::system_clock::time_point now = std::chrono::system_clock::now(),
                      std::string peer_name = {}, bool require_peer = true) {
        return TlsContext::load({.certificate_file = files.certificate,
                                 .key_file = files.key,
                                 .ca_file = authority.file(),
                                 .require_peer = require_peer,
                                 .peer_name = std::move(peer_name)},
                                now)
            .value();
    }
    Context certified(std::string_view name, test::CertificateWish wish) {
        return certified(authority_.sign(name, wish), authority_);
    }
    void start(Context tls) {
        root_ = std::make_unique<Station>(io_, AdmissionTransportOptions{.tls = std::move(tls)});
        at_ = listen(*root_);
    }
    /// A leaf with `tls` asks to be let in, and is, as `identity`; the root is `root_identity`.
    void expect_admitted(Context tls, std::string_view identity, std::string_view root_identity) {
        Station leaf(io_, {.tls = std::move(tls)});
        const std::size_t before = root_->received.size();
        leaf.on_connected = [&](ConnectionId id) { leaf->send(id, test::a_request()); };
        root_->on_message = [&](ConnectionId id, const AdmissionMessage&) {
            (*root_)->send(id, test::an_admission());
        };
        leaf.dial(at_);
        ASSERT_TRUE(
            run_until([&] { return !leaf.received.empty() || !leaf.connect_failed.empty(); }));
        ASSERT_THAT(leaf.received, SizeIs(1));
        EXPECT_EQ(leaf.received[0].second, AdmissionMessage(test::an_admission()));
        EXPECT_EQ(leaf.connected[0].second.identity, root_identity);
        ASSERT_THAT(root_->received, SizeIs(before + 1));
        EXPECT_EQ(root_->incoming.back().second.identity, identity);
        EXPECT_EQ(root_->received.back().second, AdmissionMessage(test::a_request()));
    }
    /// A leaf with `tls` is turned away, at the latest after it believes to be connected.
    std::errc refusal(Context tls) {
        Station leaf(io_, {.tls = std::move(tls)});
        leaf.on_connected = [&](ConnectionId id) { leaf->send(id, test::a_request()); };
        leaf.dial(at_);
        EXPECT_TRUE(run_until([&] {
            return !leaf.connect_failed.empty() || !leaf.disconnected.empty() ||
                   !root_->received.empty();
        }));
        EXPECT_THAT(root_->incoming, IsEmpty());
        EXPECT_TRUE(run_until([&] { return (*root_)->connection_count() == 0; }));
        if (!leaf.connect_failed.empty()) return leaf.connect_failed[0].second;
        return leaf.disconnected.empty() ? std::errc{} : leaf.disconnected[0].second;
    }

    test::TemporaryFolder folder_;
    test::Authority authority_{folder_, "authority"};
    std::unique_ptr<Station> root_;
    ControlEndpoint at_;
};

std::string line(std::string_view identity, std::string_view key) {
    return std::string(identity) + ":" + std::string(key) + "\n";
}

TEST_F(TlsTransport, APreSharedKeyProvesItsIdentity) {
    start(psk(line("desk-7", kKey7) + line("desk-8", kKey8)));
    expect_admitted(psk(line("desk-7", kKey7)), "desk-7", "desk-7");
    expect_admitted(psk(kKey8, "desk-8"), "desk-8", "desk-8");
    EXPECT_THAT(root_->warnings, IsEmpty());
}

// Keys and certificates are replaced while connections last.
TEST_F(TlsTransport, WhatIsUsedFromNowOnLeavesConnectionsInPlace) {
    start(psk(line("desk-7", kKey7)));
    Station first(io_, {.tls = psk(line("desk-7", kKey7))});
    first.on_connected = [&](ConnectionId id) { first->send(id, test::a_request()); };
    const ConnectionId id = first.dial(at_);
    ASSERT_TRUE(run_until([&] { return root_->received.size() == 1; }));
    (*root_)->use_tls(psk(line("desk-8", kKey8)));
    ASSERT_TRUE(first->send(id, KeepAlive{}));
    ASSERT_TRUE(run_until([&] { return root_->received.size() == 2; }));
    expect_admitted(psk(line("desk-8", kKey8)), "desk-8", "desk-8");
    Station old(io_, {.tls = psk(line("desk-7", kKey7))});
    old.dial(at_);
    ASSERT_TRUE(run_until([&] { return !old.connect_failed.empty(); }));
    EXPECT_EQ(old.connect_failed[0].second, std::errc::permission_denied);
    old->use_tls(psk(line("desk-8", kKey8)));  // at the side that connects, too
    old.dial(at_);
    EXPECT_TRUE(run_until([&] { return !old.connected.empty(); }));
    EXPECT_THAT(first.disconnected, IsEmpty());
}

TEST_F(TlsTransport, AWrongKeyAndAnUnknownIdentity) {
    start(psk(line("desk-7", kKey7)));
    EXPECT_EQ(refusal(psk(line("desk-7", kKey8))), std::errc::permission_denied);
    EXPECT_EQ(refusal(psk(line("desk-9", kKey7))), std::errc::permission_denied);
    EXPECT_EQ((*root_)->counters().tls_failed, 2u);
    // The second line would come within the same second.
    EXPECT_THAT(root_->warnings, ElementsAre(HasSubstr("TLS with 127.0.0.1:")));
}

TEST_F(TlsTransport, CertificatesOnBothSides) {
    start(certified("root", {.common_name = "root.example"}));
    expect_admitted(certified("leaf", {.common_name = "desk-7"}), "desk-7", "root.example");
    expect_admitted(certified("rsa", {.common_name = "desk-8", .rsa_bits = 2048}), "desk-8",
                    "root.example");
}

TEST_F(TlsTransport, TheNameInACertificate) {
    start(certified("root", {.common_name = "root.example"}));
    expect_admitted(certified("dns", {.alternative_name = "DNS:desk-7.example"}), "desk-7.example",
                    "root.example");
    expect_admitted(certified("ip", {.alternative_name = "IP:192.0.2.7"}), "192.0.2.7",
                    "root.example");
    expect_admitted(certified("mail", {.alternative_name = "email:desk@example.org"}),
                    "desk@example.org", "root.example");
    expect_admitted(
        certified("both", {.common_name = "desk-9", .alternative_name = "DNS:other.example"}),
        "desk-9", "root.example");
}

TEST_F(TlsTransport, ACertificateThatNamesNobody) {
    start(certified("root", {.common_name = "root.example"}));
    EXPECT_EQ(refusal(certified("nobody", {})), std::errc::permission_denied);
    EXPECT_EQ(refusal(certified("bell", {.common_name = "desk\a"})), std::errc::permission_denied);
}

TEST_F(TlsTransport, AnotherAuthoritysCertificate) {
    start(certified("root", {.common_name = "root.example"}));
    test::Authority other(folder_, "other");
    // It believes the root, and is not believed.
    EXPECT_EQ(refusal(certified(other.sign("forged", {.common_name = "desk-7"}), authority_)),
              std::errc::permission_denied);
    // The other way round.
    EXPECT_EQ(refusal(certified(authority_.sign("good", {.common_name = "desk-7"}), other)),
              std::errc::permission_denied);
    EXPECT_THAT(root_->warnings, Contains(HasSubstr("certificate")));
}

TEST_F(TlsTransport, AnExpiredCertificate) {
    start(certified("root", {.common_name = "root.example"}));
    const auto files = authority_.sign(
        "expired", {.common_name = "desk-7", .valid_from_days = -10, .valid_for_days = 5});
    EXPECT_EQ(refusal(certified(files, authority_,
                                std::chrono::system_clock::now() - std::chrono::hours(24 * 7))),
              std::errc::permission_denied);
    EXPECT_THAT(root_->warnings, ElementsAre(HasSubstr("certificate has expired")));
}

TEST_F(TlsTransport, TheNameThatALeafExpects) {
    start(certified("root", {.common_name = "root.example",
                             .alternative_name = "DNS:*.roots.example,IP:127.0.0.1"}));
    const auto files = authority_.sign("leaf", {.common_name = "desk-7"});
    const auto now = std::chrono::system_clock::now();
    for (const auto* name : {"root.example", "a.roots.example", "127.0.0.1"}) {
        expect_admitted(certified(files, authority_, now, name), "desk-7", "root.example");
    }
    root_->incoming.clear();
    root_->received.clear();
    EXPECT_EQ(refusal(certified(files, authority_, now, "other.example")),
              std::errc::permission_denied);
}

TEST_F(TlsTransport, ALeafWithoutACertificateWhereNoneIsRequired) {
    const auto files = authority_.sign("root", {.common_name = "root.example"});
    start(certified(files, authority_, std::chrono::system_clock::now(), {}, false));
    // As openssl s_client: the certificate of the listener alone is looked at.
    const std::string command =
        "printf '' | timeout 5 openssl s_client -quiet -no_ign_eof -connect " +
        at_.address.to_string() + ":" + std::to_string(at_.port.value()) + " -CAfile " +
        authority_.file() + " 2>/dev/null &";
    ASSERT_EQ(std::system(command.c_str()), 0);
    ASSERT_TRUE(run_until([&] { return (*root_)->counters().half_open_gave_up == 1; }));
    EXPECT_EQ((*root_)->counters().tls_failed, 0u);
}

TEST_F(TlsTransport, APlainLeafAtATlsRootAndTheOtherWayRound) {
    start(psk(line("desk-7", kKey7)));
    EXPECT_NE(refusal(nullptr), std::errc{});
    EXPECT_EQ((*root_)->counters().tls_failed, 1u);
    start(nullptr);
    EXPECT_EQ(refusal(psk(line("desk-7", kKey7))), std::errc::connection_reset);
}

TEST_F(TlsTransport, KeysAndCertificatesDoNotMeet) {
    start(psk(line("desk-7", kKey7)));
    EXPECT_EQ(refusal(certified("leaf", {.common_name = "desk-7"})), std::errc::permission_denied);
    start(certified("root", {.common_name = "root.example"}));
    EXPECT_EQ(refusal(psk(line("desk-7", kKey7))), std::errc::permission_denied);
}

TEST_F(TlsTransport, NothingOlderThan13) {
    start(certified("root", {.common_name = "root.example"}));
    const auto files = authority_.sign("leaf", {.common_name = "desk-7"});
    const std::string command = "timeout 5 openssl s_client -tls1_2 -connect " +
                                at_.address.to_string() + ":" + std::to_string(at_.port.value()) +
                                " -cert " + files.certificate + " -key " + files.key + " -CAfile " +
                                authority_.file() + " </dev/null >/dev/null 2>&1 &";
    ASSERT_EQ(std::system(command.c_str()), 0);
    ASSERT_TRUE(run_until([&] { return (*root_)->counters().tls_failed == 1; }));
    EXPECT_THAT(root_->incoming, IsEmpty());
}

// A leaf in another language: here, OpenSSL's own program with a pre-shared key.
TEST_F(TlsTransport, AForeignClientWithAPreSharedKey) {
    start(psk(line("desk-7", kKey7)));
    const auto frame = request_frame();
    folder_.write("request",
                  std::string_view(reinterpret_cast<const char*>(frame.data()), frame.size()));
    const std::string command = "(cat " + folder_.path("request") +
                                "; sleep 1) | timeout 5 openssl s_client -quiet -tls1_3 -psk " +
                                std::string(kKey7) + " -psk_identity desk-7 -connect " +
                                at_.address.to_string() + ":" + std::to_string(at_.port.value()) +
                                " >/dev/null 2>&1 &";
    ASSERT_EQ(std::system(command.c_str()), 0);
    ASSERT_TRUE(run_until([&] { return !root_->received.empty(); }));
    EXPECT_EQ(root_->incoming[0].second.identity, "desk-7");
    EXPECT_EQ(root_->received[0].second, AdmissionMessage(test::a_request()));
}

TEST_F(TlsTransport, ManyMessagesBothWaysAndAnOrderlyEnd) {
    start(certified("root", {.common_name = "root.example"}));
    Station leaf(io_, {.tls = certified("leaf", {.common_name = "desk-7"}), .max_queued = 1 << 20});
    constexpr std::size_t kMany = 200;
    leaf.on_connected = [&](ConnectionId id) {
        leaf->send(id, test::a_request());
        for (std::size_t i = 0; i < kMany; ++i) {
            leaf->send(id, SideTalk{.data = UserData(kMaxUserData, static_cast<std::byte>(i))});
        }
        leaf->hang_up(id);
    };
    leaf.dial(at_);
    ASSERT_TRUE(run_until([&] { return !root_->disconnected.empty(); }));
    ASSERT_THAT(root_->received, SizeIs(1 + kMany));
    for (std::size_t i = 0; i < kMany; ++i) {
        EXPECT_EQ(std::get<SideTalk>(root_->received[1 + i].second).data[0],
                  static_cast<std::byte>(i));
    }
    EXPECT_EQ(root_->disconnected[0].second, std::errc{});
    EXPECT_TRUE(run_until([&] { return leaf->connection_count() == 0; }));
}

// FIN without close_notify: somebody cut the connection, or the peer was killed.
TEST_F(TlsTransport, AnEndWithoutCloseNotifyIsABrokenConnection) {
    start(psk(line("desk-7", kKey7)));
    {
        Station leaf(io_, {.tls = psk(line("desk-7", kKey7))});
        leaf.on_connected = [&](ConnectionId id) { leaf->send(id, test::a_request()); };
        leaf.dial(at_);
        ASSERT_TRUE(run_until([&] { return !root_->received.empty(); }));
    }
    ASSERT_TRUE(run_until([&] { return !root_->disconnected.empty(); }));
    EXPECT_EQ(root_->disconnected[0].second, std::errc::connection_reset);
}

TEST_F(TlsTransport, AHandshakeThatStopsHalfwayEndsAtTheDeadline) {
    root_ =
        std::make_unique<Station>(io_, AdmissionTransportOptions{.tls = psk(line("desk-7", kKey7)),
                                                                 .strangers = {.within = 100ms}});
    at_ = listen(*root_);
    const RawSocket slow(at_);
    slow.write(std::string_view("\x16\x03\x01\x01\x00\x01\x00\x00\xfc\x03\x03", 11));
    ASSERT_TRUE(run_until([&] { return slow.is_over(); }));
    EXPECT_EQ((*root_)->counters().half_open_too_late, 1u);
}

}  // namespace
}  // namespace joinleaf::controlplane::test_support
