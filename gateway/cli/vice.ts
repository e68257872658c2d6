/** `coda vice`: one Vice server from a configuration file. */
import type { Command } from 'commander';
import { readViceConfig } from '../config/role-config.js';
import type { Status } from '../realm/status.js';
import { systemClock } from '../../vice/seam/real/system-clock.js';
import type { CommonOptions } from './output.js';
import { runRole } from './role-process.js';

interface ViceOptions extends CommonOptions {
  readonly config: string;
}

export function addViceCommand(program: Command): void {
  program
    .command('vice')
    .description('run one Vice server from a configuration file')
    .requiredOption(
      '--config <file>',
      'YAML or JSON: name, listen, data, realm, realmKey, realmTls, logLevel, scrub, snapshots',
    )
    .option('--json', 'print one JSON object when it is ready')
    .addHelpText(
      'after',
      `
Paths in the file are relative to it. Its log goes to stdout. SIGTERM or Ctrl-C ends it cleanly.

Example file:
  name: s1
  listen: wss://10.0.0.1:7001
  data: /srv/coda/s1
  realm: realm.json
  realmKey: realm.key
  realmTls: {certificate: s1.crt, key: s1.key, authority: ca.crt}
  scrub: {everyDays: 7, bytesPerSecond: 8388608}
  snapshots: {daily: 7, weekly: 4, hour: 1}

coda realm init writes such files. Without "realmTls", listen on ws://: for networks that are trusted.

Examples:
  coda vice --config /etc/coda/s1.yaml`,
    )
    .action(async (_options: unknown, command: Command) => {
      await vice(command.optsWithGlobals<ViceOptions>());
    });
}

async function vice(options: ViceOptions): Promise<void> {
  const config = readViceConfig(options.config);
  await runRole({
    role: 'server',
    config,
    clock: systemClock(),
    output: options,
    async start() {
      // The gateway never imports Vice; this command alone is a main of both (gateway/cli/README.md).
      const { startVice } = await import('../../vice/main.js');
      const running = await startVice(config);
      const url = pageUrl(running.address);
      const own = { name: config.name, pid: process.pid, url, state: 'running' } as const;
      const status = (): Status => ({
        servers: [{ ...own, catchUps: [...running.catchUps()], scrub: running.scrub() }],
        gateways: [],
      });
      return { url, status, close: () => running.close() };
    },
  });
}

/** Where its pages are, as /metrics: ws://host:port -> http://host:port/ */
function pageUrl(address: string): string {
  return new URL('/', address.replace(/^ws/, 'http')).href;
}
