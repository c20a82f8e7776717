#include "hook/cli/argument_shape.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "hook/os/hex.h"

namespace execseal {
namespace {

// A component of a path that is neither "." nor "..".
constexpr std::string_view kPlainComponent = R"(\.?[\w@+~-][\w.@+~-]*)";
constexpr std::string_view kWideComponent = R"(\.?[\w@+~%\x80-\xff-][\w.@+~%\x80-\xff-]*)";
constexpr std::string_view kPathBytes = "._+@%~-/";

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_word_byte(char c) {
    return is_digit(c) || is_letter(c) || c == '_';
}
bool is_path_byte(char c) {
    return is_digit(c) || is_letter(c) || kPathBytes.find(c) != std::string_view::npos ||
           static_cast<unsigned char>(c) >= 0x80;
}

std::vector<std::string_view> components_of(std::string_view path) {
    std::vector<std::string_view> components;
    std::size_t start = 0;
    while (start <= path.size()) {
        const std::size_t end = std::min(path.find('/', start), path.size());
        if (end > start) {
            components.push_back(path.substr(start, end - start));
        }
        start = end + 1;
    }
    return components;
}

// ".c" of "foo.c"; empty where there is none, or one that is no type of file.
std::string_view extension_of(std::string_view name) {
    static constexpr std::size_t kLongest = 5;
    const std::size_t dot = name.rfind('.');
    if (dot == std::string_view::npos || dot == 0 || dot + 1 == name.size() ||
        name.size() - dot - 1 > kLongest || !is_letter(name[dot + 1])) {
        return "";
    }
    const std::string_view letters = name.substr(dot + 1);
    return std::all_of(letters.begin(), letters.end(), is_word_byte) ? name.substr(dot) : "";
}

bool is_known_extension(std::string_view extension) {
    static constexpr std::array kKnown{
        ".c",    ".h",   ".cc",  ".cpp",  ".cxx", ".hpp", ".o",    ".a",    ".so",   ".s",
        ".S",    ".d",   ".py",  ".pyc",  ".js",  ".ts",  ".json", ".go",   ".rs",   ".java",
        ".jar",  ".txt", ".md",  ".html", ".xml", ".yml", ".yaml", ".toml", ".cfg",  ".conf",
        ".ini",  ".log", ".sql", ".csv",  ".gz",  ".tgz", ".bz2",  ".xz",   ".zip",  ".tar",
        ".diff", ".sh",  ".pl",  ".rb",   ".tmp", ".bak", ".pid",  ".sock", ".lock", ".db",
        ".png",  ".jpg", ".svg", ".pdf",  ".exe"};
    return std::find(kKnown.begin(), kKnown.end(), extension) != kKnown.end();
}

bool is_system_folder(std::string_view first) {
    static constexpr std::array kSystem{"usr", "lib", "lib32", "lib64", "libx32", "bin", "sbin",
                                        "etc", "opt", "proc",  "sys",   "dev",    "boot"};
    return std::find(kSystem.begin(), kSystem.end(), first) != kSystem.end();
}

// How many components of a path name its folder, and not what is in it.
std::size_t folder_depth(const std::vector<std::string_view>& components) {
    if (components[0] == "var" && components.size() > 1) {
        const bool deep = components[1] == "lib" || components[1] == "cache";
        return deep ? 3 : 2;
    }
    return 1;
}

std::string joined(const std::vector<std::string_view>& components, std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) {
        text += "/" + quoted_regex(components[i]);
    }
    return text;
}

// Not a word that any project may have.
bool names_data(std::string_view name) {
    static constexpr std::size_t kShortest = 3;
    static constexpr std::array kCommon{"src",  "lib",   "bin",    "test",   "tests", "build",
                                        "out",  "log",   "logs",   "main",   "index", "run",
                                        "data", "share", "config", "origin", "head",  "html"};
    return name.size() >= kShortest && is_word(name) && !looks_random(name) &&
           std::find(kCommon.begin(), kCommon.end(), name) == kCommon.end();
}

// A regex that finds at the place where it is asked.
class Finder {
  public:
    explicit Finder(const char* source)
        : regex_(std::make_unique<const RE2>(source, RE2::Latin1)) {}

