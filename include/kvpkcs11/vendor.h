/* SPDX-License-Identifier: MIT */
/* Vendor attributes of libkvpkcs11 that an application may ask for. Read-only, where nothing else is
 * said. */
#ifndef KVPKCS11_VENDOR_H
#define KVPKCS11_VENDOR_H

#define KVP_VENDOR_BASE (0x80000000UL | 0x4b5600UL) /* CKA_VENDOR_DEFINED, "KV" */

/** UTF-8, no NUL: the full Key Vault identifier, `https://…/keys/NAME/VERSION`; certificates and data
 *  objects (these without version) have theirs. */
#define CKA_KVP_KEY_ID (KVP_VENDOR_BASE + 1)
/** CK_BBOOL: the key is protected by an HSM. */
#define CKA_KVP_HSM (KVP_VENDOR_BASE + 2)
/** UTF-8, no NUL: the version, 32 hexadecimal digits. */
#define CKA_KVP_VERSION (KVP_VENDOR_BASE + 3)
/** UTF-8, no NUL: what the vault says a data object's value is, `text/plain`. */
#define CKA_KVP_CONTENT_TYPE (KVP_VENDOR_BASE + 4)

/** CK_BBOOL: the vault lets the object be used. C_SetAttributeValue can change it; what is disabled
 *  is not found any more, and can be enabled by those who still have its handle. */
#define CKA_KVP_ENABLED (KVP_VENDOR_BASE + 5)

#endif
