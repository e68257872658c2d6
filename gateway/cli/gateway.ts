/** `coda gateway`: one gateway from a configuration file. */
import type { Command } from 'commander';
import { readGatewayConfig } from '../config/role-config.js';
import type { Status } from '../realm/status.js';
import { venusAnswer } from '../realm/venus-answer.js';
import { systemClock } from '../../vice/seam/real/system-clock.js';
import { conflictCount } from './conflict-text.js';
import { boundHeap } from './heap-bound.js';
import type { CommonOptions } from './output.js';
import { runRole } from './role-process.js';
import type { VolumeState } from '../../venus/interface.js';

interface GatewayOptions extends CommonOptions {
  readonly config: string;
}

export function addGatewayCommand(program: Command): void {
  program
    .command('gateway')
    .description('run one gateway (Venus and WebDAV) from a configuration file')
    .requiredOption(
      '--config <file>',
      'YAML or JSON with name, listen, data, realm, realmKey, users and more (README.md)',
    )
    .option('--json', 'print one JSON object when it is ready')
    .addHelpText(
      'after',
      `
Paths in the file are relative to it. Its log goes to stdout. SIGTERM or Ctrl-C ends it cleanly.

Example file:
  name: g1
  listen: 0.0.0.0:8443
  data: /srv/coda/g1
  realm: realm.json
  realmKey: realm.key
  realmTls: {certificate: g1.crt, key: g1.key, authority: ca.crt}
  users: users
  tls: {key: door.key, cert: door.crt}

coda realm init writes such files.

Examples:
  coda user add alice --users /etc/coda/users
  coda gateway --config /etc/coda/g1.yaml`,
    )
    .action(async (_options: unknown, command: Command) => {
      await gateway(command.optsWithGlobals<GatewayOptions>());
    });
}

async function gateway(options: GatewayOptions): Promise<void> {
  const clock = systemClock();
  const config = readGatewayConfig(options.config);
  await runRole({
    role: 'gateway',
    config,
    clock,
    output: options,
    async start() {
      const { startGateway } = await import('../main.js');
      const running = await startGateway(config);
      const unbound = boundHeap(clock);
      const status = (): Status => {
        const { servers, volumes, deletedVolumes, cache } = running.venus.state();
        const own = { name: config.name, pid: process.pid, url: running.url, state: 'running' as const };
        const conflicts = conflictCount(running.venus.conflicts.count());
        const there = { volumes: volumes.map(plain), deletedVolumes: [...deletedVolumes] };
        const seen = { servers: [...servers], ...there, cache, conflicts };
        return { servers: [], gateways: [{ ...own, ...seen }] };
      };
      const { venus, resolvers } = running;
      const answer = venusAnswer(venus, clock, (fid) => running.resolverFailure(fid), resolvers);
      return { url: running.url, status, answer, close: () => running.close().finally(unbound) };
    },
  });
}

function plain(volume: VolumeState) {
  const { vsg, avsg, awaitedLogins } = volume;
  return { ...volume, vsg: [...vsg], avsg: [...avsg], awaitedLogins: [...awaitedLogins] };
}
