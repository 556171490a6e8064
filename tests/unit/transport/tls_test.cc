// TLS set-up: what is wrong with a file is said with its name and the cure.
#include <controlplane/tls.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <tests/support/certificates.h>

namespace joinleaf::controlplane {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view kHexKey =
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

class Tls : public testing::Test {
protected:
    std::string complaint(const TlsOptions& options) {
        const auto loaded = TlsContext::load(options);
        EXPECT_FALSE(loaded.has_value());
        return loaded ? "" : loaded.error();
    }
    std::string psk_complaint(std::string_view text, std::string identity = {}) {
        return complaint(
            {.psk_file = folder_.write("keys", text), .psk_identity = std::move(identity)});
    }
    TlsOptions with(const test::CertificateFiles& files) {
        return {.certificate_file = files.certificate,
                .key_file = files.key,
                .ca_file = authority_.file()};
    }

    test::TemporaryFolder folder_;
    test::Authority authority_{folder_, "authority"};
};

TEST_F(Tls, NothingAndTooMuch) {
    EXPECT_THAT(complaint({}), HasSubstr("without a secret"));
    EXPECT_THAT(complaint({.psk_file = "keys", .ca_file = "ca.pem"}), HasSubstr("choose one"));
    EXPECT_THAT(complaint({.certificate_file = "leaf.pem"}), HasSubstr("three files"));
}

TEST_F(Tls, KeysInBothForms) {
    const auto file = folder_.write("keys", "# who may come\n\ndesk-7:" + std::string(kHexKey) +
                                                "\r\n desk:8 : " + std::string(kHexKey) + " \n");
    EXPECT_TRUE(TlsContext::load({.psk_file = file}));
    EXPECT_TRUE(TlsContext::load({.psk_file = file, .psk_identity = "desk:8"}));
    const auto bare = folder_.write("bare", kHexKey);
    const auto loaded = TlsContext::load({.psk_file = bare, .psk_identity = "desk-7"});
    ASSERT_TRUE(loaded) << loaded.error();
    EXPECT_THAT((*loaded)->warnings(), IsEmpty());
}

TEST_F(Tls, KeysThatAreNotGoodEnough) {
    EXPECT_THAT(complaint({.psk_file = folder_.path("absent")}),
                AllOf(HasSubstr(folder_.path("absent")), HasSubstr("No such file")));
    EXPECT_THAT(psk_complaint(""), HasSubstr("holds no key"));
    EXPECT_THAT(
        psk_complaint("\na:00112233445566778899aabbccddee\n"),
        AllOf(HasSubstr("keys:2"), HasSubstr("15 octets is too short"), HasSubstr("openssl rand")));
    EXPECT_THAT(psk_complaint("a:" + std::string(130, '0')), HasSubstr("too long"));
    EXPECT_THAT(psk_complaint("a:0011223344556677889"), HasSubstr("half an octet"));
    EXPECT_THAT(psk_complaint("a:zz112233445566778899aabbccddeeff"), HasSubstr("not hex"));
    EXPECT_THAT(psk_complaint("a:+1112233445566778899aabbccddeeff"), HasSubstr("not hex"));
    EXPECT_THAT(psk_complaint(std::string(kHexKey)), HasSubstr("without an identity"));
    const std::string line = "a:" + std::string(kHexKey) + "\n";
    EXPECT_THAT(psk_complaint(line + line), HasSubstr("second key for a"));
    EXPECT_THAT(psk_complaint(line, "b"), HasSubstr("no key for b"));
    EXPECT_THAT(psk_complaint("\x1b[2J:" + std::string(kHexKey)), HasSubstr("control characters"));
}

TEST_F(Tls, ASecretThatOthersCanReadIsWarnedOf) {
    const auto keys = folder_.write("keys", "a:" + std::string(kHexKey));
    chmod(keys.c_str(), 0644);
    EXPECT_THAT(TlsContext::load({.psk_file = keys}).value()->warnings(),
                ElementsAre(HasSubstr("chmod 600 " + keys)));
    const auto files = authority_.sign("leaf", {.common_name = "leaf"});
    chmod(files.key.c_str(), 0640);
    EXPECT_THAT(TlsContext::load(with(files)).value()->warnings(),
                ElementsAre(HasSubstr("chmod 600 " + files.key)));
}

TEST_F(Tls, GoodCertificates) {
    const auto files = authority_.sign("leaf", {.common_name = "leaf"});
    const auto loaded = TlsContext::load(with(files));
    ASSERT_TRUE(loaded) << loaded.error();
    EXPECT_THAT((*loaded)->warnings(), IsEmpty());
}

TEST_F(Tls, CertificatesThatAreNotGoodEnough) {
    const auto good = authority_.sign("leaf", {.common_name = "leaf"});
    const auto other = authority_.sign("other", {.common_name = "other"});
    EXPECT_THAT(
        complaint(with({good.certificate, other.key})),
        AllOf(HasSubstr(other.key), HasSubstr("is not the key of"), HasSubstr(good.certificate)));
    EXPECT_THAT(complaint(with({good.certificate, folder_.path("absent.key")})),
                AllOf(HasSubstr("absent.key"), HasSubstr("No such file")));
    EXPECT_THAT(complaint(with({folder_.write("text.pem", "hello"), good.key})),
                AllOf(HasSubstr("text.pem"), HasSubstr("no certificate")));
    EXPECT_THAT(complaint(with({good.certificate, folder_.write("text.key", "hello")})),
                AllOf(HasSubstr("text.key"), HasSubstr("no private key")));
    auto options = with(good);
    options.ca_file = folder_.write("empty.pem", "");
    EXPECT_THAT(complaint(options), AllOf(HasSubstr("empty.pem"), HasSubstr("authority")));
}

TEST_F(Tls, DatesOfACertificate) {
    const auto expired = authority_.sign(
        "expired", {.common_name = "leaf", .valid_from_days = -10, .valid_for_days = 5});
    EXPECT_THAT(complaint(with(expired)), AllOf(HasSubstr(expired.certificate),
                                                HasSubstr("expired on 20"), HasSubstr("renewed")));
    EXPECT_TRUE(TlsContext::load(with(expired),
                                 std::chrono::system_clock::now() - std::chrono::hours(24 * 7)));
    const auto early = authority_.sign(
        "early", {.common_name = "leaf", .valid_from_days = 5, .valid_for_days = 5});
    EXPECT_THAT(complaint(with(early)), AllOf(HasSubstr("not valid before"), HasSubstr("clock")));
}

TEST_F(Tls, AKeyThatIsTooShort) {
    const auto weak = authority_.sign("weak", {.common_name = "leaf", .rsa_bits = 1024});
    EXPECT_THAT(complaint(with(weak)), AllOf(HasSubstr(weak.certificate), HasSubstr("too short")));
}

TEST_F(Tls, AKeyWithAPassPhraseIsRefusedAndNobodyIsAskedForIt) {
    const auto good = authority_.sign("leaf", {.common_name = "leaf"});
    const auto locked = test::lock_key(folder_, good.key);
    EXPECT_THAT(complaint(with({good.certificate, locked})),
                AllOf(HasSubstr("locked.key"), HasSubstr("pass phrase")));
}

}  // namespace
}  // namespace joinleaf::controlplane
