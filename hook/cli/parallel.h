// in_parallel: one piece of work for each of many things, by several threads.
#pragma once

#include <cstddef>
#include <functional>

namespace execseal {

// Calls work(0) to work(count - 1), each once, in any order and at once, by as many threads as
// there are processors (four at most, the caller's among them). Returns when all are done. `work`
// throws nothing.
void in_parallel(std::size_t count, const std::function<void(std::size_t)>& work);

}  // namespace execseal
