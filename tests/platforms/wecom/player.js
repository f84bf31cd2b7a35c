// WeChat's side of the conversation, one JSON object a line:
//   {do: "seal", message, timestamp, nonce}            -> {encrypt, signature}
//   {do: "open", encrypt, signature, timestamp, nonce} -> {message, id}   (or {error} for a wrong signature)
const { createRequire } = require('node:module');
const { createInterface } = require('node:readline');

const [, , modules, token, key, appid] = process.argv;
const { decrypt, encrypt, getSignature } = createRequire(modules)('@wecom/crypto');

function answer(asked) {
  if (asked.do === 'seal') {
    const sealed = encrypt(key, asked.message, appid);
    return { encrypt: sealed, signature: getSignature(token, asked.timestamp, asked.nonce, sealed) };
  }
  if (getSignature(token, asked.timestamp, asked.nonce, asked.encrypt) !== asked.signature) {
    return { error: 'signature' };
  }
  const { message, id } = decrypt(key, asked.encrypt);
  return { message, id };
}

createInterface({ input: process.stdin, crlfDelay: Infinity }).on('line', (line) => {
  process.stdout.write(`${JSON.stringify(answer(JSON.parse(line)))}\n`);
});
