#include "hook/tasks/task_lister.h"

namespace execseal {

Result<> TaskLister::list(std::vector<ListedTask>& tasks) {
    std::vector<pid_t> numbers;
    if (const Result<> listed = list_numbers(numbers); !listed) {
        return listed.error();
    }
    for (const pid_t number : numbers) {
        if (const std::optional<ListedTask> task = find(number)) {
            tasks.push_back(*task);
        }
    }
    return Ok{};
}

}  // namespace execseal
