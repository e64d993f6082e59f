// Calls every agent alone, then holds a whole consultation, with @grpc/grpc-js. The protos are loaded at run time.
//
//   npm ci && node consultation.js                       against `wenzhen serve`
//   node consultation.js --clinician-key KEY             signs the plan as well
//   node consultation.js --orchestrator HOST:443 --ca ca.pem --alone none
//
// Ends with exit code 1 at the first answer that is not what it should be.
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { parseArgs } = require('node:util');
const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');

// Where `wenzhen serve` puts the agents: on the ports above the orchestrator's.
const AGENTS = { kg: 1, guidance: 2, expert: 3, empathy: 4 };
const TIMEOUT_MS = 5000; // becomes the deadline of every hop behind the call

// What is true of the person who asks; everything else is answered with no.
const COMPLAINT = '医生，我这两天怕冷、流清鼻涕，脖子后面也紧，有点担心';
const PRESENT = new Set(['chills', 'runny_nose', 'runny_nose_clear', 'blocked_nose', 'sneezing', 'headache',
  'neck_stiffness', 'body_ache']);
const PERSON = { age_sex: '34岁，女', age: '34岁', sex: '女', pregnant: '没有怀孕' };

const ROOT = path.resolve(__dirname, '..', '..', 'proto');
const FILES = ['guidance', 'kg', 'expert', 'empathy', 'orchestrator'].map((name) => `wenzhen/${name}/v1/${name}.proto`);
const loaded = protoLoader.loadSync(FILES, { includeDirs: [ROOT], keepCase: true, enums: String, longs: Number });
const { wenzhen } = grpc.loadPackageDefinition(loaded);

function check(right, what) {
  if (!right) throw new Error(`wrong: ${what}`);
}

// One unary call as a promise.
function call(client, method, request, metadata = new grpc.Metadata()) {
  return new Promise((resolve, reject) => {
    const options = { deadline: Date.now() + TIMEOUT_MS };
    client[method](request, metadata, options, (error, response) => (error ? reject(error) : resolve(response)));
  });
}

// The status code of a call that must fail.
async function refusal(promise, what) {
  const error = await promise.then(() => null, (failed) => failed);
  check(error !== null, what);
  return grpc.status[error.code];
}

function bearer(token) {
  const metadata = new grpc.Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  return metadata;
}

// What the person says to a question: a quick answer where the question is about findings.
function answer(question) {
  if (question.context_field) return PERSON[question.context_field] ?? '没有';
  const have = (question.finding_ids ?? []).map((finding) => PRESENT.has(finding));
  const quick = question.quick_answers ?? [];
  if (have.length === 2 && quick.length >= 4) {
    // The order of quick answers: both, neither, only the first, only the second, not sure.
    return quick[have[0] ? (have[1] ? 0 : 2) : (have[1] ? 3 : 1)];
  }
  return have.length > 0 && have.every(Boolean) ? '都有' : '都没有';
}

// grpc.health.v1 is small enough to be written down here.
function serving(target, credentials) {
  const client = new grpc.Client(target, credentials);
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest('/grpc.health.v1.Health/Check', (request) => request, (bytes) => bytes, Buffer.alloc(0),
      { deadline: Date.now() + TIMEOUT_MS }, (error, bytes) => {
        client.close();
        // Field 1 (varint) with the value SERVING = 1.
        return error ? reject(error) : resolve(bytes.equals(Buffer.from([0x08, 0x01])));
      });
  });
}

async function agentsAlone(targets, credentials) {
  for (const [name, target] of Object.entries(targets)) {
    check(await serving(target, credentials), `${name} is not serving`);
  }
  const guidance = new wenzhen.guidance.v1.GuidanceService(targets.guidance, credentials);
  const kg = new wenzhen.kg.v1.KgService(targets.kg, credentials);
  const expert = new wenzhen.expert.v1.ExpertService(targets.expert, credentials);
  const empathy = new wenzhen.empathy.v1.EmpathyService(targets.empathy, credentials);
  try {
    const [pack] = (await call(guidance, 'Describe', {})).packs;
    const pins = { pack_digest: pack.digest };
    console.log(`pack ${pack.id} ${pack.version} ${pack.digest.slice(0, 12)}`);

    const said = await call(guidance, 'Interpret', { pins, text: COMPLAINT, turn: 1 });
    const found = said.observations.filter((o) => o.state === 'FINDING_STATE_PRESENT').map((o) => o.finding_id).sort();
    check(found.includes('chills') && found.includes('neck_stiffness'), `guidance understood ${found}`);
    console.log('guidance.Interpret:', found.join(', '));

    const kase = { pins, observations: said.observations };
    const scored = await call(kg, 'Advance', { case: kase, max_conditions: 3, max_findings: 2 });
    check(scored.ranked.length === 3, 'kg ranked no three conditions');
    console.log('kg.Advance:', scored.ranked.map((c) => `${c.condition_id} ${c.score.toFixed(2)}`).join(', '));

    const findingIds = scored.worth_asking.map((c) => c.finding_id);
    const asked = await call(guidance, 'Ask', { pins, finding_ids: findingIds, locale: 'LOCALE_ZH' });
    check(Boolean(asked.text), 'guidance worded no question');
    console.log('guidance.Ask:', asked.text);

    const diagnosed = await call(expert, 'Diagnose', {
      pins, observations: said.observations, ranked: scored.ranked, urgency: 'URGENCY_ROUTINE', locale: 'LOCALE_ZH',
    });
    const { facts } = diagnosed.draft;
    check(facts.length > 0, "the expert's draft has no facts");
    console.log(`expert.Diagnose: ${diagnosed.differential[0].disease}, ${facts.length} facts in the draft`);

    const { assessment } = await call(empathy, 'Assess', { pins, text: COMPLAINT, locale: 'LOCALE_ZH' });
    console.log(`empathy.Assess: ${assessment.emotion}, intensity ${assessment.intensity}`);

    const pieces = [];
    const stream = empathy.Modulate(
      { pins, draft: diagnosed.draft, assessment, order: 'ORDER_FACT_TO_EMPATHY', subject: 'SUBJECT_SELF' },
      { deadline: Date.now() + TIMEOUT_MS });
    for await (const piece of stream) pieces.push(piece);
    check(pieces.at(-1).done, 'the rewriting did not end with done');
    const text = pieces.map((piece) => piece.text ?? '').join('');
    check(facts.every((fact) => text.split(`{{${fact.id}}}`).length === 2), 'a slot did not come back exactly once');
    console.log(`empathy.Modulate: ${pieces.length} pieces, every slot exactly once`);

    const unknown = call(kg, 'Advance', { case: { pins: { pack_digest: '0'.repeat(64) } } });
    const code = await refusal(unknown, 'an unknown pack was accepted');
    check(code === 'FAILED_PRECONDITION', `an unknown pack is ${code}`);
    console.log('unknown pack:', code);
  } finally {
    [guidance, kg, expert, empathy].forEach((client) => client.close());
  }
}

