// Lines of an audit file as a supervisor writes them, for the tests of what reads them back.
#pragma once

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/scratch_folder.h"

namespace execseal::test {

struct Line {
    std::string exe;
    std::vector<std::string> arguments{};  // from argv[1]
    std::string via = "child";
    std::string verdict = "audit";
    std::string rule = "default";
    std::vector<std::string> env = {"PATH=/usr/bin:/bin", "HOME=/root"};
    nlohmann::ordered_json more = nlohmann::ordered_json::object();  // members to add or replace

    [[nodiscard]] nlohmann::ordered_json json() const {
        nlohmann::ordered_json line{
            {"time", "2026-11-28T10:00:00.000001Z"},
            {"event", "exec"},
            {"container", {{"id", "c1"}, {"name", "web"}}},
            {"policy", "p"},
            {"annotations", nlohmann::ordered_json::object()},
            {"host_pid", 4711},
            {"uid", 0},
            {"gid", 0},
            {"exe", exe},
            {"argv", nlohmann::ordered_json::array({exe.substr(exe.rfind('/') + 1)})},
            {"requested", exe},
            {"cwd", "/"},
            {"via", via},
            {"verdict", verdict},
            {"rule", rule},
            {"reason", "r"},
            {"decided_by", "p"},
            {"outcome", verdict == "deny"   ? "refused"
                        : verdict == "kill" ? "killed"
                                            : "executed"},
            {"latency_us", 100},
            {"env_of", {"**"}},
            {"env", env}};
        for (const std::string& argument : arguments) {
            line["argv"].push_back(argument);
        }
        line.update(more);
        return line;
    }
    [[nodiscard]] std::string text() const { return json().dump() + "\n"; }
};

// A folder of its own, with a settings file that names nothing else of this machine.
class Folder {
  public:
    Folder() {
        std::filesystem::create_directory(folder_.path() / "policies.d");
        put("config.json", nlohmann::json{{"policies_dir", folder_.path() / "policies.d"},
                                          {"run_dir", folder_.path() / "run"},
                                          {"audit", {{"file", folder_.path() / "audit.jsonl"}}}}
                               .dump());
    }

    [[nodiscard]] std::string at(const std::string& name) const { return folder_.at(name); }
    std::string put(const std::string& name, const std::string& text) const {
        std::ofstream(folder_.path() / name, std::ios::binary) << text;
        return folder_.path() / name;
    }
    std::string put(const std::string& name, const std::vector<Line>& lines) const {
        std::string text;
        for (const Line& line : lines) {
            text += line.text();
        }
        return put(name, text);
    }
    [[nodiscard]] std::string read(const std::string& name) const {
        std::ifstream file(folder_.path() / name, std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }

  private:
    ScratchFolder folder_;
};

}  // namespace execseal::test
