#include "config/condition.h"

#include "config/quote.h"

namespace execseal {

std::string argv_text(const ProgramView& view) {
    static constexpr std::size_t kListed = 12;
    std::string text = "argv is [";
    for (std::size_t i = 0; i < view.argv.size(); ++i) {
        text += i == 0 ? "" : ", ";
        if (i == kListed) {
            text += "... " + std::to_string(view.argv.size()) + " in all";
            break;
        }
        text += quoted(view.argv[i]);
    }
    return text + "]";
}

}  // namespace execseal
