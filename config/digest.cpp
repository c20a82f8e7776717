#include "config/digest.h"

#include <openssl/evp.h>

namespace execseal {

Result<std::string> sha256_hex(std::string_view bytes) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    if (EVP_Digest(bytes.data(), bytes.size(), digest, &length, EVP_sha256(), nullptr) != 1) {
        return make_error("SHA-256: OpenSSL refused (EVP_Digest)");
    }
    static constexpr std::string_view kHex = "0123456789abcdef";
    std::string text;
    text.reserve(std::size_t{length} * 2);
    for (unsigned int i = 0; i < length; ++i) {
        text += kHex[digest[i] >> 4U];
        text += kHex[digest[i] & 0xfU];
    }
    return text;
}

}  // namespace execseal
