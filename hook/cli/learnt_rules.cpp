#include "hook/cli/learnt_rules.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "config/condition_facts.h"
#include "hook/cli/learnt_arguments.h"
#include "hook/cli/learnt_environment.h"
#include "hook/cli/table.h"
#include "hook/gate/json_line.h"

namespace execseal {
namespace {

using nlohmann::ordered_json;

// Once is rare only where much is seen often: so many execs in all, and so many a program.
constexpr std::uint64_t kLongRecording = 20;
constexpr std::uint64_t kOften = 4;

std::string folder_of(std::string_view path) {
    return std::string(path.substr(0, path.rfind('/')));
}

std::string base_of(std::string_view path) {
    return std::string(path.substr(path.rfind('/') + 1));
}

bool is_installed(std::string_view path) {
    return path.starts_with("/usr/") || path.starts_with("/bin/") || path.starts_with("/sbin/") ||
           path.starts_with("/lib") || path.starts_with("/opt/") || path.starts_with("/etc/");
}

// Letters, digits, "-" and "_" of a text, for the id of a rule.
std::string slug_of(std::string_view text) {
    static constexpr std::size_t kLongest = 40;
    std::string slug;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '.' || c == '_';
        if (plain) {
            slug += c;
        } else if (!slug.empty() && slug.back() != '-') {
            slug += '-';
        }
    }
    slug.resize(std::min(slug.size(), kLongest));
    slug.erase(0, std::min(slug.find_first_not_of("._-"), slug.size()));
    while (!slug.empty() && slug.back() == '-') {
        slug.pop_back();
    }
    return slug.empty() ? "program" : slug;
}

// The glob of exe conditions under which a program is told: itself, or its folder where names in
// it come and go.
class ProgramNames {
  public:
    ProgramNames(const std::vector<const ObservedExec*>& execs, Width width, const DataNames& names)
        : width_(width), data_(names) {
        for (const ObservedExec* const one : execs) {
            const std::string& exe = one->exec.facts->views.front().exe;
            folders_[folder_of(exe)].insert(exe);
        }
    }

    [[nodiscard]] std::string name_of(const std::string& exe) const {
        static constexpr std::size_t kMany = 4;
        const bool file = exe.starts_with('/') && !exe.ends_with(" (deleted)");
        if (!file || is_installed(exe)) {
            return quoted_glob(exe);
        }
        if (comes_and_goes(exe)) {
            return glob_of(exe);
        }
        const auto found = folders_.find(folder_of(exe));
        const bool many = found != folders_.end() && found->second.size() >= kMany;
        return many && width_ != Width::kStrict ? quoted_glob(folder_of(exe)) + "/*"
                                                : quoted_glob(exe);
    }

  private:
    [[nodiscard]] bool is_data(const std::string& component) const {
        return looks_random(component) || (width_ != Width::kStrict && data_.contains(component));
    }
    [[nodiscard]] bool comes_and_goes(const std::string& exe) const {
        const std::vector<std::string> components = components_of(exe);
        return std::any_of(components.begin(), components.end(),
                           [&](const std::string& component) { return is_data(component); });
    }
    [[nodiscard]] std::string glob_of(const std::string& exe) const {
        std::string glob;
        for (const std::string& component : components_of(exe)) {
            glob += "/" + (is_data(component) ? "*" : quoted_glob(component));
        }
        return glob;
    }
    // Of an absolute path.
    static std::vector<std::string> components_of(const std::string& path) {
        std::vector<std::string> components;
        for (std::size_t start = 1; start <= path.size();) {
            const std::size_t end = std::min(path.find('/', start), path.size());
            components.push_back(path.substr(start, end - start));
            start = end + 1;
        }
        return components;
    }

    Width width_;
    const DataNames& data_;
    std::map<std::string, std::set<std::string>> folders_;
};

class RuleWriter {
  public:
    // `programs`: how many groups there are.
    RuleWriter(const Observations& observations, const LearnOptions& options,
               const DataNames& names, std::size_t programs)
        : options_(options),
          names_(names),
          ids_(options.taken_ids),
          long_(observations.taken() >= std::max(kLongRecording, kOften * programs)) {}

    // Rules for execs of one program (the glob) and way.
    void add_group(const std::string& program, Via via,
                   const std::vector<const ObservedExec*>& execs) {
        const std::string group = group_of(execs.front()->exec);
        const auto narrower = options_.narrower.find(group);
        const Width width = narrower == options_.narrower.end() ? options_.width : narrower->second;
        for (ArgumentRule& form : argument_rules(execs, width, names_)) {
            const bool rare =
                long_ && via != Via::kEntrypoint && (form.rare || count_of(form.execs) == 1);
            LearntRule rule;
            rule.group = group;
            rule.rare = rare;
            rule.count = count_of(form.execs);
            const std::string word = form.word.empty() ? std::string() : "-" + slug_of(form.word);
            rule.json["id"] = id_of((rare ? "rare-" : "") + slug_of(base_of(program)) + word +
                                    (via == Via::kChild ? "" : std::string("-") + via_name(via)));
            rule.json["description"] = description_of(form.execs, rare);
            rule.json["verdict"] = rare ? "audit" : "allow";
            rule.json["via"] = via_name(via);
            rule.json["exe"] = program;
            if (!form.argv.empty()) {
                rule.json["argv"] = std::move(form.argv);
            }
            if (width == Width::kStrict) {
                add_uids(rule.json, form.execs);
            }
            rules_.push_back(std::move(rule));
        }
    }

