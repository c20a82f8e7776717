#include "hook/cli/mutations.h"

#include <algorithm>
#include <set>

#include "hook/cli/argument_shape.h"
#include "hook/cli/learnt_rules.h"
#include "hook/gate/judge.h"

namespace execseal {
namespace {

using Argv = std::vector<std::string>;

// As many as tell, and no more than a moment's work.
constexpr std::size_t kMostExecs = 2000;

std::string key_of(const std::string& exe, const Argv& argv) {
    std::string key = exe + '\0';
    for (std::size_t i = 1; i < argv.size(); ++i) {
        key += argv[i] + '\0';
    }
    return key;
}

bool is_path(std::string_view argument) {
    return argument.find('/') != std::string_view::npos &&
           argument.find("://") == std::string_view::npos &&
           argument.find(' ') == std::string_view::npos;
}

class Mutator {
  public:
    Mutator(const Policy& policy, const std::vector<const ObservedExec*>& execs)
        : policy_(policy), execs_(execs) {
        for (const ObservedExec* const one : execs) {
            const ProgramView& view = one->exec.facts->views.front();
            recorded_.insert(key_of(view.exe, view.argv));
            programs_.insert(view.exe);
        }
    }

    PolicyWidth run(const OnStep& on_step) {
        const std::size_t step = std::max<std::size_t>(1, execs_.size() / kMostExecs);
        for (std::size_t i = 0; i < execs_.size(); i += step) {
            if (on_step) {
                on_step(i, execs_.size());
            }
            exec_ = &execs_[i]->exec;
            const Argv& argv = exec_->facts->views.front().argv;
            change_program(argv);
            add_flag(argv);
            change_subcommand(argv);
            change_paths(argv);
            add_shell(argv);
        }
        return std::move(width_);
    }

  private:
    void change_program(const Argv& argv) {
        const std::string& exe = exec_->facts->views.front().exe;
        const std::string folder = exe.substr(0, exe.rfind('/'));
        for (const std::string& other :
             {"/tmp/" + exe.substr(exe.rfind('/') + 1), folder + "/execseal-other",
              std::string("/usr/bin/ncat"), std::string("/usr/bin/curl")}) {
            if (!programs_.contains(other)) {
                ask(Mutation::kProgram, other, argv);
            }
        }
    }

    void add_flag(const Argv& argv) {
        const std::string& exe = exec_->facts->views.front().exe;
        for (const char* const flag : {"--execseal-added", "--exec=/bin/sh", "-Z"}) {
            Argv changed = argv;
            changed.insert(changed.begin() + (changed.empty() ? 0 : 1), flag);
            ask(Mutation::kFlag, exe, changed);
            changed = argv;
            changed.emplace_back(flag);
            ask(Mutation::kFlag, exe, changed);
        }
    }

    void change_subcommand(const Argv& argv) {
        const auto found = std::find_if(argv.begin() + (argv.empty() ? 0 : 1), argv.end(),
                                        [](const std::string& one) { return is_word(one); });
        if (found == argv.end()) {
            return;
        }
        for (const char* const word : {"execseal-other", "push", "delete"}) {
            Argv changed = argv;
            changed[static_cast<std::size_t>(found - argv.begin())] = word;
            ask(Mutation::kSubcommand, exec_->facts->views.front().exe, changed);
        }
    }

    void change_paths(const Argv& argv) {
        static constexpr std::size_t kMostPaths = 16;
        std::vector<std::size_t> paths;
        for (std::size_t i = 1; i < argv.size(); ++i) {
            if (is_path(argv[i])) {
                paths.push_back(i);
            }
        }
        const std::size_t step = paths.size() / kMostPaths + 1;
        for (std::size_t at = 0; at < paths.size(); at += step) {
            const std::size_t i = paths[at];
            for (const std::string& other :
                 {std::string("/etc/shadow"), argv[i] + "/../../../../../etc/shadow",
                  std::string("/root/.ssh/id_rsa"), std::string("../../../etc/shadow")}) {
                Argv changed = argv;
                changed[i] = other;
                ask(Mutation::kPath, exec_->facts->views.front().exe, changed);
            }
        }
    }

    void add_shell(const Argv& argv) {
        for (const char* const text : {"; id", "$(id)", "|sh", "`id`", " && id"}) {
            Argv changed = argv;
            if (changed.size() > 1) {
                changed.back() += text;
            } else {
                changed.emplace_back(text);
            }
            ask(Mutation::kShell, exec_->facts->views.front().exe, changed);
        }
    }

    void ask(Mutation mutation, const std::string& exe, const Argv& argv) {
        if (recorded_.contains(key_of(exe, argv))) {
            return;
        }
        ExecFacts facts = *exec_->facts;
        facts.views.front().exe = exe;
        facts.views.front().names.clear();
        facts.views.front().argv = argv;
        const Verdict verdict = judge(policy_, facts).verdict;
        const bool refused = verdict == Verdict::kDeny || verdict == Verdict::kKill;
        for (MutationCount* const count :
             {&width_.kinds[mutation], &width_.groups[group_of(*exec_)]}) {
            ++count->made;
            count->refused += refused ? 1 : 0;
        }
    }

    const Policy& policy_;
    const std::vector<const ObservedExec*>& execs_;
    std::set<std::string> recorded_;
    std::set<std::string> programs_;
    const RecordedExec* exec_ = nullptr;
    PolicyWidth width_;
};

}  // namespace

const char* mutation_name(Mutation mutation) {
    switch (mutation) {
        case Mutation::kProgram:
            return "another program";
        case Mutation::kFlag:
            return "an added flag";
        case Mutation::kSubcommand:
            return "another subcommand";
        case Mutation::kPath:
            return "a path outside";
        case Mutation::kShell:
            return "shell metacharacters";
    }
    return "another program";
}

MutationCount PolicyWidth::all() const {
    MutationCount all;
    for (const auto& [mutation, count] : kinds) {
        all.made += count.made;
        all.refused += count.refused;
    }
    return all;
}

double PolicyWidth::refused_percent() const {
    static constexpr double kPercent = 100;
    const MutationCount counted = all();
    return counted.made == 0 ? kPercent
                             : kPercent * static_cast<double>(counted.refused) /
                                   static_cast<double>(counted.made);
}

PolicyWidth width_of(const Policy& policy, const std::vector<const ObservedExec*>& execs,
                     const OnStep& on_step) {
    return Mutator(policy, execs).run(on_step);
}

}  // namespace execseal