    // Bytes that match at `text`'s start; 0: none.
    [[nodiscard]] std::size_t at_start(std::string_view text) const {
        re2::StringPiece found;
        const bool matched = regex_->Match(re2::StringPiece(text.data(), text.size()), 0,
                                           text.size(), RE2::ANCHOR_START, &found, 1);
        return matched ? found.size() : 0;
    }

  private:
    std::unique_ptr<const RE2> regex_;
};

// A kind of thing that is known by its looks, before numbers and words.
struct Kind {
    Finder finder;
    const char* pattern;
};

const std::vector<Kind>& kinds() {
    static const std::vector<Kind> kKinds = [] {
        std::vector<Kind> made;
        made.push_back({Finder(R"([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-)"
                               R"([0-9a-fA-F]{12}\b)"),
                        R"([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"});
        made.push_back({Finder(R"(\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)"
                               R"((?:Z|[+-]\d{2}:?\d{2})?)?\b)"),
                        R"(\d{4}-\d{2}-\d{2}[\dT: .Z+-]*)"});
        made.push_back({Finder(R"(\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?\b)"), R"(\d{2}:\d{2}[\d:.]*)"});
        made.push_back(
            {Finder(R"(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b)"), R"(\d+\.\d+\.\d+\.\d+)"});
        return made;
    }();
    return kKinds;
}

bool is_hex_id(std::string_view word) {
    static constexpr std::size_t kShortest = 7;
    static constexpr std::size_t kLongest = 128;
    const bool hex = word.size() >= kShortest && word.size() <= kLongest && is_hex(word);
    return hex && std::any_of(word.begin(), word.end(), is_digit) &&
           std::any_of(word.begin(), word.end(), is_letter);
}

// One pass over an argument.
class Shaper {
  public:
    Shaper(std::string_view text, Width width, const DataNames& names)
        : text_(text), width_(width), names_(names) {
        static constexpr std::string_view kCode = " \t\n;|&()<>{}\"'$`*?[]!#\\";
        is_text_ = text.find_first_of(kCode) != std::string_view::npos;
        const bool wide = std::any_of(text.begin(), text.end(), [](char c) {
            return c == '%' || static_cast<unsigned char>(c) >= 0x80;
        });
        component_ = std::string(wide ? kWideComponent : kPlainComponent);
    }

    ArgumentShape run() {
        static constexpr std::string_view kSpacedBytes = " .,:/'@#()+=%-_";
        shape_.spaced =
            text_.find(' ') != std::string_view::npos &&
            std::string_view(" /-").find(text_[0]) == std::string_view::npos &&
            std::all_of(text_.begin(), text_.end(), [](char c) {
                return is_word_byte(c) || kSpacedBytes.find(c) != std::string_view::npos;
            });
        shape_.word = is_word(text_);
        take_flag_with_number();
        while (at_ < text_.size()) {
            if (!begins() || (!take_url() && !take_path() && !take_kind() && !take_file() &&
                              !take_number() && !take_word())) {
                keep(1);
            }
        }
        shape_.regex += quoted_regex(kept_);
        return std::move(shape_);
    }

  private:
    // Whether something may begin here.
    [[nodiscard]] bool begins() const {
        if (at_ == 0 || (at_ == 2 && text_[0] == '-' && is_letter(text_[1]) && text_[2] == '/')) {
            return true;
        }
        const char before = text_[at_ - 1];
        return !is_word_byte(before) && before != '.' && before != '%';
    }

    void keep(std::size_t count) {
        kept_ += text_.substr(at_, count);
        at_ += count;
    }

    void put(std::size_t count, std::string_view regex, bool certain) {
        shape_.regex += quoted_regex(kept_);
        kept_.clear();
        shape_.regex += regex;
        shape_.certain = certain || shape_.certain;
        shape_.general = true;
        at_ += count;
    }

    // Unless strict, these kinds need no second example.
    [[nodiscard]] bool plain() const { return width_ != Width::kStrict; }

