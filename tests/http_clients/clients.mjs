// Fills, streams, cancels, meets an error and reads it, with each JavaScript library:
//
//   node clients.mjs FOLDER URL openai|ollama|mistral
//
// FOLDER has the libraries. Prints one JSON object; see tests/e2e/test_http_clients.py.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [folder, url, name] = process.argv.slice(2);
const resolve = createRequire(`${folder}/package.json`).resolve;
const load = (library) => import(pathToFileURL(resolve(library)));

const prompt = "def add(a, b):\n    ";
const suffix = "\n";

async function joined(stream, textOf) {
  let text = "";
  for await (const piece of stream) text += textOf(piece) ?? "";
  return text;
}

async function withOpenAI() {
  const { default: OpenAI } = await load("openai");
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
  const ask = { model: "gpt-3.5-turbo-instruct", prompt, suffix };
  const whole = await client.completions.create(ask);
  const stream = await client.completions.create({ ...ask, stream: true });
  const streamed = await joined(stream, (piece) => piece.choices[0].text);
  const endless = await client.completions.create({ ...ask, prompt: "ENDLESS", stream: true });
  endless.controller.abort();
  const told = await client.completions.create({ ...ask, echo: true }).catch((error) => error);
  return { whole: whole.choices[0].text, streamed, status: told.status, error: told.message };
}

async function withOllama() {
  const { Ollama } = await load("ollama");
  const client = new Ollama({ host: url });
  const ask = { model: "qwen2.5-coder:1.5b", prompt, suffix };
  const whole = await client.generate(ask);
  const streamed = await joined(
    await client.generate({ ...ask, stream: true }),
    (piece) => piece.response,
  );
  const endless = await client.generate({ ...ask, prompt: "ENDLESS", stream: true });
  endless.abort();
  const told = await client.generate({ ...ask, format: "json" }).catch((error) => error);
  return { whole: whole.response, streamed, status: told.status_code, error: told.message };
}

async function withMistral() {
  const { Mistral } = await load("@mistralai/mistralai");
  const client = new Mistral({ serverURL: url, apiKey: "none" });
  const ask = { model: "codestral-latest", prompt, suffix };
  const whole = await client.fim.complete(ask);
  const streamed = await joined(
    await client.fim.stream(ask),
    (event) => event.data.choices[0].delta.content,
  );
  const leaving = new AbortController();
  const endless = client.fim.complete(
    { ...ask, prompt: "ENDLESS" },
    { fetchOptions: { signal: leaving.signal } },
  );
  setImmediate(() => leaving.abort());
  await endless.catch(() => {});
  const told = await client.fim.complete({ ...ask, prompt: "FAIL" }).catch((error) => error);
  const text = (answer) => answer.choices[0].message.content;
  return { whole: text(whole), streamed, status: told.statusCode, error: told.message + told.body };
}

const seen = await { openai: withOpenAI, ollama: withOllama, mistral: withMistral }[name]();
process.stdout.write(JSON.stringify(seen));
process.exit(0);
