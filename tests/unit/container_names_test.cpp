// By which words a container is found, in every command alike.
#include "hook/cli/container_names.h"

#include <gtest/gtest.h>

namespace execseal {
namespace {

const std::string kDigest = "0123456789ab" + std::string(52, 'c');

TEST(ContainerNames, AreShownAsTheyAreFound) {
    EXPECT_EQ(shown_name({"c1", "", ""}), "");
    EXPECT_EQ(shown_name({"c1", "web", ""}), "web");
    EXPECT_EQ(shown_name({"c1", "web", "shop/front-0"}), "shop/front-0/web");
    for (const ContainerNames& container :
         {ContainerNames{kDigest, "web", ""}, ContainerNames{kDigest, "a b", ""},
          ContainerNames{kDigest, "web", "shop/front-0"}}) {
        EXPECT_EQ(match_container(container, shown_name(container)), NameMatch::kWhole);
    }
}

TEST(ContainerNames, OnlyAnIdIsFoundByItsBeginning) {
    const ContainerNames container{kDigest, "web", "shop/front-0"};
    for (const std::string& whole : {kDigest, std::string("web"), std::string("shop/front-0"),
                                     std::string("shop/front-0/web")}) {
        EXPECT_EQ(match_container(container, whole), NameMatch::kWhole) << whole;
    }
    for (const char* const beginning : {"0", "0123456789ab"}) {
        EXPECT_EQ(match_container(container, beginning), NameMatch::kBeginning) << beginning;
    }
    for (const char* const none :
         {"", "we", "shop", "shop/front", "shop/front-0/", "front-0", "-"}) {
        EXPECT_EQ(match_container(container, none), NameMatch::kNone) << none;
    }
    EXPECT_EQ(match_container({"c1", "", "shop/front-0"}, "shop/front-0/"), NameMatch::kNone);
}

TEST(ContainerNames, AWordForSeveralIsAnErrorThatListsThem) {
    const std::vector<ContainerNames> all{{"aa1", "web", "shop/front-0"},
                                          {"aa2", "side", "shop/front-0"},
                                          {"ab1", "web", "shop/front-1"},
                                          {"web", "other", ""}};
    EXPECT_EQ(choose_container(all, "web").value(), 3U);  // an id stands above a name
    EXPECT_EQ(choose_container(all, "shop/front-1/web").value(), 2U);
    EXPECT_EQ(choose_container(all, "shop/front-1").value(), 2U);
    EXPECT_EQ(choose_container(all, "aa2").value(), 1U);
    EXPECT_EQ(choose_container(all, "shop/front-0").error().text(),
              "container shop/front-0: 2 supervised containers are called so: "
              "aa1 shop/front-0/web, aa2 shop/front-0/side");
    EXPECT_EQ(choose_container(all, "a").error().text(),
              "container a: 3 supervised containers are called so: aa1 shop/front-0/web, "
              "aa2 shop/front-0/side, ab1 shop/front-1/web");
    EXPECT_EQ(
        choose_container(all, "none").error().text(),
        "container none: no supervised container of this id or name (execseal ps lists them)");
    EXPECT_FALSE(choose_container(all, "").has_value());
}

TEST(ContainerNames, OfEventsAreOneAsLongAsTheirNameIsOne) {
    const std::vector<ContainerNames> seen{{"aa1", "web", "shop/front-0"},
                                           {"aa2", "side", "shop/front-0"},
                                           {"ab1", "web", "shop/front-1"},
                                           {"b1", "db", ""},
                                           {"b2", "db", ""}};
    for (const char* const whole : {"shop/front-0", "shop/front-0/web", "side", "db", "aa1"}) {
        EXPECT_EQ(meaning_among(seen, whole).value(), NameMatch::kWhole) << whole;
    }
    for (const char* const beginning : {"aa2", "ab", "none"}) {
        EXPECT_TRUE(meaning_among(seen, beginning).has_value()) << beginning;
    }
    EXPECT_EQ(meaning_among(seen, "ab").value(), NameMatch::kBeginning);
    EXPECT_EQ(meaning_among(seen, "web").error().text(),
              "container web: 2 containers are called so: aa1 shop/front-0/web, "
              "ab1 shop/front-1/web");
    EXPECT_EQ(meaning_among(seen, "aa").error().text(),
              "container aa: 2 containers are called so: aa1 shop/front-0/web, "
              "aa2 shop/front-0/side");
}

}  // namespace
}  // namespace execseal
