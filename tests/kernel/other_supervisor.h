// OtherSupervisor: a process that holds a task as the supervisor of another container does, and
// that is one for us: it executes the test's own program.
#pragma once

#include <sys/ptrace.h>

#include "tests/kernel/child_process.h"

namespace execseal::test {

class OtherSupervisor {
  public:
    explicit OtherSupervisor(Tid held)
        : process_([&](int report) {
              ChildProcess::send(report, ::ptrace(PTRACE_SEIZE, held.value, nullptr, nullptr) == 0);
          }) {
        bool seized = false;
        EXPECT_TRUE(process_.receive(seized) && seized);
    }
    void let_go() { process_.end(); }

  private:
    ChildProcess process_;
};

}  // namespace execseal::test
