// Finds the layers that `custom.klayers` in serverless.yml names, for the provider's region, runtime
// and architecture: ${file(klayers.js):NAME} is the ARN. KLAYERS_API_URL names another collection
// than the public one.
"use strict";

const { execFile } = require("node:child_process");
const { promisify } = require("node:util");

const run = promisify(execFile);

async function find(layer, { region, python, arch }) {
  const place = ["--region", region, "--python", python, "--arch", arch];
  const { stdout } = await run("klayers", ["--json", "show", layer, ...place]);
  return JSON.parse(stdout).arn;
}

module.exports = async ({ resolveConfigurationProperty: property }) => {
  const [layers, region, runtime, architecture] = await Promise.all([
    property(["custom", "klayers"]),
    property(["provider", "region"]),
    property(["provider", "runtime"]),
    property(["provider", "architecture"]),
  ]);
  const place = { region, python: runtime.replace("python", ""), arch: architecture || "x86_64" };
  const found = Object.entries(layers).map(async ([name, layer]) => [name, await find(layer, place)]);
  return Object.fromEntries(await Promise.all(found));
};
