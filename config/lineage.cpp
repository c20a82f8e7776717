#include "config/lineage.h"

#include <utility>

namespace execseal {

Lineage below(ExecutedProgram program, Lineage above) {
    const std::size_t length = above.nearest ? above.nearest->length + 1 : 1;
    above.nearest = std::make_shared<const LineageNode>(
        LineageNode{std::make_shared<const ExecutedProgram>(std::move(program)),
                    std::move(above.nearest), length});
    return above;
}

}  // namespace execseal
