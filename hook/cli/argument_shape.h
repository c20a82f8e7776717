// argument_shape: what an argument is an example of.
//
// Takes an argument, gives a pattern in which paths, numbers, ids, hosts, dates and names of files
// stand for others of their kind; words stay. A path stays below its folder, no pattern takes "..",
// and none takes a byte that a shell obeys where the example has none. Pure.
#pragma once

#include <set>
#include <string>
#include <string_view>

namespace execseal {

// How much a learnt policy allows beyond what was recorded. kNarrow: the default, but that words
// and texts stay as a list as long as in kStrict.
enum class Width { kStrict, kNarrow, kDefault, kLoose };

struct ArgumentShape {
    std::string regex;     // RE2 over bytes, for the whole argument
    bool general = false;  // other arguments match it as well
    // The kind is plain from the example alone; otherwise a second example is wanted.
    bool certain = false;
    // A text of several words, no flag and no path first, without a byte that a shell obeys.
    bool spaced = false;
    bool word = false;  // one plain word
};

// Names that are data, not words of a command line: what lies directly below a folder of data
// ("shop" of /work/shop/src), the last part of a URL's path ("shop" of https://host/team/shop.git).
using DataNames = std::set<std::string, std::less<>>;
void add_data_names(std::string_view argument, DataNames& names);

// A word that is one of `names`, or has one between its underscores, stands for any other name.
ArgumentShape shape_of(std::string_view argument, Width width, const DataNames& names = {});

// These bytes and no others, as RE2.
std::string quoted_regex(std::string_view bytes);

// A plain word, as subcommands are: letters, digits, "-" and "_", the first a letter.
bool is_word(std::string_view argument);

// Patterns for values of which so many were seen that any may come.
inline constexpr const char* kAnyWord = R"([A-Za-z0-9_][\w.+-]*)";
inline constexpr const char* kAnyText = R"([\w.,:'@#()+=%][\w .,:/'@#()+=%-]*)";
// The same of two words at least: where one word may be anything, such as another subcommand.
inline constexpr const char* kAnyWords = R"([\w.,:'@#()+=%][\w.,:/'@#()+=%-]* [\w .,:/'@#()+=%-]*)";

// Digits where a random name would have some: mkstemp(3), uuid(1), a commit.
bool looks_random(std::string_view word);

}  // namespace execseal
