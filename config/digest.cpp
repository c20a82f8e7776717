#include "config/digest.h"

#include <array>
#include <cstdint>
#include <utility>

#include "hook/os/hex.h"

namespace execseal {

Sha256::Sha256() : state_{} {
    sha256_init(&state_);
}

void Sha256::add(std::string_view bytes) {
    sha256_update(&state_, bytes.size(), reinterpret_cast<const std::uint8_t*>(bytes.data()));
}

std::string sha256_hex(std::string_view bytes) {
    Sha256 digest;
    digest.add(bytes);
    return std::move(digest).hex();
}

std::string Sha256::hex() && {
    std::array<std::uint8_t, SHA256_DIGEST_SIZE> digest{};
    sha256_digest(&state_, digest.size(), digest.data());
    std::string text;
    text.reserve(digest.size() * 2);
    for (const std::uint8_t byte : digest) {
        append_hex_byte(text, byte);
    }
    return text;
}

}  // namespace execseal
