/**
 * `/.coda/events`: conflicts as they come and go, as server-sent events (WHATWG HTML, section 9.2).
 *
 *     event: conflict       data: {"path", "kind", "versions": [VERSION...]}
 *     event: conflict-gone  data: {"path", "kind"}
 *
 * VERSION is {"name", "path", "author", "host", "time", "size", "storeId"}.
 *
 * Who connects is told of those that there are first, each as an event.
 */
import type { ConflictReport } from '../../venus/interface.js';
import { sleep } from '../../vice/seam/clock.js';
import type { Answer, Exchange } from './exchange.js';

/** Milliseconds between two looks; so long nobody waits for an announcement, nor the host for the end of a stream. */
const lookEveryMs = 1_000;
/** Looks after which a silent stream says that it is there. */
const silentLooks = 30;

export function conflictEvents(exchange: Exchange): Answer {
  const headers = {
    'Content-Type': 'text/event-stream; charset=utf-8',
    'Cache-Control': 'no-store',
    // A proxy that gathers the answer would keep the events back.
    'X-Accel-Buffering': 'no',
    // When the stream ends the host may be closing: it would wait for a connection that is kept alive.
    Connection: 'close',
  };
  return { status: 200, headers, ...(exchange.method === 'HEAD' ? {} : { body: events(exchange) }) };
}

async function* events({ share, caller }: Exchange): AsyncGenerator<string> {
  const { venus, clock } = share;
  let told = new Map<string, ConflictReport>();
  let counted = '';
  let silence = 0;
  yield 'retry: 5000\n\n';
  while (share.isClosing?.() !== true) {
    const count = JSON.stringify(venus.conflicts.count());
    silence += 1;
    if (count !== counted) {
      const reports: ConflictReport[] = [];
      for await (const batch of venus.conflicts.list(caller)) reports.push(...batch);
      const now = new Map(reports.map((report) => [`${report.fid} ${report.kind}`, report]));
      const text = [...comings(told, now), ...goings(told, now)].join('');
      if (text !== '') silence = 0;
      yield text;
      told = now;
      counted = count;
    }
    if (silence >= silentLooks) {
      silence = 0;
      yield ': still here\n\n';
    }
    await sleep(clock, lookEveryMs);
  }
}

type Reports = ReadonlyMap<string, ConflictReport>;

function comings(before: Reports, now: Reports): readonly string[] {
  return [...now].flatMap(([key, report]) => {
    if (before.has(key)) return [];
    const versions = report.versions.map(({ fid: _, path, ...version }) => ({
      ...version,
      path: pathText(path),
    }));
    return event('conflict', { ...subjectOf(report), versions });
  });
}

function goings(before: Reports, now: Reports): readonly string[] {
  return [...before].flatMap(([key, report]) =>
    now.has(key) ? [] : event('conflict-gone', subjectOf(report)),
  );
}

function subjectOf({ path, fid, kind }: ConflictReport): object {
  return { path: pathText(path) ?? fid, kind };
}

function pathText(path: readonly string[] | null): string | null {
  return path && `/${path.join('/')}`;
}

/** JSON has no line ends of its own. */
function event(name: string, data: object): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
