// The console: what was typed, what was answered, and the page made anew from both after each change. All of it is in this
// page's memory and gone with it.

import {html, nothing, render} from './lit-html.js';
import {check, explain} from './api.js';
import {copies} from './copy.js';
import {PATHS, blank, form, requestOf} from './form.js';
import {jump, policy, reveal} from './policy.js';
import {comparison, result} from './result.js';

const state = {
  ...blank(),
  token: '',
  // What is being asked; one thing at a time.
  busy: '',
  // The last answer by the policy in force and why there was none.
  answer: undefined,
  failure: undefined,
  // The policy to try, and what became of it.
  candidate: {policy: '', problems: [], chosen: -1, stale: false, runTests: true, checked: undefined, answer: undefined, failure: undefined},
  // Which of two answers is shown whole.
  shown: 'after',
};

/** Does something that asks the server, and shows how it ended. */
async function asking(what, work) {
  if (state.busy) return;
  state.busy = what;
  show();
  try {
    await work();
  } finally {
    state.busy = '';
    show();
  }
}

/** The policy in force decides. */
function decide() {
  return asking('deciding', async () => {
    Object.assign(state, {answer: undefined, failure: undefined});
    Object.assign(state.candidate, {answer: undefined});
    try {
      state.answer = await explain(requestOf(state));
    } catch (failure) {
      state.failure = failure;
    }
  });
}

/** Both policies decide, each by itself: one may refuse where the other does not. */
function decideWithPolicy() {
  return asking('deciding by both policies', async () => {
    const {candidate, token} = state;
    const request = requestOf(state);
    Object.assign(state, {answer: undefined, failure: undefined, shown: 'after'});
    Object.assign(candidate, {answer: undefined, failure: undefined});
    const [before, after] = await Promise.allSettled([explain(request), explain(request, candidate.policy, token)]);
    if (before.status === 'fulfilled') state.answer = before.value;
    else state.failure = before.reason;
    if (after.status === 'fulfilled') candidate.answer = after.value;
    else await refused(after.reason);
    show();
    document.getElementById('comparison')?.scrollIntoView({block: 'nearest'});
  });
}

/** Shows why the policy did not decide. A bad one is checked, which tells more. */
async function refused(failure) {
  if (failure.reason !== 'INVALID_POLICY') {
    state.candidate.failure = failure;
    return;
  }
  try {
    await look();
  } catch {
    found(failure.problems(), undefined);
  }
}

function checkPolicy() {
  return asking('checking', async () => {
    state.candidate.failure = undefined;
    try {
      await look();
    } catch (failure) {
      state.candidate.failure = failure;
    }
  });
}

async function look() {
  const {policy: text, runTests} = state.candidate;
  const checked = await check(text, runTests, state.fields.tenant.trim() || undefined, state.token);
  found((checked.diagnostics ?? []).map((one) => ({line: 0, column: 0, ...one})), checked);
}

function found(problems, checked) {
  Object.assign(state.candidate, {problems, checked, stale: false, chosen: problems.findIndex((one) => one.line > 0)});
  show();
  const first = problems[state.candidate.chosen];
  if (first) reveal(first);
}

/** Another text of the policy: what was found is no longer where it was. */
function changePolicy(text) {
  Object.assign(state.candidate, {policy: text, stale: true, checked: undefined, failure: undefined});
  show();
}

function choose(index) {
  state.candidate.chosen = index;
  show();
  jump(state.candidate.problems[index]);
}

async function example() {
  const answer = await fetch('console/example.yaml');
  if (answer.ok) changePolicy(await answer.text());
}

/** What a failure says that no field of the form shows. */
function elsewhere(failure) {
  const shown = (field) => PATHS.some((path) => field === path || field.startsWith(`${path}.`) || field.startsWith(`${path}[`));
  if (failure.violations.length && failure.violations.every((one) => shown(one.field))) return 'The request is not valid: see the fields.';
  return failure.message;
}

function answers() {
  const {answer, failure, candidate} = state;
  const whole = candidate.answer && (state.shown === 'after' || !answer) ? candidate.answer : answer;
  const choice = (value, word) => html`<label class="tick"><input type="radio" name="shown" value=${value}
    .checked=${state.shown === value} @change=${() => { state.shown = value; show(); }}> ${word}</label>`;
  return html`
    ${failure ? html`<p class="wrong" id="refused"><b>${candidate.answer ? 'The policy in force: ' : ''}${failure.reason}</b> ${elsewhere(failure)}</p>` : nothing}
    ${answer && candidate.answer ? html`${comparison(answer, candidate.answer)}
      <fieldset class="choice"><legend>Explain</legend>${choice('before', 'the policy in force')} ${choice('after', 'this policy')}</fieldset>` : nothing}
    ${whole ? result(whole) : nothing}
    ${whole || failure ? nothing : html`<p class="hint">Type a message and press Enter: here will be the model, why, every score, every
      model that was refused, and what would change it.</p>`}`;
}

/** One sentence for those who hear the page. */
function said() {
  if (state.busy) return `${state.busy} …`;
  if (state.failure) return 'No decision.';
  const {answer, candidate} = state;
  if (answer && candidate.answer) return `${answer.decision.modelId} before, ${candidate.answer.decision.modelId} after.`;
  return answer ? `Decided: ${answer.decision.modelId}.` : '';
}

function show() {
  render(html`
    <header><h1>Signalbox <small>console</small></h1><p role="status" aria-live="polite" id="said">${said()}</p></header>
    <main>
      <div class="left">${form(state, show, decide)} ${copies(requestOf(state))}</div>
      <section class="right" aria-label="Decision" aria-busy=${state.busy ? 'true' : 'false'}><h2>Decision</h2>${answers()}</section>
      ${policy(state, {change: changePolicy, check: checkPolicy, decide: decideWithPolicy, choose, example})}
    </main>`, document.getElementById('page'));
}

show();
document.getElementById('message-0').focus();
