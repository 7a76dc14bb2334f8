#!/usr/bin/env node
// Asks Signalbox which model should answer each line of standard input; goes on without it while it is away.
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'

// The stubs are made from the contract when the program starts.
const path = (relative) => fileURLToPath(new URL(relative, import.meta.url))
const contract = loadSync('signalbox/v1/router_service.proto', {
  includeDirs: [path('../../../proto')], enums: String, longs: String, oneofs: true,
})
const { RouterService } = grpc.loadPackageDefinition(contract).signalbox.v1
const google = loadSync(path('error_details.proto'))

// What a caller uses while Signalbox is away: its own choice, kept where no server is needed to read it.
const DEFAULT_MODEL = 'openai/gpt-5-mini'

// Every call goes to the next replica; one that failed as UNAVAILABLE is sent again, to another one. Explain, GetPolicy and
// ReportOutcome may be added by name; ReloadPolicy is never to be sent twice.
const SERVICE_CONFIG = {
  loadBalancingConfig: [{ round_robin: {} }],
  methodConfig: [{
    name: [{ service: 'signalbox.v1.RouterService', method: 'Route' }],
    retryPolicy: {
      maxAttempts: 4, initialBackoff: '0.05s', maxBackoff: '1s', backoffMultiplier: 2, retryableStatusCodes: ['UNAVAILABLE'],
    },
  }],
}

// Signalbox cannot answer just now, which must not fail the caller's own request. All else is to be read and put right.
const { UNAVAILABLE, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, INTERNAL } = grpc.status
const AWAY = [UNAVAILABLE, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, INTERNAL]

/** One channel to all replicas: a list of IP addresses, or one name that DNS resolves to them (a headless Service). */
function connect (addresses, { ca, 'server-name': serverName }) {
  const target = (addresses.includes(',') ? 'ipv4:' : 'dns:///') + addresses
  const options = { 'grpc.service_config': JSON.stringify(SERVICE_CONFIG) }
  if (!ca) return new RouterService(target, grpc.credentials.createInsecure(), options)
  const name = serverName ?? addresses.split(',')[0].replace(/:\d+$/, '')
  return new RouterService(target, grpc.credentials.createSsl(readFileSync(ca)),
    { ...options, 'grpc.ssl_target_name_override': name, 'grpc.default_authority': name })
}

function show (decision) {
  console.log(`model       ${decision.modelId}`)
  console.log(`route       ${decision.route || '-'}`)
  // A field that is not set is not there.
  console.log(`confidence  ${decision.confidence?.toFixed(3) ?? '-'}`)
  console.log(`fallbacks   ${(decision.fallbackModelIds ?? []).join(', ') || '-'}`)
  console.log(`reason      ${decision.reason}`)
}

/** Prints why Signalbox said no, with every problem: its details are standard google.rpc messages. */
function refused (error) {
  let reason = grpc.status[error.code]
  let problems = []
  const [bytes] = error.metadata.get('grpc-status-details-bin')
  for (const detail of bytes ? google['google.rpc.Status'].deserialize(bytes).details : []) {
    const type = detail.type_url.split('/').pop()
    if (type === 'google.rpc.ErrorInfo') reason = google[type].deserialize(detail.value).reason
    if (type === 'google.rpc.BadRequest') problems = google[type].deserialize(detail.value).fieldViolations
  }
  console.log(`refused     ${reason}: ${error.details}`)
  for (const problem of problems) console.log(`problem     ${problem.field}: ${problem.description}`)
}

const text = { type: 'string' }
const { values: given, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    deadline: { ...text, default: '2' }, // seconds for a call, retries included
    'max-cost-usd': text, // the most that a request may cost
    'min-quality': text, // the least quality of a model, 0 to 1
    ca: text, // speak TLS, and trust the authorities in this PEM file
    'server-name': text, // the name in the servers' certificate, where it is not the first host
    'policy-of': text, // show a tenant's policy; administrative: SIGNALBOX_TOKEN
  },
})
if (positionals.length !== 1) {
  console.error('usage: route.js [--deadline S] [--max-cost-usd USD] [--min-quality Q] [--ca FILE] [--server-name NAME] ' +
    '[--policy-of TENANT] HOST:PORT[,HOST:PORT...]')
  process.exit(2)
}
const client = connect(positionals[0], given)
const inTime = () => ({ deadline: Date.now() + 1000 * Number(given.deadline) })

if (given['policy-of']) {
  // Only administrative calls carry the token.
  const headers = new grpc.Metadata()
  const token = process.env.SIGNALBOX_TOKEN
  if (token) headers.set('authorization', `Bearer ${token}`)
  const getPolicy = promisify(client.GetPolicy).bind(client)
  try {
    const policy = await getPolicy({ tenant: given['policy-of'] }, headers, inTime())
    console.log(`policy      ${policy.version} ${policy.checksum}`)
  } catch (error) {
    refused(error)
  }
} else {
  const requirements = {}
  if (given['max-cost-usd']) requirements.maxCostUsd = Number(given['max-cost-usd'])
  if (given['min-quality']) requirements.minQuality = Number(given['min-quality'])
  const route = promisify(client.Route).bind(client)
  for await (const content of createInterface({ input: process.stdin })) {
    try {
      show(await route({ messages: [{ role: 'ROLE_USER', content }], requirements }, inTime()))
    } catch (error) {
      if (AWAY.includes(error.code)) {
        console.log(`model       ${DEFAULT_MODEL}`)
        console.log(`reason      Signalbox is away (${grpc.status[error.code]}); this is the caller's own default: ${error.details}`)
      } else refused(error)
    }
    console.log()
  }
}
client.close()
