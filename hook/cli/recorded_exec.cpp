#include "hook/cli/recorded_exec.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <iterator>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "config/condition_facts.h"
#include "hook/cli/event.h"
#include "hook/gate/audit.h"

namespace execseal {
namespace {

using nlohmann::ordered_json;

enum class Key {
    kOther,
    kTime,
    kEvent,
    kContainer,
    kId,
    kName,
    kPod,
    kPolicy,
    kPolicySha256,
    kUid,
    kGid,
    kExe,
    kArgv,
    kNames,
    kLooseLink,
    kThrough,
    kViews,
    kRole,
    kHead,
    kRest,
    kRequested,
    kCwd,
    kCwdNames,
    kVia,
    kEnv,
    kEnvOf,
    kEnvCut,
    kArgvCut,
    kNamesCut,
    kRedacted,
    kVerdict,
    kWouldBe,
    kRule,
    kDecidedBy,
    kReason,
    kOutcome,
    kErrno,
    kRaceDetected,
    kDepth,
    kAbove,
    kAboveCut,
    kAboveUnknown,
    kUnproved,
    kHex,
};

struct KnownKey {
    std::string_view name;
    Key key = Key::kOther;
};

// All that supervisors write into the event of an exec. The first one stands for any other.
constexpr KnownKey kKeys[] = {
    {"", Key::kOther},
    {"time", Key::kTime},
    {"event", Key::kEvent},
    {"container", Key::kContainer},
    {"id", Key::kId},
    {"name", Key::kName},
    {"pod", Key::kPod},
    {"policy", Key::kPolicy},
    {"policy_sha256", Key::kPolicySha256},
    {"uid", Key::kUid},
    {"gid", Key::kGid},
    {"exe", Key::kExe},
    {"argv", Key::kArgv},
    {"names", Key::kNames},
    {"loose_link", Key::kLooseLink},
    {"through", Key::kThrough},
    {"views", Key::kViews},
    {"role", Key::kRole},
    {"head", Key::kHead},
    {"rest", Key::kRest},
    {"requested", Key::kRequested},
    {"cwd", Key::kCwd},
    {"cwd_names", Key::kCwdNames},
    {"via", Key::kVia},
    {"env", Key::kEnv},
    {"env_of", Key::kEnvOf},
    {"env_cut", Key::kEnvCut},
    {"argv_cut", Key::kArgvCut},
    {"head_cut", Key::kArgvCut},
    {"names_cut", Key::kNamesCut},
    {"cwd_names_cut", Key::kNamesCut},
    {"redacted", Key::kRedacted},
    {"verdict", Key::kVerdict},
    {"would_be", Key::kWouldBe},
    {"rule", Key::kRule},
    {"decided_by", Key::kDecidedBy},
    {"reason", Key::kReason},
    {"outcome", Key::kOutcome},
    {"errno", Key::kErrno},
    {"race_detected", Key::kRaceDetected},
    {"depth", Key::kDepth},
    {"above", Key::kAbove},
    {"above_cut", Key::kAboveCut},
    {"above_unknown", Key::kAboveUnknown},
    {"unproved", Key::kUnproved},
    {"hex", Key::kHex},
    {"annotations", Key::kOther},
    {"claimed", Key::kOther},
    {"host_pid", Key::kOther},
    {"container_pid", Key::kOther},
    {"ppid", Key::kOther},
    {"field", Key::kOther},
    {"frozen_tasks", Key::kOther},
    {"frozen_us", Key::kOther},
    {"unfrozen_tasks", Key::kOther},
    {"raced", Key::kOther},
    {"latency_us", Key::kOther},
};

// Finds keys. Members mostly come in the order in which they came the last time.
class KeyFinder {
  public:
    // The key at the beginning of `text`, behind its quote, if it is the one that was to be
    // expected. Its text, its closing quote included, is known_text() long.
    bool expected(std::string_view text) {
        const std::string_view name = kKeys[followers_[last_]].name;
        if (name.empty() || text.size() <= name.size() || text[name.size()] != '"' ||
            !text.starts_with(name)) {
            return false;
        }
        last_ = followers_[last_];
        return true;
    }
    Key find(std::string_view name) {
        static const std::unordered_map<std::string_view, std::size_t> kPlaces = [] {
            std::unordered_map<std::string_view, std::size_t> places;
            for (std::size_t i = 0; i < std::size(kKeys); ++i) {
                places.emplace(kKeys[i].name, i);
            }
            return places;
        }();
        const auto found = kPlaces.find(name);
        const std::size_t place = found == kPlaces.end() ? 0 : found->second;
        followers_[last_] = place;
        last_ = place;
        return kKeys[place].key;
    }
    [[nodiscard]] const KnownKey& last() const { return kKeys[last_]; }

