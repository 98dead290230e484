// SPDX-License-Identifier: MIT
// Keys as objects: made, imported, read, listed, changed, rotated, backed up, deleted, recovered.
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { check, collect, finished, quick, recent, refused, vault } from "./lib.mjs";

const client = vault.keys();
const rsaOps = ["encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"];
const year = 365 * 24 * 3600 * 1000;
const seconds = (ms) => new Date(Math.floor((Date.now() + ms) / 1000) * 1000);

function sameKey(one, other) {
    assert.equal(one.id, other.id);
    assert.deepEqual(Buffer.from(one.key.n ?? one.key.x), Buffer.from(other.key.n ?? other.key.x));
}

async function made() {
    for (const size of [2048, 3072, 4096]) {
        await check(`createRsaKey ${size}`, async () => {
            const key = await client.createRsaKey(vault.name("rsa"), { keySize: size });
            assert.equal(key.keyType, "RSA");
            assert.equal(key.key.n.length, size / 8);
            assert.deepEqual(key.keyOperations, rsaOps);
            assert.equal(key.properties.enabled, true);
            assert.match(key.properties.version, /^[0-9a-f]{32}$/);
            assert.equal(key.id, `${vault.url}/keys/${key.name}/${key.properties.version}`);
            recent(key.properties.createdOn);
            recent(key.properties.updatedOn);
        });
    }
    await check("createRsaKey hsm", async () => {
        const key = await client.createRsaKey(vault.name("rsa-hsm"), { hsm: true });
        assert.equal(key.keyType, "RSA-HSM");
        // Without a token behind it keyvaultd keeps such a key in software, and says so.
        assert.equal(key.properties.hsmPlatform, "0");
    });
    for (const [curve, width] of [
        ["P-256", 32],
        ["P-384", 48],
        ["P-521", 66],
        ["P-256K", 32],
    ]) {
        await check(`createEcKey ${curve}`, async () => {
            const key = await client.createEcKey(vault.name("ec"), { curve });
            assert.equal(key.keyType, "EC");
            assert.equal(key.key.crv, curve);
            assert.equal(key.key.x.length, width);
            assert.equal(key.key.y.length, width);
            assert.deepEqual(key.keyOperations, ["sign", "verify"]);
        });
    }
    await check("createKey with attributes, operations and tags", async () => {
        const notBefore = seconds(-1000);
        const expiresOn = seconds(year);
        const key = await client.createKey(vault.name("attr"), "RSA", {
            enabled: false,
            notBefore,
            expiresOn,
            keyOps: ["sign"],
            tags: { project: "wire", empty: "" },
        });
        assert.equal(key.properties.enabled, false);
        assert.deepEqual(key.properties.notBefore, notBefore);
        assert.deepEqual(key.properties.expiresOn, expiresOn);
        assert.deepEqual(key.keyOperations, ["sign"]);
        assert.deepEqual(key.properties.tags, { project: "wire", empty: "" });
    });
}

async function imported() {
    const pairs = {
        RSA: generateKeyPairSync("rsa", { modulusLength: 2048 }),
        "P-256": generateKeyPairSync("ec", { namedCurve: "P-256" }),
        "P-384": generateKeyPairSync("ec", { namedCurve: "P-384" }),
        "P-521": generateKeyPairSync("ec", { namedCurve: "P-521" }),
        "P-256K": generateKeyPairSync("ec", { namedCurve: "secp256k1" }),
    };
    for (const [name, pair] of Object.entries(pairs)) {
        await check(`importKey ${name}`, async () => {
            const jwk = { ...pair.privateKey.export({ format: "jwk" }) };
            const wire = { kty: jwk.kty, keyOps: ["sign", "verify"] };
            for (const part of ["n", "e", "d", "p", "q", "dp", "dq", "qi", "x", "y"]) {
                if (jwk[part]) wire[part] = Buffer.from(jwk[part], "base64url");
            }
            if (jwk.crv) wire.crv = name;
            const key = await client.importKey(vault.name("import"), wire, {
                tags: { from: "test" },
            });
            assert.equal(key.keyType, jwk.kty);
            assert.deepEqual(Buffer.from(key.key.n ?? key.key.x), Buffer.from(wire.n ?? wire.x));
            assert.equal(key.key.d, undefined, "the private part came back");
            assert.deepEqual(key.properties.tags, { from: "test" });
        });
    }
    await check("importKey without a key", () =>
        refused(400, "BadParameter", () => client.importKey(vault.name("import"), {})),
    );
}

async function versions() {
    const name = vault.name("versions");
    const first = await check("first version", () => client.createEcKey(name));
    const second = await check("second version", () =>
        client.createEcKey(name, { curve: "P-384" }),
    );
    if (!first || !second) return;
    await check("getKey gives the newest version", async () =>
        sameKey(await client.getKey(name), second),
    );
    await check("getKey of an old version", async () =>
        sameKey(await client.getKey(name, { version: first.properties.version }), first),
    );
    await check("names are the same in any case", async () =>
        sameKey(await client.getKey(name.toUpperCase()), second),
    );
    await check("listPropertiesOfKeyVersions", async () => {
        const all = await collect(client.listPropertiesOfKeyVersions(name));
        assert.deepEqual(
            all.map((p) => p.version),
            [first, second].map((k) => k.properties.version).sort(),
        );
    });
    await check("listPropertiesOfKeyVersions of nothing", async () =>
        assert.deepEqual(await collect(client.listPropertiesOfKeyVersions("no-such-key")), []),
    );
    await check("updateKeyProperties", async () => {
        const expiresOn = seconds(year);
        const changed = await client.updateKeyProperties(name, second.properties.version, {
            enabled: false,
            expiresOn,
            keyOps: ["verify"],
            tags: { a: "1" },
        });
        assert.equal(changed.id, second.id);
        assert.equal(changed.properties.enabled, false);
        assert.deepEqual(changed.properties.expiresOn, expiresOn);
        assert.deepEqual(changed.keyOperations, ["verify"]);
        const read = await client.getKey(name);
        assert.deepEqual(read.properties.tags, { a: "1" });
        assert.equal(read.properties.enabled, false);
    });
    await check("updateKeyProperties leaves the rest as it was", async () => {
        const changed = await client.updateKeyProperties(name, { enabled: true });
        assert.equal(changed.properties.version, second.properties.version);
        assert.deepEqual(changed.keyOperations, ["verify"]);
        assert.deepEqual(changed.properties.tags, { a: "1" });
    });
}

