// Container images that a test makes itself (nothing is pulled), and how engines are told to run
// them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tests/e2e/bundle.h"

namespace execseal::e2e {

// What the engines of the tests know them by.
inline constexpr const char* kBusyboxImage = "localhost/execseal-test:latest";
inline constexpr const char* kPauseImage = "localhost/execseal-test-pause:latest";

// `run FLAGS IMAGE ARGV` with the busybox image, as podman and Docker take it.
std::vector<std::string> run_words(const std::vector<std::string>& flags,
                                   const std::vector<std::string>& argv);

// The busybox root file system of a Bundle as a tar file.
std::filesystem::path busybox_tar(const Scratch& scratch);
// One program of tests/targets as /NAME, and nothing else.
std::filesystem::path program_tar(const Scratch& scratch, const std::string& name);

struct Image {
    std::string reference;         // REGISTRY/NAME:TAG
    std::filesystem::path layer;   // a tar file
    std::vector<std::string> cmd;  // what runs where the engine is told nothing else
};

// The image as `docker save` writes it, which `ctr images import` and `podman load` take.
std::filesystem::path image_archive(const Scratch& scratch, const Image& image);

}  // namespace execseal::e2e