  private:
    std::array<std::size_t, std::size(kKeys)> followers_{};
    std::size_t last_ = 0;
};

// More than any event has: a line may be anybody's.
constexpr std::size_t kMostAbove = 256;

struct RecordedView {
    std::string role;
    std::vector<std::string> head;
    std::vector<std::string> names;
    std::string loose_link;
    std::size_t rest = 0;
};

// What nlohmann-json's parser calls, value by value.
class LineReader {
  public:
    // `result` is a new one and outlives this.
    LineReader(RecordedExec& result, KeyFinder& keys)
        : exec(result), facts(exec.facts.emplace()), keys_(keys) {
        facts.views.emplace_back();
    }

    using number_integer_t = ordered_json::number_integer_t;
    using number_unsigned_t = ordered_json::number_unsigned_t;
    using number_float_t = ordered_json::number_float_t;
    using string_t = ordered_json::string_t;
    using binary_t = ordered_json::binary_t;

    // NOLINTBEGIN(readability-convert-member-functions-to-static): the parser's interface
    bool null() { return true; }
    bool boolean(bool value) {
        if (depth_ == 1 && path_[0] == Key::kRedacted) {
            exec.redacted = value;
        } else if (depth_ == 1 && path_[0] == Key::kAboveUnknown) {
            above_unknown = value;
        } else if (depth_ == 2 && path_[0] == Key::kAbove && path_[1] == Key::kUnproved &&
                   !above.empty()) {
            above.back().proved = !value;
        }
        return true;
    }
    bool number_integer(number_integer_t /*value*/) { return true; }
    bool number_float(number_float_t /*value*/, const string_t& /*text*/) { return true; }
    bool binary(binary_t& /*value*/) { return false; }
    bool start_array(std::size_t /*size*/) { return true; }
    bool end_array() { return true; }
    bool parse_error(std::size_t /*at*/, const std::string& /*token*/,
                     const nlohmann::detail::exception& /*error*/) {
        return false;
    }
    // NOLINTEND(readability-convert-member-functions-to-static)
    bool number_unsigned(number_unsigned_t value) {
        if (depth_ == 2 && path_[0] == Key::kViews && path_[1] == Key::kRest && !views.empty()) {
            views.back().rest = value;
        } else if (depth_ == 1) {
            take_number(path_[0], value);
        }
        return true;
    }
    bool string(std::string_view text) {
        if (depth_ > 1 && depth_ <= path_.size() && path_[depth_ - 1] == Key::kHex) {
            take(depth_ - 1, bytes_from_json(ordered_json{{"hex", text}}));
        } else {
            take(depth_, text);
        }
        return true;
    }
    bool start_object(std::size_t /*size*/) {
        if (depth_ == 1 && path_[0] == Key::kViews) {
            views.emplace_back();
        } else if (depth_ == 1 && path_[0] == Key::kAbove) {
            above.emplace_back();
            exec.lineage_cut = exec.lineage_cut || above.size() > kMostAbove;
        } else if (depth_ == 1 || (depth_ == 2 && path_[0] == Key::kViews)) {
            const Key what = path_[depth_ - 1];
            exec.arguments_cut = exec.arguments_cut || what == Key::kArgvCut;
            exec.names_cut = exec.names_cut || what == Key::kNamesCut;
            exec.environment_cut = exec.environment_cut || what == Key::kEnvCut;
            exec.lineage_cut = exec.lineage_cut || what == Key::kAboveCut;
            exec.race_detected = exec.race_detected || what == Key::kRaceDetected;
        }
        ++depth_;
        return true;
    }
    bool end_object() {
        --depth_;
        return true;
    }
    bool key(std::string_view name) {
        known_key(keys_.find(name));
        return true;
    }
    void known_key(Key key) {
        if (depth_ <= path_.size()) {
            path_[depth_ - 1] = key;
        }
    }

