#include "config/digest.h"

#include <nettle/sha2.h>

#include <array>
#include <cstdint>

namespace execseal {

std::string sha256_hex(std::string_view bytes) {
    sha256_ctx state;
    sha256_init(&state);
    sha256_update(&state, bytes.size(), reinterpret_cast<const std::uint8_t*>(bytes.data()));
    std::array<std::uint8_t, SHA256_DIGEST_SIZE> digest{};
    sha256_digest(&state, digest.size(), digest.data());
    static constexpr std::string_view kHex = "0123456789abcdef";
    std::string text;
    text.reserve(digest.size() * 2);
    for (const std::uint8_t byte : digest) {
        text += kHex[byte >> 4U];
        text += kHex[byte & 0xfU];
    }
    return text;
}

}  // namespace execseal
