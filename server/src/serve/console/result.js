// The right side: a decision, the ladder it came down, and what would change it.

import {html, nothing} from './lit-html.js';
import {candidates, rules, scores, source, steps, time, words} from './tables.js';

// In the order of the deciding; what a rung is, in the words of README.
const LADDER = [
  ['direct', 'the model that the request names'],
  ['alias', 'the alias that the request names'],
  ['rule', 'the first rule that matches'],
  ['session', 'the model that the conversation is held on'],
  ['profile', 'the profile that the request names'],
  ['route', 'the route that the prompt belongs to'],
  ['domain', 'the domain that the prompt belongs to'],
  ['policy_profile', 'the profile that the policy names'],
  ['default', 'the default of the policy'],
];

/** All of one answer of Explain. */
export function result(explained) {
  const {decision, steps: asked, rules: seen, varyingEvidence = [], text} = explained;
  return html`
    ${headline(decision)}
    <h3>Every route's score</h3>
    ${scores(explained)}
    <h3>The ladder</h3>
    ${ladder(explained)}
    <h3>What would change it</h3>
    ${changes(explained)}
    <h3>Rules</h3>
    ${rules(seen)}
    <h3>What was asked</h3>
    ${steps(asked)}
    ${varyingEvidence.length ? html`<p class="hint">Two equal requests can differ under this policy, by
      ${varyingEvidence.join(', ')}.</p>` : nothing}
    <details><summary>As text</summary><pre tabindex="0" aria-label="The explanation as text">${text}</pre></details>
    <details><summary>As JSON</summary><pre tabindex="0" aria-label="The explanation as JSON">${JSON.stringify(explained, null, 2)}</pre></details>`;
}

