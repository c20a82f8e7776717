// ScopeExit: undoes a step of a longer set-up unless it is dismissed.
#pragma once

#include <utility>

namespace execseal {

template <class F>
class [[nodiscard]] ScopeExit {
  public:
    explicit ScopeExit(F undo) : undo_(std::move(undo)) {}
    ScopeExit(const ScopeExit&) = delete;
    ScopeExit& operator=(const ScopeExit&) = delete;
    ScopeExit(ScopeExit&&) = delete;
    ScopeExit& operator=(ScopeExit&&) = delete;
    ~ScopeExit() {
        if (armed_) {
            undo_();
        }
    }
    void dismiss() { armed_ = false; }

  private:
    F undo_;
    bool armed_ = true;
};

}  // namespace execseal
