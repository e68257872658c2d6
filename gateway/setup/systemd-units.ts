/** Units for systemd: `systemctl enable --now coda-vice@s1`. */

/** By file name. Configuration is where the printed copy commands put it. */
export function systemdUnits(dataRoot: string): Readonly<Record<string, string>> {
  return {
    'coda-vice@.service': unit('Vice server', 'vice', dataRoot),
    'coda-gateway@.service': unit('gateway', 'gateway', dataRoot),
  };
}

function unit(what: string, role: string, dataRoot: string): string {
  return `# Copy to /etc/systemd/system/. Before the first start: useradd --system coda; install -d -o coda ${dataRoot};
# chown -R coda /etc/coda. Certificates in /etc/coda/%i that are replaced are used without a restart.
[Unit]
Description=Coda ${what} %i
Wants=network-online.target
After=network-online.target

[Service]
User=coda
Environment=NODE_OPTIONS=--max-semi-space-size=2
ExecStart=/usr/bin/env coda ${role} --config /etc/coda/%i/%i.yaml
Restart=always
RestartSec=2
TimeoutStopSec=20
UMask=0077
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
ReadWritePaths=${dataRoot} /etc/coda/%i
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
`;
}
