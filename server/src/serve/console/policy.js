// A policy to try: an editor that shows each problem where it is, and what a check found.

import {html, nothing} from './lit-html.js';
import {words} from './tables.js';

const SEVERITY = {SEVERITY_ERROR: 'error', SEVERITY_WARNING: 'warning', SEVERITY_INFO: 'note'};

/** The word for a problem's severity; errors are the default of old and new servers alike. */
const severity = (problem) => SEVERITY[problem.severity] ?? 'error';

/** The heights and widths of style.css, in pixels. */
const LINE = 20;
const PADDING = 8;

/** The editor. `on` has what the buttons do: change, check, decide, choose. */
export function policy(state, on) {
  const {policy: text, problems, chosen, stale} = state.candidate;
  const lines = text.split('\n');
  const shown = stale ? [] : problems;
  const worst = new Map();
  for (const problem of shown.toReversed()) worst.set(problem.line, problem);
  const wrong = state.candidate.failure;
  // A button that is disabled while it works would lose the focus.
  const busy = state.busy ? 'true' : 'false';

  async function open(event) {
    const [file] = event.target.files;
    event.target.value = '';
    if (file) on.change(await file.text());
  }

  return html`
    <section aria-labelledby="policy-title" class="policy">
      <h2 id="policy-title">Try a policy</h2>
      <p class="hint">It decides for this page alone; the policy in force stays. Name the tenant above if it is to be that of one.</p>
      <div class="bar-of-buttons">
        <label class="button" tabindex="-1">Open a file<input type="file" accept=".yaml,.yml" class="unseen" @change=${open}></label>
        <button type="button" @click=${on.example}>Begin with the built-in example</button>
      </div>
      <div class="editor ${shown.length ? 'marked' : ''}">
        <div class="lines" aria-hidden="true"><div class="moving">${lines.map((_, index) => html`
          <span class=${worst.has(index + 1) ? severity(worst.get(index + 1)) : ''}>${index + 1}</span>`)}</div></div>
        <div class="pane">
          <div class="marks" aria-hidden="true"><div class="moving">${shown.map((one) =>
            (one.line > 0 ? mark(one, lines[one.line - 1] ?? '') : nothing))}</div></div>
          <textarea id="policy" wrap="off" spellcheck="false" autocapitalize="off" aria-label="Policy in YAML"
            aria-describedby="policy-said" .value=${text} @scroll=${scrolled}
            @input=${(e) => on.change(e.target.value)}></textarea>
          <div class="notes" aria-hidden="true"><div class="moving">${shown[chosen]?.line ? note(shown[chosen]) : nothing}</div></div>
        </div>
      </div>
      <div class="bar-of-buttons under-editor">
        <label class="tick"><input type="checkbox" .checked=${state.candidate.runTests}
          @change=${(e) => { state.candidate.runTests = e.target.checked; }}> run its tests</label>
        <button type="button" id="check" ?disabled=${text === ''} aria-disabled=${busy} @click=${on.check}>Check</button>
        <button type="button" id="try" class="main" ?disabled=${text === ''} aria-disabled=${busy} @click=${on.decide}>
          Decide with this policy</button>
      </div>
      <form class="field token" @submit=${(e) => { e.preventDefault(); on.check(); }}>
        <label for="token">Administrative token</label>
        <input id="token" type="password" autocomplete="new-password" aria-describedby="token-wrong" aria-invalid=${wrong?.isCredentials ? 'true' : 'false'}
          placeholder="where the server asks for one; kept until this page is closed" .value=${state.token}
          @input=${(e) => { state.token = e.target.value; }}>
        <p class="wrong" id="token-wrong" ?hidden=${!wrong?.isCredentials}>${wrong?.message}</p>
      </form>
      <div id="policy-said" role="status" aria-live="polite">
        ${wrong && !wrong.isCredentials ? html`<p class="wrong">${wrong.message}</p>` : nothing}
        ${stale && problems.length ? html`<p class="hint">Changed since it was checked.</p>` : nothing}
        ${state.candidate.checked ? found(state.candidate.checked) : nothing}
        ${problems.length ? html`<ol class="problems ${stale ? 'stale' : ''}">${problems.map((problem, index) => html`
          <li class=${severity(problem)}><button type="button" aria-current=${index === chosen ? 'true' : 'false'}
              ?disabled=${stale || !problem.line} @click=${() => on.choose(index)}>
            <b>${severity(problem)}</b>
            ${problem.line ? html`<span class="at">${problem.line}:${problem.column}</span>` : nothing}
            ${problem.path ? html`<code>${problem.path}</code>` : nothing}
            <span>${words(problem.message)}</span>
            ${problem.hint ? html`<i>${words(problem.hint)}</i>` : nothing}
          </button></li>`)}</ol>` : nothing}
      </div>
    </section>`;
}

