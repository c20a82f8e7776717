#include "hook/gate/secrets.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "config/digest.h"

namespace execseal {
namespace {

constexpr std::string_view kSpace = " \t\n\r";

bool is_name_byte(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
}

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string lowered(std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(), lower);
    return result;
}

std::string_view without_dashes(std::string_view name) {
    const std::size_t first = name.find_first_not_of('-');
    return first == std::string_view::npos ? std::string_view() : name.substr(first);
}

// "accessToken", "ACCESS-TOKEN", "access.token" -> "access_token".
std::string words_of(std::string_view name) {
    std::string words;
    bool small = false;  // the byte before was a small letter or a digit
    for (const char c : without_dashes(name)) {
        const bool capital = c >= 'A' && c <= 'Z';
        if (capital && small) {
            words += '_';
        }
        small = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        words += c == '-' || c == '.' ? '_' : lower(c);
    }
    return words;
}

bool is_built_in_name(std::string_view name) {
    const std::string words = words_of(name);
    const std::string last = words.substr(words.rfind('_') + 1);
    const bool alone = last.size() == words.size();
    // Where a secret is, not what it is.
    static constexpr std::array kPlaces{"file", "path", "dir", "store", "stdin"};
    if (std::find(kPlaces.begin(), kPlaces.end(), last) != kPlaces.end()) {
        return false;
    }
    if (last == "pwd" && alone) {
        return name.starts_with('-');  // $PWD is a folder
    }
    static constexpr std::array kAnywhere{
        "password", "passwd",     "passphrase", "secret",      "credential", "api_key",
        "apikey",   "access_key", "accesskey",  "private_key", "privatekey", "authorization"};
    if (std::any_of(kAnywhere.begin(), kAnywhere.end(),
                    [&](const char* word) { return words.find(word) != std::string::npos; })) {
        return true;
    }
    static constexpr std::array kLast{"pass",   "pwd", "auth", "cookie",
                                      "bearer", "jwt", "pat",  "pw"};
    const bool is_short = last == "pat" || last == "auth" || last == "pw";
    return last.ends_with("token") || last == "sshpass" ||
           (std::find(kLast.begin(), kLast.end(), last) != kLast.end() &&
            (!alone || !is_short || name.starts_with("--")));
}

// Where a value begins at `from` and ends: at its closing quote, else at a space or a delimiter of
// a query, a list or a command. A header's value goes to the end of its line or quote.
std::size_t value_end(std::string_view text, std::size_t from, bool whole_line, char quote) {
    if (quote != 0) {
        std::size_t end = from;
        while (end < text.size() && text[end] != quote) {
            end += quote == '"' && text[end] == '\\' ? 2 : 1;
        }
        return std::min(end, text.size());
    }
    const std::string_view ends = whole_line ? std::string_view("\"'\r\n") : " \t\r\n&;,\"'|)}";
    return std::min(text.find_first_of(ends, from), text.size());
}

// Beginnings of keys that services hand out, and what must follow of them.
struct KnownKey {
    std::string_view start;
    std::size_t least;
};
constexpr std::array kKnownKeys{
    KnownKey{"ghp_", 20},     KnownKey{"gho_", 20},      KnownKey{"ghs_", 20},
    KnownKey{"ghu_", 20},     KnownKey{"ghr_", 20},      KnownKey{"glpat-", 16},
    KnownKey{"xoxb-", 16},    KnownKey{"xoxp-", 16},     KnownKey{"xoxa-", 16},
    KnownKey{"AKIA", 16},     KnownKey{"ASIA", 16},      KnownKey{"AIza", 30},
    KnownKey{"sk_live_", 16}, KnownKey{"sk_test_", 16},  KnownKey{"rk_live_", 16},
    KnownKey{"xoxs-", 16},    KnownKey{"xapp-", 16},     KnownKey{"glrt-", 16},
    KnownKey{"pypi-", 32},    KnownKey{"hf_", 30},       KnownKey{"SG.", 40},
    KnownKey{"shpat_", 24},   KnownKey{"whsec_", 24},    KnownKey{"AGE-SECRET-KEY-", 32},
    KnownKey{"sk-", 32},      KnownKey{"npm_", 30},      KnownKey{"eyJ", 40},
    KnownKey{"hvs.", 20},     KnownKey{"dckr_pat_", 16}, KnownKey{"github_pat_", 20}};

std::size_t known_key_end(std::string_view text, std::size_t at) {
    if (at > 0 && is_name_byte(text[at - 1])) {
        return at;
    }
    const std::string_view rest = text.substr(at);
    for (const KnownKey& key : kKnownKeys) {
        if (!rest.starts_with(key.start)) {
            continue;
        }
        const auto end = std::find_if_not(rest.begin(), rest.end(), is_name_byte) - rest.begin();
        if (static_cast<std::size_t>(end) >= key.start.size() + key.least) {
            return at + static_cast<std::size_t>(end);
        }
    }
    return at;
}

std::string_view base_of(std::string_view path) {
    return path.substr(path.rfind('/') + 1);
}

bool is_shell_text_flag(std::string_view flag) {
    return flag.size() >= 2 && flag[0] == '-' && flag[1] != '-' && flag.ends_with('c');
}

// Programs whose short flags take a password: "-pVALUE" or "-p VALUE", and "-u USER:PASSWORD".
struct PasswordFlag {
    std::string_view program;  // its name begins so
    std::string_view flag;
    std::string_view subcommand{};  // only behind this word, one of the first
};
constexpr std::array kPasswordFlags{PasswordFlag{"sshpass", "-p"},
                                    PasswordFlag{"redis-cli", "-a"},
                                    PasswordFlag{"openssl", "-k"},
                                    PasswordFlag{"openssl", "-K"},
                                    PasswordFlag{"ldap", "-w"},
                                    PasswordFlag{"mongo", "-p"},
                                    PasswordFlag{"sqlcmd", "-P"},
                                    PasswordFlag{"zip", "-P"},
                                    PasswordFlag{"unzip", "-P"},
                                    PasswordFlag{"ipmitool", "-P"},
                                    PasswordFlag{"useradd", "-p"},
                                    PasswordFlag{"usermod", "-p"},
                                    PasswordFlag{"ssh-keygen", "-N"},
                                    PasswordFlag{"ssh-keygen", "-P"},
                                    PasswordFlag{"smbclient", "-U"},
                                    PasswordFlag{"http", "-a"},
                                    PasswordFlag{"twine", "-p"},
                                    PasswordFlag{"az", "-p", "login"},
                                    PasswordFlag{"rclone", "obscure"},
                                    PasswordFlag{"docker", "-p", "login"},
                                    PasswordFlag{"podman", "-p", "login"},
                                    PasswordFlag{"buildah", "-p", "login"},
                                    PasswordFlag{"skopeo", "-p", "login"},
                                    PasswordFlag{"nerdctl", "-p", "login"},
                                    PasswordFlag{"helm", "-p", "login"}};

// Asked for each of up to 262,144 arguments: not all of them are searched each time.
constexpr std::size_t kFirstWords = 16;

bool is_password_flag(std::string_view program, std::string_view flag,
                      std::span<const std::string> argv) {
    const auto first = argv.first(std::min(argv.size(), kFirstWords));
    return std::any_of(kPasswordFlags.begin(), kPasswordFlags.end(), [&](const auto& one) {
        return flag == one.flag && base_of(program).starts_with(one.program) &&
               (one.subcommand.empty() ||
                std::find(first.begin(), first.end(), one.subcommand) != first.end());
    });
}

// Not "-" and more than one byte: that may as well be a password.
bool looks_like_flag(std::string_view argument) {
    return argument.starts_with("--") || (argument.starts_with('-') && argument.size() <= 2);
}

// "npm config set //registry/:_authToken VALUE"
bool is_package_manager(std::string_view program) {
    static constexpr std::array kPrograms{"npm", "pnpm", "yarn"};
    return std::find(kPrograms.begin(), kPrograms.end(), base_of(program)) != kPrograms.end();
}

bool is_shell_separator(char c) {
    return std::string_view(";|&()`").find(c) != std::string_view::npos;
}
// Of a command in a shell's text; flags behind so many are not looked at.
constexpr std::size_t kMostWords = 256;

bool has_attached_password(std::string_view program, std::string_view argument) {
    const std::string_view base = base_of(program);
    return argument.size() > 2 && argument.starts_with("-p") &&
           (base.starts_with("mysql") || base.starts_with("mariadb") || base.starts_with("7z") ||
            base == "sshpass");
}
bool takes_user_and_password(std::string_view program, std::string_view flag) {
    static constexpr std::array kFlags{"-u", "--user", "-U", "--proxy-user"};
    return base_of(program) == "curl" &&
           std::find(kFlags.begin(), kFlags.end(), flag) != kFlags.end();
}
// "-uUSER:PASSWORD": where the user begins. 0: it is none.
std::size_t attached_user(std::string_view program, std::string_view argument) {
    for (const std::string_view flag : {"-u", "-U", "--user=", "--proxy-user="}) {
        if (argument.size() > flag.size() && argument.starts_with(flag) &&
            argument[flag.size()] != '-' && base_of(program) == "curl") {
            return flag.size();
        }
    }
    return 0;
}

}  // namespace

