// validate.js: Kubernetes objects (YAML on standard input) by the schemas and the types of Kubernetes,
// cert-manager and the Prometheus operator. The schemas tell wrong values and what is missing, the
// types tell members that nobody knows. Says what is wrong; status 1 where something is.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { parseAllDocuments } from "yaml";

const packages = [
  [/^cert-manager\.io\//, "@kubernetes-models/cert-manager/"],
  [/^monitoring\.coreos\.com\//, "@kubernetes-models/prometheus-operator/"],
  [/./, "kubernetes-models/"],
];
const moduleOf = (object) =>
  packages.find(([pattern]) => pattern.test(object.apiVersion))[1] + object.apiVersion;

const problems = [];
const complain = (object, text) =>
  problems.push(`${object.apiVersion} ${object.kind} ${object.metadata?.name}: ${text}`);

async function checkValues(object) {
  try {
    const model = (await import(moduleOf(object)))[object.kind];
    new model(object).validate();
  } catch (error) {
    complain(object, error.message);
  }
}

// A literal with a member that its type has not is an error of the compiler.
function checkMembers(objects) {
  const folder = mkdtempSync(join(fileURLToPath(new URL(".", import.meta.url)), "types-"));
  const file = join(folder, "objects.ts");
  const lines = objects.map((object, i) => [
    `import type { I${object.kind} as Type${i} } from ${JSON.stringify(moduleOf(object))};`,
    `export const object${i}: Type${i} = ${JSON.stringify(object)};`,
  ].join("\n"));
  try {
    writeFileSync(file, lines.join("\n"));
    const program = ts.createProgram([file], {
      noEmit: true, strict: true, skipLibCheck: true, types: [],
      target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext,
      moduleResolution: ts.ModuleResolutionKind.Bundler,
    });
    for (const diagnostic of ts.getPreEmitDiagnostics(program)) {
      const line = diagnostic.file?.getLineAndCharacterOfPosition(diagnostic.start).line ?? 0;
      complain(objects[Math.floor(line / 2)], ts.flattenDiagnosticMessageText(diagnostic.messageText, " "));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const documents = parseAllDocuments(readFileSync(0, "utf8"));
for (const error of documents.flatMap((document) => document.errors)) problems.push(error.message);
const objects = documents.map((document) => document.toJS()).filter((object) => object !== null);
for (const object of objects) {
  // kustomize breaks long lines of base64, as Kubernetes takes them.
  for (const name in object.kind === "Secret" ? object.data : {}) {
    object.data[name] = object.data[name].replace(/\s/g, "");
  }
  await checkValues(object);
}
if (objects.length === 0) problems.push("there is no object");
else checkMembers(objects);
for (const problem of problems) console.error(problem);
console.log(`${objects.length} objects`);
process.exit(problems.length === 0 ? 0 : 1);
