#include "hook/cli/learnt_arguments.h"

#include <algorithm>
#include <map>
#include <optional>

#include "hook/cli/learnt_rules.h"
#include "hook/gate/json_line.h"

namespace execseal {
namespace {

using nlohmann::ordered_json;

// How much variety makes a list of words a kind of word, and when forms are told one by one.
struct Limits {
    std::size_t forms;     // "exact" rules of one subcommand
    std::size_t values;    // distinct words behind one flag
    std::size_t words;     // distinct words elsewhere
    std::size_t texts;     // distinct texts of several words behind one flag
    std::size_t examples;  // of a kind that is not plain from one
};

Limits limits_of(Width width) {
    switch (width) {
        case Width::kStrict:
            return {12, 8, 60, 6, 4};
        case Width::kNarrow:
            return {12, 8, 60, 6, 2};
        case Width::kDefault:
            return {3, 3, 12, 2, 2};
        case Width::kLoose:
            return {1, 2, 4, 1, 1};
    }
    return {12, 8, 60, 6, 4};
}

bool is_flag(std::string_view argument) {
    return argument.size() > 1 && argument[0] == '-' && argument != "--";
}

// What follows is code: never any text.
bool takes_code(std::string_view flag) {
    return is_flag(flag) && (flag == "--eval" || flag == "--command" || flag == "--execute" ||
                             (flag[1] != '-' && (flag.ends_with('c') || flag.ends_with('e'))));
}

// user.name=T, as in `git -c user.name=T`: no code.
bool is_setting(std::string_view argument) {
    const std::size_t name = argument.find_first_not_of(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    return name != 0 && name != std::string_view::npos && argument[name] == '=';
}

// One argument as a rule tells it.
struct Word {
    std::string key;  // equal for equal patterns
    ordered_json json;
    ordered_json anywhere;  // where it has no place of its own; null: as `json`
    bool literal = true;
    ArgumentShape shape;
};

Word literal_word(const std::string& argument) {
    Word word;
    word.json = bytes_to_json(argument);
    word.key = "=" + argument;
    return word;
}

Word regex_word(const std::string& regex) {
    Word word;
    word.json = ordered_json{{"regex", regex}};
    word.key = "~" + regex;
    word.literal = false;
    return word;
}

// Around a secret: whatever it was.
Word secret_word(const AroundSecret& around) {
    Word word;
    word.json =
        ordered_json{{"glob", quoted_glob(around.before) + "**" + quoted_glob(around.after)}};
    word.key = "*" + word.json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
    word.literal = false;
    return word;
}

struct Form {
    std::vector<Word> words;
    std::vector<const ObservedExec*> execs;
    // The same pattern again and again, a list of files: tomorrow's may be longer or shorter.
    std::size_t run_start = 0;
    std::size_t run_size = 0;

    [[nodiscard]] std::uint64_t count() const {
        std::uint64_t count = 0;
        for (const ObservedExec* const one : execs) {
            count += one->count;
        }
        return count;
    }
    [[nodiscard]] std::string key() const {
        std::string key;
        for (std::size_t i = 0; i < words.size(); ++i) {
            const bool repeated = i > run_start && i < run_start + run_size;
            key += repeated ? "" : words[i].key + '\0';
        }
        return key;
    }
    void find_run() {
        static constexpr std::size_t kShortest = 3;
        for (std::size_t i = 0; i < words.size();) {
            std::size_t end = i + 1;
            while (end < words.size() && words[end].key == words[i].key) {
                ++end;
            }
            if (!words[i].literal && end - i >= kShortest && end - i > run_size) {
                run_start = i;
                run_size = end - i;
            }
            i = end;
        }
    }
};

std::vector<std::string> arguments_of(const ObservedExec& observed) {
    const auto& argv = observed.exec.facts->views.front().argv;
    return argv.empty() ? std::vector<std::string>()
                        : std::vector<std::string>(argv.begin() + 1, argv.end());
}

// The forms of one subcommand's execs.
class Forms {
  public:
    Forms(const std::vector<const ObservedExec*>& execs, Width width, const DataNames& names,
          std::string subcommand)
        : width_(width),
          limits_(limits_of(width)),
          names_(names),
          subcommand_(std::move(subcommand)) {
        for (const ObservedExec* const one : execs) {
            learn(arguments_of(*one));
        }
        for (const ObservedExec* const one : execs) {
            Form form = form_of(arguments_of(*one));
            const auto [found, made] = by_key_.try_emplace(form.key(), forms_.size());
            if (made) {
                forms_.push_back(std::move(form));
            }
            forms_[found->second].execs.push_back(one);
        }
    }

    std::vector<Form> forms() && { return std::move(forms_); }

  private:
    static std::string before(const std::vector<std::string>& arguments, std::size_t at) {
        return at > 0 && is_flag(arguments[at - 1]) &&
                       arguments[at - 1].find('=') == std::string::npos
                   ? arguments[at - 1]
                   : "";
    }

    void learn(const std::vector<std::string>& arguments) {
        for (std::size_t i = 0; i < arguments.size(); ++i) {
            const std::string& argument = arguments[i];
            const auto [found, made] = shapes_.try_emplace(argument);
            if (made) {
                found->second = shape_of(argument, width_, names_);
            }
            const ArgumentShape& shape = found->second;
            if (shape.general) {
                examples_[shape.regex].insert(argument);
            }
            const std::string flag = before(arguments, i);
            code_ = code_ || (takes_code(argument) && i + 1 < arguments.size() &&
                              !is_setting(arguments[i + 1]));
            if (shape.spaced) {
                texts_[flag].insert(argument);
            }
            if (shape.word && i > 0) {
                (flag.empty() ? words_ : values_[flag]).insert(argument);
            }
        }
    }

    Form form_of(const std::vector<std::string>& arguments) {
        Form form;
        for (std::size_t i = 0; i < arguments.size(); ++i) {
            form.words.push_back(word_of(arguments, i));
        }
        if (width_ != Width::kStrict) {
            form.find_run();
        }
        return form;
    }

    Word word_of(const std::vector<std::string>& arguments, std::size_t at) {
        const std::string& argument = arguments[at];
        if (const auto around = around_secret(argument)) {
            return secret_word(*around);
        }
        if (argument == subcommand_) {
            return literal_word(argument);
        }
        const ArgumentShape& shape = shapes_.at(argument);
        const std::string flag = before(arguments, at);
        if (shape.spaced && !code_ && texts_[flag].size() >= limits_.texts) {
            Word word = regex_word(kAnyText);
            word.anywhere = ordered_json{{"regex", kAnyWords}};
            return word;
        }
        if (shape.word && at > 0 && !flag.empty() && !takes_code(flag) &&
            values_[flag].size() >= limits_.values) {
            return regex_word(kAnyWord);
        }
        if (shape.word && at > 0 && flag.empty() && words_.size() > limits_.words) {
            return regex_word(kAnyWord);
        }
        if (shape.general && (shape.certain || examples_[shape.regex].size() >= limits_.examples)) {
            return regex_word(shape.regex);
        }
        return literal_word(argument);
    }

    Width width_;
    Limits limits_;
    const DataNames& names_;
    std::string subcommand_;  // empty: none
    std::map<std::string, ArgumentShape> shapes_;
    std::map<std::string, std::set<std::string>> examples_;
    std::map<std::string, std::set<std::string>> values_;
    std::map<std::string, std::set<std::string>> texts_;
    std::set<std::string> words_;
    bool code_ = false;  // some of them take code, which any text may be
    std::map<std::string, std::size_t> by_key_;
    std::vector<Form> forms_;
};

// A rule's list takes no program's name as its first literal ("prefix": ["git", ...]).
ordered_json first_json(const Word& word, const std::string& program) {
    if (word.literal && word.json.is_string()) {
        const std::string text = word.json.get<std::string>();
        if (text.substr(text.rfind('/') + 1) == program) {
            return {{"regex", quoted_regex(text)}};
        }
    }
    return word.json;
}

ordered_json exact_of(const Form& form, const std::string& program) {
    auto list = ordered_json::array();
    for (const Word& word : form.words) {
        list.push_back(list.empty() ? first_json(word, program) : word.json);
    }
    return {{"exact", std::move(list)}};
}

// Where a subcommand stands behind global flags.
struct Subcommand {
    std::string word;
    std::set<std::string> with_values;
    std::set<std::string> flags;
    bool behind_flags = false;

    void take_globals(const std::vector<std::string>& arguments, std::size_t at) {
        behind_flags = behind_flags || at > 0;
        for (std::size_t i = 0; i < at; ++i) {
            if (!is_flag(arguments[i])) {
                continue;
            }
            const std::size_t equals = arguments[i].find('=');
            if (equals != std::string::npos) {
                with_values.insert(arguments[i].substr(0, equals));
            } else if (i + 1 < at && !is_flag(arguments[i + 1])) {
                with_values.insert(arguments[i]);
            } else {
                flags.insert(arguments[i]);
            }
        }
    }
    [[nodiscard]] ordered_json json() const {
        ordered_json json{{"is", word}};
        if (!with_values.empty()) {
            json["flags_with_values"] = with_values;
        }
        if (!flags.empty()) {
            json["flags"] = flags;
        }
        return json;
    }
};

// What many forms have in common.
class CommonForm {
  public:
    CommonForm(const std::vector<Form>& forms, Width width) : forms_(forms), width_(width) {
        for (const Form& form : forms) {
            const std::size_t repeated = form.run_size == 0 ? 0 : form.run_size - 1;
            least_ = std::min(least_, form.words.size() - repeated);
            most_ = std::max(most_, form.words.size());
            lists_ = lists_ || repeated > 0;
            std::set<std::string> own;
            for (const Word& word : form.words) {
                vocabulary_.try_emplace({word.literal ? 0 : 1, word.key},
                                        word.anywhere.is_null() ? word.json : word.anywhere);
                own.insert(word.key);
            }
            for (const std::string& key : own) {
                ++forms_with_[key];
            }
        }
    }

    [[nodiscard]] ordered_json json(const Subcommand& subcommand,
                                    const std::string& program) const {
        ordered_json argv;
        const std::size_t common = common_start();
        if (subcommand.behind_flags) {
            argv["subcommand"] = subcommand.json();
        } else if (common > 0) {
            auto list = ordered_json::array();
            for (std::size_t i = 0; i < common; ++i) {
                const Word& word = forms_.front().words[i];
                list.push_back(i == 0 ? first_json(word, program) : word.json);
            }
            argv["prefix"] = std::move(list);
        }
        if (width_ != Width::kLoose) {
            add_needed(argv, common);
        }
        auto every = ordered_json::array();
        for (const auto& [key, json] : vocabulary_) {
            every.push_back(json);
        }
        if (!every.empty()) {
            argv["every"] = std::move(every);
        }
        add_count(argv);
        return argv;
    }

  private:
    [[nodiscard]] std::size_t common_start() const {
        std::size_t common = 0;
        while (common < least_ && std::all_of(forms_.begin(), forms_.end(), [&](const Form& form) {
                   return form.words[common].key == forms_.front().words[common].key &&
                          (form.run_size == 0 || common <= form.run_start);
               })) {
            ++common;
        }
        return common;
    }

    // Flags that all forms have.
    void add_needed(ordered_json& argv, std::size_t common) const {
        auto needed = ordered_json::array();
        const Form& form = forms_.front();
        std::set<std::string> told;
        for (std::size_t i = common; i < form.words.size(); ++i) {
            const Word& word = form.words[i];
            if (word.literal && word.json.is_string() && is_flag(word.json.get<std::string>()) &&
                forms_with_.at(word.key) == forms_.size() && told.insert(word.key).second) {
                needed.push_back(word.json);
            }
        }
        if (!needed.empty()) {
            argv["contains"] = std::move(needed);
        }
    }

    void add_count(ordered_json& argv) const {
        if (least_ > 0) {
            argv["count"]["min"] = least_;
        }
        if (!lists_ && (least_ == most_ || width_ == Width::kStrict)) {
            argv["count"]["max"] = most_;
        }
    }

    const std::vector<Form>& forms_;
    Width width_;
    std::size_t least_ = SIZE_MAX;
    std::size_t most_ = 0;
    bool lists_ = false;
    std::map<std::pair<int, std::string>, ordered_json> vocabulary_;
    std::map<std::string, std::size_t> forms_with_;
};

// One form alone.
ordered_json argv_of(const Form& form, Width width, const Subcommand& subcommand,
                     const std::string& program) {
    if (form.run_size == 0) {
        return exact_of(form, program);
    }
    const std::vector<Form> forms{form};
    return CommonForm(forms, width).json(subcommand, program);
}

// The forms that have something which no other exec of the group has, where there are many others.
std::vector<Form> take_rare(std::vector<Form>& forms) {
    static constexpr std::uint64_t kMany = 50;
    static constexpr std::size_t kShare = 10;  // if there are more of them, they are not rare
    std::map<std::string, std::uint64_t> seen;
    std::uint64_t total = 0;
    for (const Form& form : forms) {
        total += form.count();
        std::set<std::string> own;
        for (const Word& word : form.words) {
            own.insert(word.key);
        }
        for (const std::string& key : own) {
            seen[key] += form.count();
        }
    }
    if (total < kMany) {
        return {};
    }
    const auto is_rare = [&](const Form& form) {
        return std::any_of(form.words.begin(), form.words.end(),
                           [&](const Word& word) { return seen[word.key] == 1; });
    };
    const auto first_rare = std::stable_partition(forms.begin(), forms.end(),
                                                  [&](const Form& form) { return !is_rare(form); });
    if (static_cast<std::size_t>(forms.end() - first_rare) * kShare > forms.size()) {
        return {};
    }
    std::vector<Form> rare(std::make_move_iterator(first_rare),
                           std::make_move_iterator(forms.end()));
    forms.erase(first_rare, forms.end());
    return rare;
}

std::vector<const ObservedExec*> execs_of(const std::vector<Form>& forms) {
    std::vector<const ObservedExec*> execs;
    for (const Form& form : forms) {
        execs.insert(execs.end(), form.execs.begin(), form.execs.end());
    }
    return execs;
}

// The words by which a program's execs are told apart; empty: it has no subcommands.
std::set<std::string> subcommands_of(const std::vector<const ObservedExec*>& execs,
                                     const DataNames& names) {
    static constexpr std::size_t kMost = 40;
    static constexpr std::size_t kFew = 8;
    std::set<std::string> words;
    std::size_t with_word = 0;
    std::size_t with_other = 0;
    for (const ObservedExec* const one : execs) {
        const auto arguments = arguments_of(*one);
        if (arguments.empty() || is_flag(arguments[0])) {
            continue;
        }
        if (is_word(arguments[0]) && !looks_random(arguments[0]) && !names.contains(arguments[0])) {
            words.insert(arguments[0]);
            ++with_word;
        } else {
            ++with_other;
        }
    }
    const bool names_things = words.size() > kFew && with_word * 2 < words.size() * 3;
    return words.size() > kMost || with_other > with_word || names_things ? std::set<std::string>()
                                                                          : words;
}

std::optional<std::size_t> place_of_subcommand(const std::vector<std::string>& arguments,
                                               const std::set<std::string>& words) {
    const auto found = std::find_if(arguments.begin(), arguments.end(),
                                    [&](const std::string& one) { return words.contains(one); });
    const bool leads =
        found != arguments.end() && (found == arguments.begin() || is_flag(arguments.front()));
    return leads ? std::optional(static_cast<std::size_t>(found - arguments.begin()))
                 : std::nullopt;
}

}  // namespace

std::vector<ArgumentRule> argument_rules(const std::vector<const ObservedExec*>& execs, Width width,
                                         const DataNames& names) {
    const std::string& exe = execs.front()->exec.facts->views.front().exe;
    const std::string program = exe.substr(exe.rfind('/') + 1);
    const std::set<std::string> words = subcommands_of(execs, names);
    std::map<std::string, std::vector<const ObservedExec*>> by_word;
    std::map<std::string, Subcommand> subcommands;
    for (const ObservedExec* const one : execs) {
        const auto arguments = arguments_of(*one);
        const auto place = place_of_subcommand(arguments, words);
        const std::string word = place ? arguments[*place] : "";
        by_word[word].push_back(one);
        subcommands[word].word = word;
        if (place) {
            subcommands[word].take_globals(arguments, *place);
        }
    }
    std::vector<ArgumentRule> rules;
    for (const auto& [word, group] : by_word) {
        std::vector<Form> forms = Forms(group, width, names, word).forms();
        const std::vector<Form> rare = take_rare(forms);
        if (forms.size() <= limits_of(width).forms) {
            for (const Form& form : forms) {
                rules.push_back(
                    {word, argv_of(form, width, subcommands[word], program), form.execs, false});
            }
        } else {
            rules.push_back({word, CommonForm(forms, width).json(subcommands[word], program),
                             execs_of(forms), false});
        }
        for (const Form& form : rare) {
            rules.push_back(
                {word, argv_of(form, width, subcommands[word], program), form.execs, true});
        }
    }
    return rules;
}

nlohmann::ordered_json pattern_of_values(const std::set<std::string>& values,
                                         const DataNames& names) {
    std::set<std::string> sources;
    for (const std::string& value : values) {
        const ArgumentShape shape = shape_of(value, Width::kDefault, names);
        sources.insert(shape.general && shape.certain ? shape.regex : quoted_regex(value));
    }
    if (values.size() == 1 && sources == std::set<std::string>{quoted_regex(*values.begin())}) {
        return bytes_to_json(*values.begin());
    }
    std::string regex;
    for (const std::string& source : sources) {
        regex += (regex.empty() ? "" : "|") + source;
    }
    return {{"regex", regex.empty() ? "(?:)" : regex}};
}

}  // namespace execseal