std::string secret_mark(std::string_view value) {
    return "<secret: " + std::to_string(value.size()) + " bytes, sha256 " + sha256_hex(value) + ">";
}

Result<Secrets> Secrets::compile(const std::vector<std::string>& names) {
    Secrets secrets;
    for (const std::string& name : names) {
        auto glob = Glob::compile(lowered(without_dashes(name)));
        if (!glob) {
            return add_context(name, glob.error());
        }
        secrets.names_.push_back(std::move(*glob));
    }
    return secrets;
}

bool Secrets::tells(std::string_view name) const {
    if (without_dashes(name).empty()) {
        return false;
    }
    if (is_built_in_name(name)) {
        return true;
    }
    const std::string low = lowered(without_dashes(name));
    return std::any_of(names_.begin(), names_.end(),
                       [&](const Glob& glob) { return glob.matches(low); });
}

namespace {

// Whether it begins with what secret_mark() gives, not with something that only looks so.
bool is_mark(std::string_view text) {
    static constexpr std::string_view kStart = "<secret: ";
    static constexpr std::string_view kMiddle = " bytes, sha256 ";
    static constexpr std::size_t kDigits = 64;
    if (!text.starts_with(kStart)) {
        return false;
    }
    text.remove_prefix(kStart.size());
    text.remove_prefix(std::min(text.find_first_not_of("0123456789"), text.size()));
    return text.starts_with(kMiddle) &&
           text.find_first_not_of("0123456789abcdef", kMiddle.size()) == kMiddle.size() + kDigits &&
           text[kMiddle.size() + kDigits] == '>';
}

// One pass over a text; keeps what is no secret.
class TextRedaction {
  public:
    TextRedaction(const Secrets& secrets, std::string_view text) : secrets_(secrets), text_(text) {}

