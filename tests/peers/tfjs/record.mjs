// Records the test vectors of TensorFlow.js's operators: runs the tests that come with its package and notes every
// kernel that they call.
//
//     node record.mjs PACKAGES OUTPUT.jsonl
//
// PACKAGES is a folder with a copy of this package.json and its packages installed. A line of the output is one call in
// a test that passes:
//
//     { test, kernel, inputs: { NAME: TENSOR or [TENSOR] }, attributes, output: TENSOR,
//       published: { values, tolerance } or nothing }
//
// where a TENSOR is { shape, type, values } in TensorFlow's order, NaN and infinities as null. What is published are
// the figures that the test expects of exactly this output: those of an expectation whose actual values are the
// output's, bit for bit. Calls that were noted before, with the same inputs and attributes, are left out unless they
// come with published figures for the first time.

import { createWriteStream, readdirSync } from "node:fs";
import { createRequire, register } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

// Two calls have more: a range of 16 million numbers and a slice by steps, of which neither is asked for.
const MOST_VALUES = 20000;

const [installed, file] = process.argv.slice(2).map((path) => resolve(path));
const packages = pathToFileURL(`${installed}/node_modules/`);
register("./modules.mjs", import.meta.url, { data: packages.href });

globalThis.require = createRequire(packages);
// Every run records the same numbers.
Math.random = require("seedrandom").alea("vectors");
const jasmine = require("jasmine-core").boot();
const tests = jasmine.getEnv();
tests.configure({ random: false });

const tf = await import("@tensorflow/tfjs-core");
const { registerTestEnv } = await import("@tensorflow/tfjs-core/dist/jasmine_util.js");
const { expectations } = await import("./expectations.mjs");
await import("@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js");
await import("@tensorflow/tfjs-core/dist/register_all_gradients.js");
await import("@tensorflow/tfjs-backend-cpu/dist/index.js");
registerTestEnv({ name: "cpu", backendName: "cpu", isDataSync: true });

let calls = [];

/** A tensor's shape and values; nothing of one that has no numbers, or many. */
function tensorOf(backend, { dataId, shape, dtype }) {
    const size = shape.reduce((product, extent) => product * extent, 1);
    if (size > MOST_VALUES || dtype === "string" || dtype === "complex64") {
        return undefined;
    }
    return { shape: [...shape], type: dtype, values: Array.from(backend.readSync(dataId)) };
}

function inputsOf(backend, inputs) {
    const one = (input) => tensorOf(backend, input);
    const read = (input) => (Array.isArray(input) ? input.map(one) : one(input));
    return Object.fromEntries(Object.entries(inputs).flatMap(([name, input]) => (input ? [[name, read(input)]] : [])));
}

const isWhole = (input) => (Array.isArray(input) ? input.every(Boolean) : Boolean(input));

for (const kernel of tf.getKernelsForBackend("cpu")) {
    tf.unregisterKernel(kernel.kernelName, "cpu");
    const noted = (call) => {
        const { inputs, backend, attrs } = call;
        // Before the call: some kernels hand their input on.
        const given = inputsOf(backend, inputs);
        const made = kernel.kernelFunc(call);
        if (!Array.isArray(made) && Object.values(given).every(isWhole)) {
            const output = tensorOf(backend, made);
            if (output) {
                calls.push({ kernel: kernel.kernelName, inputs: given, attributes: { ...attrs }, output });
            }
        }
        return made;
    };
    tf.registerKernel({ ...kernel, kernelFunc: noted });
}

const output = createWriteStream(file);
const seen = new Map();
const counts = { passed: 0, failed: 0, calls: 0, published: 0 };

/** Whether the values are the same bits, as a test reads them. */
const same = (values, others) =>
    values.length === others.length && values.every((value, index) => Object.is(value, others[index]));

function write(test) {
    for (const { kernel, inputs, attributes, output: made } of calls) {
        const found = expectations.find(({ actual }) => same(actual, made.values));
        const published = found && { values: found.expected, tolerance: found.tolerance };
        const key = JSON.stringify([kernel, inputs, attributes]);
        if (seen.has(key) && (seen.get(key) || !published)) {
            continue;
        }
        seen.set(key, Boolean(published));
        counts.calls += 1;
        counts.published += Number(Boolean(published));
        output.write(`${JSON.stringify({ test, kernel, inputs, attributes, output: made, published })}\n`);
    }
}

const begin = () => {
    calls = [];
    expectations.length = 0;
};
tests.addReporter({
    specStarted: begin,
    specDone: ({ status, fullName }) => {
        counts.passed += Number(status === "passed");
        counts.failed += Number(status === "failed");
        if (status === "passed") {
            write(fullName);
        }
        begin();
    },
});

// The other folders' tests, of linear algebra and of losses, call kernels of these. So does the threshold's, 1300 times
// for the places of a histogram.
const isTest = (name) => name.endsWith("_test.js") && name !== "threshold_test.js";
for (const folder of ["", "fused/", "image/"]) {
    const names = readdirSync(new URL(`@tensorflow/tfjs-core/dist/ops/${folder}`, packages)).sort();
    for (const name of names.filter(isTest)) {
        await import(`@tensorflow/tfjs-core/dist/ops/${folder}${name}`);
    }
}
await tests.execute();
await new Promise((done) => output.end(done));
console.log(`${counts.passed} tests of TensorFlow.js pass, ${counts.failed} do not`);
console.log(`${counts.calls} calls noted, ${counts.published} of them with published figures`);
