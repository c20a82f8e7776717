// An exec of any bytes becomes one line of JSON that harms no terminal; its secrets are marks.
#include <nlohmann/json.hpp>

#include "config/json_document.h"
#include "hook/cli/event.h"
#include "hook/gate/audit.h"
#include "hook/os/visible.h"
#include "tests/fuzz/fuzz.h"

namespace execseal::fuzz {
namespace {

std::vector<std::string> strings(Bytes& bytes) {
    std::vector<std::string> all;
    for (std::size_t count = bytes.byte() % 8; count > 0; --count) {
        all.push_back(bytes.string());
    }
    return all;
}

ExecEvent event_of(Bytes& bytes) {
    ExecEvent event;
    const std::uint8_t kind = bytes.byte();
    event.judgement.verdict = kind & 1U ? Verdict::kDeny : Verdict::kAllow;
    event.judgement.rule = "rule";
    event.judgement.policy = "small";
    event.judgement.reason = bytes.string();
    event.outcome = kind & 2U ? Outcome::kRefused : Outcome::kExecuted;
    if (kind & 4U) {
        event.requested = bytes.string();
        return event;
    }
    ExecFacts facts;
    for (std::size_t views = 1 + (kind >> 6U); views > 0; --views) {
        ProgramView view;
        view.exe = bytes.string();
        view.argv = strings(bytes);
        view.names = strings(bytes);
        facts.views.push_back(std::move(view));
    }
    facts.requested_path = bytes.string();
    facts.cwd = bytes.string();
    facts.env = strings(bytes);
    event.facts = std::move(facts);
    if (kind & 8U) {
        event.gate.race_detected = true;
        event.gate.race_field = kind & 16U ? "argv[1]" : "env[0]";
        event.gate.race_judged = bytes.string();
        event.gate.race_taken = bytes.string();
    }
    return event;
}

AuditLog log_to_file(const InputFile& file, Mode mode) {
    Plan plan;
    plan.container_id = "c";
    plan.policy.name = "small";
    plan.mode = mode;
    AuditSettings settings;
    settings.file = file.path();
    settings.events_per_second = 0;
    auto log = AuditLog::open(settings, plan);
    require(log.has_value(), "the log");
    log->record_env({"LD_*", "TOKEN"});
    return std::move(*log);
}

}  // namespace
}  // namespace execseal::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace execseal;
    static const fuzz::InputFile file;
    static AuditLog short_log = fuzz::log_to_file(file, Mode::kEnforce);
    static AuditLog long_log = fuzz::log_to_file(file, Mode::kLearn);
    fuzz::Bytes bytes(fuzz::text_of(data, size));
    const ExecEvent event = fuzz::event_of(bytes);
    for (AuditLog* const log : {&short_log, &long_log}) {
        file.put("");
        log->exec(event);
        std::string line(std::size_t{1} << 20U, '\0');
        const ssize_t read = ::pread(file.fd(), line.data(), line.size(), 0);
        fuzz::require(read > 0, "each event is written");
        line.resize(static_cast<std::size_t>(read));
        fuzz::require(line.find('\n') == line.size() - 1, "as one line");
        line.pop_back();
        fuzz::require(visible(line) == line, "of characters that a terminal only shows");
        fuzz::require(parse_json(line, "line").has_value(), "of JSON");
        const auto parsed = parse_event(line);
        fuzz::require(parsed && parsed->rule == "rule", "which its reader understands");
    }
    return 0;
}
