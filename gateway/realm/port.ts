/** Ports of this machine: whether one can be bound, a free one, what to tell when one is taken. */
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { formatListenAddress, type ListenAddress } from '../config/listen-address.js';
import { OperatorError, systemCode } from '../config/operator-error.js';

const lowestPort = 20_000;
const highestPort = 32_000;
const attemptsMost = 100;

/** Undefined when `address` can be bound, else the system's code, as EADDRINUSE or EACCES. */
export async function whyNotFree(address: ListenAddress): Promise<string | undefined> {
  try {
    await bindOnce(address);
    return undefined;
  } catch (error) {
    return systemCode(error) ?? 'unknown';
  }
}

/**
 * A port of `host` that nobody uses just now. Not one of those that the system gives to outgoing connections (Linux:
 * from 32768 on, others from 49152): until a server listens on it, or while it restarts, such a connection may take it.
 * And none of `promised`: those are free until the process that was given them listens.
 */
export async function freePort(host: string, promised: ReadonlySet<number> = new Set()): Promise<number> {
  for (let attempt = 0; attempt < attemptsMost; attempt += 1) {
    const port = randomInt(lowestPort, highestPort);
    if (!promised.has(port) && (await whyNotFree({ host, port })) === undefined) return port;
  }
  return bindOnce({ host, port: 0 });
}

/** What a person is told when `address` cannot be listened on, with the system's `code` for it. */
export function addressRefused(address: ListenAddress, code: string): OperatorError {
  const text = formatListenAddress(address);
  const other = 'choose another address (--listen, or "listen" in the configuration file)';
  switch (code) {
    case 'EADDRINUSE': {
      const who = `\`ss -ltnp 'sport = :${address.port}'\` names it`;
      return refused(`${text} is in use by another program. Stop that program (${who}), or ${other}.`);
    }
    case 'EACCES':
      return refused(`${text} may not be used by this user. Choose a port above 1023.`);
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return refused(`${address.host} is no address of this machine: ${other}.`);
    default:
      return refused(`${text} cannot be listened on (${code}): ${other}.`);
  }
}

function refused(message: string): OperatorError {
  return new OperatorError('refused', message);
}

function bindOnce(address: ListenAddress): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ host: address.host, port: address.port, exclusive: true }, () => {
      const bound = server.address();
      const port = bound !== null && typeof bound === 'object' ? bound.port : 0;
      server.close(() => resolve(port));
    });
  });
}