    // Whether string() would take a text here.
    [[nodiscard]] bool wants_text() const {
        return depth_ == 0 || depth_ > path_.size() ||
               (path_[depth_ - 1] != Key::kOther && path_[0] != Key::kOther);
    }
    [[nodiscard]] bool is_environment() const { return depth_ == 1 && path_[0] == Key::kEnv; }

    RecordedExec& exec;
    ExecFacts& facts;  // of exec; it has the program's view, the others are in `views`
    std::vector<std::string> through;
    std::vector<RecordedView> views;
    std::vector<ExecutedProgram> above;
    bool above_unknown = false;
    std::string event;
    std::string via;

  private:
    void take_number(Key key, number_unsigned_t value) {
        if (key == Key::kUid) {
            facts.uid = static_cast<uid_t>(value);
        } else if (key == Key::kGid) {
            facts.gid = static_cast<gid_t>(value);
        } else if (key == Key::kErrno) {
            exec.error = static_cast<int>(value);
        } else if (key == Key::kDepth) {
            facts.lineage.depth = static_cast<std::uint32_t>(value);
            exec.lineage_missing = false;
        }
    }

    void take(std::size_t depth, std::string_view text) {
        if (depth == 1) {
            take_member(path_[0], text);
        } else if (depth == 2 && path_[0] == Key::kContainer) {
            take_container(text);
        } else if (depth == 2 && path_[0] == Key::kViews && !views.empty()) {
            take_view(text);
        } else if (depth == 2 && path_[0] == Key::kAbove && !above.empty()) {
            take_above(text);
        }
    }

    void take_above(std::string_view text) {
        if (path_[1] == Key::kExe) {
            above.back().exe = text;
        } else if (path_[1] == Key::kNames) {
            above.back().names.emplace_back(text);
        }
    }

    void take_container(std::string_view text) {
        if (path_[1] == Key::kId) {
            exec.container_id = text;
        } else if (path_[1] == Key::kName) {
            exec.container_name = text;
        } else if (path_[1] == Key::kPod) {
            exec.pod = text;
        }
    }

    void take_view(std::string_view text) {
        RecordedView& view = views.back();
        if (path_[1] == Key::kRole) {
            view.role = text;
        } else if (path_[1] == Key::kHead) {
            view.head.emplace_back(text);
        } else if (path_[1] == Key::kNames) {
            view.names.emplace_back(text);
        } else if (path_[1] == Key::kLooseLink) {
            view.loose_link = text;
        }
    }

    // Lists come string by string.
    void take_member(Key key, std::string_view text) {
        if (std::vector<std::string>* const list = list_of(key)) {
            list->emplace_back(text);
        } else if (std::string* const place = place_of(key)) {
            *place = text;
        }
    }

    std::vector<std::string>* list_of(Key key) {
        switch (key) {
            case Key::kArgv:
                return &facts.views.front().argv;
            case Key::kNames:
                return &facts.views.front().names;
            case Key::kThrough:
                return &through;
            case Key::kEnv:
                return &facts.env;
            case Key::kEnvOf:
                return &exec.env_of;
            case Key::kCwdNames:
                return &facts.cwd_names;
            default:
                return nullptr;
        }
    }

    std::string* place_of(Key key) {
        switch (key) {
            case Key::kTime:
                return &exec.time;
            case Key::kEvent:
                return &event;
            case Key::kId:
                return &exec.id;
            case Key::kPolicy:
                return &exec.policy;
            case Key::kPolicySha256:
                return &exec.policy_sha256;
            case Key::kExe:
                return &facts.views.front().exe;
            case Key::kLooseLink:
                return &facts.views.front().loose_link;
            case Key::kRequested:
                return &exec.requested;
            case Key::kCwd:
                return &facts.cwd;
            case Key::kVia:
                return &via;
            default:
                return judged_place_of(key);
        }
    }

    std::string* judged_place_of(Key key) {
        switch (key) {
            case Key::kVerdict:
                return &exec.verdict;
            case Key::kWouldBe:
                return &exec.would_be;
            case Key::kRule:
                return &exec.rule;
            case Key::kDecidedBy:
                return &exec.decided_by;
            case Key::kReason:
                return &exec.reason;
            case Key::kOutcome:
                return &exec.outcome;
            default:
                return nullptr;
        }
    }

