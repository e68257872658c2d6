/** What follows from each fault: the table, held against what may never happen. */
import t from 'tap';
import type { Fid, VolumeId } from '../interface/index.js';
import { adviceFor, faults, keyOf, remediesFor, type Fault, type Found } from './finding.js';

const volume = '7f000001' as VolumeId;
const fid = '7f000001.2.aaaaaaaaaaaaaaaa' as Fid;
const found = (fault: Fault): Found => ({ fault, fid, digest: 'd'.repeat(64), peer: null });

t.test('what another replica must help with, and what this disk can say by itself', async (t) => {
  const table: Readonly<Record<Fault, string>> = {
    'contents-missing': 'fetch',
    'contents-damaged': 'fetch',
    'contents-unreadable': 'fetch',
    'contents-length': 'resolve',
    'contents-uncounted': 'recount',
    'record-damaged': 'recount resolve',
    'record-invalid': 'resolve',
    'name-missing': 'recount resolve',
    'no-name': 'recount resolve',
    'no-directory': 'recount resolve',
    'name-dangling': 'resolve',
    'second-name': 'recount',
    'name-damaged': 'recount resolve search',
    circle: 'resolve',
    'digest-wrong': 'recount',
    'snapshot-damaged': 'renew',
    'snapshot-dangling': 'renew',
    'replicas-differ': 'resolve',
  };
  for (const fault of faults) t.equal(remediesFor(fault).join(' '), table[fault], fault);
});

t.test('every fault that may stay tells a person what to do', async (t) => {
  for (const fault of faults) t.match(adviceFor(fault), /\w{4}/, fault);
  t.match(adviceFor('contents-damaged'), /cache.*backup/);
});

t.test('the same contents are one finding, whatever is wrong with them this time', async (t) => {
  const missing = keyOf(found('contents-missing'), volume);
  t.equal(keyOf(found('contents-damaged'), volume), missing);
  t.equal(keyOf({ ...found('contents-damaged'), fid: null }, volume), missing, 'whichever file names them');
  t.not(keyOf(found('contents-missing'), '7f000002' as VolumeId), missing);
  t.not(keyOf(found('contents-length'), volume), keyOf(found('record-damaged'), volume));
  const differ = found('replicas-differ');
  t.not(keyOf({ ...differ, peer: 's2' }, volume), keyOf({ ...differ, peer: 's3' }, volume));
});
