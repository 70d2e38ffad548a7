// Formats Lua as stylua.toml says: `node stylua.mjs [--write] FILE...` names the files that differ.
// StyLua comes as WebAssembly from the npm registry, with what the extension is built with.
import fs from 'node:fs';
import { createRequire } from 'node:module';

const extension = new URL('../../editor_clients/vscode/package.json', import.meta.url);
const { Config, IndentType, OutputVerification, QuoteStyle, formatCode } = createRequire(extension)(
  '@johnnymorganz/stylua',
);

/** A new one for each file: StyLua takes it for its own. */
function config() {
  const made = Config.new();
  made.column_width = 100;
  made.indent_type = IndentType.Spaces;
  made.indent_width = 2;
  made.quote_style = QuoteStyle.AutoPreferSingle;
  return made;
}

const files = process.argv.slice(2).filter((word) => word !== '--write');
for (const file of files) {
  const text = fs.readFileSync(file, 'utf8');
  const formatted = formatCode(text, config(), undefined, OutputVerification.Full);
  if (formatted !== text) {
    console.log(file);
    if (process.argv.includes('--write')) {
      fs.writeFileSync(file, formatted);
    }
  }
}