    std::string run() {
        while (at_ < text_.size()) {
            // Of most bytes nothing can begin: 6 MiB of them are looked through.
            const char c = text_[at_];
            const bool begins = is_name_byte(c) && (at_ == 0 || !is_name_byte(text_[at_ - 1]));
            if (!(begins && (take_name() || take_key())) && !(c == ':' && take_url()) &&
                !(c == '-' && take_pem())) {
                ++at_;
            }
        }
        out_.append(text_.substr(kept_));
        return std::move(out_);
    }

  private:
    void replace(std::size_t from, std::size_t to) {
        if (to > from && !is_mark(text_.substr(from))) {
            out_.append(text_.substr(kept_, from - kept_));
            out_ += secret_mark(text_.substr(from, to - from));
            kept_ = to;
        }
        at_ = std::max(at_, to);
    }

    // At a name's first byte. NAME=value, NAME: value, --name value; the name may end with a quote,
    // as in JSON.
    bool take_name() {
        const std::size_t start = at_;
        std::size_t end = start;
        while (end < text_.size() && is_name_byte(text_[end])) {
            ++end;
        }
        const std::string_view name = text_.substr(start, end - start);
        std::size_t value = end;
        if (value < text_.size() && (text_[value] == '"' || text_[value] == '\'')) {
            ++value;
        }
        value = std::min(text_.find_first_not_of(kSpace, value), text_.size());
        const bool assigned = value < text_.size() && (text_[value] == '=' || text_[value] == ':');
        const bool flag =
            name.starts_with('-') && value > end && value < text_.size() && text_[value] != '-';
        // SQL: PASSWORD 'value'.
        const bool quoted =
            value > end && value < text_.size() && (text_[value] == '\'' || text_[value] == '"');
        if (take_identified_by(name, value)) {
            return true;
        }
        if ((!assigned && !flag && !quoted) || !secrets_.tells(name)) {
            return false;
        }
        const bool header = assigned && text_[value] == ':';
        value += assigned ? 1 : 0;
        value = std::min(text_.find_first_not_of(kSpace, value), text_.size());
        char quote = 0;
        if (value < text_.size() && (text_[value] == '"' || text_[value] == '\'')) {
            quote = text_[value++];
        }
        at_ = end;
        replace(value, value_end(text_, value, header && quote == 0, quote));
        return true;
    }