const topOf = (problem) => PADDING + (problem.line - 1) * LINE;

/** Columns are characters, and those of the editor's font are one `ch` wide. */
const leftOf = (problem) => `calc(${PADDING}px + ${Math.max(0, problem.column - 1)}ch)`;

/** A problem in place: its line, and its words underlined. */
function mark(problem, line) {
  const rest = [...line].slice(Math.max(0, problem.column - 1)).join('');
  const length = Math.max(1, [.../^[^\s,:\]}]+/.exec(rest)?.[0] ?? ''].length);
  const top = `top:${topOf(problem)}px`;
  return html`
    <div class="line ${severity(problem)}" .style=${top}></div>
    <div class="under ${severity(problem)}" .style=${`${top};left:${leftOf(problem)};width:${length}ch`}></div>`;
}

/** What the chosen problem is, beneath it. */
function note(problem) {
  return html`<div class="said ${severity(problem)}" .style=${`top:${topOf(problem) + LINE}px;left:${leftOf(problem)}`}>
    <p>${words(problem.message)}${problem.hint ? html`<i> ${words(problem.hint)}</i>` : nothing}</p></div>`;
}

/** Numbers and marks follow the text. */
function scrolled({target}) {
  const editor = target.closest('.editor');
  editor.querySelector('.lines .moving').style.transform = `translateY(${-target.scrollTop}px)`;
  for (const layer of editor.querySelectorAll('.pane .moving')) {
    layer.style.transform = `translate(${-target.scrollLeft}px, ${-target.scrollTop}px)`;
  }
}

/** Scrolls the chosen problem into sight. */
export function reveal(problem) {
  const area = document.getElementById('policy');
  const left = document.querySelector('.notes .said')?.offsetLeft ?? 0;
  area.scrollTop = Math.max(0, topOf(problem) - area.clientHeight / 3);
  area.scrollLeft = left < area.clientWidth * 0.4 ? 0 : left - area.clientWidth * 0.3;
}

/** Puts the cursor where a problem is. */
export function jump(problem) {
  const area = document.getElementById('policy');
  const lines = area.value.split('\n');
  const before = lines.slice(0, problem.line - 1).reduce((sum, line) => sum + line.length + 1, 0);
  const within = [...(lines[problem.line - 1] ?? '')].slice(0, Math.max(0, problem.column - 1)).join('').length;
  area.focus();
  area.setSelectionRange(before + within, before + within);
  reveal(problem);
}

/** What a check found, in words. */
function found({current, diff, churn, tests, diagnostics = []}) {
  const errors = diagnostics.filter((one) => severity(one) === 'error').length;
  const others = diagnostics.length - errors;
  const names = (what, {added = [], removed = [], changed = []} = {}) =>
    [[added, 'new'], [removed, 'gone'], [changed, 'changed']].filter(([all]) => all.length)
      .map(([all, word]) => html`<li>${what} ${word}: ${all.join(', ')}</li>`);
  const differing = [...names('models', diff?.models), ...names('routes', diff?.routes), ...names('rules', diff?.rules)];
  return html`
    <p class="verdict ${current ? 'good' : 'bad'}">${current
      ? `This policy can be used${others ? `; ${others} remark${others > 1 ? 's' : ''}` : ', and nothing is to be said about it'}.`
      : `This policy cannot be used: ${errors} error${errors > 1 ? 's' : ''}.`}</p>
    ${current ? html`<ul class="facts">
      ${differing.length ? differing : html`<li>models, routes and rules are those of the policy in force</li>`}
      ${churn?.decisions ? html`<li>of the last ${churn.decisions} decisions it would change
        ${churn.changed ?? 0}; ${churn.undecidable ?? 0} cannot be told without the prompt</li>` : nothing}
      ${tests ? html`<li>its tests: ${tests.passed ?? 0} passed, ${tests.failed ?? 0} failed</li>` : nothing}
    </ul>` : nothing}`;
}
