// SPDX-License-Identifier: MIT
// What the SDK scripts share: the two vaults that ./run started, clients for them, checks that
// print PASS or FAIL, and small helpers. Leaves what is checked to the scripts.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ClientSecretCredential } from "@azure/identity";
import { CertificateClient } from "@azure/keyvault-certificates";
import { CryptographyClient, KeyClient } from "@azure/keyvault-keys";
import { SecretClient } from "@azure/keyvault-secrets";

let failures = 0;
let lastBody; // of the last answer that any client got: clients keep little of an error

/** Run `body` as one check; its result is handed on, undefined after a failure. */
export async function check(name, body) {
    try {
        const result = await body();
        console.log(`PASS sdk ${name}`);
        return result;
    } catch (error) {
        failures += 1;
        const what = error.statusCode ? `HTTP ${error.statusCode} ${error.code}: ` : "";
        console.log(
            `FAIL sdk ${name}: ${what}${String(error.message).replace(/\s*\n\s*/g, " | ")}`,
        );
        return undefined;
    }
}

export const failed = () => failures;

/** The call must be refused with this status and code (and inner code, where given). */
export async function refused(status, code, call, inner) {
    let answer;
    try {
        answer = await call();
    } catch (error) {
        assert.equal(error.statusCode, status, `status: ${error.message}`);
        const body = JSON.parse(lastBody);
        assert.equal(body.error.code, code);
        if (inner !== undefined) assert.equal(body.error.innererror?.code, inner);
        return body.error;
    }
    assert.fail(`not refused, but ${JSON.stringify(answer)?.slice(0, 200)}`);
}

/** The [vault:…] section of the kvpkcs11.conf that keyvaultd wrote. */
function conf(dir) {
    const path = join(dir, "kvpkcs11.conf");
    const values = {};
    for (const line of readFileSync(path, "utf8").split("\n")) {
        const [, key, value] = /^\s*(\w+)\s*=\s*(.*?)\s*(?:\s;.*)?$/.exec(line) ?? [];
        if (key) values[key] = value;
    }
    values.client_secret ??= readFileSync(
        join(dirname(path), values.client_secret_file ?? ""),
        "utf8",
    ).trim();
    return values;
}

/** One running keyvaultd: who may use it, and clients of every sort for any identity. */
export class Vault {
    constructor(url, dir) {
        this.url = url;
        this.dir = dir;
        this.conf = conf(dir);
        this.requests = 0;
        this.names = 0;
        this.admin = this.credential(this.conf.client_id, this.conf.client_secret);
    }

    credential(id, secret) {
        return new ClientSecretCredential(this.conf.tenant, id, secret, {
            authorityHost: this.conf.authority,
            disableInstanceDiscovery: true,
            retryOptions: { maxRetries: 0 },
        });
    }

    options() {
        const count = {
            name: "count",
            sendRequest: async (request, next) => {
                this.requests += 1;
                const response = await next(request);
                lastBody = response.bodyAsText;
                return response;
            },
        };
        return {
            // The audience is the service's own, no parent domain of 127.0.0.1.
            disableChallengeResourceVerification: true,
            retryOptions: { maxRetries: 0 },
            additionalPolicies: [{ policy: count, position: "perCall" }],
        };
    }

    keys(credential = this.admin) {
        return new KeyClient(this.url, credential, this.options());
    }

    secrets(credential = this.admin) {
        return new SecretClient(this.url, credential, this.options());
    }

    certificates(credential = this.admin) {
        return new CertificateClient(this.url, credential, this.options());
    }

    /** A client whose every operation is a request: the local implementations are taken out, and
     *  what it knows of the key (operations, validity) is not judged here. */
    crypto(key, credential = this.admin) {
        const client = new CryptographyClient(key.id ?? key, credential, this.options());
        client.providers = [client.remoteProvider];
        client.ensureValid = async () => {};
        return client;
    }

    /** A name that no other check uses. */
    name(what) {
        this.names += 1;
        return `${what}-${this.names}`;
    }
}

export const vault = new Vault(process.env.WIRE_VAULT_URL, process.env.WIRE_VAULT_DATA);
export const hsm = new Vault(process.env.WIRE_HSM_URL, process.env.WIRE_HSM_DATA);

export async function collect(iterator) {
    const all = [];
    for await (const item of iterator) all.push(item);
    return all;
}

/** A poller's result, without the seconds that the SDK waits by default between its polls. */
export const quick = { intervalInMs: 50 };

export async function finished(begin) {
    const poller = await begin;
    return poller.pollUntilDone();
}

/** Within the last minutes, as a Date. */
export function recent(date) {
    assert.ok(date instanceof Date, `a Date expected, got ${date}`);
    assert.ok(Math.abs(Date.now() - date.getTime()) < 300000, `${date} is not now`);
}

export const bytes = (text) => new TextEncoder().encode(text);
export const hex = (data) => Buffer.from(data).toString("hex");