    KeyFinder& keys_;
    std::array<Key, 4> path_{};
    std::size_t depth_ = 0;
};

// The environments that were read last: most execs have one that another has had.
class Environments {
  public:
    // Whether `text` begins with the list of one of them.
    bool take(std::string_view text, std::vector<std::string>& environment) {
        for (const Known& known : known_) {
            if (!known.text.empty() && text.starts_with(known.text)) {
                environment = known.environment;
                size_ = known.text.size();
                return true;
            }
        }
        return false;
    }
    // Of the list that was taken.
    [[nodiscard]] std::size_t size() const { return size_; }

    void keep(std::string_view text, const std::vector<std::string>& environment) {
        known_[next_] = {std::string(text), environment};
        next_ = (next_ + 1) % known_.size();
    }

  private:
    struct Known {
        std::string text;  // from behind its "[" to its "]"
        std::vector<std::string> environment;
    };
    std::array<Known, 4> known_;
    std::size_t next_ = 0;
    std::size_t size_ = 0;
};

// The plain JSON that supervisors write, faster than a parser for all of JSON. Says no where there
// is anything else in it; then that parser is asked.
class PlainScanner {
  public:
    PlainScanner(std::string_view text, LineReader& reader, KeyFinder& keys,
                 Environments& environments)
        : text_(text), reader_(reader), keys_(keys), environments_(environments) {}

    bool scan() {
        static constexpr int kDepth = 8;
        return value(kDepth) && at_ == text_.size();
    }

  private:
    [[nodiscard]] bool take(char c) {
        const bool there = at_ < text_.size() && text_[at_] == c;
        at_ += there ? 1 : 0;
        return there;
    }
    [[nodiscard]] bool take(std::string_view word) {
        const bool there = text_.substr(at_).starts_with(word);
        at_ += there ? word.size() : 0;
        return there;
    }

    bool value(int depth) {
        if (depth == 0) {
            return false;
        }
        if (take('{')) {
            return object(depth);
        }
        if (take('[')) {
            return array(depth);
        }
        if (at_ < text_.size() && text_[at_] == '"') {
            return string() && (!reader_.wants_text() || reader_.string(string_));
        }
        if (take("true") || take("false")) {
            return reader_.boolean(text_[at_ - 2] == 'u');
        }
        return take("null") ? reader_.null() : number();
    }

    bool object(int depth) {
        (void)reader_.start_object(0);
        if (take('}')) {
            return reader_.end_object();
        }
        do {
            if (!key() || !take(':') || !value(depth - 1)) {
                return false;
            }
        } while (take(','));
        return take('}') && reader_.end_object();
    }

    bool key() {
        if (at_ < text_.size() && text_[at_] == '"' && keys_.expected(text_.substr(at_ + 1))) {
            at_ += keys_.last().name.size() + 2;
            reader_.known_key(keys_.last().key);
            return true;
        }
        return string() && reader_.key(string_);
    }

    bool array(int depth) {
        const std::size_t start = at_;
        const bool environment = reader_.is_environment() && reader_.facts.env.empty();
        if (environment && environments_.take(text_.substr(at_), reader_.facts.env)) {
            at_ += environments_.size();
            return true;
        }
        const bool taken = any_array(depth);
        if (taken && environment) {
            environments_.keep(text_.substr(start, at_ - start), reader_.facts.env);
        }
        return taken;
    }

    bool any_array(int depth) {
        (void)reader_.start_array(0);
        if (take(']')) {
            return reader_.end_array();
        }
        do {
            if (!value(depth - 1)) {
                return false;
            }
        } while (take(','));
        return take(']') && reader_.end_array();
    }

    bool number() {
        std::uint64_t number = 0;
        const char* const start = text_.data() + at_;
        const auto [end, code] = std::from_chars(start, text_.data() + text_.size(), number);
        const bool zeros = end - start > 1 && *start == '0';
        if (code != std::errc{} || zeros) {
            return false;
        }
        at_ += static_cast<std::size_t>(end - start);
        return reader_.number_unsigned(number);
    }

