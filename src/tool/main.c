/* SPDX-License-Identifier: MIT */
/* The program's entry: everything else is in the library that the tests use, too. */
#include "tool/tool.h"

int main(int argc, char **argv)
{
    return kvp_tool_main(argc, argv, stdout, stderr);
}
