import { judge } from './laws/judge.js';
import { generate } from './world/generator.js';
import { Player } from './world/player.js';
const [a = '1', b = a, trace] = process.argv.slice(2);
for (let seed = Number(a); seed <= Number(b); seed += 1) {
  const t0 = process.cpuUsage();
  const run = await new Player(generate(seed)).play();
  const { user, system } = process.cpuUsage(t0);
  const v = judge(run);
  const ok = run.ledger.attempts.filter(({ outcome }) => outcome === 'ok').length;
  console.log(`seed ${seed}: ${run.hash} ${run.trace.length} lines, ${ok}/${run.ledger.attempts.length} ok, settled ${run.settledMs} ms, cpu ${Math.round((user + system) / 1000)} ms`);
  for (const { law, text } of v.slice(0, 4)) console.log(`   ${law}: ${text.slice(0, 700)}`);
  if (trace) { console.log(run.trace.join('\n')); console.log(run.situations.all); }
}
