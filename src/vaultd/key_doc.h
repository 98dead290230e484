/* SPDX-License-Identifier: MIT */
/* Key documents: bundles and list items written, attributes and the like read from requests. */
#ifndef KVP_VAULTD_KEY_DOC_H
#define KVP_VAULTD_KEY_DOC_H

#include "vaultd/exchange.h"

/** `BASE/keys/NAME[/VERSION]` in @dst. */
void kvp_key_id(const kvp_exchange *ex, const kvp_key_record *record, bool with_version, char *dst,
                size_t size);

/** A key bundle (wire reference, section 4.1); of a deleted key with the members that say so. */
json_t *kvp_key_bundle(const kvp_exchange *ex, const kvp_key_record *record);
/** An item of a list, with or without the version in its kid. */
json_t *kvp_key_item(const kvp_exchange *ex, const kvp_key_record *record, bool with_version);

/** Answer 200 with the bundle, and have the usage log name the key. */
void kvp_key_answer(kvp_exchange *ex, const kvp_key_record *record);
/** Answer for a failed look-up: 404 in the words for live or deleted keys, or 500. */
void kvp_key_missing(kvp_exchange *ex, kvp_key_state state, const kvp_error *error);

/*
 * Read parts of a request into @record. False after refusing. @fields gains a KVP_FIELD_ bit for
 * each member that was there.
 */
bool kvp_key_read_attributes(kvp_exchange *ex, const json_t *body, kvp_key_record *record,
                             unsigned *fields);
bool kvp_key_read_tags(kvp_exchange *ex, const json_t *body, kvp_key_record *record,
                       unsigned *fields);
/** @holder: the object that has `key_ops` (the JWK on import). */
bool kvp_key_read_ops(kvp_exchange *ex, const json_t *holder, kvp_key_record *record,
                      unsigned *fields);
bool kvp_key_read_policy(kvp_exchange *ex, const json_t *body, kvp_key_record *record,
                         unsigned *fields);

/** The live version that the path names; false after answering. */
bool kvp_key_find(kvp_exchange *ex, kvp_key_record *record);

/**
 * Store @key as a new version of @record's name. KVP_ERR_REFUSED: the name is deleted. @vault may
 * be known by its id alone.
 */
kvp_status kvp_key_store_version(const kvp_daemon *daemon, const kvp_vault_info *vault,
                                 kvp_key_record *record, kvp_engine_key *key, kvp_error *reterr);
/** The same, and answer with it, or with what went wrong. */
void kvp_key_add_version(kvp_exchange *ex, kvp_key_record *record, kvp_engine_key *key);

/** The service's default operations for a key type, as JSON text. */
const char *kvp_key_default_ops(kvp_engine_kind kind);
/** Whether @record's key_ops has @word. */
bool kvp_key_has_op(const kvp_key_record *record, const char *word);

/** The members of the JWK that are public, as JSON text in a new string; NULL on failure. @crv:
 * another name of the key's curve than the usual one, or NULL. */
char *kvp_key_public_json(const kvp_engine_key *key, const char *crv) KVP_WARN_UNUSED;

/** Read a private JWK (wire reference, section 4.2) into an engine key. False after refusing. */
bool kvp_jwk_import(kvp_exchange *ex, const json_t *jwk, kvp_engine_kind kind,
                    kvp_engine_key **ret_key);

/** Split `RSA-HSM` into kind and HSM; false for a type there is not. */
bool kvp_key_type(const char *kty, kvp_engine_kind *ret_kind, bool *ret_hsm);

#endif
