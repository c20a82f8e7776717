// ExecutedPrograms: what tasks have executed, kept for the lineage of what they execute next.
//
// Equal programs and equal lists of them are kept once, as long as somebody's Lineage has them.
// Bounded: what finds no room makes a lineage that is not known. One thread.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "config/exec_facts.h"

namespace execseal {

struct ExecutedProgramsLimits {
    std::size_t nodes = 16384;
    std::size_t bytes = std::size_t{4} << 20U;           // of names, in all
    std::size_t program_bytes = std::size_t{16} << 10U;  // of the names of one
    std::size_t length = 64;    // of a list; then programs that came again stand in it once,
    std::size_t distinct = 48;  // and what is beyond so many different ones is not known
};

class ExecutedPrograms {
  public:
    explicit ExecutedPrograms(ExecutedProgramsLimits limits = {}) : limits_(limits) {}

    // Of what a process with the lineage `before` executes once it has executed the program of
    // `views` (not empty). `seen`: it is known that this exec has happened, and what it took.
    Lineage after(const Lineage& before, const std::vector<ProgramView>& views, bool seen);

    [[nodiscard]] std::size_t nodes() const { return nodes_.size(); }

  private:
    using Program = std::shared_ptr<const ExecutedProgram>;
    using Node = std::shared_ptr<const LineageNode>;

    // Null: there is no room.
    Program program_of(const std::vector<ProgramView>& views);
    Node node_of(Program program, Node above);
    // The same without repetitions; `whole` becomes false where something was left out.
    Node shortened(const Node& nearest, bool& whole);
    // Forgets what nobody has any more, where that may help.
    bool has_room();

    ExecutedProgramsLimits limits_;
    std::unordered_map<std::string, std::weak_ptr<const ExecutedProgram>> programs_;
    std::map<std::pair<const LineageNode*, const ExecutedProgram*>,
             std::weak_ptr<const LineageNode>>
        nodes_;
    static constexpr std::size_t kFirstLook = 1024;
    std::size_t bytes_ = 0;               // of programs_
    std::size_t next_look_ = kFirstLook;  // entries of both, at which has_room() looks for them
    std::size_t refused_ = 0;             // since the last look while there is no room
};

// Its names, for all rules.
ExecutedProgram executed_program(const std::vector<ProgramView>& views);

}  // namespace execseal
