// Keys and certificates made for a test, as PEM files in a folder that goes with it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

struct evp_pkey_st;
struct x509_st;

namespace joinleaf::test {

/// A folder of its own under the system's temporary folder; removed with the object.
class TemporaryFolder {
public:
    TemporaryFolder();
    ~TemporaryFolder();
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    [[nodiscard]] std::string path(std::string_view name) const { return folder_ / name; }
    /// Writes a file that its owner alone can read; returns its path.
    std::string write(std::string_view name, std::string_view text) const;

private:
    std::filesystem::path folder_;
};

struct CertificateFiles {
    std::string certificate;
    std::string key;
};

struct CertificateWish {
    std::string_view common_name;       // empty: none
    std::string_view alternative_name;  // as openssl.cnf has it: "DNS:leaf.example"; empty: none
    long valid_from_days = -1;
    long valid_for_days = 2;
    int rsa_bits = 0;  // 0: EC P-256
};

/// An authority that signs what a test needs.
class Authority {
public:
    Authority(const TemporaryFolder& folder, std::string_view name);
    ~Authority();
    Authority(const Authority&) = delete;
    Authority& operator=(const Authority&) = delete;

    [[nodiscard]] const std::string& file() const { return file_; }
    /// NAME.pem and NAME.key in the folder.
    CertificateFiles sign(std::string_view name, const CertificateWish& wish);

private:
    const TemporaryFolder& folder_;
    evp_pkey_st* key_;
    x509_st* certificate_;
    std::string file_;
    long serial_ = 1;
};

/// A copy of the key that takes a pass phrase to read.
std::string lock_key(const TemporaryFolder& folder, const std::string& key_file);

}  // namespace joinleaf::test
