// How Node loads TensorFlow.js's own modules and tests: they are ECMAScript modules whose package does not say so, and
// name each other without an ending, as bundlers want it.

import { existsSync, statSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";

const CORE = "@tensorflow/tfjs-core";
let packages;

export function initialize(folder) {
    packages = folder;
}

/** The file that a name without an ending means. */
function fileOf(url) {
    const path = fileURLToPath(url);
    if (existsSync(path) && statSync(path).isFile()) {
        return url;
    }
    const isFolder = existsSync(path) && !existsSync(`${path}.js`);
    return new URL(pathToFileURL(isFolder ? `${path}/index.js` : `${path}.js`));
}

export async function resolve(specifier, context, next) {
    const parent = context.parentURL ?? "";
    if (specifier === CORE) {
        // The backend is to register its kernels where the tests look for them.
        return { url: fileOf(new URL(`${CORE}/dist/index.js`, packages)).href, format: "module", shortCircuit: true };
    }
    if (specifier.startsWith("@tensorflow/")) {
        return { url: fileOf(new URL(specifier, packages)).href, format: "module", shortCircuit: true };
    }
    if (specifier === "seedrandom") {
        // Imported as a namespace, whose names Node reads in the text of a CommonJS module: it finds none there.
        const url = 'data:text/javascript,export const { alea } = require("seedrandom");';
        return { url, format: "module", shortCircuit: true };
    }
    if (specifier.startsWith(".") && parent.includes("/@tensorflow/")) {
        // What tests expect is noted on the way.
        const notes = specifier.endsWith("/test_util") && parent.endsWith("_test.js");
        const url = notes ? new URL("expectations.mjs", import.meta.url) : fileOf(new URL(specifier, parent));
        return { url: url.href, format: "module", shortCircuit: true };
    }
    return next(specifier, context);
}
