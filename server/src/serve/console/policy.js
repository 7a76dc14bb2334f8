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

  async function open(event) {
    const [file] = event.target.files;
    event.target.value = '';
    if (file) on.change(await file.text());
  }

  return html`
    <section aria-labelledby="policy-title" class="policy">
      <h2 id="policy-title">Try a policy</h2>
      <p class="hint">It is checked and asked for this page only; the policy in force stays. Whose it is says the tenant above.</p>
      <div class="bar-of-buttons">
        <label class="button" tabindex="-1">Open a file<input type="file" accept=".yaml,.yml" class="unseen" @change=${open}></label>
        <button type="button" @click=${on.example}>Begin with the built-in example</button>
      </div>
      <div class="editor ${shown.length ? 'marked' : ''}">
        <div class="lines" aria-hidden="true"><div class="moving">${lines.map((_, index) => html`
          <span class=${worst.has(index + 1) ? severity(worst.get(index + 1)) : ''}>${index + 1}</span>`)}</div></div>
        <div class="pane">
          <div class="marks" aria-hidden="true"><div class="moving">${shown.map((one, index) =>
            (one.line > 0 ? mark(one, lines[one.line - 1] ?? '', index === chosen) : nothing))}</div></div>
          <textarea id="policy" wrap="off" spellcheck="false" autocapitalize="off" aria-label="Policy in YAML"
            aria-describedby="policy-said" .value=${text} @scroll=${scrolled}
            @input=${(e) => on.change(e.target.value)}></textarea>
        </div>
      </div>
      <div class="bar-of-buttons under-editor">
        <label class="tick"><input type="checkbox" .checked=${state.candidate.runTests}
          @change=${(e) => { state.candidate.runTests = e.target.checked; }}> run its tests</label>
        <button type="button" id="check" ?disabled=${state.busy !== '' || text === ''} @click=${on.check}>Check</button>
        <button type="button" id="try" class="main" ?disabled=${state.busy !== '' || text === ''} @click=${on.decide}>
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

/** A problem in place: its words underlined, and of the chosen one the message beneath. */
function mark(problem, line, chosen) {
  const from = Math.max(0, problem.column - 1);
  const characters = [...line];
  const rest = characters.slice(from).join('');
  const length = Math.max(1, [.../^[^\s,:\]}]+/.exec(rest)?.[0] ?? ''].length);
  const top = PADDING + (problem.line - 1) * LINE;
  // Columns are characters and the font's characters are one `ch` wide.
  return html`
    <div class="line ${severity(problem)}" .style=${`top:${top}px`}></div>
    <div class="under ${severity(problem)}" .style=${`top:${top}px;left:calc(${PADDING}px + ${from}ch);width:${length}ch`}></div>
    ${chosen ? html`<div class="said ${severity(problem)}" .style=${`top:${top + LINE}px;left:calc(${PADDING}px + ${from}ch)`}>
      ${words(problem.message)}${problem.hint ? html`<i> ${words(problem.hint)}</i>` : nothing}</div>` : nothing}`;
}

/** Numbers and marks follow the text. */
function scrolled({target}) {
  const editor = target.closest('.editor');
  editor.querySelector('.lines .moving').style.transform = `translateY(${-target.scrollTop}px)`;
  editor.querySelector('.marks .moving').style.transform = `translate(${-target.scrollLeft}px, ${-target.scrollTop}px)`;
}

/** Puts the cursor where a problem is. */
export function jump(problem) {
  const area = document.getElementById('policy');
  const lines = area.value.split('\n');
  const before = lines.slice(0, problem.line - 1).reduce((sum, line) => sum + line.length + 1, 0);
  const within = [...(lines[problem.line - 1] ?? '')].slice(0, Math.max(0, problem.column - 1)).join('').length;
  area.focus();
  area.setSelectionRange(before + within, before + within);
  area.scrollTop = Math.max(0, PADDING + (problem.line - 1) * LINE - area.clientHeight / 3);
  area.scrollLeft = 0;
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
