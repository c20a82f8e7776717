// flat_message: numbers and strings one after the other, for what crosses between our own
// processes.
//
// No versions and no byte order: both ends are one program. Bounded all the same: a writer that
// runs out of room and a reader that runs off the end say so once, at the end.
//
// Both have field() and list(), so that one list of a struct's fields serves both directions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace execseal {

template <class T>
concept FlatNumber = std::is_integral_v<T> || std::is_enum_v<T>;

class FlatWriter {
  public:
    explicit FlatWriter(std::span<std::byte> room) : room_(room) {}

    void number(std::uint64_t value) { raw(std::as_bytes(std::span(&value, 1))); }
    void string(std::string_view text) {
        number(text.size());
        raw(std::as_bytes(std::span(text.data(), text.size())));
    }
    // As string(), of a text that `fill` writes where it is to stand: it takes a span of `most`
    // bytes and gives how many of them it has written. Nothing is copied.
    template <class Fill>
    std::size_t string_by(std::size_t most, Fill fill) {
        const std::size_t length_at = used_;
        number(0);
        if (!fits_ || most > room_.size() - used_) {
            fits_ = false;
            return 0;
        }
        const std::uint64_t size = fill(room_.subspan(used_, most));
        std::memcpy(room_.data() + length_at, &size, sizeof size);
        used_ += size;
        return size;
    }
    void field(const FlatNumber auto& value) { number(static_cast<std::uint64_t>(value)); }
    void field(const std::string& text) { string(text); }
    // `each` takes one element.
    template <class List, class Each>
    void list(const List& elements, Each each) {
        number(elements.size());
        for (const auto& element : elements) {
            each(element);
        }
    }
    [[nodiscard]] bool fits() const { return fits_; }
    [[nodiscard]] std::size_t size() const { return used_; }

  private:
    void raw(std::span<const std::byte> bytes) {
        if (!fits_ || bytes.size() > room_.size() - used_) {
            fits_ = false;
            return;
        }
        if (!bytes.empty()) {
            std::memcpy(room_.data() + used_, bytes.data(), bytes.size());
        }
        used_ += bytes.size();
    }

    std::span<std::byte> room_;
    std::size_t used_ = 0;
    bool fits_ = true;
};

class FlatReader {
  public:
    explicit FlatReader(std::span<const std::byte> bytes) : rest_(bytes) {}

    std::uint64_t number() {
        std::uint64_t value = 0;
        if (rest_.size() < sizeof value) {
            whole_ = false;
            return 0;
        }
        std::memcpy(&value, rest_.data(), sizeof value);
        rest_ = rest_.subspan(sizeof value);
        return value;
    }
    std::string string() { return std::string(view()); }
    // Of the message's own bytes.
    std::string_view view() {
        const std::uint64_t size = number();
        if (size > rest_.size()) {
            whole_ = false;
            return {};
        }
        const std::string_view text(reinterpret_cast<const char*>(rest_.data()), size);
        rest_ = rest_.subspan(size);
        return text;
    }
    // A count of things that take at least eight bytes each.
    std::size_t count() {
        const std::uint64_t value = number();
        if (value > rest_.size() / sizeof(std::uint64_t)) {
            whole_ = false;
            return 0;
        }
        return value;
    }
    template <FlatNumber Number>
    void field(Number& value) {
        value = static_cast<Number>(number());
    }
    void field(std::string& text) { text = string(); }
    // Adds to what the list holds.
    template <class List, class Each>
    void list(List& elements, Each each) {
        for (std::size_t left = count(); left > 0; --left) {
            each(elements.emplace_back());
        }
    }
    // Everything was there, and nothing is left.
    [[nodiscard]] bool done() const { return whole_ && rest_.empty(); }

  private:
    std::span<const std::byte> rest_;
    bool whole_ = true;
};

}  // namespace execseal
