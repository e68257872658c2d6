/**
 * The servers that we are compared with. Each is started on a free port of the loopback, with its files in a
 * folder of its own, and checks a password at every request, as ours does (unsalted SHA-1: so that it is not
 * the password that is measured). None of them flushes what it has acknowledged; ours does.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram, run, until } from '../program.js';
import { WebdavClient } from '../webdav-client.js';

export interface Running {
  readonly url: string;
  readonly user: string;
  readonly password: string;
  stop(): Promise<void>;
}

export interface Peer {
  readonly name: string;
  /** Programs that must be installed. */
  readonly needs: readonly string[];
  /** Whether it answers PROPFIND. */
  readonly lists: boolean;
  start(): Promise<Running>;
}

const user = 'bench';
const password = 'bench-password';

export const apache: Peer = { name: 'apache', needs: ['apache2'], lists: true, start: startApache };
export const nginx: Peer = { name: 'nginx', needs: ['nginx'], lists: false, start: startNginx };
export const rclone: Peer = { name: 'rclone', needs: ['rclone'], lists: true, start: startRclone };
export const bareNode: Peer = { name: 'bare node', needs: [], lists: true, start: startBareNode };

/** The programs that `peer` lacks here. */
export function lacks(peer: Peer): string[] {
  return peer.needs.filter((program) => findProgram(program) === undefined);
}

async function startApache(): Promise<Running> {
  const { folder, port } = await prepare();
  const base = [
    'mpm_event',
    'authn_core',
    'authn_file',
    'authz_core',
    'authz_user',
    'auth_basic',
    'dav',
    'dav_fs',
  ];
  // Locks are in dav_fs up to 2.4.53, in a module of their own later.
  const locks = existsSync('/usr/lib/apache2/modules/mod_dav_lock.so') ? ['dav_lock'] : [];
  const loads = [...base, ...locks].map(
    (name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`,
  );
  const config = `${loads.join('\n')}
${asRoot() ? 'User www-data\nGroup www-data' : ''}
ServerRoot ${folder}
ServerName localhost
Listen 127.0.0.1:${port}
PidFile ${folder}/apache.pid
ErrorLog ${folder}/error.log
LogLevel warn
DocumentRoot ${folder}/files
DavLockDB ${folder}/locks/db
StartServers 2
ServerLimit 2
ThreadsPerChild 25
MaxRequestWorkers 50
MaxKeepAliveRequests 0
KeepAliveTimeout 60
LimitRequestBody 0
<Directory ${folder}/files>
  Dav On
  DavDepthInfinity On
  AllowOverride None
  AuthType Basic
  AuthName bench
  AuthUserFile ${folder}/users
  Require valid-user
</Directory>
`;
  await writeFile(join(folder, 'apache.conf'), config);
  return launch('apache2', ['-DFOREGROUND', '-f', join(folder, 'apache.conf')], folder, port);
}

async function startNginx(): Promise<Running> {
  const { folder, port } = await prepare();
  const config = `${asRoot() ? 'user www-data;' : ''}
worker_processes 2;
daemon off;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
events { worker_connections 256; }
http {
  access_log off;
  sendfile on;
  keepalive_requests 1000000;
  client_max_body_size 0;
  client_body_temp_path ${folder}/temporary/body;
  proxy_temp_path ${folder}/temporary/proxy;
  fastcgi_temp_path ${folder}/temporary/fastcgi;
  uwsgi_temp_path ${folder}/temporary/uwsgi;
  scgi_temp_path ${folder}/temporary/scgi;
  server {
    listen 127.0.0.1:${port};
    root ${folder}/files;
    auth_basic bench;
    auth_basic_user_file ${folder}/users;
    location / { dav_methods PUT DELETE MKCOL COPY MOVE; }
  }
}
`;
  await writeFile(join(folder, 'nginx.conf'), config);
  const args = ['-e', join(folder, 'error.log'), '-p', folder, '-c', join(folder, 'nginx.conf')];
  return launch('nginx', args, folder, port);
}

async function startRclone(): Promise<Running> {
  const { folder, port } = await prepare();
  const access = ['--addr', `127.0.0.1:${port}`, '--user', user, '--pass', password];
  return launch(
    'rclone',
    ['serve', 'webdav', join(folder, 'files'), '--log-level', 'ERROR', ...access],
    folder,
    port,
  );
}

async function startBareNode(): Promise<Running> {
  const { folder, port } = await prepare();
  const program = join(import.meta.dirname, 'bare-node.js');
  return launch(
    process.execPath,
    [program, join(folder, 'files'), `${port}`, `${user}:${password}`],
    folder,
    port,
  );
}

function asRoot(): boolean {
  return process.getuid?.() === 0;
}

/** A folder with `files`, `users`, and room for what else a server writes. */
async function prepare(): Promise<{ folder: string; port: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'coda-bench-'));
  await chmod(folder, 0o755);
  const hash = createHash('sha1').update(password).digest('base64');
  await writeFile(join(folder, 'users'), `${user}:{SHA}${hash}\n`);
  for (const name of ['files', 'locks', 'temporary']) await mkdir(join(folder, name));
  if (asRoot()) {
    // Apache and nginx give up root's rights for those of Debian's user for web servers.
    const { stdout } = await run('id', ['-u', 'www-data']);
    const owner = Number(stdout);
    if (owner > 0)
      for (const name of ['files', 'locks', 'temporary']) await chown(join(folder, name), owner, owner);
  }
  return { folder, port: await freePort() };
}

async function launch(
  program: string,
  args: readonly string[],
  folder: string,
  port: number,
): Promise<Running> {
  const child = spawn(findProgram(program) ?? program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors = (errors + text).slice(-10_000)));
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  const url = `http://127.0.0.1:${port}/`;
  const client = new WebdavClient(url, user, password, 1);
  try {
    await until(`${program} to answer on ${url}`, 20_000, async () => {
      if (child.exitCode !== null) throw new Error(`${program} ended with exit code ${child.exitCode}`);
      const reply = await client.request('PUT', '/ready', { body: 'ready' }).catch(() => undefined);
      if (reply !== undefined && reply.status >= 300)
        throw new Error(`${program} answers PUT with ${reply.status}`);
      return reply;
    });
  } catch (cause) {
    kill();
    const log = await readFile(join(folder, 'error.log'), 'utf8').catch(() => '');
    await rm(folder, { recursive: true, force: true });
    throw new Error(`${program} does not work here:\n${errors}${log}`, { cause });
  } finally {
    await client.close();
  }
  return {
    url,
    user,
    password,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        const ended = new Promise<void>((done) => child.once('exit', () => done()));
        const force = setTimeout(kill, 5_000);
        child.kill('SIGTERM');
        await ended;
        clearTimeout(force);
      }
      process.off('exit', kill);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((settle, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => settle(address !== null && typeof address === 'object' ? address.port : 0));
    });
  });
}
