// FolderTest: a fixture with a folder of its own, gone after each test.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "tests/scratch_folder.h"

namespace execseal {

class FolderTest : public testing::Test {
  private:
    ScratchFolder folder_;

  protected:
    std::string directory_ = folder_.path();
};

}  // namespace execseal
