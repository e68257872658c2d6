/**
 * Runs inside the machine whose power is cut: servers and a gateway from the realm's own configuration, with the real
 * disk, started, stopped and asked as the test outside says, over HTTP on the machine's one cable. It decides nothing,
 * and knows nothing of what was acknowledged.
 *
 * All roles are in this one process: a machine like this one needs seconds to start each, and they lose their power at
 * the same moment in any case.
 *
 * Arguments: the realm's folder, and the address at which the outside reaches this machine.
 */
import { spawn } from 'node:child_process';
import { constants, promises } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
// Read before the disk is in use: most of a boot is Node reading these.
import { readGatewayConfig, readViceConfig } from '../../gateway/config/role-config.js';
import * as gatewayMain from '../../gateway/main.js';
import { startVice, type Vice } from '../../vice/main.js';
import { agentPort, deedSchema, readyLine, sharePort, wordsSchema, type Words } from './agent.js';
import { administer } from './guest-administration.js';

const [, , data = '', address = ''] = process.argv;
const servers = new Map<string, Vice>();
let gateway: gatewayMain.RunningGateway | undefined;

async function obey({ order, names, program }: Words): Promise<unknown> {
  switch (order) {
    case 'mount':
      return mount(names[0] ?? 'defaults');
    case 'servers':
      return startServers(names);
    case 'no-servers':
      await Promise.all([...servers.values()].map((server) => server.close()));
      return servers.clear();
    case 'gateway':
      return startGateway(names[0] ?? '');
    case 'volume': {
      const [volume] = gateway?.venus.state().volumes ?? [];
      return volume === undefined ? undefined : { ...volume, vsg: [...volume.vsg], avsg: [...volume.avsg] };
    }
    case 'administer':
      return administer(data, deedSchema.parse(names[0]), names[1] ?? '', names[2] ?? '');
    case 'run':
      return run(program);
    case 'forget':
      return forgetFlushes();
  }
}

async function startServers(names: readonly string[]): Promise<void> {
  await Promise.all(
    names.map(async (name) => servers.set(name, await startVice(readViceConfig(configOf(name))))),
  );
}

/** Its share is open to the cable: passwords go in the clear here, through no network. */
async function startGateway(name: string): Promise<void> {
  await gateway?.close();
  const listen = { host: address, port: sharePort };
  gateway = await gatewayMain.startGateway({ ...readGatewayConfig(configOf(name)), listen });
}

function configOf(name: string): string {
  return join(data, 'config', `${name}.json`);
}

/** A planted bug: no file or folder that is written from here is flushed any more; what LMDB writes still is. */
function forgetFlushes(): void {
  const { open } = promises;
  const forget = async (...[path, flags, mode]: Parameters<typeof open>): Promise<promises.FileHandle> => {
    const synchronous = constants.O_SYNC | constants.O_DSYNC;
    const handle = await open(path, typeof flags === 'number' ? flags & ~synchronous : flags, mode);
    return Object.assign(handle, { sync: async () => undefined, datasync: async () => undefined });
  };
  Object.assign(promises, { open: forget });
  syncBuiltinESMExports();
}

async function mount(options: string): Promise<void> {
  await run(['mount', '-t', 'ext4', '-o', options, '/dev/ubda', data]);
}

/** @throws Error when it ends with another code than 0 */
function run(program: readonly string[]): Promise<string> {
  const [file = '', ...rest] = program;
  return new Promise((resolve, reject) => {
    const child = spawn(file, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${program.join(' ')} ended with ${code}: ${output}`));
    });
  });
}

async function answer(incoming: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of incoming.setEncoding('utf8')) text += String(chunk);
  return JSON.stringify({ result: (await obey(wordsSchema.parse(JSON.parse(text)))) ?? null });
}

function serve(incoming: IncomingMessage, outgoing: ServerResponse): void {
  answer(incoming).then(
    (result) => outgoing.end(result),
    (error: unknown) => outgoing.writeHead(500).end(String(error instanceof Error ? error.stack : error)),
  );
}

createServer(serve).listen(agentPort, address, () => console.log(readyLine));
