// Container images that a test makes itself: nothing is pulled.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tests/e2e/bundle.h"

namespace execseal::e2e {

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
