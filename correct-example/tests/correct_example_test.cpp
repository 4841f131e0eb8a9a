#include <gtest/gtest.h>
TEST(CorrectExample, Placeholder) {}
