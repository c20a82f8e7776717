#include "hook/cli/event_skim.h"

#include <array>
#include <utility>

namespace execseal {
namespace {

class Cursor {
  public:
    explicit Cursor(std::string_view text) : text_(text) {}

    [[nodiscard]] bool at_end() const { return at_ == text_.size(); }
    [[nodiscard]] char next() const { return at_end() ? '\0' : text_[at_]; }
    bool take(char c) {
        if (next() != c) {
            return false;
        }
        ++at_;
        return true;
    }

    // A string of ASCII without a backslash. They are short: byte by byte is the fastest.
    bool plain_string(std::string_view& value) {
        if (!take('"')) {
            return false;
        }
        std::size_t end = at_;
        while (end < text_.size() && text_[end] != '"' && text_[end] != '\\' &&
               static_cast<unsigned char>(text_[end] - ' ') < 0x7f - ' ') {
            ++end;
        }
        value = text_.substr(at_, end - at_);
        at_ = end;
        return take('"');
    }

    bool skip_value() {
        switch (next()) {
            case '"':
                return skip_string();
            case '{':
            case '[':
                return skip_nested();
            default:
                return skip_word();
        }
    }

  private:
    bool skip_string() {
        for (std::size_t from = at_ + 1;;) {
            const std::size_t end = text_.find('"', from);
            if (end == std::string_view::npos) {
                return false;
            }
            std::size_t first = end;  // of the backslashes before it
            while (text_[first - 1] == '\\') {
                --first;
            }
            from = end + 1;
            if ((end - first) % 2 == 0) {
                at_ = from;
                return true;
            }
        }
    }

    bool skip_nested() {
        std::size_t depth = 0;
        for (;;) {
            switch (next()) {
                case '"':
                    if (!skip_string()) {
                        return false;
                    }
                    continue;
                case '{':
                case '[':
                    ++depth;
                    break;
                case '}':
                case ']':
                    --depth;
                    break;
                case '\0':
                    return false;
                default:
                    break;
            }
            ++at_;
            if (depth == 0) {
                return true;
            }
        }
    }

    // A number, true, false, null.
    bool skip_word() {
        const std::size_t start = at_;
        while (!at_end() && ((next() >= 'a' && next() <= 'z') || (next() >= '0' && next() <= '9') ||
                             next() == '.' || next() == '+' || next() == '-' || next() == 'E')) {
            ++at_;
        }
        return at_ != start;
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

// {"name":VALUE,...}: on_member(name) moves the cursor behind the value.
template <typename OnMember>
bool read_object(Cursor& cursor, const OnMember& on_member) {
    if (!cursor.take('{')) {
        return false;
    }
    do {
        std::string_view name;
        if (!cursor.plain_string(name) || !cursor.take(':') || !on_member(name)) {
            return false;
        }
    } while (cursor.take(','));
    return cursor.take('}');
}

using Field = std::pair<std::string_view, std::string Event::*>;

constexpr std::array kOfContainer{Field{"id", &Event::container_id},
                                  Field{"name", &Event::container_name}, Field{"pod", &Event::pod}};
constexpr std::array kOfEvent{
    Field{"time", &Event::time},       Field{"event", &Event::kind},
    Field{"policy", &Event::policy},   Field{"exe", &Event::exe},
    Field{"via", &Event::via},         Field{"verdict", &Event::verdict},
    Field{"rule", &Event::rule},       Field{"decided_by", &Event::decided_by},
    Field{"outcome", &Event::outcome},
};

// Nothing of the line before it may stay.
void clear(Event& event) {
    for (const auto& [name, member] : kOfContainer) {
        (event.*member).clear();
    }
    for (const auto& [name, member] : kOfEvent) {
        (event.*member).clear();
    }
}

template <std::size_t N>
bool read_field(Cursor& cursor, std::string_view name, const std::array<Field, N>& fields,
                Event& event) {
    for (const auto& [known, member] : fields) {
        if (known.size() == name.size() && known == name) {
            std::string_view value;
            const bool plain = cursor.plain_string(value);
            (event.*member).assign(value);
            return plain;
        }
    }
    return cursor.skip_value();
}

}  // namespace

bool skim_event(std::string_view line, Event& event) {
    clear(event);
    Cursor cursor(line);
    bool has_exe = false;
    std::string_view requested;
    const auto on_container = [&](std::string_view name) {
        return read_field(cursor, name, kOfContainer, event);
    };
    const auto on_member = [&](std::string_view name) {
        if (name == "container") {
            return read_object(cursor, on_container);
        }
        if (name == "requested" && !has_exe) {
            return cursor.plain_string(requested);
        }
        has_exe = has_exe || name == "exe";
        return read_field(cursor, name, kOfEvent, event);
    };
    if (!read_object(cursor, on_member) || !cursor.at_end()) {
        return false;
    }
    if (!has_exe) {
        event.exe.assign(requested);
    }
    return event.kind == "exec" && !event.time.empty() && !event.container_id.empty();
}

}  // namespace execseal
