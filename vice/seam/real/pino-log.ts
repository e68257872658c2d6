import { mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { pino, type DestinationStream } from 'pino';
import { Failure } from '../../interface/index.js';
import type { Log } from '../log.js';

export interface PinoLogOptions {
  readonly level: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  /** Which room speaks, as `vice` or `gateway`. */
  readonly name: string;
  /** A file's path, or a stream; standard output by default. */
  readonly destination?: string | DestinationStream;
}

/** Fields that never reach the log, whoever passes them. */
const secrets = ['password', 'token', 'credential', 'authorization', 'cookie', 'secret', 'realmKey'];
/** Unwritten bytes beyond which lines are dropped: a stuck reader of the log must not stop the service. */
const backlogBytes = 8 * 1024 * 1024;

/**
 * One JSON object a line, written behind the event loop.
 * @throws Failure invalid when the destination cannot be opened
 */
export function pinoLog({ level, name, destination }: PinoLogOptions): Log {
  const logger = pino(
    {
      name,
      level,
      redact: { paths: secrets.flatMap((field) => [field, `*.${field}`]), censor: '(not logged)' },
      serializers: { error: pino.stdSerializers.err, cause: pino.stdSerializers.err },
    },
    typeof destination === 'object' ? destination : fileStream(destination),
  );
  return {
    debug: (event, fields = {}) => logger.debug(fields, event),
    info: (event, fields = {}) => logger.info(fields, event),
    warn: (event, fields = {}) => logger.warn(fields, event),
    error: (event, fields = {}) => logger.error(fields, event),
  };
}

function fileStream(path: string | undefined): DestinationStream {
  const stream = pino.destination({
    // Opened here: a program that ends at once can only flush what is open.
    dest: path === undefined ? 1 : opened(path),
    sync: false,
    maxLength: backlogBytes,
  });
  // A full disk under the log, or a reader that has gone: lines are lost, the service goes on.
  stream.on('error', () => {});
  return stream;
}

function opened(path: string): number {
  try {
    mkdirSync(dirname(path), { recursive: true });
    return openSync(path, 'a', 0o600);
  } catch (cause) {
    throw new Failure('invalid', 'log.open', `the log ${path} cannot be written: ${String(cause)}`, {
      cause,
    });
  }
}