    // SQL: IDENTIFIED BY 'value', and PASSWORD FOR somebody = 'value'.
    bool take_identified_by(std::string_view name, std::size_t next) {
        static constexpr std::size_t kNear = 128;
        const std::string low = lowered(name.substr(0, kNear));
        const std::string after = low == "identified" || low == "password"
                                      ? lowered(text_.substr(next, kNear))
                                      : std::string();
        if (!after.starts_with(low == "identified" ? "by " : "for ")) {
            return false;
        }
        const std::size_t quote = after.find('\'');
        if (quote == std::string::npos) {
            return false;
        }
        const std::size_t value = next + quote + 1;
        replace(value, value_end(text_, value, false, '\''));
        return true;
    }

    // scheme://user:password@host
    bool take_url() {
        if (!text_.substr(at_).starts_with("://")) {
            return false;
        }
        at_ += 3;
        const std::size_t end = std::min(text_.find_first_of("/?# \t\r\n\"'", at_), text_.size());
        const std::string_view authority = text_.substr(at_, end - at_);
        const std::size_t host = authority.rfind('@');
        const std::size_t colon = authority.find(':');
        if (host != std::string_view::npos && colon < host) {
            replace(at_ + colon + 1, at_ + host);
        }
        return true;
    }

    // A key by its well-known beginning.
    bool take_key() {
        const std::size_t end = known_key_end(text_, at_);
        if (end == at_) {
            return false;
        }
        replace(at_, end);
        return true;
    }

    // A private key in PEM form.
    bool take_pem() {
        static constexpr std::string_view kBegin = "-----BEGIN ";
        static constexpr std::string_view kEnd = "-----END ";
        if (!text_.substr(at_).starts_with(kBegin)) {
            return false;
        }
        static constexpr std::size_t kLongestBegin = 64;
        if (text_.substr(at_, kLongestBegin).find("PRIVATE KEY-----") == std::string_view::npos) {
            return false;
        }
        replace(at_, std::min(text_.find(kEnd, at_), text_.size()));
        return true;
    }

    const Secrets& secrets_;
    std::string_view text_;
    std::size_t at_ = 0;
    std::size_t kept_ = 0;  // so much of the text is in out_ already
    std::string out_;
};

}  // namespace

