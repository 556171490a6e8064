// The files that admission options name: all of them good, or none is used.
#include <controlplane/admission_files.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tests/support/certificates.h>

namespace joinleaf::controlplane {
namespace {

using testing::HasSubstr;

constexpr std::string_view kKey =
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

TEST(AdmissionFiles, NoneNamedIsPlainTcpAndNoPolicy) {
    const auto files = load_admission_files({});
    ASSERT_TRUE(files);
    EXPECT_EQ(files->tls, nullptr);
    EXPECT_FALSE(files->policy);
}

TEST(AdmissionFiles, AreReadTogether) {
    const test::TemporaryFolder folder;
    AdmissionOptions options;
    options.tls.psk = folder.write("keys", "desk-7:" + std::string(kKey) + "\n");
    options.policy = folder.write("policy.toml", "default = 'allow'");
    const auto files = load_admission_files(options);
    ASSERT_TRUE(files) << files.error();
    EXPECT_NE(files->tls, nullptr);
    EXPECT_TRUE(files->policy);
}

TEST(AdmissionFiles, AnErrorInOneNamesIt) {
    const test::TemporaryFolder folder;
    AdmissionOptions options;
    options.tls.psk = folder.write("keys", "desk-7:" + std::string(kKey) + "\n");
    options.policy = folder.write("policy.toml", "default = 'perhaps'");
    EXPECT_THAT(load_admission_files(options).error(), HasSubstr("policy.toml:1"));
    options.policy = folder.write("policy.toml", "default = 'allow'");
    options.tls.psk = folder.write("keys", "no key at all");
    EXPECT_THAT(load_admission_files(options).error(), HasSubstr("keys"));
}

}  // namespace
}  // namespace joinleaf::controlplane
