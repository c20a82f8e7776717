#include "hook/cli/tree.h"

#include <cstdio>

#include "hook/cli/exec_tree.h"
#include "hook/cli/progress.h"

namespace execseal {
namespace {

class TreePrinter : public EventSink {
  public:
    void show(std::string_view line, const EventFilter& filter) override {
        const auto event = parse_event(line);
        if (!event) {
            return;
        }
        for (const Event& one : expanded(*event)) {
            if (!filter.shows(one)) {
                continue;
            }
            const auto place = tree_.add(one);
            seen_ = seen_ || place.has_value();
            if (place && drawn_) {
                print(tree_.line(*place, terminal_width(), colour_));
            }
        }
    }

    void caught_up() override {
        if (!drawn_) {
            print(tree_.text(terminal_width(), colour_));
            drawn_ = true;
        }
        (void)std::fflush(stdout);
    }

    [[nodiscard]] bool seen() const { return seen_; }

  private:
    static void print(const std::string& text) {
        (void)std::fwrite(text.data(), 1, text.size(), stdout);
    }

    ExecTree tree_;
    Colour colour_ = takes_colour() ? Colour::kYes : Colour::kNo;
    bool drawn_ = false;
    bool seen_ = false;
};

}  // namespace

Result<int> run_tree(EventsOptions options) {
    options.past = true;
    TreePrinter printer;
    auto code = read_events(options, printer);
    if (code && !printer.seen()) {
        return make_error(options.query.containers.front() +
                          ": the audit file has no exec of such a container");
    }
    return code;
}

}  // namespace execseal
