#include "hook/exec/executed_programs.h"

#include <algorithm>
#include <limits>

#include "hook/os/check.h"

namespace execseal {
namespace {

// Names have no NUL in them.
std::string key_of(const ExecutedProgram& program) {
    std::string key(1, program.proved ? '+' : '-');
    key += program.exe;
    for (const std::string& name : program.names) {
        key += '\0';
        key += name;
    }
    return key;
}

void add_name(std::vector<std::string>& names, const std::string& name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
        names.push_back(name);
    }
}

}  // namespace

ExecutedProgram executed_program(const std::vector<ProgramView>& views) {
    CHECK(!views.empty());
    ExecutedProgram program;
    program.exe = views.front().exe;
    for (const ProgramView& view : views) {
        if (&view != views.data()) {
            add_name(program.names, view.exe);
        }
        for (const std::string& name : view.names) {
            add_name(program.names, name);
        }
        program.proved = program.proved && !may_replace_program(view.role);
    }
    program.proved = program.proved && views.front().loose_link.empty();
    return program;
}

Lineage ExecutedPrograms::after(const Lineage& before, const std::vector<ProgramView>& views,
                                bool seen) {
    Program program = program_of(views);
    Lineage lineage;
    if (!program) {
        return lineage;
    }
    lineage.whole = before.whole;
    lineage.certain = before.certain && seen;
    lineage.depth =
        before.depth + (before.depth < std::numeric_limits<std::uint32_t>::max() ? 1 : 0);
    if (before.nearest && before.nearest->program == program) {
        lineage.nearest = before.nearest;
        return lineage;
    }
    lineage.nearest = node_of(std::move(program), before.nearest);
    if (lineage.nearest && lineage.nearest->length > limits_.length) {
        lineage.nearest = shortened(lineage.nearest, lineage.whole);
    }
    return lineage.nearest ? lineage : Lineage{};
}

ExecutedPrograms::Program ExecutedPrograms::program_of(const std::vector<ProgramView>& views) {
    ExecutedProgram program = executed_program(views);
    std::string key = key_of(program);
    if (key.size() > limits_.program_bytes) {
        return nullptr;
    }
    if (const auto known = programs_.find(key); known != programs_.end()) {
        if (auto living = known->second.lock()) {
            return living;
        }
    }
    if (!has_room()) {
        return nullptr;
    }
    auto made = std::make_shared<const ExecutedProgram>(std::move(program));
    bytes_ += 2 * key.size();  // the program's own strings, too
    programs_.insert_or_assign(std::move(key), made);
    return made;
}

ExecutedPrograms::Node ExecutedPrograms::node_of(Program program, Node above) {
    const auto key = std::make_pair(above.get(), program.get());
    if (const auto known = nodes_.find(key); known != nodes_.end()) {
        if (auto living = known->second.lock()) {
            return living;
        }
    }
    if (!has_room()) {
        return nullptr;
    }
    const std::size_t length = above ? above->length + 1 : 1;
    auto made = std::make_shared<const LineageNode>(
        LineageNode{std::move(program), std::move(above), length});
    nodes_.insert_or_assign(key, made);
    return made;
}

ExecutedPrograms::Node ExecutedPrograms::shortened(const Node& nearest, bool& whole) {
    std::vector<Program> programs;
    for (const LineageNode* node = nearest.get(); node != nullptr; node = node->above.get()) {
        if (std::find(programs.begin(), programs.end(), node->program) == programs.end()) {
            if (programs.size() == limits_.distinct) {
                whole = false;
                break;
            }
            programs.push_back(node->program);
        }
    }
    Node made;
    for (auto program = programs.rbegin(); program != programs.rend(); ++program) {
        made = node_of(*program, std::move(made));
        if (!made) {
            return nullptr;
        }
    }
    return made;
}

bool ExecutedPrograms::has_room() {
    const auto is_full = [&] { return nodes_.size() >= limits_.nodes || bytes_ >= limits_.bytes; };
    const std::size_t entries = nodes_.size() + programs_.size();
    if (entries < next_look_ && !is_full()) {
        return true;
    }
    if (entries >= next_look_ || refused_ == 0) {
        bytes_ = 0;
        std::erase_if(nodes_, [](const auto& entry) { return entry.second.expired(); });
        std::erase_if(programs_, [&](const auto& entry) {
            const bool forgotten = entry.second.expired();
            bytes_ += forgotten ? 0 : 2 * entry.first.size();
            return forgotten;
        });
        next_look_ = std::max(kFirstLook, 2 * (nodes_.size() + programs_.size()));
    }
    const bool full = is_full();
    refused_ = full ? (refused_ + 1) % kFirstLook : 0;
    return !full;
}

}  // namespace execseal