    // -j4, -I/work
    void take_flag_with_number() {
        if (text_.size() > 2 && text_[0] == '-' && is_letter(text_[1]) && text_[2] == '/') {
            keep(2);
        }
        if (text_.size() > 2 && text_[0] == '-' && is_letter(text_[1]) &&
            std::all_of(text_.begin() + 2, text_.end(), is_digit)) {
            keep(2);
            put(text_.size() - 2, R"(\d+)", plain());
        }
    }

    // scheme://host:port/path: the host stays.
    bool take_url() {
        static const Finder kUrl(R"([a-z][a-z0-9+.-]*://[\w.:@%\[\]-]*)");
        const std::size_t size = kUrl.at_start(text_.substr(at_));
        if (size == 0) {
            return false;
        }
        const std::string_view host = text_.substr(at_, size);
        const std::size_t port = host.rfind(':') + 1;
        if (plain() && port < size && std::all_of(host.begin() + port, host.end(), is_digit)) {
            keep(port);
            put(size - port, R"(\d+)", true);
        } else {
            keep(size);
        }
        std::size_t end = at_;
        while (end < text_.size() && is_path_byte(text_[end])) {
            ++end;
        }
        const std::string_view path = text_.substr(at_, end - at_);
        if (path.find("/.") != std::string_view::npos || path.size() < 2) {
            keep(path.size());
        } else {
            const std::string_view extension = extension_of(path.substr(path.rfind('/') + 1));
            put(path.size(), below("", extension), plain());
        }
        return true;
    }

    // `(/...)*/NAME.EXT`
    [[nodiscard]] std::string below(const std::string& folder, std::string_view extension) const {
        const std::string& component = component_;
        if (extension.empty() || width_ == Width::kLoose) {
            return folder + "(?:/" + component + ")*/?";
        }
        return folder + "(?:/" + component + ")*/" + component + quoted_regex(extension);
    }

    // An absolute path.
    bool take_path() {
        if (text_[at_] != '/') {
            return false;
        }
        std::size_t end = at_;
        while (end < text_.size() && is_path_byte(text_[end])) {
            ++end;
        }
        std::string_view path = text_.substr(at_, end - at_);
        while (path.size() > 1 && path.back() == '.') {
            path.remove_suffix(1);  // of a sentence
        }
        const auto components = components_of(path);
        const bool dots = std::any_of(components.begin(), components.end(), [](auto component) {
            return component.find_first_not_of('.') == std::string_view::npos;
        });
        if (components.empty() || dots || path.find("//") != std::string_view::npos) {
            keep(path.size());
        } else if (is_system_folder(components[0]) &&
                   !(components.size() > 1 && components[1] == "shm")) {
            take_system_path(path, components);
        } else {
            take_data_path(path, components);
        }
        return true;
    }

    // Only what a number or a random name stands for.
    void take_system_path(std::string_view path, const std::vector<std::string_view>& components) {
        std::string regex;
        bool general = false;
        for (const std::string_view component : components) {
            const bool number = std::all_of(component.begin(), component.end(), is_digit);
            const bool random = looks_random(component);
            general = general || number || random;
            regex += "/";
            regex += number ? R"(\d+)" : random ? component_ : quoted_regex(component);
        }
        if (general) {
            put(path.size(), regex + (path.ends_with('/') ? "/" : ""), true);
        } else {
            keep(path.size());
        }
    }

    void take_data_path(std::string_view path, const std::vector<std::string_view>& components) {
        const std::size_t depth = folder_depth(components);
        const std::string_view extension = extension_of(components.back());
        const bool temporary =
            components[0] == "tmp" || components[0] == "dev" ||
            (components[0] == "var" && components[1 % components.size()] == "tmp");
        if (width_ == Width::kStrict && !temporary) {
            const std::size_t parents = components.size() - 1;
            put(path.size(),
                joined(components, parents) + "/" + component_ + quoted_regex(extension) +
                    (path.ends_with('/') ? "/" : ""),
                false);
        } else if (components.size() > depth) {
            put(path.size(), below(joined(components, depth), extension), true);
        } else if (components.size() > 1) {
            put(path.size(), joined(components, components.size() - 1) + "/" + component_ + "/?",
                plain());
        } else {
            keep(path.size());
        }
    }

