// ts-mls behind the interface of the working group's test runner: each line of stdin is a call,
// {"method", "request"}, and each line of stdout its answer, {"response"} or {"error": {"code", "message"}}. Requests and
// responses are the messages of mls_client.proto in their JSON form; bytes are base64.
//
// ts-mls cannot do all of it. A method that is missing below answers Unimplemented.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { p256, p384, p521 } from "@noble/curves/nist.js";
import * as mls from "ts-mls";
import { encodeRatchetTree, decodeRatchetTree } from "ts-mls/ratchetTree.js";
import { signLeafNodeCommit } from "ts-mls/leafNode.js";
import { updateLeafKey } from "ts-mls/privateKeyPath.js";

// The codes of gRPC that are used here.
const invalidArgument = 3, notFound = 5, unimplemented = 12;

class Refusal extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

const suites = Object.fromEntries(Object.entries(mls.ciphersuites).map(([name, id]) => [id, name]));
// Those for which package.json has what they need.
const supported = [1, 2, 3, 5, 7];

const states = new Map();
const transactions = new Map();
let last = 0;

function hold(table, value) {
  table.set(++last, value);
  return last;
}

function held(table, id) {
  const value = table.get(id);
  if (value === undefined) throw new Refusal(notFound, "nothing of this kind is held under this number");
  return value;
}

const bytes = (text) => new Uint8Array(Buffer.from(text, "base64"));
const base64 = (data) => Buffer.from(data).toString("base64");
const sameBytes = (a, b) => Buffer.compare(a, b) === 0;

function decode(text, ...wireformats) {
  const message = mls.decodeMlsMessage(bytes(text), 0)?.[0];
  if (!wireformats.includes(message?.wireformat)) throw new Refusal(invalidArgument, "not a message of this kind");
  return message;
}

const encode = (wireformat, content) => base64(mls.encodeMlsMessage({ version: "mls10", wireformat, ...content }));

async function cipherSuite(id) {
  if (!supported.includes(id)) throw new Refusal(invalidArgument, `cipher suite ${id} is not supported`);
  return mls.getCiphersuiteImpl(mls.getCiphersuiteFromName(suites[id]));
}

// signatureKey makes a key pair. Those of the NIST curves that ts-mls makes by itself have a compressed public key, and RFC
// 9420, Section 5.1.1 wants the whole point.
async function signatureKey(suite, cs) {
  const curve = { 2: p256, 5: p521, 7: p384 }[suite];
  if (curve === undefined) return cs.signature.keygen();
  const signKey = curve.utils.randomSecretKey();
  return { signKey, publicKey: curve.getPublicKey(signKey, false) };
}

async function keyPackage(suite, identity) {
  const cs = await cipherSuite(suite);
  const now = BigInt(Math.floor(Date.now() / 1000));
  const pair = await mls.generateKeyPackageWithKey(
    { credentialType: "basic", identity: bytes(identity) }, mls.defaultCapabilities(),
    { notBefore: now - 3600n, notAfter: now + 28n * 86400n }, [], await signatureKey(suite, cs), cs,
  );
  return { cs, pair, psks: {} };
}

// A state: group is a value of ts-mls, which never changes; what a call changes is which one it is.
function newState({ cs, psks }, group, encrypt) {
  return hold(states, { cs, psks, group, encrypt, pending: undefined, refs: new Map(), updates: new Map() });
}

const authenticator = (s) => base64(s.group.keySchedule.epochAuthenticator);
const pskIndex = (s) => mls.makePskIndex(s.group, s.psks);

function enter(s, group) {
  s.group = group;
  s.pending = undefined;
  s.refs.clear();
  s.updates.clear();
}

// memberAt finds a member by its identity.
function memberAt(s, identity) {
  const node = s.group.ratchetTree.findIndex((n) => n?.nodeType === "leaf" && sameBytes(n.leaf.credential.identity, identity));
  if (node < 0) throw new Refusal(invalidArgument, "no member has this identity");
  return node / 2;
}

// described makes a proposal of its description.
function described(s, d) {
  const psk = (info) => ({
    proposalType: "psk", psk: { preSharedKeyId: { ...info, pskNonce: s.cs.rng.randomBytes(s.cs.kdf.size) } },
  });
  const type = Buffer.from(d.proposalType, "base64").toString();
  switch (type) {
    case "add":
      return { proposalType: "add", add: { keyPackage: decode(d.keyPackage, "mls_key_package").keyPackage } };
    case "remove":
      return { proposalType: "remove", remove: { removed: memberAt(s, bytes(d.removedId)) } };
    case "externalPSK":
      return psk({ psktype: "external", pskId: bytes(d.pskId) });
    case "resumptionPSK":
      return psk({
        psktype: "resumption", usage: "application", pskGroupId: s.group.groupContext.groupId, pskEpoch: BigInt(d.epochId),
      });
  }
  throw new Refusal(unimplemented, `proposals of the type ${type}`);
}

