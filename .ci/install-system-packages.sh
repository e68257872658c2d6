#!/usr/bin/env bash
# Installs the programs that the tests in conformance/ run: WebDAV clients and the peers they are compared with.
# For Debian and its relatives; elsewhere it only says what to install by hand. May be run again at any time.
set -euo pipefail

packages=(
  litmus            # conformance/clients/litmus.test.ts: the WebDAV protocol test suite
  cadaver           # conformance/clients/cadaver.test.ts: a command line client
  davfs2 fuse3      # conformance/clients/davfs2.test.ts, conformance/semantics: a WebDAV mount of the kernel
  iproute2          # conformance/semantics: a network of its own for the servers, and its cable
  nftables libfaketime # conformance/faults: networks that drop one direction, clocks that jump
  user-mode-linux   # conformance/power-cut: a kernel whose power is cut
  e2fsprogs         # conformance/power-cut: its disk
  libeatmydata1     # conformance/power-cut: a machine that does not flush, which the test must find
  rclone            # conformance/clients/rclone.test.ts, and a peer in conformance/benchmark
  apache2           # conformance/benchmark: mod_dav, the yardstick
  apache2-utils     # htpasswd, for Apache and nginx
  nginx-light       # conformance/benchmark: a peer
  curl              # conformance/clients, conformance/semantics: single requests
  openssl           # gateway/x509: a second opinion on certificates
  ca-certificates
)

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
  echo "system packages: this is no Debian; nothing was installed."
  echo "system packages: tests whose program is missing are skipped (and fail with CI=true). They use:"
  echo "  ${packages[*]}"
  exit 0
fi

missing=()
for package in "${packages[@]}"; do
  state=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
  [ "$state" = 'install ok installed' ] || missing+=("$package")
done
if [ "${#missing[@]}" -eq 0 ]; then
  echo "system packages: all installed (${packages[*]})"
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "system packages: not root and no sudo; as root, run: apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

# Mirrors fail now and then; three tries with a pause are enough in practice.
retried() {
  local try
  for try in 1 2 3 4; do
    if "$@"; then return 0; fi
    echo "system packages: try $try of 4 failed: $*" >&2
    [ "$try" -eq 4 ] || sleep $((try * 5))
  done
  return 1
}

echo "system packages: installing ${missing[*]}"
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300)

# The tests start their own servers on free ports; the packages' own must not be started at installation.
policy=/usr/sbin/policy-rc.d
made_policy=no
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
  made_policy=yes
fi
forget_policy() { [ "$made_policy" = no ] || "${as_root[@]}" rm -f "$policy"; }
trap forget_policy EXIT

# davfs2 asks whether ordinary users may mount; the default, no, is what the tests want.
retried "${apt[@]}" update
retried "${apt[@]}" install -y --no-install-recommends "${missing[@]}" </dev/null >/tmp/install-system-packages.$$ 2>&1 || {
  tail -n 40 /tmp/install-system-packages.$$ >&2
  rm -f /tmp/install-system-packages.$$
  exit 1
}
rm -f /tmp/install-system-packages.$$
echo "system packages: installed"
