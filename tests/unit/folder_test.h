// FolderTest: a fixture with a folder of its own, gone after each test.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <stdexcept>
#include <string>

namespace execseal {

class FolderTest : public testing::Test {
  protected:
    FolderTest() {
        char pattern[] = "/tmp/execseal-test-XXXXXX";
        if (mkdtemp(&pattern[0]) == nullptr) {
            throw std::runtime_error("mkdtemp in /tmp");
        }
        directory_ = std::filesystem::canonical(&pattern[0]);
    }
    FolderTest(const FolderTest&) = delete;
    FolderTest& operator=(const FolderTest&) = delete;
    FolderTest(FolderTest&&) = delete;
    FolderTest& operator=(FolderTest&&) = delete;
    ~FolderTest() override { std::filesystem::remove_all(directory_); }

    std::string directory_;
};

}  // namespace execseal
