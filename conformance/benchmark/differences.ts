/** A new version of a large file, moved whole and as what is new in it: seconds and bytes, by its size. */
import { createCipheriv } from 'node:crypto';
import { RecipeMaker } from '../../vice/difference/recipe.js';
import { LargeFileStage } from '../semantics/large-file.js';
import { secondsSince } from './replay.js';
import { say, shown, type Row, type Table } from './report.js';

export interface DifferencesScale {
  /** Of the file, smallest first. */
  readonly fileBytes: readonly number[];
}

const columns = { never: 'whole', always: 'difference' } as const;
const pieceBytes = 256 * 1024;

export async function differences({ fileBytes }: DifferencesScale): Promise<Table[]> {
  const rows: Row[] = [];
  for (const bytes of fileBytes) rows.push(...(await bySize(bytes)));
  const [largest = 0] = fileBytes.slice(-1);
  return [
    {
      title:
        '1 MB put into the middle of a large file that is saved at one gateway and read at the other, on one machine ' +
        '(no link to wait for), in brackets the ratio to all of it',
      columns: Object.values(columns),
      base: columns.never,
      rows,
    },
    {
      title: 'What comparing takes of one processor',
      columns: ['this machine'],
      base: 'this machine',
      rows: [
        {
          what: 'making a recipe',
          unit: 'MB/s',
          figures: { 'this machine': recipeRate(Math.min(largest, 1e9)) },
        },
      ],
    },
  ];
}

async function bySize(fileBytes: number): Promise<Row[]> {
  const size = `${Math.round(fileBytes / 1e6)} MB`;
  const figures: Record<string, Record<string, number>> = { save: {}, read: {}, in: {}, out: {} };
  for (const [mode, column] of Object.entries(columns)) {
    const stage = await LargeFileStage.open({ differences: mode, cacheBytes: 8 * fileBytes });
    try {
      const [ada, bob] = stage.people;
      await ada.save(fileBytes, 0);
      await stage.drained();
      await bob.read();
      const seconds = async (work: () => Promise<unknown>): Promise<number> => {
        const started = performance.now();
        await work();
        return secondsSince(started);
      };
      let [save, read] = [0, 0];
      const saved = await stage.moved(async () => {
        save = await seconds(async () => {
          await ada.save(fileBytes, 1);
          await stage.drained();
        });
      });
      const fetched = await stage.moved(async () => {
        read = await seconds(() => bob.read());
      });
      const bytesIn = Math.max(...saved.map((at) => at.in)) / 1e6;
      const bytesOut = fetched.reduce((sum, at) => sum + at.out, 0) / 1e6;
      for (const [what, figure] of Object.entries({ save, read, in: bytesIn, out: bytesOut })) {
        figures[what] = { ...figures[what], [column]: figure };
      }
      say(`${size}, ${column}: saved in ${shown(save)} s, read in ${shown(read)} s`);
    } finally {
      await stage.close();
    }
  }
  const row = (what: string, unit: string, key: string): Row => ({ what, unit, figures: figures[key] ?? {} });
  return [
    row(`${size}: saving, until all servers have it`, 's', 'save'),
    row(`${size}: reading it at the other gateway`, 's', 'read'),
    row(`${size}: moved to each server`, 'MB', 'in'),
    row(`${size}: moved from the servers`, 'MB', 'out'),
  ];
}

/** Millions of bytes a second. */
function recipeRate(bytes: number): number {
  const pieces = createCipheriv('aes-256-ctr', Buffer.alloc(32), Buffer.alloc(16)).update(
    Buffer.alloc(64 * pieceBytes),
  );
  const rate = (): number => {
    const maker = new RecipeMaker();
    const started = performance.now();
    for (let done = 0; done < bytes; done += pieceBytes) {
      const at = done % pieces.length;
      maker.push(pieces.subarray(at, at + pieceBytes));
    }
    maker.end();
    return bytes / 1e6 / secondsSince(started);
  };
  rate();
  return rate();
}