function headline(decision) {
  const {estimate = {}, policy = {}} = decision;
  const known = (value, show) => (value === undefined || value === '' ? undefined : show(value));
  const facts = [
    ['route', decision.route ?? 'none'],
    ['domain', decision.domain],
    ['confidence', known(decision.confidence, (share) => share.toFixed(3))],
    ['margin', known(decision.margin, (share) => share.toFixed(3))],
    ['source', source(decision.source)],
    ['rule', decision.rule],
    ['profile', decision.profile],
    ['canary', decision.canary],
    ['session', decision.session ? session(decision.session) : undefined],
    ['plan', plan(decision.plan)],
    ['fallbacks', decision.fallbackModelIds?.join(', then ') ?? 'none'],
    ['cost', known(estimate.costUsd, (usd) => `${usd.toFixed(6)} USD`)],
    ['time', known(estimate.latencyDuration, (took) => time(took) + (estimate.latencyObserved ? ', as observed' : ''))],
    ['tokens', `${estimate.inputTokens ?? 0} in, ${estimate.outputTokens ?? 0} out`],
    ['labels', decision.modelLabels && Object.entries(decision.modelLabels).map(([name, value]) => `${name}: ${value}`).join(', ')],
    ['policy', `version ${policy.version ?? 0}, ${(policy.checksum ?? '').slice(0, 8)}…`],
    ['decided in', time(decision.processingDuration)],
  ];
  return html`
    <div class="headline">
      <p class="model" id="winner">${decision.modelId}</p>
      <p class="reason">${words(decision.reason)}</p>
    </div>
    ${(decision.degraded ?? []).map((lost) => html`<p class="degraded"><b>${lost.code}</b> ${words(lost.detail)}</p>`)}
    <dl class="facts">${facts.filter(([, value]) => value).map(([name, value]) => html`
      <div data-fact=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

function session({status, previousModelId, reason}) {
  const word = status.replace('SESSION_STATUS_', '').toLowerCase();
  return [word, previousModelId && `was on ${previousModelId}`, reason].filter(Boolean).join(', ');
}

/** What to do, in words. */
export function plan({cascade, ensemble, speculative, toolThenModel} = {}) {
  if (cascade) return `cascade: ${cascade.modelIds.join(', then ')}; an answer counts from confidence ${cascade.acceptAt}`;
  if (ensemble) {
    const how = (ensemble.strategy ?? '').replace('COMBINE_STRATEGY_', '').replace('_', ' ').toLowerCase();
    return `ensemble: ${ensemble.modelIds.join(', ')}; ${how}${ensemble.judgeModelId ? ` by ${ensemble.judgeModelId}` : ''}`;
  }
  if (speculative) {
    const prefer = (speculative.prefer ?? '').replace('SPECULATIVE_PREFERENCE_', '').toLowerCase();
    return `race: ${speculative.fastModelId} and ${speculative.slowModelId}; the ${prefer} one is waited for ${time(speculative.waitDuration)}`;
  }
  if (toolThenModel) return `call ${toolThenModel.toolName}, then ask ${toolThenModel.modelId}`;
  return 'single';
}

/** Every rung in its order: those before the one that decided had nothing to say, or no model left. */
function ladder({rungs = [], candidates: all = [], decision}) {
  const last = (pass) => LADDER.findIndex(([name]) => name === pass.at(-1).name);
  let start = 0;
  const tried = rungs.map((rung) => {
    const own = all.slice(start, start + (rung.candidateCount ?? 0));
    start += own.length;
    return {...rung, own};
  });
  // Where reported outcomes left no model the ladder is gone down a second time.
  const passes = [[]];
  for (const rung of tried) {
    if (passes.at(-1).some((one) => one.name === rung.name)) passes.push([]);
    passes.at(-1).push(rung);
  }
  return passes.filter((pass) => pass.length).map((pass, index) => html`
    ${index ? html`<p class="hint">Once more, without reported outcomes:</p>` : nothing}
    <ol class="ladder">${LADDER.map(([name, what], place) => {
      const rung = pass.find((one) => one.name === name);
      if (!rung) {
        return html`<li class="silent" data-rung=${name}><span class="rung">${name}</span>
          <span>${place < last(pass) ? 'had nothing to say' : 'was not reached'}: ${what}</span></li>`;
      }
      return html`<li class=${rung.decided ? 'decided' : 'fell'} data-rung=${name}>
        <details ?open=${rung.decided}>
          <summary><span class="rung">${name}</span> <b>${rung.decided ? 'decided' : 'no model left'}</b>: ${words(rung.detail)}</summary>
          ${candidates(rung.own, rung.decided ? decision.modelId : '')}
        </details></li>`;
    })}</ol>`);
}

/** All that the answer says of other outcomes. */
function changes({withoutWinner, runnerUp, threshold, routes = [], rules: seen = [], candidates: all = [], decision}) {
  const said = [];
  if (withoutWinner) {
    const by = withoutWinner.route ? `by route ${withoutWinner.route}` : `by ${source(withoutWinner.source)}`;
    said.push(html`<li id="without-winner"><b>Without ${decision.modelId}:</b> ${withoutWinner.modelId}, ${by}; ${words(withoutWinner.reason)}.</li>`);
  } else {
    said.push(html`<li id="without-winner"><b>Without ${decision.modelId}:</b> nothing else would win.</li>`);
  }
  if (runnerUp?.modelId) {
    said.push(html`<li><b>Second model:</b> ${runnerUp.modelId}${runnerUp.score === undefined ? '' : `, score ${runnerUp.score.toFixed(4)}`}.</li>`);
  }
  if (runnerUp?.route) {
    said.push(html`<li><b>Second route:</b> ${runnerUp.route === 'other' ? 'no route' : runnerUp.route}, probability
      ${(runnerUp.probability ?? 0).toFixed(3)}${decision.margin === undefined ? '' : `, ${decision.margin.toFixed(3)} behind`}.</li>`);
  }
  if (threshold !== undefined && routes.length) {
    const judge = routes.at(-1).asked;
    const best = Math.max(...routes.filter((route) => route.asked === judge && route.name !== 'other').map((route) => route.probability ?? 0));
    said.push(html`<li><b>Threshold:</b> the best route is at ${best.toFixed(3)}, ${best >= threshold
      ? `${(best - threshold).toFixed(3)} above` : `${(threshold - best).toFixed(3)} below`} the ${threshold.toFixed(2)} from which a route decides.</li>`);
  }
  for (const rule of seen.filter((one) => !one.matched && one.failingTerm)) {
    said.push(html`<li><b>Rule ${rule.name}</b> would ${rule.action} if <code>${rule.failingTerm}</code> held; it read ${rule.actualValue}.</li>`);
  }
  const refused = new Map(all.filter((one) => !one.eligible).map((one) => [one.modelId, one.refusals ?? []]));
  for (const [model, refusals] of refused) {
    said.push(html`<li><b>${model}</b> is out by ${refusals.map((one) => one.code).join(' and ')}.</li>`);
  }
  return html`<ul class="changes">${said}</ul>`;
}

/** Two answers to one request, before and after: what differs is marked and said. */
export function comparison(before, after) {
  const facts = ({decision, threshold}) => [
    ['model', decision.modelId],
    ['route', decision.route ?? 'none'],
    ['source', source(decision.source)],
    ['confidence', decision.confidence?.toFixed(3) ?? '—'],
    ['rule', decision.rule || '—'],
    ['fallbacks', decision.fallbackModelIds?.join(', ') ?? 'none'],
    ['plan', plan(decision.plan)],
    ['cost, USD', decision.estimate?.costUsd?.toFixed(6) ?? '—'],
    ['time', time(decision.estimate?.latencyDuration) || '—'],
    ['threshold', threshold?.toFixed(2) ?? '—'],
  ];
  const judged = ({routes = []}) => new Map(routes.map((one) => [one.name, one.probability?.toFixed(3) ?? '—']));
  const [old, young] = [judged(before), judged(after)];
  const names = [...new Set([...old.keys(), ...young.keys()])].filter((name) => name !== 'other');
  const scored = names.map((name) => [`route ${name}`, old.get(name) ?? '—', young.get(name) ?? '—']);
  const moved = scored.filter(([, one, other]) => one !== other);
  const alike = scored.length - moved.length;
  const rows = [
    ...facts(before).map(([name, value], index) => [name, value, facts(after)[index][1]]),
    ...moved,
    ...(alike ? [[moved.length ? 'other routes' : 'routes', `${alike} with equal scores`, `${alike} with equal scores`]] : []),
  ];
  return html`
    <table class="comparison" id="comparison">
      <caption>Before and after</caption>
      <thead><tr><td></td><th scope="col">policy in force</th><th scope="col">this policy</th></tr></thead>
      <tbody>${rows.map(([name, one, other]) => html`
        <tr class=${one === other ? '' : 'differs'} data-row=${name}><th scope="row">${name}</th><td>${one}</td>
          <td>${other}${one === other ? nothing : html` <span class="tag">changed</span>`}</td></tr>`)}</tbody>
    </table>`;
}
