// SHA-256 of bytes, as lower-case hex.
#pragma once

#include <nettle/sha2.h>

#include <string>
#include <string_view>

namespace execseal {

std::string sha256_hex(std::string_view bytes);

// The same of bytes that come in parts.
class Sha256 {
  public:
    Sha256();
    void add(std::string_view bytes);
    std::string hex() &&;

  private:
    sha256_ctx state_;
};

}  // namespace execseal
