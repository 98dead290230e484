// SPDX-License-Identifier: MIT
// Work with keys: every algorithm of a vault, each operation done by the vault and checked here.
import assert from "node:assert/strict";
import {
    constants,
    createHash,
    createPublicKey,
    publicEncrypt,
    verify as verifyHere,
} from "node:crypto";
import { bytes, check, refused, vault } from "./lib.mjs";

const client = vault.keys();
const message = bytes("the message");
const digest = (bits) => createHash(`sha${bits}`).update(message).digest();

/** Node's public key for a bundle: what the vault did is checked with other code than its own. */
function publicKey(key) {
    const jwk = { kty: key.key.kty.replace("-HSM", "") };
    for (const part of ["n", "e", "x", "y"]) {
        if (key.key[part]) jwk[part] = Buffer.from(key.key[part]).toString("base64url");
    }
    if (key.key.crv) jwk.crv = key.key.crv === "P-256K" ? "secp256k1" : key.key.crv;
    return createPublicKey({ key: jwk, format: "jwk" });
}

/** The call must have been exactly one request to the vault (the first one of a client also asks
 *  for the challenge). */
async function remotely(call) {
    const before = vault.requests;
    const result = await call();
    assert.ok(vault.requests > before, "nothing was sent");
    return result;
}

const signatures = [
    ["RS256", 256, { padding: constants.RSA_PKCS1_PADDING }],
    ["RS384", 384, { padding: constants.RSA_PKCS1_PADDING }],
    ["RS512", 512, { padding: constants.RSA_PKCS1_PADDING }],
    ["PS256", 256, { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }],
    ["PS384", 384, { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 48 }],
    ["PS512", 512, { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 }],
    ["ES256", 256, { dsaEncoding: "ieee-p1363" }, "P-256", 64],
    ["ES384", 384, { dsaEncoding: "ieee-p1363" }, "P-384", 96],
    ["ES512", 512, { dsaEncoding: "ieee-p1363" }, "P-521", 132],
    ["ES256K", 256, { dsaEncoding: "ieee-p1363" }, "P-256K", 64],
];

async function signing(rsa, curves) {
    for (const [algorithm, bits, how, curve, size] of signatures) {
        const key = curve ? curves[curve] : rsa;
        if (!key) continue;
        const crypto = vault.crypto(key);
        const signed = await check(`sign ${algorithm}`, async () => {
            const { result, keyID } = await remotely(() => crypto.sign(algorithm, digest(bits)));
            assert.equal(keyID, key.id);
            assert.equal(result.length, size ?? 256);
            assert.ok(
                verifyHere(`sha${bits}`, message, { key: publicKey(key), ...how }, result),
                "OpenSSL does not accept the signature",
            );
            return result;
        });
        if (!signed) continue;
        await check(`verify ${algorithm}`, async () => {
            const good = await remotely(() => crypto.verify(algorithm, digest(bits), signed));
            assert.equal(good.result, true);
            const bad = Uint8Array.from(signed);
            bad[10] ^= 1;
            assert.equal((await crypto.verify(algorithm, digest(bits), bad)).result, false);
        });
        await check(`signData and verifyData ${algorithm}`, async () => {
            const { result } = await crypto.signData(algorithm, message);
            assert.ok(verifyHere(`sha${bits}`, message, { key: publicKey(key), ...how }, result));
            assert.equal((await crypto.verifyData(algorithm, message, result)).result, true);
        });
        await check(`${algorithm} of a digest of another length`, () =>
            refused(400, "BadParameter", () => crypto.sign(algorithm, new Uint8Array(10))),
        );
    }
    if (rsa) {
        await check("RSNULL signs what it is given", async () => {
            const info = Buffer.concat([
                Buffer.from("3021300906052b0e03021a05000414", "hex"),
                createHash("sha1").update(message).digest(),
            ]);
            const { result } = await vault.crypto(rsa).sign("RSNULL", info);
            assert.ok(verifyHere("sha1", message, { key: publicKey(rsa) }, result));
        });
    }
}

