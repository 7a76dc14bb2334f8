// The calls of this page, all of them to where it came from. They give the message, or throw a Failure with all that was said.

const DETAIL = 'type.googleapis.com/google.rpc.';

/** What the server refused, and why. */
export class Failure extends Error {
  constructor(message, status = {}) {
    super(message);
    const detail = (kind) => status.details?.find((one) => one['@type'] === DETAIL + kind) ?? {};
    this.reason = detail('ErrorInfo').reason ?? '';
    this.violations = detail('BadRequest').fieldViolations ?? [];
    this.isCredentials = this.reason.startsWith('CREDENTIALS_');
  }

  /** What is wrong with one field, named as the API names it: its path, or the beginning of longer ones. */
  of(path) {
    const concerns = (field) => field === path || field.startsWith(`${path}.`) || field.startsWith(`${path}[`);
    return this.violations.filter((one) => concerns(one.field)).map((one) => one.description).join('; ');
  }

  /** A bad policy's problems as a check gives them. Their place stands before the words. */
  problems() {
    return this.violations.map(({field, description}) => {
      const [, line = 0, column = 0, message] = /^(?:(\d+):(\d+): )?(.*)$/s.exec(description);
      return {severity: 'SEVERITY_ERROR', path: field, line: Number(line), column: Number(column), message};
    });
  }
}

async function call(path, message, token) {
  const headers = {'content-type': 'application/json'};
  if (token) headers.authorization = `Bearer ${token}`;
  let answer, body;
  try {
    answer = await fetch(path, {method: 'POST', headers, body: JSON.stringify(message), cache: 'no-store', redirect: 'error'});
    body = await answer.json();
  } catch (error) {
    throw new Failure(`the server gave no answer that can be read: ${error.message}`);
  }
  if (!answer.ok) throw new Failure(body.message || `the server answered ${answer.status}`, body);
  return body;
}

/** The decision on a request and everything behind it, by the policy in force or by another one. */
export function explain(request, policyYaml, token) {
  return policyYaml === undefined
    ? call('v1/explain', {request}, token)
    : call('v1/explain', {request, policyYaml}, token);
}

/** What is wrong with a policy and what it would change. Nothing changes. */
export function check(policyYaml, runTests, tenant, token) {
  return call('console/check', {dryRun: true, policyYaml, runTests, tenant}, token);
}