// propose makes a proposal and remembers its reference, which is the new key among the unapplied ones.
async function propose(s, proposal) {
  const { newState, message } = await mls.createProposal(s.group, !s.encrypt, proposal, s.cs);
  const encoded = base64(mls.encodeMlsMessage(message));
  remember(s, encoded, newState);
  return { proposal: encoded };
}

function remember(s, message, group) {
  const ref = Object.keys(group.unappliedProposals).find((key) => !(key in s.group.unappliedProposals));
  if (ref === undefined) throw new Refusal(invalidArgument, "not a new proposal");
  s.group = group;
  s.refs.set(message, ref);
}

// hear takes in a proposal that is not there already.
async function hear(s, text) {
  if (s.refs.has(text)) return s.refs.get(text);
  const message = decode(text, "mls_public_message", "mls_private_message");
  const { newState } = await receive(s, s.group, message);
  remember(s, text, newState);
  return s.refs.get(text);
}

function receive(s, group, message) {
  return message.wireformat === "mls_public_message"
    ? mls.processPublicMessage(group, message.publicMessage, pskIndex(s), s.cs)
    : mls.processPrivateMessage(group, message.privateMessage, pskIndex(s), s.cs);
}

const methods = {
  async Name() {
    const { name, version } = JSON.parse(readFileSync(new URL("./node_modules/ts-mls/package.json", import.meta.url)));
    return { name: `${name} ${version}` };
  },

  async SupportedCiphersuites() {
    return { ciphersuites: supported };
  },

  async CreateGroup(r) {
    const t = await keyPackage(r.cipherSuite, r.identity);
    const group = await mls.createGroup(bytes(r.groupId), t.pair.publicPackage, t.pair.privatePackage, [], t.cs);
    return { stateId: newState(t, group, r.encryptHandshake) };
  },

  async CreateKeyPackage(r) {
    const t = await keyPackage(r.cipherSuite, r.identity);
    return {
      transactionId: hold(transactions, t),
      keyPackage: encode("mls_key_package", { keyPackage: t.pair.publicPackage }),
      initPriv: base64(t.pair.privatePackage.initPrivateKey),
      encryptionPriv: base64(t.pair.privatePackage.hpkePrivateKey),
      signaturePriv: base64(t.pair.privatePackage.signaturePrivateKey),
    };
  },

  async JoinGroup(r) {
    const t = held(transactions, r.transactionId);
    const tree = r.ratchetTree === "" ? undefined : decodeRatchetTree(bytes(r.ratchetTree), 0)?.[0];
    const group = await mls.joinGroup(
      decode(r.welcome, "mls_welcome").welcome, t.pair.publicPackage, t.pair.privatePackage,
      mls.makePskIndex(undefined, t.psks), t.cs, tree,
    );
    transactions.delete(r.transactionId);
    const stateId = newState(t, group, r.encryptHandshake);
    return { stateId, epochAuthenticator: authenticator(states.get(stateId)) };
  },

  async StateAuth(r) {
    return { stateAuthSecret: authenticator(held(states, r.stateId)) };
  },

  async Export(r) {
    const s = held(states, r.stateId);
    const secret = s.group.keySchedule.exporterSecret;
    return { exportedSecret: base64(await mls.mlsExporter(secret, r.label, bytes(r.context), r.keyLength, s.cs)) };
  },

  async Protect(r) {
    const s = held(states, r.stateId);
    const sealed = await mls.createApplicationMessage(s.group, bytes(r.plaintext), s.cs, bytes(r.authenticatedData));
    s.group = sealed.newState;
    return { ciphertext: encode("mls_private_message", { privateMessage: sealed.privateMessage }) };
  },

  async Unprotect(r) {
    const s = held(states, r.stateId);
    const message = decode(r.ciphertext, "mls_private_message");
    const opened = await receive(s, s.group, message);
    if (opened.kind !== "applicationMessage") throw new Refusal(invalidArgument, "not application data");
    s.group = opened.newState;
    return { authenticatedData: base64(message.privateMessage.authenticatedData), plaintext: base64(opened.message) };
  },

  async StorePSK(r) {
    const keeper = states.get(r.stateOrTransactionId) ?? held(transactions, r.stateOrTransactionId);
    // ts-mls looks keys up by their id in base64.
    keeper.psks[r.pskId] = bytes(r.pskSecret);
    return {};
  },

  async AddProposal(r) {
    const s = held(states, r.stateId);
    return propose(s, described(s, { proposalType: btoa("add"), keyPackage: r.keyPackage }));
  },

  async RemoveProposal(r) {
    const s = held(states, r.stateId);
    return propose(s, described(s, { proposalType: btoa("remove"), removedId: r.removedId }));
  },

  async ExternalPSKProposal(r) {
    const s = held(states, r.stateId);
    return propose(s, described(s, { proposalType: btoa("externalPSK"), pskId: r.pskId }));
  },

  async ResumptionPSKProposal(r) {
    const s = held(states, r.stateId);
    return propose(s, described(s, { proposalType: btoa("resumptionPSK"), epochId: r.epochId }));
  },

  // ts-mls makes no Update of its own: the leaf is made here, and its key kept for the commit that takes it.
  async UpdateProposal(r) {
    const s = held(states, r.stateId);
    const { leafIndex } = s.group.privatePath;
    const { signaturePublicKey, credential, capabilities, extensions } = s.group.ratchetTree[2 * leafIndex].leaf;
    const pair = await s.cs.hpke.generateKeyPair();
    const leafNode = await signLeafNodeCommit({
      hpkePublicKey: await s.cs.hpke.exportPublicKey(pair.publicKey), signaturePublicKey, credential, capabilities, extensions,
      leafNodeSource: "update", groupId: s.group.groupContext.groupId, leafIndex,
    }, s.group.signaturePrivateKey, s.cs.signature);
    const response = await propose(s, { proposalType: "update", update: { leafNode } });
    s.updates.set(response.proposal, await s.cs.hpke.exportPrivateKey(pair.privateKey));
    return response;
  },

  // A path is where ts-mls puts one: it cannot be asked for.
  async Commit(r) {
    const s = held(states, r.stateId);
    const refs = [];
    for (const message of r.byReference) refs.push(await hear(s, message));
    const chosen = Object.fromEntries(refs.map((ref) => [ref, s.group.unappliedProposals[ref]]));
    const { commit, welcome, newState } = await mls.createCommit(
      { state: { ...s.group, unappliedProposals: chosen }, pskIndex: pskIndex(s), cipherSuite: s.cs },
      { wireAsPublicMessage: !s.encrypt, extraProposals: r.byValue.map((d) => described(s, d)), ratchetTreeExtension: !r.externalTree },
    );
    s.pending = newState;
    return {
      commit: base64(mls.encodeMlsMessage(commit)),
      welcome: welcome === undefined ? "" : encode("mls_welcome", { welcome }),
      ratchetTree: r.externalTree ? base64(encodeRatchetTree(newState.ratchetTree)) : "",
    };
  },

  async HandlePendingCommit(r) {
    const s = held(states, r.stateId);
    if (s.pending === undefined) throw new Refusal(invalidArgument, "no commit is pending");
    enter(s, s.pending);
    return { stateId: r.stateId, epochAuthenticator: authenticator(s) };
  },

  async HandleCommit(r) {
    const s = held(states, r.stateId);
    const message = decode(r.commit, "mls_public_message", "mls_private_message");
    let privatePath = s.group.privatePath;
    for (const proposal of r.proposal) {
      await hear(s, proposal);
      const key = s.updates.get(proposal);
      if (key !== undefined) privatePath = updateLeafKey(privatePath, key);
    }
    const { newState } = await receive(s, { ...s.group, privatePath }, message);
    if (newState.groupActiveState.kind === "removedFromGroup") throw new Refusal(invalidArgument, "removed from the group");
    if (newState.groupContext.epoch !== s.group.groupContext.epoch + 1n) throw new Refusal(invalidArgument, "not a commit");
    enter(s, newState);
    return { stateId: r.stateId, epochAuthenticator: authenticator(s) };
  },

  async Free(r) {
    held(states, r.stateId);
    states.delete(r.stateId);
    return {};
  },
};

async function answer(line) {
  try {
    const { method, request } = JSON.parse(line);
    if (!Object.hasOwn(methods, method)) throw new Refusal(unimplemented, `ts-mls has no ${method} here`);
    return { response: await methods[method](request) };
  } catch (err) {
    return { error: { code: err instanceof Refusal ? err.code : invalidArgument, message: String(err?.message ?? err) } };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(JSON.stringify(await answer(line)) + "\n");
}