const ciphers = [
    ["RSA1_5", { padding: constants.RSA_PKCS1_PADDING }, 245],
    ["RSA-OAEP", { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha1" }, 214],
    ["RSA-OAEP-256", { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256" }, 190],
];

async function encryption(rsa) {
    if (!rsa) return;
    const crypto = vault.crypto(rsa);
    for (const [algorithm, how, longest] of ciphers) {
        await check(`encrypt and decrypt ${algorithm}`, async () => {
            const { result, keyID } = await remotely(() =>
                crypto.encrypt({ algorithm, plaintext: message }),
            );
            assert.equal(keyID, rsa.id);
            assert.equal(result.length, 256);
            const back = await remotely(() => crypto.decrypt({ algorithm, ciphertext: result }));
            assert.deepEqual(Buffer.from(back.result), Buffer.from(message));
        });
        await check(`decrypt ${algorithm} of what OpenSSL encrypted`, async () => {
            const ciphertext = publicEncrypt({ key: publicKey(rsa), ...how }, message);
            const back = await crypto.decrypt({ algorithm, ciphertext });
            assert.deepEqual(Buffer.from(back.result), Buffer.from(message));
        });
        await check(`wrapKey and unwrapKey ${algorithm}`, async () => {
            const secret = new Uint8Array(32).fill(7);
            const wrapped = await remotely(() => crypto.wrapKey(algorithm, secret));
            const back = await remotely(() => crypto.unwrapKey(algorithm, wrapped.result));
            assert.deepEqual(Buffer.from(back.result), Buffer.from(secret));
        });
        await check(`the longest message of ${algorithm}`, async () => {
            const plaintext = new Uint8Array(longest).fill(1);
            const { result } = await crypto.encrypt({ algorithm, plaintext });
            const back = await crypto.decrypt({ algorithm, ciphertext: result });
            assert.equal(back.result.length, longest);
            await refused(400, "BadParameter", () =>
                crypto.encrypt({ algorithm, plaintext: new Uint8Array(longest + 1) }),
            );
        });
        await check(`${algorithm} of garbage`, () =>
            refused(400, "BadParameter", () =>
                crypto.decrypt({ algorithm, ciphertext: new Uint8Array(256) }),
            ),
        );
    }
}

async function refusals(rsa, curves) {
    if (!rsa || !curves["P-256"] || !curves["P-256K"]) return;
    await check("an algorithm of another key type", async () => {
        const error = await refused(400, "BadParameter", () =>
            vault.crypto(rsa).sign("ES256", digest(256)),
        );
        assert.match(
            error.message,
            /is of type 'RSA', and algorithm 'ES256' can only be used with/,
        );
    });
    await check("an algorithm of another curve", async () => {
        const error = await refused(400, "BadParameter", () =>
            vault.crypto(curves["P-256K"]).sign("ES256", digest(256)),
        );
        assert.match(
            error.message,
            /uses curve 'P-256K', and algorithm 'ES256' can only be used with curve 'P-256'/,
        );
    });
    await check("an algorithm that does not exist", () =>
        refused(400, "BadParameter", () => vault.crypto(rsa).sign("XS256", digest(256))),
    );
    await check("an operation that key_ops lacks", async () => {
        const key = await client.createRsaKey(vault.name("ops"), { keyOps: ["sign"] });
        const error = await refused(
            403,
            "Forbidden",
            () =>
                vault.crypto(key).decrypt({ algorithm: "RSA1_5", ciphertext: new Uint8Array(256) }),
            "KeyOperationForbidden",
        );
        assert.equal(error.message, "Operation decrypt is not permitted on this key.");
    });
    await check("a disabled key", async () => {
        const key = await client.createEcKey(vault.name("disabled"), { enabled: false });
        await refused(
            403,
            "Forbidden",
            () => vault.crypto(key).sign("ES256", digest(256)),
            "KeyDisabled",
        );
    });
    await check("an expired key decrypts and verifies, but does not sign or encrypt", async () => {
        const key = await client.createRsaKey(vault.name("expired"));
        const crypto = vault.crypto(key);
        const { result } = await crypto.encrypt({ algorithm: "RSA-OAEP", plaintext: message });
        const signed = await crypto.sign("RS256", digest(256));
        await client.updateKeyProperties(key.name, { expiresOn: new Date(Date.now() - 3600000) });
        assert.ok((await crypto.decrypt({ algorithm: "RSA-OAEP", ciphertext: result })).result);
        assert.equal((await crypto.verify("RS256", digest(256), signed.result)).result, true);
        await refused(403, "Forbidden", () => crypto.sign("RS256", digest(256)));
        await refused(403, "Forbidden", () =>
            crypto.encrypt({ algorithm: "RSA-OAEP", plaintext: message }),
        );
        await refused(403, "Forbidden", () => crypto.wrapKey("RSA-OAEP", message));
    });
    await check("a key that is not yet valid does not sign", async () => {
        const key = await client.createEcKey(vault.name("future"), {
            notBefore: new Date(Date.now() + 86400000),
        });
        await refused(403, "Forbidden", () => vault.crypto(key).sign("ES256", digest(256)));
    });
    await check("a key that does not exist", () =>
        refused(404, "KeyNotFound", () =>
            vault.crypto(`${vault.url}/keys/nothing`).sign("RS256", digest(256)),
        ),
    );
    await check("without a version the newest signs", async () => {
        const name = vault.name("newest");
        await client.createEcKey(name);
        const key = await client.createEcKey(name);
        const { result } = await vault
            .crypto(`${vault.url}/keys/${name}`)
            .sign("ES256", digest(256));
        assert.ok(
            verifyHere(
                "sha256",
                message,
                { key: publicKey(key), dsaEncoding: "ieee-p1363" },
                result,
            ),
        );
    });
}

export async function run() {
    const rsa = await check("key for RSA algorithms", () =>
        client.createRsaKey(vault.name("crypto")),
    );
    const curves = {};
    for (const curve of ["P-256", "P-384", "P-521", "P-256K"]) {
        curves[curve] = await check(`key for ${curve}`, () =>
            client.createEcKey(vault.name("crypto"), { curve }),
        );
    }
    await signing(rsa, curves);
    await encryption(rsa);
    await refusals(rsa, curves);
}
