// Finds the layers that `custom.klayers` in serverless.yml names, for the provider's region, runtime
// and architecture: ${file(klayers.js):NAME} is the ARN. KLAYERS_API_URL selects a
// collection other than the public one.
"use strict";

const { execFile } = require("node:child_process");
const { promisify } = require("node:util");

const run = promisify(execFile);

// What serverless.yml has to say, and how.
const needed = {
  "custom.klayers": "the layers by names of your own, as in `requests: requests==2.32.*`",
  "provider.region": "as in `region: ${opt:region, 'us-east-1'}`",
  "provider.runtime": "the Python of the layers, as in `runtime: python3.13`",
};

function check(settings) {
  const missing = Object.keys(needed).filter((name) => !settings[name]);
  if (missing.length > 0) {
    const lines = missing.map((name) => `  ${name}: ${needed[name]}`);
    throw new Error(`klayers.js needs in serverless.yml:\n${lines.join("\n")}`);
  }
  const layers = settings["custom.klayers"];
  if (typeof layers !== "object" || Array.isArray(layers)) {
    throw new Error(`custom.klayers in serverless.yml has to be ${needed["custom.klayers"]}`);
  }
  const runtime = settings["provider.runtime"];
  if (!/^python3\.\d+$/.test(runtime)) {
    throw new Error(
      `provider.runtime in serverless.yml is ${runtime}, and layers are for Python: ` +
        "write a runtime as python3.13",
    );
  }
}

async function find(layer, { region, python, arch }) {
  const place = ["--region", region, "--python", python, "--arch", arch];
  const { stdout } = await run("klayers", ["--json", "show", layer, ...place]);
  return JSON.parse(stdout).arn;
}

module.exports = async ({ resolveConfigurationProperty: property }) => {
  const names = [...Object.keys(needed), "provider.architecture"];
  const values = await Promise.all(names.map((name) => property(name.split("."))));
  const settings = Object.fromEntries(names.map((name, index) => [name, values[index]]));
  check(settings);
  const place = {
    region: settings["provider.region"],
    python: settings["provider.runtime"].replace("python", ""),
    arch: settings["provider.architecture"] || "x86_64",
  };
  const layers = Object.entries(settings["custom.klayers"]);
  const found = layers.map(async ([name, layer]) => [name, await find(layer, place)]);
  return Object.fromEntries(await Promise.all(found));
};
