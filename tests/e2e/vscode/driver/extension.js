// Runs what the tests send: JavaScript with `vscode` at hand, its value as JSON.
const fs = require('node:fs');
const http = require('node:http');
const vscode = require('vscode');

const AsyncFunction = (async () => {}).constructor;

async function answer(request) {
  let code = '';
  for await (const chunk of request) {
    code += chunk;
  }
  try {
    return { value: (await new AsyncFunction('vscode', 'require', code)(vscode, require)) ?? null };
  } catch (fault) {
    return { fault: String(fault?.stack ?? fault) };
  }
}

exports.activate = () => {
  const server = http.createServer(async (request, response) => {
    response.end(JSON.stringify(await answer(request)));
  });
  server.listen(0, '127.0.0.1', () => {
    const file = process.env.REMASK_TEST_DRIVER;
    fs.writeFileSync(`${file}.new`, String(server.address().port));
    fs.renameSync(`${file}.new`, file);
  });
};