    bool take_kind() {
        for (const Kind& kind : kinds()) {
            const std::size_t size = kind.finder.at_start(text_.substr(at_));
            const std::size_t end = at_ + size;
            if (size > 0 && (end == text_.size() || !is_word_byte(text_[end]))) {
                put(size, kind.pattern, true);
                return true;
            }
        }
        return false;
    }

    // A relative path, or a file's name by its extension.
    bool take_file() {
        std::size_t end = at_;
        while (end < text_.size() && is_path_byte(text_[end])) {
            ++end;
        }
        std::string_view name = text_.substr(at_, end - at_);
        while (!name.empty() && name.back() == '.') {
            name.remove_suffix(1);
        }
        if (name.empty() || name[0] == '-' || name[0] == '.' || name[0] == '/' ||
            name.find("/.") != std::string_view::npos || name.find('@') != std::string_view::npos ||
            (at_ + name.size() < text_.size() && text_[at_ + name.size()] == '=')) {
            return false;
        }
        const std::string_view extension = extension_of(name.substr(name.rfind('/') + 1));
        const bool known = is_known_extension(extension);
        const bool folder = name.find('/') != std::string_view::npos;
        if ((is_text_ && !known) || (extension.empty() && !folder)) {
            return false;
        }
        const std::string& component = component_;
        std::string regex = component;
        if (folder) {
            regex = "(?:" + component + "/)*" + component;
        }
        regex += width_ == Width::kLoose ? "" : quoted_regex(extension);
        put(name.size(), regex + (name.ends_with('/') ? "/?" : ""), plain() && known);
        return true;
    }

    bool take_number() {
        std::size_t end = at_;
        while (end < text_.size() && is_digit(text_[end])) {
            ++end;
        }
        if (end == at_) {
            return false;
        }
        bool dotted = false;
        while (end + 1 < text_.size() && text_[end] == '.' && is_digit(text_[end + 1])) {
            dotted = true;
            ++end;
            while (end < text_.size() && is_digit(text_[end])) {
                ++end;
            }
        }
        static const Finder kUnit(R"((?:[kKMGT](?:i?B)?|ms|us|ns|[smhd])\b)");
        const std::size_t unit = kUnit.at_start(text_.substr(end));
        if (end < text_.size() && is_word_byte(text_[end]) && unit == 0) {
            return false;
        }
        put(end - at_, dotted ? R"(\d[\d.]*)" : R"(\d+)", plain() || end - at_ > 2);
        keep(unit);
        return true;
    }

    // Ends of words that hold together: "my-shop".
    [[nodiscard]] std::size_t dashed_end() const {
        std::size_t end = at_;
        while (end < text_.size() && (is_word_byte(text_[end]) || text_[end] == '-')) {
            ++end;
        }
        return end;
    }

    [[nodiscard]] bool is_data(std::string_view word) const {
        if (names_.contains(word)) {
            return true;
        }
        for (std::size_t start = 0; start < word.size();) {
            const std::size_t end = std::min(word.find('_', start), word.size());
            if (names_.contains(word.substr(start, end - start))) {
                return true;
            }
            start = end + 1;
        }
        return false;
    }

    // "test_4711_tmp" -> "test_\d+_tmp"; empty: there is no such number in it.
    static std::string numbered_word(std::string_view word) {
        std::string regex;
        bool numbered = false;
        for (std::size_t start = 0; start <= word.size();) {
            const std::size_t end = std::min(word.find('_', start), word.size());
            const std::string_view piece = word.substr(start, end - start);
            const bool number =
                start > 0 && !piece.empty() && std::all_of(piece.begin(), piece.end(), is_digit);
            numbered = numbered || number;
            regex += (start > 0 ? "_" : "") + (number ? R"(\d+)" : quoted_regex(piece));
            start = end + 1;
        }
        return numbered ? regex : "";
    }

