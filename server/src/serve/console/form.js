// The left side: the conversation and what else a request may say.

import {html, nothing} from './lit-html.js';

const ROLES = [['ROLE_USER', 'user'], ['ROLE_ASSISTANT', 'assistant'], ['ROLE_SYSTEM', 'system'], ['ROLE_TOOL', 'tool']];
const ATTACHMENTS = [['', 'nothing attached'], ['MODALITY_IMAGE', 'an image'], ['MODALITY_AUDIO', 'audio'], ['MODALITY_VIDEO', 'video'],
  ['MODALITY_DOCUMENT', 'a document']];
const OPTIMIZE = [['', 'as the policy says'], ['OPTIMIZE_FOR_COST', 'cost'], ['OPTIMIZE_FOR_LATENCY', 'time'],
  ['OPTIMIZE_FOR_QUALITY', 'quality']];

// Name in the state, the API's path, label, hint, kind of input.
const CALLER = [
  ['model', 'model', 'Model', 'an id or an alias'],
  ['profile', 'profile', 'Profile', 'fast, code, …'],
  ['tenant', 'caller.tenant', 'Tenant', ''],
  ['tier', 'caller.tier', 'Tier', ''],
  ['sessionId', 'caller.session_id', 'Session id', ''],
  ['labels', 'caller.labels', 'Labels', 'batch=true, …'],
];
const LIMITS = [
  ['capabilities', 'requirements.capabilities', 'Capabilities', 'tools, json'],
  ['regions', 'requirements.regions', 'Regions', 'eu, us'],
  ['maxCostUsd', 'requirements.max_cost_usd', 'Most cost, USD', '', 'number'],
  ['maxLatencyMs', 'requirements.max_latency_duration', 'Longest time, ms', '', 'number'],
  ['minQuality', 'requirements.min_quality', 'Least quality, 0 to 1', '', 'number'],
  ['minContextTokens', 'requirements.min_context_tokens', 'Least context, tokens', '', 'number'],
  ['expectedOutputTokens', 'expected_output_tokens', 'Answer, tokens', '', 'number'],
  ['attempts', 'attempts', 'Models tried already', 'ids'],
];

/** What the form begins with. */
export function blank() {
  const fields = Object.fromEntries([...CALLER, ...LIMITS].map(([name]) => [name, '']));
  return {messages: [says('ROLE_USER')], fields: {...fields, optimizeFor: ''}};
}

function says(role) {
  return {role, content: '', attachment: '', hasToolCalls: false};
}

const list = (text) => text.split(',').map((one) => one.trim()).filter(Boolean);

/** The request that the form says, without what is empty. */
export function requestOf({messages, fields}) {
  const number = (text) => (text === '' ? undefined : Number(text));
  const filled = (entries) => {
    const kept = Object.entries(entries).filter(([, value]) => value !== undefined && value !== '' && value?.length !== 0);
    return kept.length ? Object.fromEntries(kept) : undefined;
  };
  const labels = list(fields.labels).map((label) => {
    const at = label.indexOf('=');
    return at < 0 ? [label, ''] : [label.slice(0, at).trim(), label.slice(at + 1).trim()];
  });
  const ms = number(fields.maxLatencyMs);
  return filled({
    messages: messages.map((message) => filled({
      role: message.role,
      content: message.content,
      attachments: message.attachment ? [{modality: message.attachment}] : [],
      hasToolCalls: message.hasToolCalls || undefined,
    })),
    model: fields.model.trim(),
    profile: fields.profile.trim(),
    caller: filled({
      tenant: fields.tenant.trim(),
      tier: fields.tier.trim(),
      sessionId: fields.sessionId.trim(),
      labels: labels.length ? Object.fromEntries(labels) : undefined,
    }),
    requirements: filled({
      capabilities: list(fields.capabilities),
      regions: list(fields.regions),
      maxCostUsd: number(fields.maxCostUsd),
      maxLatencyDuration: ms === undefined ? undefined : `${(ms / 1000).toFixed(6)}s`,
      minQuality: number(fields.minQuality),
      minContextTokens: number(fields.minContextTokens),
    }),
    preferences: filled({optimizeFor: fields.optimizeFor}),
    expectedOutputTokens: number(fields.expectedOutputTokens),
    attempts: list(fields.attempts).map((modelId) => ({modelId})),
  }) ?? {};
}

