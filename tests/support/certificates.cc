#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <tests/support/certificates.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <stdexcept>

namespace joinleaf::test {
namespace {

void check(bool good, const char* what) {
    if (!good) throw std::runtime_error(what);
}

EVP_PKEY* new_key(int rsa_bits) {
    EVP_PKEY* key = rsa_bits == 0 ? EVP_EC_gen("P-256")
                                  : EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA",
                                                      static_cast<std::size_t>(rsa_bits));
    check(key != nullptr, "no key");
    return key;
}

X509* new_certificate(EVP_PKEY* key, const CertificateWish& wish, long serial) {
    X509* const certificate = X509_new();
    constexpr long kDay = 24 * 60 * 60;
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate), wish.valid_from_days * kDay);
    X509_gmtime_adj(X509_getm_notAfter(certificate),
                    (wish.valid_from_days + wish.valid_for_days) * kDay);
    X509_set_pubkey(certificate, key);
    X509_NAME* const subject = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
    if (!wish.common_name.empty()) {
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                   reinterpret_cast<const unsigned char*>(wish.common_name.data()),
                                   static_cast<int>(wish.common_name.size()), -1, 0);
    }
    return certificate;
}

void extend(X509* certificate, X509* issuer, int what, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, what, value.c_str());
    check(extension != nullptr, "no extension");
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

template <class Write>
std::string pem(Write write) {
    BIO* const bio = BIO_new(BIO_s_mem());
    check(write(bio) == 1, "no PEM");
    char* data = nullptr;
    const long length = BIO_get_mem_data(bio, &data);
    std::string text(data, static_cast<std::size_t>(length));
    BIO_free(bio);
    return text;
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
    std::string pattern = std::filesystem::temp_directory_path() / "joinleaf-test-XXXXXX";
    check(mkdtemp(pattern.data()) != nullptr, "no temporary folder");
    folder_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

std::string TemporaryFolder::write(std::string_view name, std::string_view text) const {
    const std::string file = path(name);
    std::ofstream(file) << text;
    chmod(file.c_str(), S_IRUSR | S_IWUSR);
    return file;
}

Authority::Authority(const TemporaryFolder& folder, std::string_view name)
    : folder_(folder), key_(new_key(0)) {
    certificate_ = new_certificate(key_,
                                   {.common_name = name,
                                    .alternative_name = {},
                                    .valid_from_days = -1000,
                                    .valid_for_days = 2000},
                                   serial_++);
    X509_set_issuer_name(certificate_, X509_get_subject_name(certificate_));
    extend(certificate_, certificate_, NID_basic_constraints, "critical,CA:TRUE");
    extend(certificate_, certificate_, NID_subject_key_identifier, "hash");
    check(X509_sign(certificate_, key_, EVP_sha256()) != 0, "not signed");
    file_ = folder_.write(std::string(name) + ".pem",
                          pem([&](BIO* out) { return PEM_write_bio_X509(out, certificate_); }));
}

Authority::~Authority() {
    X509_free(certificate_);
    EVP_PKEY_free(key_);
}

CertificateFiles Authority::sign(std::string_view name, const CertificateWish& wish) {
    EVP_PKEY* const key = new_key(wish.rsa_bits);
    X509* const certificate = new_certificate(key, wish, serial_++);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate_));
    if (!wish.alternative_name.empty()) {
        extend(certificate, certificate_, NID_subject_alt_name, std::string(wish.alternative_name));
    }
    check(X509_sign(certificate, key_, EVP_sha256()) != 0, "not signed");
    CertificateFiles files{folder_.write(std::string(name) + ".pem", pem([&](BIO* out) {
                                             return PEM_write_bio_X509(out, certificate);
                                         })),
                           folder_.write(std::string(name) + ".key", pem([&](BIO* out) {
                                             return PEM_write_bio_PrivateKey(
                                                 out, key, nullptr, nullptr, 0, nullptr, nullptr);
                                         }))};
    X509_free(certificate);
    EVP_PKEY_free(key);
    return files;
}

std::string lock_key(const TemporaryFolder& folder, const std::string& key_file) {
    BIO* const in = BIO_new_file(key_file.c_str(), "r");
    EVP_PKEY* const key = PEM_read_bio_PrivateKey(in, nullptr, nullptr, nullptr);
    BIO_free(in);
    check(key != nullptr, "no key");
    std::string file =
        folder.write("locked.key", pem([&](BIO* out) {
                         return PEM_write_bio_PKCS8PrivateKey(out, key, EVP_aes_128_cbc(), "secret",
                                                              6, nullptr, nullptr);
                     }));
    EVP_PKEY_free(key);
    return file;
}

}  // namespace joinleaf::test
