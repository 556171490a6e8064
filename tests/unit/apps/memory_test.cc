// What the kernel says of memory, and who asks for more than there is.
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/memory.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace joinleaf::app {
namespace {

using testing::HasSubstr;

TEST(Memory, IsWhatTheKernelSaysIsAvailable) {
    EXPECT_EQ(available_memory("MemTotal:       24689764 kB\n"
                               "MemFree:         1234567 kB\n"
                               "MemAvailable:   22000000 kB\n"
                               "Buffers:              12 kB\n"),
              22'000'000u * 1024ull);
    EXPECT_EQ(available_memory("MemTotal: 5 kB\n"), std::nullopt);
    EXPECT_EQ(available_memory("MemAvailable:"), std::nullopt);
    EXPECT_EQ(available_memory("MemAvailable: much"), std::nullopt);
    EXPECT_EQ(available_memory(""), std::nullopt);
}

TEST(Memory, MoreThanThereIsIsAnErrorThatNamesTheOptionAndTheCure) {
    must_be_available(1, "--history-octets");
    try {
        must_be_available(std::uint64_t{1} << 60, "--history-octets");
        FAIL() << "an exbioctet was granted";
    } catch (const Failure& failure) {
        EXPECT_THAT(failure.what(), HasSubstr("--history-octets: that takes 1152921504606 MB"));
        EXPECT_THAT(failure.what(), HasSubstr("ask for less"));
    }
}

}  // namespace
}  // namespace joinleaf::app