    // An id, a random name, one of data, or one with a number in it; other words stay.
    bool take_word() {
        static constexpr std::string_view kAnyName = R"(\w[\w-]*)";
        const std::size_t dashed = dashed_end() - at_;
        if (names_.contains(text_.substr(at_, dashed))) {
            put(dashed, kAnyName, plain());
            return true;
        }
        std::size_t end = at_;
        while (end < text_.size() && is_word_byte(text_[end])) {
            ++end;
        }
        const std::string_view word = text_.substr(at_, end - at_);
        if (is_hex_id(word)) {
            put(word.size(), "[0-9a-f]{7,128}", true);
        } else if (looks_random(word)) {
            put(word.size(), R"(\w+)", true);
        } else if (is_data(word)) {
            put(word.size(), kAnyName, plain());
        } else if (const std::string numbered = numbered_word(word); !numbered.empty()) {
            put(word.size(), numbered, plain());
        } else if (!word.empty()) {
            keep(word.size());
        } else {
            return false;
        }
        return true;
    }

    std::string_view text_;
    Width width_;
    const DataNames& names_;
    std::string component_;  // of a path
    bool is_text_ = false;   // code or several words: few dots in it are those of file names
    std::size_t at_ = 0;
    std::string kept_;
    ArgumentShape shape_;
};

}  // namespace

bool looks_random(std::string_view word) {
    static constexpr std::size_t kShortest = 6;
    static constexpr int kChanges = 3;
    std::size_t start = 0;
    while (start <= word.size()) {
        const std::size_t end = std::min(word.find_first_of("._-", start), word.size());
        const std::string_view piece = word.substr(start, end - start);
        int changes = 0;
        for (std::size_t i = 1; i < piece.size(); ++i) {
            changes += is_digit(piece[i]) != is_digit(piece[i - 1]) ? 1 : 0;
        }
        if (piece.size() >= kShortest && changes >= kChanges) {
            return true;
        }
        start = end + 1;
    }
    return false;
}

bool is_word(std::string_view argument) {
    static constexpr std::size_t kLongest = 40;
    return !argument.empty() && argument.size() <= kLongest && is_letter(argument[0]) &&
           std::all_of(argument.begin(), argument.end(),
                       [](char c) { return is_word_byte(c) || c == '-'; });
}

std::string quoted_regex(std::string_view bytes) {
    static constexpr std::string_view kSpecial = R"(\.+*?()|[]{}^$)";
    std::string text;
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '\n') {
            text += "\\n";
        } else if (byte < 0x20 || byte >= 0x7f) {
            text += "\\x";
            append_hex_byte(text, byte);
        } else {
            text += kSpecial.find(c) != std::string_view::npos ? "\\" : "";
            text += c;
        }
    }
    return text;
}

ArgumentShape shape_of(std::string_view argument, Width width, const DataNames& names) {
    // Longer than any path: a script or data, of which only itself is an example.
    static constexpr std::size_t kLongest = 4096;
    if (argument.size() > kLongest) {
        ArgumentShape itself;
        itself.regex = quoted_regex(argument);
        return itself;
    }
    return Shaper(argument, width, names).run();
}

void add_data_names(std::string_view argument, DataNames& names) {
    static const Finder kHost(R"([a-z][a-z0-9+.-]*://[\w.:@%\[\]-]*)");
    std::size_t at = 0;
    while (at < argument.size()) {
        const bool begins = at == 0 || (!is_word_byte(argument[at - 1]) && argument[at - 1] != '.');
        const std::size_t host = begins ? kHost.at_start(argument.substr(at)) : 0;
        if (host == 0 && (!begins || argument[at] != '/')) {
            ++at;
            continue;
        }
        std::size_t end = at + host;
        while (end < argument.size() && is_path_byte(argument[end])) {
            ++end;
        }
        const auto components = components_of(argument.substr(at + host, end - at - host));
        at = std::max(end, at + 1);
        if (components.empty()) {
            continue;
        }
        const std::size_t depth = host > 0 ? components.size() - 1 : folder_depth(components);
        const bool data = host > 0 || (!is_system_folder(components[0]) && components[0] != "tmp");
        if (data && depth < components.size()) {
            const std::string_view name = components[depth];
            const std::string_view stem = name.substr(0, name.size() - extension_of(name).size());
            if (names_data(stem)) {
                names.emplace(stem);
            }
        }
    }
}

}  // namespace execseal