    // Into string_, which is good for as long as the text, or until the next one.
    bool string() {
        if (!take('"')) {
            return false;
        }
        const std::size_t start = at_;
        at_ = behind_plain(at_);
        if (at_ < text_.size() && text_[at_] == '"') {
            string_ = text_.substr(start, at_ - start);
            ++at_;
            return true;
        }
        while (at_ < text_.size() && text_[at_] != '"') {
            at_ += text_[at_] == '\\' && at_ + 1 < text_.size() ? 2 : 1;
        }
        if (at_ >= text_.size()) {
            return false;
        }
        ++at_;
        return unescape(text_.substr(start, at_ - 1 - start));
    }

    // The first place from `at` on where something stands that is not plain.
    [[nodiscard]] std::size_t behind_plain(std::size_t at) const {
        while (at + sizeof(std::uint64_t) <= text_.size() && is_plain(text_.data() + at)) {
            at += sizeof(std::uint64_t);
        }
        while (at < text_.size() && kPlain[static_cast<unsigned char>(text_[at])]) {
            ++at;
        }
        return at;
    }

    // Whether eight bytes are plain, all at once: the high bit of each byte says what it is not.
    static bool is_plain(const char* text) {
        static constexpr std::uint64_t kOnes = 0x0101010101010101;
        static constexpr std::uint64_t kHighs = kOnes * 0x80;
        std::uint64_t bytes = 0;
        std::memcpy(&bytes, text, sizeof(bytes));
        const auto zeros = [](std::uint64_t word) { return (word - kOnes) & ~word; };
        const std::uint64_t below_space = (bytes - kOnes * ' ') & ~bytes;
        const std::uint64_t deleted = bytes + kOnes;  // 0x7f
        return ((bytes | deleted | below_space | zeros(bytes ^ kOnes * '"') |
                 zeros(bytes ^ kOnes * '\\')) &
                kHighs) == 0;
    }

    bool unescape(std::string_view raw) {
        unescaped_.clear();
        for (std::size_t i = 0; i < raw.size(); ++i) {
            const std::size_t plain = i;
            while (i < raw.size() && kPlain[static_cast<unsigned char>(raw[i])]) {
                ++i;
            }
            unescaped_.append(raw, plain, i - plain);
            if (i == raw.size()) {
                break;
            }
            static constexpr std::string_view kEscapes = "\"\\/bfnrt";
            static constexpr std::string_view kMeant = "\"\\/\b\f\n\r\t";
            const std::size_t escape =
                raw[i] == '\\' ? kEscapes.find(raw[i + 1]) : std::string_view::npos;
            if (escape == std::string_view::npos) {
                return parse_string(raw);
            }
            unescaped_ += kMeant[escape];
            ++i;
        }
        string_ = unescaped_;
        return true;
    }

    // Whatever else may stand in one.
    bool parse_string(std::string_view raw) {
        const auto token =
            ordered_json::parse(raw.data() - 1, raw.data() + raw.size() + 1, nullptr, false);
        if (!token.is_string()) {
            return false;
        }
        unescaped_ = token.get<std::string>();
        string_ = unescaped_;
        return true;
    }

    // Stands for itself: ASCII that is printed, but for the backslash and the quote.
    static constexpr std::array<bool, 256> kPlain = [] {
        std::array<bool, 256> plain{};
        for (std::size_t i = ' '; i <= '~'; ++i) {
            plain[i] = i != '\\' && i != '"';
        }
        return plain;
    }();

