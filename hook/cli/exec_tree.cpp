#include "hook/cli/exec_tree.h"

#include <algorithm>

namespace execseal {
namespace {

// Deeper ones stand below each other, with a number: a program may execute itself without end.
constexpr std::size_t kDeepest = 40;

std::uint64_t number_at(const Event& event, const char* key) {
    const auto found = event.json.find(key);
    return found != event.json.end() && found->is_number_unsigned() ? found->get<std::uint64_t>()
                                                                    : 0;
}

bool is_refusal(const Event& event) {
    return event.verdict == "deny" || event.verdict == "kill";
}

std::string verdict_of(const Event& event) {
    const std::string would_be = text_at(event.json, "would_be");
    return printable(event.verdict) + (would_be.empty() ? "" : ", else " + printable(would_be));
}

std::string label_of(const Event& event, std::uint64_t pid) {
    const std::string command = event.exe.empty() ? printable(text_at(event.json, "requested"))
                                                  : command_text(event.exe, event.argv);
    std::string label = "  " + command + "   # ";
    label +=
        event.count > 1 ? std::to_string(event.count) + " times" : "pid " + std::to_string(pid);
    if (event.via != "child") {
        label += ", " + printable(event.via);
    }
    label += ", rule " + printable(event.rule);
    if (is_refusal(event)) {
        label += ": " + printable(event.reason);
    } else if (event.outcome != "executed") {
        label += ", " + printable(event.outcome);
    }
    return label;
}

const char* colour_of(const std::string& verdict) {
    if (verdict.starts_with("allow")) {
        return "\x1b[32m";
    }
    return verdict.starts_with("audit") ? "\x1b[33m" : "\x1b[31m";
}

}  // namespace

std::size_t ExecTree::put(std::size_t parent, Node node) {
    node.depth = nodes_[parent].depth + 1;
    const std::size_t place = nodes_.size();
    nodes_.push_back(std::move(node));
    nodes_[parent].children.push_back(place);
    return place;
}

std::size_t ExecTree::container_of(const Event& event) {
    const auto [found, made] = containers_.try_emplace(event.container_id, nodes_.size());
    if (made) {
        Node node;
        node.label = container_text(event) + "   # " + printable(short_id(event.container_id)) +
                     ", policy " + printable(event.policy);
        nodes_.push_back(std::move(node));
    }
    return found->second;
}

std::size_t ExecTree::parent_of(const Event& event, std::size_t container, std::uint64_t pid,
                                std::uint64_t ppid) {
    if (pid == 0) {
        return container;  // of a summary
    }
    // A number that another process had before has another parent.
    const auto self = running_.find({container, pid});
    if (self != running_.end() &&
        (nodes_[self->second].ppid == ppid || nodes_[self->second].verdict.empty())) {
        return self->second;
    }
    const auto parent = running_.find({container, ppid});
    if (parent != running_.end()) {
        return parent->second;
    }
    if (event.via != "child") {
        return container;
    }
    Node unknown;
    unknown.label = "pid " + std::to_string(ppid) + ", of which no exec is recorded";
    return running_[{container, ppid}] = put(container, std::move(unknown));
}

std::optional<std::size_t> ExecTree::add(const Event& event) {
    if (event.kind != "exec") {
        return std::nullopt;
    }
    const std::size_t container = container_of(event);
    const std::uint64_t pid = number_at(event, "host_pid");
    Node node;
    node.ppid = number_at(event, "ppid");
    node.verdict = verdict_of(event);
    node.label = label_of(event, pid);
    const std::size_t parent = parent_of(event, container, pid, node.ppid);
    const std::size_t place = put(parent, std::move(node));
    if (pid != 0 && event.outcome == "executed" && !is_refusal(event)) {
        running_[{container, pid}] = place;
    }
    return place;
}

std::string ExecTree::shown(std::size_t place, const std::string& before, std::size_t columns,
                            Colour colour) const {
    const Node& node = nodes_[place];
    std::string line = fitted(before + node.verdict + node.label + "\n", columns);
    const std::size_t end = before.size() + node.verdict.size();
    if (colour == Colour::kYes && !node.verdict.empty() && end < line.size()) {
        line.insert(end, "\x1b[0m");
        line.insert(before.size(), colour_of(node.verdict));
    }
    return line;
}

std::string ExecTree::line(std::size_t place, std::size_t columns, Colour colour) const {
    static constexpr std::size_t kIndent = 4;
    const std::size_t deep = std::min(nodes_[place].depth, kDeepest) - 1;
    return shown(place, std::string(deep * kIndent, ' ') + "`-- ", columns, colour);
}

std::string ExecTree::text(std::size_t columns, Colour colour) const {
    struct Next {
        std::size_t place;
        std::string before;  // what stands before its children
        bool last;
    };
    std::string text;
    std::vector<Next> next;
    for (const auto& [id, place] : containers_) {
        next.push_back({place, "", true});
        while (!next.empty()) {
            const Next now = std::move(next.back());
            next.pop_back();
            const Node& node = nodes_[now.place];
            std::string below;
            if (node.depth == 0) {
                text += shown(now.place, "", columns, colour);
            } else if (node.depth > kDeepest) {
                below = now.before;
                text += shown(now.place,
                              now.before + std::to_string(node.depth) + " deep: ", columns, colour);
            } else {
                below = now.before + (now.last ? "    " : "|   ");
                text +=
                    shown(now.place, now.before + (now.last ? "`-- " : "|-- "), columns, colour);
            }
            for (auto child = node.children.rbegin(); child != node.children.rend(); ++child) {
                next.push_back({*child, below, child == node.children.rbegin()});
            }
        }
    }
    return text;
}

}  // namespace execseal
