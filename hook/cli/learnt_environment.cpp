#include "hook/cli/learnt_environment.h"

#include <algorithm>
#include <array>
#include <optional>

#include "config/glob.h"
#include "hook/cli/learnt_arguments.h"

namespace execseal {
namespace {

using nlohmann::ordered_json;

// Variables by which code, a configuration or another program gets into what runs. Such lists are
// never whole: they only say which of the variables that were seen get a rule of their own.
constexpr std::array kGlobs{"LD_*",
                            "GLIBC_TUNABLES",
                            "GCONV_PATH",
                            "LOCPATH",
                            "NLSPATH",
                            "GIT_*",
                            "SSH_ASKPASS",
                            "PYTHON*",
                            "PERL*",
                            "RUBY*",
                            "GEM_*",
                            "NODE_*",
                            "npm_config_*",
                            "NPM_CONFIG_*",
                            "LUA_*",
                            "PHP*",
                            "JAVA_TOOL_OPTIONS",
                            "_JAVA_OPTIONS",
                            "JDK_JAVA_OPTIONS",
                            "CLASSPATH",
                            "BASH_*",
                            "ENV",
                            "SHELLOPTS",
                            "BASHOPTS",
                            "PS4",
                            "IFS",
                            "PROMPT_COMMAND",
                            "OPENSSL_*",
                            "PG*",
                            "PSQLRC",
                            "GCC_*",
                            "COMPILER_PATH",
                            "LIBRARY_PATH",
                            "MAKEFILES",
                            "MAKEFLAGS",
                            "EDITOR",
                            "VISUAL",
                            "*PAGER",
                            "LESSOPEN",
                            "LESSCLOSE",
                            "HOME",
                            "XDG_CONFIG_*",
                            "R_PROFILE*",
                            "TCLLIBPATH",
                            "PKEXEC_*",
                            "MALLOC_*",
                            "HOSTALIASES",
                            "TERMINFO*",
                            "DOCKER_*",
                            "KUBECONFIG"};

bool brings_code(const std::string& name) {
    static const std::vector<Glob> kNames = [] {
        std::vector<Glob> globs;
        for (const char* const pattern : kGlobs) {
            globs.push_back(std::move(Glob::compile(pattern)).value());
        }
        return globs;
    }();
    return std::any_of(kNames.begin(), kNames.end(),
                       [&](const Glob& glob) { return glob.matches(name); });
}

// "SERVICE_12_PORT" -> "SERVICE_*_PORT".
std::string name_pattern(const std::string& name) {
    std::string pattern;
    for (const char c : quoted_glob(name)) {
        const bool digit = c >= '0' && c <= '9';
        if (!digit) {
            pattern += c;
        } else if (!pattern.ends_with('*')) {
            pattern += '*';
        }
    }
    return pattern;
}

std::string free_id(const std::string& wanted, const std::set<std::string>& taken) {
    std::string id = wanted;
    for (int i = 2; taken.contains(id); ++i) {
        id = wanted + "-" + std::to_string(i);
    }
    return id;
}

ordered_json names_of(const Observations& observations) {
    std::set<std::string> names;
    for (const auto& [name, variable] : observations.variables()) {
        if (name.find('/') == std::string::npos && !name.empty()) {
            names.insert(name_pattern(name));
        }
    }
    return ordered_json(names);
}

// nullopt: nothing can be said of it.
std::optional<LearntRule> rule_of(const std::string& name, const ObservedVariable& variable,
                                  std::size_t programs, const std::string& id,
                                  const DataNames& data) {
    const bool constant = !variable.secret && variable.values.size() <= ObservedVariable::kValues;
    const bool everywhere = variable.programs.size() * 2 > programs;
    if (everywhere && !constant) {
        return std::nullopt;
    }
    LearntRule rule;
    auto& json = rule.json;
    json["id"] = id;
    json["description"] = std::string("It can bring code in, so only ") +
                          (constant ? "the values" : "") +
                          (constant && !everywhere ? " and " : "") +
                          (everywhere ? "" : "the programs") + " that were seen";
    json["verdict"] = "deny";
    json["env"] = {{name, true}};
    if (!everywhere) {
        auto globs = ordered_json::array();
        for (const std::string& program : variable.programs) {
            globs.push_back(quoted_glob(program));
        }
        json["not"]["exe"] = std::move(globs);
    }
    if (constant) {
        json["not"]["env"] = {{name, pattern_of_values(variable.values, data)}};
    }
    return rule;
}

}  // namespace

std::vector<LearntRule> environment_rules(const Observations& observations,
                                          const std::set<std::string>& taken_ids,
                                          const DataNames& data) {
    std::vector<LearntRule> rules;
    if (!observations.has_environment()) {
        return rules;
    }
    LearntRule others;
    others.json["id"] = free_id("other-variables", taken_ids);
    others.json["description"] = "Variables that no recorded exec had";
    others.json["verdict"] = "deny";
    ordered_json names = names_of(observations);
    if (names.empty()) {
        names.push_back("PATH");
    }
    others.json["not"] = {{"env_names", std::move(names)}};
    rules.push_back(std::move(others));
    std::set<std::string> programs;
    for (const ObservedExec& one : observations.execs()) {
        for (const ProgramView& view : one.exec.facts->views) {
            programs.insert(view.exe);
        }
    }
    for (const auto& [name, variable] : observations.variables()) {
        const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                   c == '_';
        });
        if (plain && brings_code(name)) {
            if (auto rule = rule_of(name, variable, programs.size(),
                                    free_id("variable-" + name, taken_ids), data)) {
                rules.push_back(std::move(*rule));
            }
        }
    }
    return rules;
}

}  // namespace execseal
