// SPDX-License-Identifier: MIT
// usage: node test.mjs [PART...]: run the parts (all by default); ./run prepares what they need.
import { failed } from "./lib.mjs";

const parts = ["keys", "crypto", "hsm", "secrets", "certificates", "refusals"];
const wanted = process.argv.length > 2 ? process.argv.slice(2) : parts;
for (const part of wanted) {
    const { run } = await import(`./${part}.mjs`);
    try {
        await run();
    } catch (error) {
        console.log(`FAIL sdk ${part} ended early: ${error.stack.replace(/\s*\n\s*/g, " | ")}`);
        process.exitCode = 1;
    }
}
if (failed()) process.exitCode = 1;
