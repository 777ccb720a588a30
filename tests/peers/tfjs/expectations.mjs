// TensorFlow.js's `test_util` as its tests see it: what they expect of arrays is noted once it holds.

import * as real from "@tensorflow/tfjs-core/dist/test_util.js";

export * from "@tensorflow/tfjs-core/dist/test_util.js";

/** What was expected since the list was last emptied: `{ actual, expected, tolerance }`, flat. */
export const expectations = [];

function note(actual, expected, tolerance) {
    const flat = [actual, expected].map((values) => Array.from(Array.isArray(values) ? values.flat(Infinity) : values));
    if (flat.every((values) => values.every((value) => typeof value === "number"))) {
        expectations.push({ actual: flat[0], expected: flat[1], tolerance });
    }
}

const isArray = (values) => Array.isArray(values) || ArrayBuffer.isView(values);

export function expectArraysClose(actual, expected, epsilon) {
    real.expectArraysClose(actual, expected, epsilon);
    if (isArray(actual) && isArray(expected)) {
        note(actual, expected, epsilon ?? real.testEpsilon());
    }
}

export function expectArraysEqual(actual, expected) {
    real.expectArraysEqual(actual, expected);
    if (isArray(actual) && isArray(expected)) {
        note(actual, expected, 0);
    }
}
