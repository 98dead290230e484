# SPDX-License-Identifier: MIT
# The --enable switches of this project, and the warnings that every room is built with.

AC_DEFUN([KVP_ARG_WERROR], [
  AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror], [warnings are errors])], [], [enable_werror=no])
  KVP_WERROR=
  AS_IF([test "$enable_werror" = yes], [KVP_WERROR=-Werror])
  AC_SUBST([KVP_WERROR])
])

AC_DEFUN([KVP_ARG_SANITIZERS], [
  AC_ARG_ENABLE([sanitizers],
    [AS_HELP_STRING([--enable-sanitizers=LIST], [build with -fsanitize=LIST (address,undefined or thread)])],
    [], [enable_sanitizers=no])
  KVP_SANITIZE=
  AS_IF([test "$enable_sanitizers" != no], [
    AS_IF([test "$enable_sanitizers" = yes], [enable_sanitizers=address,undefined])
    # A library that is dlopened has its thread-local variables where LeakSanitizer misreads glibc's
    # bookkeeping and crashes (gcc 12, glibc 2.36); of the initial-exec model it knows nothing wrong.
    KVP_SANITIZE="-fsanitize=$enable_sanitizers -fno-omit-frame-pointer -ftls-model=initial-exec"
    AS_CASE([$enable_sanitizers], [*undefined*], [KVP_SANITIZE="$KVP_SANITIZE -fno-sanitize-recover=undefined"])
    AC_DEFINE([KVP_SANITIZED], [1], [Built with a sanitizer.])
  ])
  AC_SUBST([KVP_SANITIZE])
  AM_CONDITIONAL([KVP_SANITIZED], [test "$enable_sanitizers" != no])
])

AC_DEFUN([KVP_ARG_COVERAGE], [
  AC_ARG_ENABLE([coverage], [AS_HELP_STRING([--enable-coverage], [build for gcov])], [], [enable_coverage=no])
  KVP_COVERAGE=
  AS_IF([test "$enable_coverage" = yes], [KVP_COVERAGE="--coverage -O0"])
  AC_SUBST([KVP_COVERAGE])
])

AC_DEFUN([KVP_ARG_FUZZING], [
  AC_ARG_ENABLE([fuzzing], [AS_HELP_STRING([--enable-fuzzing], [build the libFuzzer targets (clang)])],
    [], [enable_fuzzing=no])
  AM_CONDITIONAL([KVP_FUZZING], [test "$enable_fuzzing" = yes])
])

AC_DEFUN([KVP_TRY_FLAG], [
  AC_MSG_CHECKING([whether $CC takes $1])
  kvp_save_cflags=$CFLAGS
  CFLAGS="$CFLAGS -Werror $1"
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
    [AC_MSG_RESULT([yes]); KVP_WARNINGS="$KVP_WARNINGS $1"], [AC_MSG_RESULT([no])])
  CFLAGS=$kvp_save_cflags
])

AC_DEFUN([KVP_WARNING_FLAGS], [
  KVP_WARNINGS=
  m4_foreach_w([kvp_flag], [-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes
    -Wold-style-definition -Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef -Wvla
    -Wformat=2 -Wimplicit-fallthrough -Wnull-dereference -Wduplicated-cond -Wlogical-op
    -Wthread-safety], [KVP_TRY_FLAG(kvp_flag)])
  AC_SUBST([KVP_WARNINGS])
])
