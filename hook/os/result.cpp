#include "hook/os/result.h"

#include <system_error>

#include "hook/os/visible.h"

namespace execseal {

std::string Error::text() const {
    if (code == 0) {
        return visible(context);
    }
    return visible(context) + ": " + std::generic_category().message(code);
}

Error make_error(std::string context) {
    return Error{0, std::move(context)};
}

Error add_context(std::string_view context, Error error) {
    error.context = std::string(context) + ": " + error.context;
    return error;
}

}  // namespace execseal