/** The paths that the form shows errors at; others are shown with the answer. */
export const PATHS = ['messages', 'preferences', ...[...CALLER, ...LIMITS].map(([, path]) => path)];

/** The form. `change` is called after each change, `decide` to have the request decided. */
export function form(state, change, decide) {
  const {messages, fields, failure} = state;
  const wrong = (path) => failure?.of(path) ?? '';

  function add() {
    const last = messages.at(-1)?.role;
    messages.push(says(last === 'ROLE_USER' ? 'ROLE_ASSISTANT' : 'ROLE_USER'));
    change();
    document.getElementById(`message-${messages.length - 1}`).focus();
  }

  function remove(index) {
    messages.splice(index, 1);
    change();
    (document.getElementById(`message-${Math.max(0, index - 1)}`) ?? document.getElementById('add')).focus();
  }

  function keys(event) {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      decide();
    }
  }

  const options = (all, chosen) => all.map(([value, word]) => html`
    <option value=${value} .selected=${value === chosen}>${word}</option>`);

  const message = (one, index) => html`
    <li class="message ${one.role.toLowerCase()}">
      <div class="message-head">
        <select aria-label="Who speaks in message ${index + 1}" @change=${(e) => { one.role = e.target.value; change(); }}>
          ${options(ROLES, one.role)}
        </select>
        <select class="quiet" aria-label="Attached to message ${index + 1}"
          @change=${(e) => { one.attachment = e.target.value; change(); }}>${options(ATTACHMENTS, one.attachment)}</select>
        ${one.role === 'ROLE_ASSISTANT' ? html`
          <label class="tick"><input type="checkbox" .checked=${one.hasToolCalls}
            @change=${(e) => { one.hasToolCalls = e.target.checked; change(); }}> calls tools</label>` : nothing}
        <button type="button" class="icon" aria-label="Remove message ${index + 1}" title="Remove"
          ?disabled=${messages.length === 1} @click=${() => remove(index)}>×</button>
      </div>
      <textarea id="message-${index}" rows=${Math.min(12, Math.max(2, one.content.split('\n').length))}
        aria-label="Message ${index + 1}" placeholder=${index ? '' : 'What somebody asks. Enter decides, Shift+Enter is a new line.'}
        aria-invalid=${wrong(`messages[${index}]`) ? 'true' : 'false'} .value=${one.content}
        @input=${(e) => { one.content = e.target.value; change(); }} @keydown=${keys}></textarea>
      ${problem(`messages-${index}`, wrong(`messages[${index}]`))}
    </li>`;

  const field = ([name, path, label, hint, kind = 'text']) => html`
    <div class="field">
      <label for=${name}>${label}</label>
      <input id=${name} type=${kind} step="any" placeholder=${hint} autocomplete="off" spellcheck="false"
        aria-invalid=${wrong(path) ? 'true' : 'false'} aria-describedby="${name}-wrong" .value=${fields[name]}
        @input=${(e) => { fields[name] = e.target.value; change(); }}>
      ${problem(name, wrong(path))}
    </div>`;

  const whole = failure?.violations.filter((one) => one.field === 'messages').map((one) => one.description).join('; ');
  return html`
    <form aria-label="Request" novalidate @submit=${(e) => { e.preventDefault(); decide(); }}>
      <h2>Conversation</h2>
      <ol class="messages">${messages.map(message)}</ol>
      ${problem('messages', whole)}
      <button type="button" id="add" @click=${add}>Add a message</button>
      <fieldset><legend>Who asks, and for what</legend><div class="fields">${CALLER.map(field)}</div></fieldset>
      <details ?open=${LIMITS.some(([, path]) => wrong(path))}>
        <summary>Limits and wishes</summary>
        <div class="fields">
          ${LIMITS.map(field)}
          <div class="field">
            <label for="optimizeFor">Best by</label>
            <select id="optimizeFor" @change=${(e) => { fields.optimizeFor = e.target.value; change(); }}>
              ${options(OPTIMIZE, fields.optimizeFor)}
            </select>
            ${problem('optimizeFor', wrong('preferences'))}
          </div>
        </div>
      </details>
      <button class="main" id="decide" aria-disabled=${state.busy ? 'true' : 'false'}>Decide</button>
    </form>`;
}

function problem(name, text) {
  return html`<p class="wrong" id="${name}-wrong" ?hidden=${!text}>${text}</p>`;
}