async function rotation() {
    const name = vault.name("rotate");
    const key = await check("key to rotate", () => client.createRsaKey(name, { keyOps: ["sign"] }));
    if (!key) return;
    await check("rotation policy when none was set", async () => {
        const policy = await client.getKeyRotationPolicy(name);
        assert.deepEqual(policy.lifetimeActions, [
            { action: "Notify", timeAfterCreate: undefined, timeBeforeExpiry: "P30D" },
        ]);
    });
    await check("updateKeyRotationPolicy", async () => {
        const policy = await client.updateKeyRotationPolicy(name, {
            expiresIn: "P90D",
            lifetimeActions: [
                { action: "Rotate", timeBeforeExpiry: "P30D" },
                { action: "Notify", timeBeforeExpiry: "P20D" },
            ],
        });
        assert.equal(policy.expiresIn, "P90D");
        assert.equal(policy.id, `${vault.url}/keys/${name}/rotationpolicy`);
        recent(policy.createdOn);
    });
    await check("getKeyRotationPolicy", async () => {
        const policy = await client.getKeyRotationPolicy(name);
        assert.equal(policy.expiresIn, "P90D");
        assert.deepEqual(
            policy.lifetimeActions.map((a) => [a.action, a.timeBeforeExpiry]),
            [
                ["Rotate", "P30D"],
                ["Notify", "P20D"],
            ],
        );
    });
    await check("rotateKey", async () => {
        const next = await client.rotateKey(name);
        assert.notEqual(next.properties.version, key.properties.version);
        assert.equal(next.keyType, "RSA");
        assert.deepEqual(next.keyOperations, ["sign"]);
        const days = (next.properties.expiresOn - Date.now()) / 86400000;
        assert.ok(days > 89.9 && days < 90.1, `expires in ${days} days`);
        assert.equal((await client.getKey(name)).id, next.id);
    });
}

async function gone() {
    const name = vault.name("gone");
    const key = await check("key to delete", () => client.createEcKey(name));
    if (!key) return;
    await check("beginDeleteKey", async () => {
        const deleted = await finished(client.beginDeleteKey(name, quick));
        assert.equal(deleted.properties.recoveryId, `${vault.url}/deletedkeys/${name}`);
        recent(deleted.properties.deletedOn);
        assert.ok(deleted.properties.scheduledPurgeDate > deleted.properties.deletedOn);
    });
    await check("a deleted key cannot be read", () =>
        refused(404, "KeyNotFound", () => client.getKey(name)),
    );
    await check("its name cannot be used again", () =>
        refused(409, "Conflict", () => client.createEcKey(name), "ObjectIsDeletedButRecoverable"),
    );
    await check("getDeletedKey", async () => sameKey(await client.getDeletedKey(name), key));
    await check("listDeletedKeys", async () => {
        const all = await collect(client.listDeletedKeys());
        assert.equal(all.filter((k) => k.name === name).length, 1);
    });
    await check("beginRecoverDeletedKey", async () =>
        sameKey(await finished(client.beginRecoverDeletedKey(name, quick)), key),
    );
    await check("backup, delete, purge, restore", async () => {
        const backup = await client.backupKey(name);
        assert.ok(backup.length > 100);
        await finished(client.beginDeleteKey(name, quick));
        await client.purgeDeletedKey(name);
        await refused(404, "KeyNotFound", () => client.getDeletedKey(name));
        sameKey(await client.restoreKeyBackup(backup), key);
        await refused(409, "Conflict", () => client.restoreKeyBackup(backup));
    });
    await check("a backup that is none", () =>
        refused(400, "Malformed backup blob", () => client.restoreKeyBackup(new Uint8Array(1000))),
    );
}

async function paging() {
    const names = [];
    await check("60 keys", async () => {
        for (let i = 0; i < 60; i += 1) {
            names.push((await client.createEcKey(`page-${String(i).padStart(2, "0")}`)).name);
        }
    });
    await check("all of 60 keys are listed once, over pages of at most 25", async () => {
        const found = [];
        for await (const page of client.listPropertiesOfKeys().byPage()) {
            assert.ok(page.length <= 25, `${page.length} in a page`);
            found.push(...page.map((p) => p.name));
        }
        assert.deepEqual(
            found.filter((n) => n.startsWith("page-")),
            names,
        );
        assert.equal(new Set(found).size, found.length);
    });
    await check("pages of 7", async () => {
        const found = [];
        for await (const page of client.listPropertiesOfKeys().byPage({ maxPageSize: 7 })) {
            assert.ok(page.length <= 7, `${page.length} in a page`);
            found.push(...page.map((p) => p.name));
        }
        assert.deepEqual(
            found.filter((n) => n.startsWith("page-")),
            names,
        );
    });
}

export async function run() {
    await made();
    await imported();
    await versions();
    await rotation();
    await gone();
    await paging();
}
