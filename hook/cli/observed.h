// Observations: what a recording shows, each kind of exec once.
//
// Takes recorded execs in any order and number; keeps one of each (program, way, arguments) with
// how often and when it was seen, and what is known of the environment. Secrets are replaced before
// anything is kept. Pure but for the memory that it takes.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "hook/cli/recorded_exec.h"
#include "hook/gate/secrets.h"

namespace execseal {

struct ObservedExec {
    RecordedExec exec;  // the first of them; secrets are marks
    std::uint64_t count = 0;
    std::string first;  // RFC 3339
    std::string last;
    std::set<uid_t> uids;
    std::set<std::string> containers;
};

struct ObservedVariable {
    std::set<std::string> programs;  // all that an exec with it would run
    std::set<std::string> values;    // no more than kValues + 1 are kept
    bool secret = false;

    static constexpr std::size_t kValues = 4;
};

class Observations {
  public:
    explicit Observations(Secrets secrets) : secrets_(std::move(secrets)) {}

    // Only what was run is taken; the rest is counted. `group` is read_grouped()'s: of a group that
    // was there, only the time is looked at. 0: of none.
    void add(const RecordedExec& exec, std::size_t group = 0);

    [[nodiscard]] const std::vector<ObservedExec>& execs() const { return execs_; }
    [[nodiscard]] const std::map<std::string, ObservedVariable>& variables() const {
        return variables_;
    }
    // Whether each exec came with all of its environment.
    [[nodiscard]] bool has_environment() const { return taken_ > 0 && environment_; }
    [[nodiscard]] std::uint64_t taken() const { return taken_; }
    [[nodiscard]] std::uint64_t refused() const { return refused_; }      // by a policy then
    [[nodiscard]] std::uint64_t not_whole() const { return not_whole_; }  // shortened events
    [[nodiscard]] std::uint64_t not_run() const { return not_run_; }      // no such file, gone
    // Whose arguments or variables nobody would read in a rule: a line that names each, of the
    // first ones.
    [[nodiscard]] std::uint64_t too_large() const { return too_large_; }
    [[nodiscard]] const std::vector<std::string>& named_too_large() const {
        return named_too_large_;
    }

  private:
    // Where an exec is counted.
    using Place = std::uint64_t Observations::*;
    struct Known {
        Place place = nullptr;
        std::size_t observed = 0;  // of execs_, where `place` is taken_
    };

    Known add_new(RecordedExec exec);
    bool set_apart(const RecordedExec& exec);
    static void count(ObservedExec& observed, const std::string& time);
    void take_environment(const RecordedExec& exec);
    void redact(RecordedExec& exec) const;

    Secrets secrets_;
    std::vector<ObservedExec> execs_;
    std::unordered_map<std::string, std::size_t> by_key_;
    std::vector<Known> groups_;
    std::map<std::string, ObservedVariable> variables_;
    std::set<std::string> environments_;  // program and entry, seen
    bool environment_ = true;
    std::uint64_t taken_ = 0;
    std::uint64_t refused_ = 0;
    std::uint64_t not_whole_ = 0;
    std::uint64_t not_run_ = 0;
    std::uint64_t too_large_ = 0;
    std::vector<std::string> named_too_large_;
    std::size_t long_texts_ = 0;  // bytes that the long execs take in rules
};

}  // namespace execseal
