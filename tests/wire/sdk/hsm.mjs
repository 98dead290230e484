// SPDX-License-Identifier: MIT
// A Managed HSM: kinds of keys, symmetric algorithms, random bytes, and what a vault refuses of it.
import assert from "node:assert/strict";
import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from "node:crypto";
import { bytes, check, collect, finished, hex, hsm, quick, refused, vault } from "./lib.mjs";

const client = hsm.keys();
const plain = bytes("sixteen bytes!!!two blocks long.");

async function kinds() {
    await check("hsm: RSA becomes RSA-HSM", async () => {
        const key = await client.createKey(hsm.name("rsa"), "RSA");
        assert.equal(key.keyType, "RSA-HSM");
        assert.equal(key.key.n.length, 256);
    });
    await check("hsm: EC becomes EC-HSM", async () => {
        const key = await client.createKey(hsm.name("ec"), "EC", { curve: "P-384" });
        assert.equal(key.keyType, "EC-HSM");
        assert.equal(key.key.x.length, 48);
    });
    for (const size of [128, 192, 256]) {
        await check(`hsm: createOctKey ${size}`, async () => {
            const key = await client.createOctKey(hsm.name("oct"), { keySize: size });
            assert.equal(key.keyType, "oct-HSM");
            assert.equal(key.key.k, undefined, "the key itself came back");
        });
    }
    await check("hsm: a vault has no oct keys", () =>
        refused(
            400,
            "BadParameter",
            () => vault.keys().createOctKey(vault.name("oct")),
            "KeyTypeNotSupported",
        ),
    );
    await check("hsm: no secrets here", async () => {
        await assert.rejects(
            () => hsm.secrets().setSecret("s", "v"),
            (e) => e.statusCode >= 400,
        );
    });
}

async function random() {
    for (const count of [1, 32, 128]) {
        await check(`hsm: getRandomBytes ${count}`, async () => {
            const one = await client.getRandomBytes(count);
            assert.equal(one.length, count);
            if (count > 8) assert.notEqual(hex(one), hex(await client.getRandomBytes(count)));
        });
    }
    for (const count of [0, 129]) {
        await check(`hsm: getRandomBytes ${count}`, () =>
            refused(400, "BadParameter", () => client.getRandomBytes(count)),
        );
    }
}

/** An oct key whose bytes are known, so that what the HSM does can be done here too. */
async function known(size, keyOps) {
    const k = randomBytes(size / 8);
    const key = await client.importKey(hsm.name("known"), { kty: "oct-HSM", k, keyOps });
    assert.equal(key.keyType, "oct-HSM");
    return { k, crypto: hsm.crypto(key) };
}

async function aes() {
    for (const size of [128, 192, 256]) {
        await check(`hsm: A${size}GCM`, async () => {
            const { k, crypto } = await known(size, ["encrypt", "decrypt"]);
            const aad = bytes("header");
            const out = await crypto.encrypt({
                algorithm: `A${size}GCM`,
                plaintext: plain,
                additionalAuthenticatedData: aad,
            });
            assert.equal(out.iv.length, 12);
            assert.equal(out.authenticationTag.length, 16);
            const here = createDecipheriv(`aes-${size}-gcm`, k, out.iv)
                .setAAD(aad)
                .setAuthTag(Buffer.from(out.authenticationTag));
            assert.equal(hex(Buffer.concat([here.update(out.result), here.final()])), hex(plain));
            const wanted = {
                algorithm: `A${size}GCM`,
                ciphertext: out.result,
                iv: out.iv,
                authenticationTag: out.authenticationTag,
                additionalAuthenticatedData: aad,
            };
            assert.equal(hex((await crypto.decrypt(wanted)).result), hex(plain));
            await refused(400, "BadParameter", () =>
                crypto.decrypt({ ...wanted, authenticationTag: new Uint8Array(16) }),
            );
            await refused(400, "BadParameter", () =>
                crypto.decrypt({ ...wanted, additionalAuthenticatedData: bytes("other") }),
            );
        });
        for (const padded of [false, true]) {
            const algorithm = `A${size}CBC${padded ? "PAD" : ""}`;
            await check(`hsm: ${algorithm}`, async () => {
                const { k, crypto } = await known(size, ["encrypt", "decrypt"]);
                const plaintext = padded ? plain.slice(0, 21) : plain;
                const iv = randomBytes(16);
                const out = await crypto.encrypt({ algorithm, plaintext, iv });
                assert.equal(hex(out.iv), hex(iv));
                const here = createCipheriv(`aes-${size}-cbc`, k, iv).setAutoPadding(padded);
                assert.equal(
                    hex(out.result),
                    hex(Buffer.concat([here.update(plaintext), here.final()])),
                );
                const back = await crypto.decrypt({ algorithm, ciphertext: out.result, iv });
                assert.equal(hex(back.result), hex(plaintext));
            });
        }
        await check(`hsm: A${size}KW`, async () => {
            const { k, crypto } = await known(size, ["wrapKey", "unwrapKey"]);
            const secret = randomBytes(32);
            const { result } = await crypto.wrapKey(`A${size}KW`, secret);
            const here = createCipheriv(`id-aes${size}-wrap`, k, Buffer.alloc(8, 0xa6));
            assert.equal(hex(result), hex(Buffer.concat([here.update(secret), here.final()])));
            assert.equal(hex((await crypto.unwrapKey(`A${size}KW`, result)).result), hex(secret));
            await refused(400, "BadParameter", () =>
                crypto.unwrapKey(`A${size}KW`, new Uint8Array(40)),
            );
        });
        await check(`hsm: CKM_AES_KEY_WRAP and _PAD with ${size} bits`, async () => {
            const { crypto } = await known(size, ["wrapKey", "unwrapKey"]);
            for (const [algorithm, length, wrapped] of [
                ["CKM_AES_KEY_WRAP", 32, 40],
                ["CKM_AES_KEY_WRAP_PAD", 32, 40],
                ["CKM_AES_KEY_WRAP_PAD", 21, 32],
            ]) {
                const secret = randomBytes(length);
                const { result } = await crypto.wrapKey(algorithm, secret);
                assert.equal(result.length, wrapped);
                assert.equal(hex((await crypto.unwrapKey(algorithm, result)).result), hex(secret));
            }
        });
    }
    await check("hsm: CBC with an iv of another length", async () => {
        const { crypto } = await known(128, ["encrypt", "decrypt"]);
        await refused(400, "BadParameter", () =>
            crypto.encrypt({ algorithm: "A128CBC", plaintext: plain, iv: randomBytes(12) }),
        );
    });
    await check("hsm: an algorithm of another key size", async () => {
        const { crypto } = await known(128, ["encrypt", "decrypt"]);
        await refused(400, "BadParameter", () =>
            crypto.encrypt({ algorithm: "A256GCM", plaintext: plain }),
        );
    });
}

