// Errors as values: what every fallible call of execseal returns.
//
// Takes the place of std::expected (C++23) with the same method names, so that it can be swapped
// one day. A race that simply happened (target gone, id stale) is not an Error but a value of an
// enum at that call.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "hook/os/check.h"

namespace execseal {

// code: a positive errno, or 0 when the failure is not a system call's. context: what was being
// done, outermost first.
struct Error {
    int code = 0;
    std::string context;

    // "context: strerror(code)", one line, for people.
    [[nodiscard]] std::string text() const;
};

// Fails without a system call behind it: bad input, a limit passed.
Error make_error(std::string context);

// Puts "context: " in front, keeping the code; for callers that pass an error up.
Error add_context(std::string_view context, Error error);

struct Ok {};

template <class T = Ok>
class [[nodiscard]] Result {
  public:
    // `return value;` and `return error;` are the point of the class.
    // NOLINTNEXTLINE(google-explicit-constructor): see above
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    // NOLINTNEXTLINE(google-explicit-constructor): see above
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

    [[nodiscard]] bool has_value() const { return state_.index() == 0; }
    explicit operator bool() const { return has_value(); }

    [[nodiscard]] T& value() & {
        CHECK(has_value());
        return std::get<0>(state_);
    }
    [[nodiscard]] const T& value() const& {
        CHECK(has_value());
        return std::get<0>(state_);
    }
    [[nodiscard]] T value() && {
        CHECK(has_value());
        return std::move(std::get<0>(state_));
    }
    [[nodiscard]] const Error& error() const {
        CHECK(!has_value());
        return std::get<1>(state_);
    }

    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }

  private:
    std::variant<T, Error> state_;
};

}  // namespace execseal
