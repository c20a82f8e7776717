// A policy's text, and what it decides of one exec.
#include "config/policy.h"
#include "hook/gate/judge.h"
#include "tests/fuzz/fuzz.h"

namespace execseal::fuzz {
namespace {

ExecFacts some_exec() {
    ExecFacts facts;
    facts.views = {{ViewRole::kProgram, "/app/run.sh", {"/app/run.sh", "--push", "a b"}},
                   {ViewRole::kInterpreter, "/bin/sh", {"/bin/sh", "/app/run.sh", "a b"}}};
    facts.requested_path = "run.sh";
    facts.env = {"PATH=/bin", "LD_PRELOAD=/x", "\xff"};
    facts.cwd = "/app";
    return facts;
}

}  // namespace
}  // namespace execseal::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace execseal;
    const auto policy = Policy::parse(fuzz::text_of(data, size), "input");
    if (!policy) {
        const std::string& text = policy.error().text();
        fuzz::require(text.starts_with("input"), "an error names the file");
        fuzz::require(text.find('\n') == std::string::npos, "an error is one line");
        return 0;
    }
    const ExecFacts facts = fuzz::some_exec();
    const Judgement first = judge(*policy, facts);
    const Judgement second = judge(*policy, facts);
    fuzz::require(first.verdict == second.verdict && first.rule == second.rule,
                  "a judgement depends on nothing but policy and exec");
    return 0;
}