std::string Secrets::redact_text(std::string_view text) const {
    return TextRedaction(*this, text).run();
}

std::string Secrets::redact_variable(std::string_view entry) const {
    const std::size_t equals = entry.find('=');
    if (equals != std::string_view::npos && equals + 1 < entry.size() &&
        tells(entry.substr(0, equals))) {
        return std::string(entry.substr(0, equals + 1)) + secret_mark(entry.substr(equals + 1));
    }
    return redact_text(entry);
}

// Word by word, so that the flags of the programs in it are known. A secret in quotes stays in
// them.
std::string Secrets::redact_shell(std::string_view text) const {
    std::string shown;
    std::vector<std::string> words;  // of one command
    std::size_t kept = 0;
    for (std::size_t at = 0; at < text.size();) {
        if (kSpace.find(text[at]) != std::string_view::npos || is_shell_separator(text[at])) {
            if (is_shell_separator(text[at]) || text[at] == '\n') {
                words.clear();
            }
            ++at;
            continue;
        }
        const char quote = text[at] == '\'' || text[at] == '"' ? text[at] : '\0';
        const std::size_t begin = at + (quote != '\0' ? 1 : 0);
        std::size_t end = begin;
        if (quote != '\0') {
            end = value_end(text, begin, false, quote);
        } else {
            while (end < text.size() && kSpace.find(text[end]) == std::string_view::npos &&
                   !is_shell_separator(text[end])) {
                ++end;
            }
        }
        at = std::max(at + 1, std::min(text.size(), end + (quote != '\0' ? 1 : 0)));
        const std::string_view word = text.substr(begin, end - begin);
        // NAME=value before the program.
        const bool assignment = words.empty() && word.find('=') != std::string_view::npos;
        if (assignment || words.size() > kMostWords) {
            continue;
        }
        words.emplace_back(word);
        if (auto mine = redact_by_flags(words.front(), words, words.size() - 1)) {
            shown += redact_text(text.substr(kept, begin - kept)) + *mine;
            kept = end;
        }
    }
    return shown + redact_text(text.substr(kept));
}

std::optional<std::string> Secrets::redact_by_flags(std::string_view program,
                                                    std::span<const std::string> argv,
                                                    std::size_t at) const {
    if (at == 0 || argv[at].empty()) {
        return std::nullopt;
    }
    const std::string_view argument = argv[at];
    const std::string_view before = argv[at - 1];
    if (is_password_flag(program, before, argv) ||
        (before.starts_with('-') && before.find('=') == std::string_view::npos && tells(before) &&
         !looks_like_flag(argument)) ||
        (is_package_manager(program) && tells(before))) {
        return secret_mark(argument);
    }
    if (has_attached_password(program, argument)) {
        return "-p" + secret_mark(argument.substr(2));
    }
    const std::size_t colon = argument.find(':');
    if (colon != std::string_view::npos &&
        (takes_user_and_password(program, before) || attached_user(program, argument) != 0)) {
        return std::string(argument.substr(0, colon + 1)) + secret_mark(argument.substr(colon + 1));
    }
    return std::nullopt;
}

std::string Secrets::redact_argument(std::string_view program, std::span<const std::string> argv,
                                     std::size_t at) const {
    const std::string_view argument = argv[at];
    if (at > 0 && is_shell_text_flag(argv[at - 1])) {
        return redact_shell(argument);
    }
    if (auto mine = redact_by_flags(program, argv, at)) {
        return *mine;
    }
    // As a whole: the value of a flag or a variable may hold spaces.
    const std::size_t equals = argument.find('=');
    const bool name =
        equals != std::string_view::npos && equals > 0 &&
        std::all_of(argument.begin(), argument.begin() + static_cast<long>(equals), is_name_byte);
    return name ? redact_variable(argument) : redact_text(argument);
}

}  // namespace execseal
