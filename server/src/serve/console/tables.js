// What stands behind a decision, table by table.

import {html, nothing} from './lit-html.js';

/** DECISION_SOURCE_EMBEDDING is `embedding`. */
export const source = (name = '') => name.replace('DECISION_SOURCE_', '').toLowerCase();

/** `0.0012s` in the unit that suits it. */
export function time(duration) {
  if (duration === undefined) return '';
  const seconds = Number(duration.slice(0, -1));
  if (seconds < 1e-3) return `${(seconds * 1e6).toFixed(0)} µs`;
  return seconds < 1 ? `${(seconds * 1e3).toPrecision(3)} ms` : `${seconds.toPrecision(4)} s`;
}

/** Words with names in backticks, those set apart. */
export const words = (text = '') => text.split('`').map((part, index) => (index % 2 ? html`<code>${part}</code>` : part));

const score = (value, digits = 3) => (value === undefined ? '—' : Number(value).toFixed(digits));

const ASKED = {embedding: 'by the classifier', encoder: 'by the sentence encoder', llm: 'by the language model'};

/** Every route's probability as a bar, for each judge that was asked. `chosen` is the route that won. */
export function scores({routes = [], threshold, decision}) {
  if (!routes.length) return html`<p class="hint">Routes were not compared: a rung above them decided.</p>`;
  const judges = [...new Set(routes.map((route) => route.asked))];
  return judges.map((asked) => {
    const rows = routes.filter((route) => route.asked === asked)
      .sort((a, b) => (b.probability ?? 0) - (a.probability ?? 0));
    return html`
      <table class="scores" data-asked=${asked}>
        <caption>${ASKED[asked] ?? asked}${threshold === undefined ? '' : `; a route decides from ${score(threshold, 2)}`}</caption>
        <thead class="unseen"><tr><th>Route</th><th>Bar</th><th>Probability</th></tr></thead>
        <tbody>${rows.map((route) => html`
          <tr class=${route.name === decision.route ? 'won' : ''} data-route=${route.name}>
            <th scope="row">${route.name === 'other' ? html`<i>no route</i>` : route.name}
              ${route.domain ? html`<small>${route.domain}</small>` : nothing}</th>
            <td>${bar(route.probability, threshold)}</td>
            <td class="number">${score(route.probability)}</td>
          </tr>`)}</tbody>
      </table>`;
  });
}

function bar(probability = 0, threshold) {
  const percent = (share) => `${(share * 100).toFixed(2)}%`;
  return html`<svg class="bar ${probability >= threshold ? 'over' : ''}" aria-hidden="true" width="100%" height="14">
    <rect class="ground" width="100%" height="14"></rect><rect class="value" width=${percent(probability)} height="14"></rect>
    ${threshold === undefined ? nothing : mark(percent(threshold))}</svg>`;
}

/** A box of its own: what stands in a template by itself would be no SVG. */
const mark = (at) => html`<svg x=${at} width="2" height="14"><rect class="threshold" width="2" height="14"></rect></svg>`;

/** The models that a rung considered, and what refused or ranked each. */
export function candidates(all, winner) {
  return html`
    <table class="candidates">
      <thead><tr><th>Model</th><th>Score</th><th>Why</th></tr></thead>
      <tbody>${all.map((one) => html`
        <tr class=${one.eligible ? (one.modelId === winner ? 'won' : '') : 'refused'} data-model=${one.modelId}>
          <th scope="row">${one.modelId}</th>
          <td class="number">${one.score === undefined ? '' : score(one.score, 4)}</td>
          <td>${one.eligible ? terms(one) : (one.refusals ?? []).map((refusal) => html`
              <div><b>${refusal.code}</b> ${words(refusal.detail)}</div>`)}
            ${one.health ? html`<div>${health(one.health)}</div>` : nothing}</td>
        </tr>`)}</tbody>
    </table>`;
}

function terms({terms: all = []}) {
  if (!all.length) return 'may serve; in the order of the policy';
  return all.map((term) => html`<div>${term.name} ${score(term.value)}${term.weight === undefined ? '' : ` × ${score(term.weight, 2)}`}${
    term.contribution === undefined ? '' : ` = ${score(term.contribution)}`}${term.unknown ? ' (not stated: as the worst)' : ''}</div>`);
}

function health(one) {
  const said = [];
  if (one.coolingDuration !== undefined) said.push(`cools down for ${time(one.coolingDuration)}`);
  if (one.failureShare !== undefined) said.push(`${(one.failureShare * 100).toFixed(0)} % of ${score(one.calls, 0)} calls failed`);
  if (one.trial) said.push('tried all the same');
  if (one.latencyDuration !== undefined) said.push(`expected to take ${time(one.latencyDuration)} by ${score(one.observedCalls, 0)} observed calls`);
  return said.join('; ');
}

/** Every costly question with its answer and what it took. */
export function steps(all = []) {
  if (!all.length) return html`<p class="hint">Nothing costly was asked.</p>`;
  return html`
    <table class="steps">
      <thead><tr><th>Asked</th><th>Answer</th><th class="number">Took</th></tr></thead>
      <tbody>${all.map((step) => html`
        <tr class=${step.failed ? 'refused' : ''}><th scope="row">${step.asked}</th>
          <td>${step.failed ? html`<b>failed: </b>` : nothing}${words(step.answer)}</td>
          <td class="number">${time(step.answerDuration)}</td></tr>`)}</tbody>
    </table>`;
}

/** Every rule, with the term that kept it from matching. */
export function rules(all = []) {
  if (!all.length) return html`<p class="hint">The policy has no rules.</p>`;
  return html`
    <table class="rules">
      <thead><tr><th>Rule</th><th>Does</th><th>What became of it</th></tr></thead>
      <tbody>${all.map((rule) => html`
        <tr class=${rule.matched ? 'won' : ''} data-rule=${rule.name}><th scope="row">${rule.name}</th><td>${rule.action}</td>
          <td>${rule.matched ? 'matches' : html`<code>${rule.failingTerm}</code> does not hold: ${rule.actualValue}`}
            ${rule.failure ? html`<div class="wrong">${rule.failure}</div>` : nothing}</td></tr>`)}</tbody>
    </table>`;
}
