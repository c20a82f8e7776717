#include "config/policy.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/json_reader.h"
#include "config/policy_rules.h"
#include "config/required_version.h"
#include "hook/os/file_read.h"

namespace execseal {
namespace {

constexpr std::string_view kApiVersion = "execseal/v1";
constexpr JsonLimits kPolicyLimits{.bytes = kPolicyBytes, .depth = 16, .values = 500'000};

std::string read_name(const JsonNode& node) {
    std::string name = node.non_empty_string("a name of letters, digits, \".\", \"_\" and \"-\"");
    if (!is_policy_name(name)) {
        node.expected("a name of letters, digits, \".\", \"_\" and \"-\"");
    }
    return name;
}

Protection read_protection(const JsonNode& node) {
    Protection protection;
    const JsonObject object =
        node.object({"freeze", "verify", "on_freeze_failure", "freeze_budget_ms"});
    if (const auto freeze = object.get("freeze")) {
        static constexpr FreezeScope kScopes[] = {FreezeScope::kPidns, FreezeScope::kWriters,
                                                  FreezeScope::kSiblings, FreezeScope::kOff};
        protection.freeze = kScopes[freeze->choice({"pidns", "writers", "siblings", "off"})];
    }
    if (const auto verify = object.get("verify")) {
        protection.verify = verify->boolean();
        if (!protection.verify && protection.freeze != FreezeScope::kPidns) {
            verify->problem("expected true, or \"freeze\": \"pidns\" beside it");
        }
    }
    if (const auto failure = object.get("on_freeze_failure")) {
        static constexpr OnFreezeFailure kAnswers[] = {OnFreezeFailure::kDeny,
                                                       OnFreezeFailure::kVerify};
        protection.on_freeze_failure = kAnswers[failure->choice({"deny", "verify"})];
        if (protection.on_freeze_failure == OnFreezeFailure::kVerify && !protection.verify) {
            failure->problem("expected \"deny\" where \"verify\" is false");
        }
    }
    if (const auto budget = object.get("freeze_budget_ms")) {
        protection.freeze_budget = std::chrono::milliseconds(budget->integer(1, 60'000));
    }
    return protection;
}

Binding binding_of(const std::vector<CompiledRule>& rules) {
    Binding most = Binding::kNone;
    for (const CompiledRule& rule : rules) {
        for (const auto& condition : rule.conditions) {
            most = std::max(most, condition->binding());
        }
    }
    return most;
}

bool sees_lineage_in(const std::vector<CompiledRule>& rules) {
    return std::any_of(rules.begin(), rules.end(), [](const CompiledRule& rule) {
        return std::any_of(rule.conditions.begin(), rule.conditions.end(),
                           [](const auto& condition) { return condition->sees_lineage(); });
    });
}

}  // namespace

bool is_policy_name(std::string_view name) {
    static constexpr std::string_view kLetters =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    return !name.empty() && name.size() <= 128 &&
           kLetters.find(name.front()) != std::string_view::npos &&
           name.find_first_not_of(
               "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
               "._-") == std::string_view::npos;
}

Verdict stricter(Verdict a, Verdict b) {
    const auto rank = [](Verdict verdict) {
        switch (verdict) {
            case Verdict::kKill:
                return 3;
            case Verdict::kDeny:
                return 2;
            case Verdict::kAudit:
                return 1;
            case Verdict::kAllow:
                return 0;
        }
        return 3;
    };
    return rank(a) >= rank(b) ? a : b;
}

const char* verdict_name(Verdict verdict) {
    switch (verdict) {
        case Verdict::kDeny:
            return "deny";
        case Verdict::kKill:
            return "kill";
        case Verdict::kAudit:
            return "audit";
        case Verdict::kAllow:
            return "allow";
    }
    return "deny";
}

const char* freeze_scope_name(FreezeScope scope) {
    switch (scope) {
        case FreezeScope::kPidns:
            return "pidns";
        case FreezeScope::kWriters:
            return "writers";
        case FreezeScope::kSiblings:
            return "siblings";
        case FreezeScope::kOff:
            return "off";
    }
    return "pidns";
}

Result<Policy> Policy::parse(std::string_view text, const std::string& origin) {
    const Result<nlohmann::ordered_json> json = parse_json(text, origin, kPolicyLimits);
    if (!json) {
        return json.error();
    }
    JsonProblems problems(origin);
    check_required_version(json.value(), problems);
    const JsonObject object = JsonNode(json.value(), problems)
                                  .object({"$schema", "apiVersion", "requires", "name",
                                           "description", "default", "errno", "protect", "rules"});
    auto compiled = std::make_shared<CompiledPolicy>();
    if (const auto version = object.require("apiVersion")) {
        (void)version->choice({kApiVersion});
    }
    if (const auto schema = object.get("$schema")) {
        (void)schema->string();
    }
    if (const auto name = object.require("name")) {
        compiled->name = read_name(*name);
    }
    if (const auto description = object.get("description")) {
        compiled->description = description->string();
    }
    if (const auto verdict = object.require("default")) {
        compiled->default_verdict = read_verdict(*verdict);
    }
    if (const auto protect = object.get("protect")) {
        compiled->protection = read_protection(*protect);
    }
    if (const auto number = object.get("errno")) {
        compiled->default_errno = read_errno(*number);
    }
    if (const auto rules = object.get("rules")) {
        compiled->rules = read_rules(*rules, compiled->default_errno);
    }
    if (problems.first()) {
        return *problems.first();
    }
    compiled->binding = binding_of(compiled->rules);
    compiled->sees_lineage = sees_lineage_in(compiled->rules);
    compiled->index.build(compiled->rules);
    Policy policy;
    policy.compiled_ = std::move(compiled);
    return policy;
}

Result<Policy> Policy::load(const std::string& path) {
    const Result<std::string> text = read_file(path, kPolicyLimits.bytes);
    if (!text) {
        return text.error();
    }
    return parse(text.value(), path);
}

const std::string& Policy::name() const {
    return compiled_->name;
}

const Protection& Policy::protection() const {
    return compiled_->protection;
}

std::vector<std::string> env_names(const Policy& policy) {
    std::vector<std::string> names;
    for (const CompiledRule& rule : policy.compiled().rules) {
        for (const auto& condition : rule.conditions) {
            condition->add_env_names(names);
        }
    }
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
}

bool Policy::sees_lineage() const {
    return compiled_->sees_lineage;
}

bool Policy::needs_fork_tracking() const {
    return compiled_->binding == Binding::kArguments ||
           (compiled_->binding == Binding::kFile && !compiled_->protection.verify);
}

}  // namespace execseal
