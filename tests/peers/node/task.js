// Tasks for one library: a line of JSON each on standard input, and on standard output a line for what
// came of it.
//
//   {"do": "mint", "issuer": "http://…", "id": …, "secret": …, "method": "basic", …}
//   {"result": …} or {"failure": {"name", "message", "error", "status", "challenge"}}
import { createInterface } from 'node:readline';

export const client = (task) => ({ client_id: task.id });
export const parameters = (task) => (task.scope ? { scope: task.scope } : {});

// "error": the code of RFC 6749 or 6750, from wherever the library has put it.
async function describe(problem) {
  const challenge = Array.isArray(problem.cause) ? problem.cause[0] : undefined;
  let body = problem.data?.payload;
  if (problem.response?.body && !problem.response.bodyUsed) {
    body = await problem.response.json().catch(() => undefined);
  }
  return {
    name: problem.name,
    message: problem.message,
    error: problem.error ?? problem.errorCode ?? body?.error ?? challenge?.parameters?.error ?? null,
    status: problem.status ?? problem.output?.statusCode ?? problem.cause?.status ?? null,
    challenge: challenge ?? null,
  };
}

export async function run(verbs) {
  for await (const line of createInterface({ input: process.stdin })) {
    const task = JSON.parse(line);
    let outcome;
    try {
      outcome = { result: (await verbs[task.do](task)) ?? null };
    } catch (problem) {
      outcome = { failure: await describe(problem) };
    }
    process.stdout.write(JSON.stringify(outcome) + '\n');
  }
}
