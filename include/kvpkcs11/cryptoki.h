/* SPDX-License-Identifier: MIT */
/*
 * The one file that includes p11-kit's pkcs11.h and declares what it lacks: PKCS#11 3.0 to 3.2.
 */
#ifndef KVPKCS11_CRYPTOKI_H
#define KVPKCS11_CRYPTOKI_H

#include <p11-kit/pkcs11.h>

#endif
