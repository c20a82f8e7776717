// Lineage: which programs stand above an exec, by what the supervisor has seen its container's
// tasks execute.
//
// The nearest is the program that makes the exec: a process made by fork runs the program of its
// maker, whoever its parent is now, and one that executes again and again is the same process with
// one program more above it. Immutable and shared.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace execseal {

// A program as it was judged when it was executed.
struct ExecutedProgram {
    std::string exe;                 // ProgramView::exe of the program itself
    std::vector<std::string> names;  // what else a rule that refuses may know it by, and those
                                     // that it ran through: interpreters, loaders
    bool proved = true;  // false: another may have run in its place; no rule lets pass by it
    friend bool operator==(const ExecutedProgram&, const ExecutedProgram&) = default;
};

struct LineageNode {
    std::shared_ptr<const ExecutedProgram> program;  // never null
    std::shared_ptr<const LineageNode> above;        // null: the farthest that is known
    std::size_t length = 1;                          // of the list from here
};

// Without a value of its own: nothing is known.
struct Lineage {
    std::shared_ptr<const LineageNode> nearest;  // null: none, or it is not known
    // How many execs stand above: more than the list is long where a program came again. Where it
    // is not whole, at least so many.
    std::uint32_t depth = 0;
    bool whole = false;   // nothing stands above but what the list has
    bool certain = true;  // false: of an exec among them nobody has seen whether it happened

    // Of the first program of a container, or of an exec into one: nothing stands above it.
    static Lineage start() {
        Lineage lineage;
        lineage.whole = true;
        return lineage;
    }
};

// With one program more, as the nearest. The depth stays.
Lineage below(ExecutedProgram program, Lineage above);

}  // namespace execseal
