// Snippets that use a layer, one for each tool, from the same templates as the command `klayers`.

import { TEMPLATES } from "./templates.js";

/** The tools, in the order of their tabs. */
export const SNIPPETS = TEMPLATES.map((template) => ({
  id: template.id,
  label: template.label,
  file: template.file,
  text: (choice) => filled(template.lines, choice),
}));

/** The newest Python that the CDK has a constant for. */
const CDK_NEWEST_MINOR = 14;

function filled(lines, { arn, python, arch, region }) {
  const [major, minor] = python.split(".").map(Number);
  const named = major === 3 && minor <= CDK_NEWEST_MINOR;
  const name = `PYTHON_${python.replace(".", "_")}`;
  const values = {
    ARN: arn,
    ARNS: arn,
    NUMBER: "1",
    REGION: region,
    RUNTIME: `python${python}`,
    ARCH: arch,
    CDK_ARCH: arch === "arm64" ? "ARM_64" : "X86_64",
    CDK_TYPESCRIPT_RUNTIME: named
      ? `lambda.Runtime.${name}`
      : `new lambda.Runtime("python${python}", lambda.RuntimeFamily.PYTHON)`,
    CDK_PYTHON_RUNTIME: named
      ? `lambda_.Runtime.${name}`
      : `lambda_.Runtime("python${python}", lambda_.RuntimeFamily.PYTHON)`,
  };
  return lines.map((line) => `${line.replace(/<([A-Z_]+)>/g, (_, key) => values[key])}\n`).join("");
}