    std::string_view text_;
    LineReader& reader_;
    KeyFinder& keys_;
    Environments& environments_;
    std::size_t at_ = 0;
    std::string_view string_;
    std::string unescaped_;
};

void put_views(LineReader& reader) {
    ExecFacts& facts = reader.facts;
    reader.exec.programs_unknown =
        !reader.through.empty() && reader.views.size() != reader.through.size();
    facts.views.reserve(1 + reader.through.size());
    const std::vector<std::string>& own = facts.views.front().argv;
    for (std::size_t i = 0; i < reader.through.size(); ++i) {
        ProgramView& view = facts.views.emplace_back();
        view.exe = std::move(reader.through[i]);
        view.role = ViewRole::kInterpreter;
        if (!reader.exec.programs_unknown) {
            RecordedView& recorded = reader.views[i];
            view.role = view_role_named(recorded.role);
            view.argv = std::move(recorded.head);
            const std::size_t rest = std::min(recorded.rest, own.size());
            view.argv.insert(view.argv.end(), own.end() - static_cast<std::ptrdiff_t>(rest),
                             own.end());
            view.names = std::move(recorded.names);
            view.loose_link = std::move(recorded.loose_link);
        }
    }
}

void put_lineage(LineReader& reader) {
    Lineage& lineage = reader.facts.lineage;
    reader.above.resize(std::min(reader.above.size(), kMostAbove));
    for (auto program = reader.above.rbegin(); program != reader.above.rend(); ++program) {
        lineage = below(std::move(*program), lineage);
    }
    lineage.whole = !reader.exec.lineage_missing && !reader.above_unknown;
}

void complete_facts(LineReader& reader) {
    const auto via = via_named(reader.via);
    if (reader.facts.views.front().exe.empty() || !via) {
        reader.exec.facts.reset();
        return;
    }
    put_views(reader);
    put_lineage(reader);
    reader.facts.via = *via;
    reader.facts.requested_path = reader.exec.requested;
}

// The kind; an Exec without its facts where it is no exec.
LineKind take_exec(LineReader& reader) {
    if (reader.exec.time.empty() || reader.event.empty() || reader.exec.container_id.empty()) {
        return LineKind::kForeign;
    }
    if (reader.event == "summary") {
        return LineKind::kSummary;
    }
    if (reader.event != "exec") {
        return LineKind::kOther;
    }
    complete_facts(reader);
    return LineKind::kExec;
}

LineKind read_line(std::string_view line, RecordedExec& exec) {
    // Only a memory of what was read: the same lines give the same execs.
    thread_local Environments environments;
    thread_local KeyFinder keys;
    {
        LineReader reader(exec, keys);
        if (PlainScanner(line, reader, keys, environments).scan()) {
            return take_exec(reader);
        }
    }
    exec = {};
    LineReader reader(exec, keys);
    return ordered_json::sax_parse(line.begin(), line.end(), &reader) ? take_exec(reader)
                                                                      : LineKind::kForeign;
}

SummedUp summary_of(std::string_view line) {
    SummedUp summary;
    const auto event = parse_event(line);
    if (!event) {
        return summary;
    }
    const auto count = event->json.find("count");
    if (count != event->json.end() && count->is_number_unsigned()) {
        summary.execs = count->get<std::uint64_t>();
    }
    const auto kinds = event->json.find("kinds");
    if (kinds == event->json.end() || !kinds->is_array()) {
        return summary;
    }
    for (const ordered_json& kind : *kinds) {
        if (!kind.is_object() || !kind.contains("first") || !kind["first"].is_object()) {
            continue;
        }
        ordered_json example = kind["first"];
        for (const char* const key : {"time", "container", "policy", "policy_sha256"}) {
            if (event->json.contains(key)) {
                example[key] = event->json[key];
            }
        }
        example["event"] = "exec";
        RecordedLine one = read_recorded_line(
            example.dump(-1, ' ', false, ordered_json::error_handler_t::replace));
        if (one.kind == LineKind::kExec) {
            summary.examples.push_back(std::move(one.exec));
        }
    }
    return summary;
}

}  // namespace

RecordedLine read_recorded_line(std::string_view line) {
    RecordedLine result;
    result.kind = read_line(line, result.exec);
    if (result.kind == LineKind::kSummary) {
        result.summary = summary_of(line);
    }
    if (result.kind != LineKind::kExec) {
        result.exec = {};
    }
    return result;
}

std::optional<AroundSecret> around_secret(std::string_view text) {
    static constexpr std::string_view kMark = "<secret: ";
    const std::size_t first = text.find(kMark);
    if (first == std::string_view::npos) {
        return std::nullopt;
    }
    const std::size_t end = text.find('>', text.rfind(kMark));
    return AroundSecret{text.substr(0, first),
                        end == std::string_view::npos ? "" : text.substr(end + 1)};
}

bool was_run(const RecordedExec& exec) {
    return (exec.verdict == "allow" || exec.verdict == "audit") && !exec.race_detected &&
           (exec.outcome == "executed" || exec.outcome == "failed" || exec.outcome == "checked");
}

}  // namespace execseal