async function hmac() {
    for (const [algorithm, bits] of [
        ["HS256", 256],
        ["HS384", 384],
        ["HS512", 512],
    ]) {
        await check(`hsm: ${algorithm}`, async () => {
            const k = randomBytes(bits === 256 ? 32 : bits / 8);
            const key = await client.importKey(hsm.name("hmac"), {
                kty: "oct-HSM",
                k,
                keyOps: ["sign", "verify"],
            });
            const crypto = hsm.crypto(key);
            const value = createHash(`sha${bits}`).update(plain).digest();
            const { result } = await crypto.sign(algorithm, value);
            assert.equal(hex(result), hex(createHmac(`sha${bits}`, k).update(value).digest()));
            assert.equal((await crypto.verify(algorithm, value, result)).result, true);
            result[0] ^= 1;
            assert.equal((await crypto.verify(algorithm, value, result)).result, false);
        });
    }
    await check("hsm: HS256 as a real HSM computed it", async () => {
        const k = Buffer.from("pBZVALPctDgu2eVdVrBgNQlZ2-cIIN8mT0JDMENMD28", "base64url");
        const key = await client.importKey(hsm.name("hmac"), {
            kty: "oct-HSM",
            k,
            keyOps: ["sign", "verify"],
        });
        const value = Buffer.from("fXYe7bL0QaXwk65meK-NlRE-ty0-bdHJBY4zMEc8eXc", "base64url");
        const { result } = await hsm.crypto(key).sign("HS256", value);
        assert.equal(
            Buffer.from(result).toString("base64url"),
            "738mLG7DvsXC_8DYffVppi44X9I9E97Ep2m6b_r1F58",
        );
    });
}

async function life() {
    const name = hsm.name("life");
    await check("hsm: versions, delete, recover, purge, restore", async () => {
        const first = await client.createOctKey(name);
        const second = await client.createOctKey(name);
        const listed = await collect(client.listPropertiesOfKeyVersions(name));
        assert.deepEqual(
            listed.map((p) => p.version).sort(),
            [first, second].map((k) => k.properties.version).sort(),
        );
        const backup = await client.backupKey(name);
        await finished(client.beginDeleteKey(name, quick));
        await refused(404, "KeyNotFound", () => client.getKey(name));
        assert.equal((await finished(client.beginRecoverDeletedKey(name, quick))).id, second.id);
        await finished(client.beginDeleteKey(name, quick));
        await client.purgeDeletedKey(name);
        assert.equal((await client.restoreKeyBackup(backup)).id, second.id);
        await refused(409, "Conflict", () => client.restoreKeyBackup(backup));
    });
    await check("hsm: rotation", async () => {
        await client.updateKeyRotationPolicy(name, {
            lifetimeActions: [{ action: "Rotate", timeAfterCreate: "P30D" }],
            expiresIn: "P90D",
        });
        const policy = await client.getKeyRotationPolicy(name);
        assert.equal(policy.expiresIn, "P90D");
        const before = await client.getKey(name);
        const after = await client.rotateKey(name);
        assert.notEqual(after.id, before.id);
    });
    await check("hsm: a key that does not exist", async () => {
        const error = await refused(404, "KeyNotFound", () => client.getKey("nothing"));
        assert.match(
            error.message,
            new RegExp(`^Key not found: ${hsm.url}/keys/nothing \\(Activity ID: [0-9a-f-]{36}\\)$`),
        );
    });
}

export async function run() {
    await kinds();
    await random();
    await aes();
    await hmac();
    await life();
}