// Sends one message and shows the reply as it streams in.
async function say(client, metadata, consultationId, text, messageId = crypto.randomUUID()) {
  console.log('>', text);
  const request = { consultation_id: consultationId, message_id: messageId, text };
  let completed;
  let question;
  for await (const update of client.SendMessage(request, metadata, { deadline: Date.now() + 30_000 })) {
    if (update.text) process.stdout.write(update.text.text);
    if (update.urgency) console.log('!', update.urgency.urgency);
    if (update.question) question = update.question;
    if (update.completed) completed = update.completed;
  }
  console.log();
  check(completed, 'a turn did not complete');
  for (const { agent, reason } of completed.degraded ?? []) console.log(`  (without ${agent}: ${reason})`);
  return { completed, question };
}

async function consultation(target, credentials, { apiKey, clinicianKey }) {
  const client = new wenzhen.orchestrator.v1.OrchestratorService(target, credentials);
  try {
    const started = await call(client, 'StartConsultation', { locale: 'LOCALE_ZH' }, apiKey && bearer(apiKey));
    const consultationId = started.consultation_id;
    const patient = bearer(started.token);
    console.log(`${started.consent}\n${started.opening}`);

    const messageId = crypto.randomUUID();
    let turn = await say(client, patient, consultationId, COMPLAINT, messageId);
    const first = turn;
    const again = await say(client, patient, consultationId, COMPLAINT, messageId);
    check(again.completed.replayed && again.completed.text === first.completed.text,
      'the same message id was not answered from the record');

    for (let round = 0; round < 12 && turn.completed.decision !== 'DECISION_KIND_DIAGNOSE' && turn.question; round += 1) {
      turn = await say(client, patient, consultationId, answer(turn.question));
    }
    check(turn.completed.decision === 'DECISION_KIND_DIAGNOSE', 'the consultation ended without a diagnosis');

    const get = { consultation_id: consultationId };
    let seen = (await call(client, 'GetConsultation', get, patient)).consultation;
    check((seen.diagnosis.herbs ?? []).length === 0, 'a patient saw herbs before the plan was signed');
    console.log(`diagnosis: ${seen.diagnosis.differential[0].disease} ${seen.diagnosis.differential[0].pattern}`);
    if (clinicianKey) {
      const clinician = bearer(clinicianKey);
      const { pending } = await call(client, 'ListPending', {}, clinician);
      check(pending.some((p) => p.consultation_id === consultationId), 'the plan does not wait for a signature');
      await call(client, 'SignPlan', get, clinician);
      seen = (await call(client, 'GetConsultation', get, patient)).consultation;
      check(seen.diagnosis.herbs.length > 0, 'the signed plan does not show');
      console.log('signed plan:', seen.diagnosis.formula);
    }
    console.log(`export: ${(await call(client, 'ExportConsultation', get, patient)).events.length} events`);
    await call(client, 'DeleteConsultation', get, patient);
    const code = await refusal(call(client, 'GetConsultation', get, patient), 'a deleted consultation can be read');
    console.log('after the deletion:', code);
  } finally {
    client.close();
  }
}

async function main() {
  const option = { type: 'string' };
  const { values } = parseArgs({
    options: {
      orchestrator: { type: 'string', default: '127.0.0.1:7000' },
      kg: option, guidance: option, expert: option, empathy: option,
      alone: { type: 'string', default: 'all' },
      ca: option, cert: option, key: option, 'api-key': option, 'clinician-key': option, help: { type: 'boolean' },
    },
  });
  if (values.help) {
    console.log('node consultation.js [--orchestrator HOST:PORT] [--kg | --guidance | --expert | --empathy HOST:PORT]\n'
      + '  [--alone all|none] [--ca FILE [--cert FILE --key FILE]] [--api-key KEY] [--clinician-key KEY]');
    return;
  }
  const read = (file) => (file ? fs.readFileSync(file) : null);
  const credentials = values.ca
    ? grpc.credentials.createSsl(read(values.ca), read(values.key), read(values.cert))
    : grpc.credentials.createInsecure();
  const [, host, port] = /^(.*):(\d+)$/.exec(values.orchestrator);
  if (values.alone === 'all') {
    const targets = Object.entries(AGENTS).map(([name, above]) => [name, values[name] ?? `${host}:${Number(port) + above}`]);
    await agentsAlone(Object.fromEntries(targets), credentials);
  }
  const keys = { apiKey: values['api-key'], clinicianKey: values['clinician-key'] };
  await consultation(values.orchestrator, credentials, keys);
  console.log('ok');
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
