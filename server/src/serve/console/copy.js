// The request for elsewhere: as JSON, for curl and for grpcurl.

import {html} from './lit-html.js';

// An address of gRPC that this page cannot know: the usual one.
const GRPC = '127.0.0.1:50051';

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** The three forms of a request. */
export function forms(request) {
  const json = JSON.stringify(request);
  const origin = location.origin;
  return [
    ['JSON', JSON.stringify(request, null, 2)],
    ['curl', `curl --json ${quoted(json)} ${origin}/v1/route`],
    ['grpcurl', `grpcurl -plaintext -d ${quoted(json)} ${GRPC} signalbox.v1.RouterService/Route`],
  ];
}

/** The forms to be copied. */
export function copies(request) {
  async function copy(event) {
    const button = event.currentTarget;
    const text = button.parentElement.querySelector('pre');
    try {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = 'Copied';
    } catch {
      // Pages that came unencrypted from elsewhere may not write there: what is marked can be copied by hand.
      getSelection().selectAllChildren(text);
      button.textContent = 'Marked';
    }
    setTimeout(() => { button.textContent = 'Copy'; }, 1500);
  }

  return html`
    <details class="copies">
      <summary>This request elsewhere</summary>
      ${forms(request).map(([name, text]) => html`
        <div class="copy"><h3>${name}</h3><button type="button" aria-label="Copy as ${name}" @click=${copy}>Copy</button>
          <pre tabindex="0" aria-label="The request as ${name}">${text}</pre></div>`)}
    </details>`;
}