    // An exec that may run other programs than the one that it names: those, and nothing about
    // their arguments.
    void add_possible(const ObservedExec& observed) {
        LearntRule rule;
        rule.group = group_of(observed.exec);
        rule.rare = true;
        rule.count = observed.count;
        const ExecFacts& facts = *observed.exec.facts;
        auto programs = ordered_json::array();
        for (const ProgramView& view : facts.views) {
            if (&view == facts.views.data() || may_replace_program(view.role)) {
                programs.push_back(quoted_glob(view.exe));
            }
        }
        rule.json["id"] = id_of("rare-" + slug_of(base_of(facts.views.front().exe)) + "-through");
        rule.json["description"] = description_of({&observed}, true) +
                                   "; what runs cannot be proved, so its arguments are not told";
        rule.json["verdict"] = "audit";
        rule.json["via"] = via_name(facts.via);
        rule.json["exe"] = std::move(programs);
        rules_.push_back(std::move(rule));
    }

    std::vector<LearntRule> rules() && { return std::move(rules_); }

  private:
    static std::uint64_t count_of(const std::vector<const ObservedExec*>& execs) {
        std::uint64_t count = 0;
        for (const ObservedExec* const one : execs) {
            count += one->count;
        }
        return count;
    }

    static std::string description_of(const std::vector<const ObservedExec*>& execs, bool rare) {
        static constexpr std::size_t kExample = 120;
        const std::uint64_t count = count_of(execs);
        const auto first =
            std::min_element(execs.begin(), execs.end(),
                             [](const auto* a, const auto* b) { return a->first < b->first; });
        const auto last =
            std::max_element(execs.begin(), execs.end(),
                             [](const auto* a, const auto* b) { return a->last < b->last; });
        const std::string from = short_time((*first)->first);
        const std::string to = short_time((*last)->last);
        const ProgramView& view = (*first)->exec.facts->views.front();
        return std::string(rare ? "Rare, look at it: seen " : "Seen ") +
               (count == 1 ? "once, " + from : std::to_string(count) + " times, " + from) +
               (from == to ? "" : " to " + to) + " (UTC); for example " +
               command_text(view.exe, view.argv, kExample);
    }

    static void add_uids(ordered_json& json, const std::vector<const ObservedExec*>& execs) {
        std::set<uid_t> uids;
        for (const ObservedExec* const one : execs) {
            uids.insert(one->uids.begin(), one->uids.end());
        }
        json["uid"] = uids.size() == 1 ? ordered_json(*uids.begin()) : ordered_json(uids);
    }

    std::string id_of(const std::string& wanted) {
        std::string id = wanted;
        for (int i = 2; !ids_.insert(id).second; ++i) {
            id = wanted + "-" + std::to_string(i);
        }
        return id;
    }

    const LearnOptions& options_;
    const DataNames& names_;
    std::set<std::string> ids_;
    bool long_;  // enough was seen for once to be rare
    std::vector<LearntRule> rules_;
};

bool has_possible_programs(const RecordedExec& exec) {
    const auto& views = exec.facts->views;
    return std::any_of(views.begin(), views.end(),
                       [](const ProgramView& view) { return may_replace_program(view.role); });
}

}  // namespace

std::string group_of(const RecordedExec& exec) {
    return std::string(via_name(exec.facts->via)) + " " + exec.facts->views.front().exe;
}

std::string quoted_glob(std::string_view bytes) {
    static constexpr std::string_view kSpecial = R"(*?[]\)";
    const bool text = bytes_to_json(std::string(bytes)).is_string();
    std::string glob;
    for (const char c : bytes) {
        if (!text && static_cast<unsigned char>(c) >= 0x80) {
            glob += '?';
            continue;
        }
        glob += kSpecial.find(c) == std::string_view::npos ? "" : "\\";
        glob += c;
    }
    return glob;
}

DataNames data_names_of(const std::vector<const ObservedExec*>& execs) {
    DataNames names;
    for (const ObservedExec* const one : execs) {
        const ProgramView& program = one->exec.facts->views.front();
        for (std::size_t i = 1; i < program.argv.size(); ++i) {
            add_data_names(program.argv[i], names);
        }
    }
    return names;
}

std::vector<LearntRule> learn_rules(const std::vector<const ObservedExec*>& execs,
                                    const Observations& observations, const LearnOptions& options) {
    const DataNames data = data_names_of(execs);
    const ProgramNames names(execs, options.width, data);
    // The entrypoint first, then what was exec'd, then the rest, by program.
    std::map<std::pair<int, std::string>, std::vector<const ObservedExec*>> groups;
    std::vector<const ObservedExec*> unproved;
    for (const ObservedExec* const one : execs) {
        const ExecFacts& facts = *one->exec.facts;
        if (has_possible_programs(one->exec)) {
            unproved.push_back(one);
            continue;
        }
        const int rank = facts.via == Via::kEntrypoint ? 0 : facts.via == Via::kExec ? 1 : 2;
        groups[{rank, names.name_of(facts.views.front().exe)}].push_back(one);
    }
    RuleWriter writer(observations, options, data, groups.size());
    for (const ObservedExec* const one : unproved) {
        writer.add_possible(*one);
    }
    for (const auto& [key, group] : groups) {
        writer.add_group(key.second, group.front()->exec.facts->via, group);
    }
    std::vector<LearntRule> rules = std::move(writer).rules();
    std::stable_sort(rules.begin(), rules.end(),
                     [](const auto& a, const auto& b) { return a.rare < b.rare; });
    if (options.width != Width::kLoose) {
        std::vector<LearntRule> first = environment_rules(observations, options.taken_ids, data);
        first.insert(first.end(), std::make_move_iterator(rules.begin()),
                     std::make_move_iterator(rules.end()));
        rules = std::move(first);
    }
    return rules;
}

}  // namespace execseal
